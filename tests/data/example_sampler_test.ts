import { assert, assertEquals, assertThrows } from "@std/assert";
import { exampleSampler } from "../../data/mod.ts";

function draws(
  sampler: ReturnType<typeof exampleSampler>,
  first: number,
  steps: number,
): number[] {
  return Array.from({ length: steps }, (_, i) => [
    ...sampler.indices(first + i),
  ]).flat();
}

Deno.test("each example comes once an epoch, in a new order each time", () => {
  const sampler = exampleSampler({ count: 35, batch: 7, seed: 3 });
  const epochs = [0, 1, 20].map((epoch) => draws(sampler, epoch * 5, 5));
  const all = Array.from({ length: 35 }, (_, i) => i);
  for (const epoch of epochs) {
    assertEquals(epoch.toSorted((a, b) => a - b), all);
  }
  assert(epochs[0].join() !== epochs[1].join());
  assert(epochs[0].join() !== all.join());
});

Deno.test("an epoch may end within a batch", () => {
  const sampler = exampleSampler({ count: 5, batch: 2, seed: 3 });
  const drawn = draws(sampler, 0, 5);
  assertEquals(drawn.slice(0, 5).sort(), [0, 1, 2, 3, 4]);
  assertEquals(drawn.slice(5).sort(), [0, 1, 2, 3, 4]);
});

Deno.test("fewer examples than a batch come again", () => {
  const sampler = exampleSampler({ count: 2, batch: 6, seed: 0 });
  assertEquals(draws(sampler, 0, 1).sort(), [0, 0, 0, 1, 1, 1]);
});

Deno.test("with lengths, examples of like length share a batch", () => {
  const count = 32 * 8 * 3;
  const lengths = Array.from({ length: count }, (_, i) => i * i % 97);
  const sampler = exampleSampler({ count, batch: 8, seed: 1, lengths });
  const drawn = draws(sampler, 0, 32 * 3);
  assertEquals(
    drawn.toSorted((a, b) => a - b),
    Array.from({ length: count }, (_, i) => i),
  );
  const spread = (sampler: ReturnType<typeof exampleSampler>): number => {
    let sum = 0;
    for (let step = 0; step < 96; step++) {
      const own = [...sampler.indices(step)].map((example) => lengths[example]);
      sum += Math.max(...own) - Math.min(...own);
    }
    return sum / 96;
  };
  const plain = exampleSampler({ count, batch: 8, seed: 1 });
  assert(spread(sampler) < spread(plain) / 4);
});

Deno.test("with lengths, a batch of few examples has none twice", () => {
  const lengths = Array.from({ length: 96 }, (_, i) => i);
  const sampler = exampleSampler({ count: 96, batch: 16, seed: 0, lengths });
  for (let step = 0; step < 32; step++) {
    assertEquals(new Set(sampler.indices(step)).size, 16);
  }
  const all = draws(sampler, 6, 6).toSorted((a, b) => a - b);
  assertEquals(all, lengths);
});

Deno.test("batches of examples depend on seed and step alone", () => {
  const lengths = Array.from({ length: 500 }, (_, i) => i % 40);
  for (const given of [undefined, lengths]) {
    const make = (seed: number) =>
      exampleSampler({ count: 500, batch: 4, seed, lengths: given });
    const steps = [0, 1, 40, 1000, 2 ** 40];
    const forwards = make(1);
    const batches = steps.map((step) => forwards.indices(step));
    const backwards = make(1);
    for (let i = steps.length - 1; i >= 0; i--) {
      assertEquals(backwards.indices(steps[i]), batches[i]);
    }
    assert(make(2).indices(0).join() !== batches[0].join());
  }
});

Deno.test("a sampler of examples refuses what makes no sense", () => {
  const good = { count: 5, batch: 2, seed: 0 };
  for (
    const wrong of [
      { count: 0 },
      { batch: 0 },
      { batch: 1.5 },
      { seed: -1 },
      { lengths: [1, 2] },
    ]
  ) {
    assertThrows(
      () => exampleSampler({ ...good, ...wrong }),
      RangeError,
      "exampleSampler: ",
    );
  }
  assertThrows(() => exampleSampler(good).indices(-1), RangeError, "step -1");
});
