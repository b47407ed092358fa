import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "@std/assert";
import { compareGradients } from "../../mgrit/mod.ts";
import { type Device, device, tensor } from "../../tensor/mod.ts";

const devices: Record<string, () => Promise<Device>> = {
  "reference": () => device("reference", { dtype: "f64" }),
  "wasm": () => device("wasm", { threads: 1 }),
};

for (const [name, make] of Object.entries(devices)) {
  Deno.test(`compareGradients on ${name}: whole and by layer`, async () => {
    const made = await make();
    const on = { device: made };
    const better = {
      weight: tensor(
        [[[1, 0], [2, 0]], [[0, 1], [0, 0]], [[0, 0], [0, 0]]],
        on,
      ),
      bias: tensor([2, 0, 0], on),
    };
    const gradient = {
      weight: tensor(
        [[[1, 0], [2, 0]], [[0, 0], [1, 0]], [[0, 0], [0, 0]]],
        on,
      ),
      bias: tensor([2, 0, 0], on),
    };
    const before = made.stats().liveBuffers;
    const comparison = compareGradients(gradient, better);
    Object.values(gradient).forEach((x) => x.dispose());
    const { relativeError, cosine, layers } = await comparison;
    // f32: sums of small integers are exact, their roots are not.
    assertAlmostEquals(relativeError, Math.sqrt(2 / 10), 1e-12);
    assertAlmostEquals(cosine, 9 / 10, 1e-12);
    assertEquals(layers.cosine.map((x) => Math.round(x * 1e12) / 1e12), [
      1,
      0,
      1,
    ]);
    assertAlmostEquals(layers.relativeError[1], Math.SQRT2, 1e-12);
    assertEquals([layers.relativeError[0], layers.relativeError[2]], [0, 0]);
    assertEquals(made.stats().liveBuffers, before - 2, "buffers left behind");
    made.close();
  });
}

Deno.test("compareGradients: sections have layers of their own", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  const better = {
    first: { weight: tensor([[1, 0], [0, 2]]) },
    second: { weight: tensor([[3]]), bias: tensor([4]) },
  };
  const gradient = {
    first: { weight: tensor([[1, 0], [2, 0]]) },
    second: { weight: tensor([[3]]), bias: tensor([4]) },
  };
  const sections = [{ name: "first", layers: 2 }, {
    name: "second",
    layers: 1,
  }];
  const { cosine, layers } = await compareGradients(gradient, better, sections);
  assertAlmostEquals(cosine, 26 / 30, 1e-12);
  assertEquals(layers.cosine, [1, 0, 1]);
  // Nothing is known of layers that are frozen.
  const { second: _, ...thawed } = gradient;
  const part = await compareGradients(thawed, better, sections);
  assertAlmostEquals(part.cosine, 1 / 5, 1e-12);
  assertEquals(part.layers.cosine, [1, 0, 1]);
  cpu.close();
});

Deno.test("compareGradients: close gradients keep their distance in f32", async () => {
  const made = await device("wasm", { threads: 1 });
  const on = { device: made };
  const better = tensor([[1, 1, 1, 1]], on);
  const gradient = tensor([[1 + 2 ** -20, 1, 1, 1]], on);
  const { relativeError, cosine } = await compareGradients(gradient, better);
  // Taken from the difference itself; from ‖a‖² + ‖b‖² − 2ab it would be 0.
  assertAlmostEquals(relativeError, 2 ** -21, 1e-12);
  assert(cosine <= 1 && cosine > 1 - 1e-6);
  made.close();
});

Deno.test("compareGradients: what can't be compared is refused", async () => {
  await device("reference");
  await assertRejects(
    () => compareGradients(tensor([[1], [2]]), tensor([[1, 2]])),
    RangeError,
    "compareGradients: gradients of shapes [2, 1] and [1, 2]",
  );
  await assertRejects(
    () =>
      compareGradients([tensor([1]), tensor([1, 2])], [
        tensor([1]),
        tensor([1, 2]),
      ]),
    RangeError,
    "with the layers as first axis",
  );
});
