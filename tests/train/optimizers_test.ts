import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { valueAndGrad, vjp } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";
import { adafactor } from "../../train/adafactor.ts";
import { adam, adamW } from "../../train/adam.ts";
import { accumulate } from "../../train/gradient_accumulation.ts";
import { clipByGlobalNorm, globalNorm } from "../../train/gradient_clipping.ts";
import { lars } from "../../train/lars.ts";
import type { Optimizer, OptimizerState } from "../../train/optimizer.ts";
import { sgd } from "../../train/sgd.ts";
import { distance } from "./distance.ts";

// deno-lint-ignore no-explicit-any -- hyperparameters as the recipe writes them
type Any = any;
type Parameters = Record<string, t.Tensor>;

const devices = {
  "reference f64": () => t.device("reference", { dtype: "f64" }),
  "reference f32": () => t.device("reference"),
  "wasm": () => t.device("wasm", { threads: 1 }),
};

const fewAxes = (_: string, x: t.Tensor): boolean => x.rank < 2;

const everyOptimizer: Record<string, () => Optimizer> = {
  sgd: () => sgd({ learningRate: 0.1 }),
  "sgd with momentum": () =>
    sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
  adam: () => adam({ learningRate: 0.1, amsgrad: true, weightDecay: 0.1 }),
  adamW: () => adamW({ learningRate: 0.1 }),
  lars: () => lars({ learningRate: 0.1, weightDecay: 0.1, exclude: fewAxes }),
  adafactor: () => adafactor({ learningRate: 0.1 }),
};

function wave(shape: t.Shape, phase: number, device: t.Device): t.Tensor {
  const values = Float64Array.from(
    { length: t.sizeOf(shape) },
    (_, i) => Math.sin(1 + phase + i * (1 + 0.1 * phase)),
  );
  return t.tensor(values, { shape, dtype: "f32", device });
}

for (const [deviceName, make] of Object.entries(devices)) {
  Deno.test(`updates hold memory constant on ${deviceName}`, async () => {
    const device = await make();
    const target = wave([3, 4], 3, device);
    const loss = valueAndGrad(({ w, rest: [b] }: {
      w: t.Tensor;
      rest: t.Tensor[];
    }) => t.meanSquaredError(t.add(w, b), target));
    for (const [name, makeOptimizer] of Object.entries(everyOptimizer)) {
      const optimizer = makeOptimizer();
      let parameters = {
        w: wave([3, 4], 0, device),
        rest: [wave([4], 1, device)],
      };
      let state = optimizer.init(parameters);
      const step = (): void => {
        const { gradient } = loss(parameters);
        const { scale } = clipByGlobalNorm(gradient, 1);
        ({ parameters, state } = optimizer.update(
          parameters,
          gradient,
          state,
          { scale },
        ));
      };
      for (let i = 0; i < 3; i++) step();
      device.resetPeak();
      const before = device.stats();
      step();
      const { peakBytes } = device.stats();
      for (let i = 0; i < 100; i++) step();
      const after = device.stats();
      assertEquals(after.liveBytes, before.liveBytes, name);
      assertEquals(after.liveBuffers, before.liveBuffers, name);
      assertEquals(after.peakBytes, peakBytes, name);
      assertEquals(state.step, 104);
      t.dispose([parameters, state.slots]);
    }
    device.close();
  });

  Deno.test(`a stack is updated as its layers on ${deviceName}`, async () => {
    const device = await make();
    const layers = 3;
    const shapes: Record<string, t.Shape> = { w: [4, 5], b: [5], s: [] };
    const isStacked = { stacked: () => true };
    const makers: Record<string, (o: Any) => Optimizer> = {
      lars: (o) => lars({ learningRate: 0.5, weightDecay: 0.1, ...o }),
      adafactor: (o) =>
        adafactor({ learningRate: 0.5, weightDecay: 0.1, ...o }),
      adamW: () => adamW({ learningRate: 0.5 }),
    };
    for (const [name, makeOptimizer] of Object.entries(makers)) {
      const results: number[][] = [];
      for (const together of [true, false]) {
        using _ = device.scope();
        // The last layer's gradient and parameters are zero: no norm to divide by.
        const leaf = (
          shape: t.Shape,
          layer: number,
          phase: number,
        ): t.Tensor =>
          t.mul(wave(shape, phase + layer, device), 10 * (layers - 1 - layer));
        const tree = (phase: number): Record<string, t.Tree> =>
          Object.fromEntries(
            Object.entries(shapes).map(([key, shape]) => {
              const list = Array.from(
                { length: layers },
                (_, layer) => leaf(shape, layer, phase),
              );
              return [key, together ? t.stack(list) : list];
            }),
          );
        const optimizer = makeOptimizer(together ? isStacked : {});
        let parameters = tree(0);
        let state = optimizer.init(parameters);
        for (let step = 1; step <= 3; step++) {
          const scale = t.tensor(0.5, { device });
          ({ parameters, state } = optimizer.update(
            parameters,
            tree(step),
            state,
            { scale },
          ));
        }
        const values = await Promise.all(
          t.leaves(parameters).map((x) => x.data()),
        );
        results.push(values.flatMap((row) => [...row]));
      }
      // Only the order of summation may differ.
      const limit = device.floatDtype === "f64" ? 1e-12 : 1e-5;
      assert(distance(results[0], results[1]) <= limit, name);
    }
    device.close();
  });

  Deno.test(`clipping and accumulation on ${deviceName}`, async () => {
    const device = await make();
    const gradients = {
      a: t.tensor([[3, 0], [0, 0]], { device }),
      b: t.tensor(-4, { device }),
      c: t.expand(t.tensor(0, { device }), [0, 3]),
    };
    assertEquals(await globalNorm(gradients).item(), 5);
    const { norm, scale } = clipByGlobalNorm(gradients, 1);
    assertEquals([norm.shape, scale.shape], [[], []]);
    assertEquals(await norm.item(), 5);
    assert(Math.abs(await scale.item() - 1 / (5 + 1e-6)) < 1e-7);
    const loose = clipByGlobalNorm(gradients, 7);
    assertEquals(await loose.scale.item(), 1);
    const broken = clipByGlobalNorm({ a: t.tensor([NaN, 1], { device }) }, 1);
    assert(Number.isNaN(await broken.scale.item()));
    assertThrows(() => clipByGlobalNorm(gradients, 0), RangeError, "maximum");
    assertThrows(() => globalNorm([]), RangeError, "no tensors");

    // The same tensor twice, and one that repeats its elements.
    const shared = t.tensor([1, 2], { device });
    const repeated = t.expand(t.tensor([3], { device }), [2]);
    let sum = accumulate(undefined, [shared, shared, repeated], 0.5);
    const first = sum;
    assert(shared.disposed && repeated.disposed);
    sum = accumulate(
      sum,
      [1, 2, 3].map((x) => t.tensor([x, 2 * x], { device })),
      2,
    );
    assertEquals(
      await Promise.all(sum.map(async (x) => [...await x.data()])),
      [[2.5, 5], [4.5, 9], [7.5, 13.5]],
    );
    await assertRejects(
      () => first[0].data(),
      ReferenceError,
      "used after it was given to accumulate",
    );
    assertThrows(
      () => accumulate(sum, [], 1),
      TypeError,
      'accumulate: there is no gradient of "0"',
    );
    assertThrows(() => accumulate(sum, sum, NaN), RangeError, "weight is NaN");
    device.close();
  });

  Deno.test(`views of one buffer are updated on ${deviceName}`, async () => {
    const device = await make();
    for (const [name, makeOptimizer] of Object.entries(everyOptimizer)) {
      using _ = device.scope();
      const results: number[][] = [];
      for (const views of [true, false]) {
        const all = wave([6, 4], 0, device);
        const parts = [
          t.slice(all, [[0, 2], [0, 4]]),
          t.transpose(t.slice(all, [[2, 6], [1, 3]])),
        ];
        let parameters = views ? parts : parts.map(t.copy);
        const optimizer = makeOptimizer();
        let state = optimizer.init(parameters);
        for (let step = 0; step < 2; step++) {
          const gradients = [
            t.transpose(wave([4, 2], step, device)),
            t.expand(wave([4], step, device), [2, 4]),
          ];
          ({ parameters, state } = optimizer.update(
            parameters,
            gradients,
            state,
          ));
        }
        const rows = await Promise.all(parameters.map((x) => x.data()));
        results.push(rows.flatMap((row) => [...row]));
      }
      assertEquals(results[0], results[1], name);
    }
    device.close();
  });
}

Deno.test("what an update consumed can't be used again", async () => {
  const device = await t.device("reference");
  for (const makeOptimizer of Object.values(everyOptimizer)) {
    const optimizer = makeOptimizer();
    const parameters = { w: wave([2, 2], 0, device) };
    const gradients = { w: wave([2, 2], 1, device) };
    const state = optimizer.init(parameters);
    const scale = t.tensor(1, { device });
    const moved = optimizer.update(parameters, gradients, state, { scale });
    const message =
      `was used after it was given to ${optimizer.name}.update; ` +
      `use what that returned, or copy() before`;
    const old = [parameters.w, gradients.w, scale, ...t.leaves(state.slots)];
    for (const x of old) {
      await assertRejects(() => x.data(), ReferenceError, message);
    }
    // Nothing is written when a part was consumed already.
    const values = await moved.parameters.w.data();
    for (
      const attempt of [
        () =>
          optimizer.update(parameters, { w: wave([2, 2], 1, device) }, state),
        () => optimizer.update(moved.parameters, gradients, moved.state),
        () =>
          optimizer.update(
            moved.parameters,
            { w: wave([2, 2], 1, device) },
            moved.state,
            { scale },
          ),
      ]
    ) {
      assertThrows(attempt, ReferenceError, message);
    }
    assertEquals(await moved.parameters.w.data(), values);
  }
  device.close();
});

Deno.test("new parameters stay in the scope of the old", async () => {
  const device = await t.device("reference");
  const optimizer = adamW({ learningRate: 0.1 });
  let parameters = { w: wave([2], 0, device) };
  let state = optimizer.init(parameters);
  const before = device.stats().liveBuffers;
  {
    using _ = device.scope();
    for (let step = 0; step < 2; step++) {
      using _ = device.scope();
      const gradients = { w: wave([2], step, device) };
      ({ parameters, state } = optimizer.update(parameters, gradients, state));
    }
  }
  assertEquals((await parameters.w.data()).length, 2);
  assertEquals(device.stats().liveBuffers, before);
  {
    using _ = device.scope();
    const inner = { w: wave([2], 0, device) };
    const own = optimizer.init(inner);
    optimizer.update(inner, { w: wave([2], 1, device) }, own);
  }
  assertEquals(device.stats().liveBuffers, before);
  device.close();
});

Deno.test("only chosen tensors decay", async () => {
  const device = await t.device("reference", { dtype: "f64" });
  const decay = (name: string, x: t.Tensor): boolean =>
    name.endsWith("weight") && x.rank > 1;
  const options = { learningRate: 0.5, weightDecay: 0.2, decay };
  const makers = { sgd, adam, adamW, adafactor };
  for (const [name, makeOptimizer] of Object.entries(makers)) {
    const optimizer = makeOptimizer(options);
    const old = {
      layer: {
        weight: t.ones([1, 2], { device }),
        bias: t.ones([2], { device }),
      },
      weight: t.ones([2], { device }),
    };
    const { parameters } = optimizer.update(
      old,
      t.mapTree(t.zerosLike, old),
      optimizer.init(old),
    );
    const [weight, ...others] = await Promise.all(
      t.leaves(parameters).map(async (x) => [...await x.data()]),
    );
    // Adam's coupled decay is a gradient, whose first step is ± learningRate.
    const expected = name === "adam" ? 0.5 : 0.9;
    assert(distance(weight, [expected, expected]) < 1e-6, `${name} ${weight}`);
    assertEquals(others, [[1, 1], [1, 1]], name);
  }
  device.close();
});

Deno.test("a saved state continues bit for bit", async () => {
  const device = await t.device("reference");
  for (const [name, makeOptimizer] of Object.entries(everyOptimizer)) {
    const results: number[][] = [];
    for (const saved of [false, true]) {
      let parameters: Parameters = {
        w: wave([3, 2], 0, device),
        b: wave([2], 1, device),
      };
      let optimizer = makeOptimizer();
      let state: OptimizerState = optimizer.init(parameters);
      for (let step = 0; step < 4; step++) {
        if (saved && step === 2) {
          optimizer = makeOptimizer();
          const slots: Record<string, Record<string, t.Tensor>> = {};
          for (const [path, x] of t.namedLeaves(state.slots)) {
            const [slot, ...rest] = path.split(".");
            (slots[slot] ??= {})[rest.join(".")] = t.tensor(await x.data(), {
              shape: x.shape,
              device,
            });
          }
          state = { step: state.step, slots };
        }
        const gradients: Parameters = {
          b: wave([2], step, device),
          w: wave([3, 2], step, device),
        };
        ({ parameters, state } = optimizer.update(
          parameters,
          gradients,
          state,
        ));
      }
      const rows = await Promise.all(
        t.leaves(parameters).map((x) => x.data()),
      );
      results.push(rows.flatMap((row) => [...row]));
    }
    assertEquals(results[0], results[1], name);
  }
  device.close();
});

Deno.test("optimizers refuse impossible options", () => {
  const refused: [() => Optimizer, string][] = [
    [
      () => sgd({ learningRate: 0 }),
      "sgd: learningRate is 0; it must be a finite number > 0",
    ],
    [
      () => adamW({ learningRate: Infinity }),
      "adamW: learningRate is Infinity",
    ],
    [
      () => adam({ learningRate: 1, beta1: 1 }),
      "adam: beta1 is 1; it must be in [0, 1)",
    ],
    [() => adamW({ learningRate: 1, beta2: -0.1 }), "adamW: beta2 is -0.1"],
    [() => adamW({ learningRate: 1, epsilon: 0 }), "adamW: epsilon is 0"],
    [() => adam({ learningRate: 1, weightDecay: NaN }), "weightDecay is NaN"],
    [() => sgd({ learningRate: 1, momentum: 2 }), "sgd: momentum is 2"],
    [() => sgd({ learningRate: 1, dampening: -1 }), "sgd: dampening is -1"],
    [
      () => sgd({ learningRate: 1, nesterov: true }),
      "sgd: nesterov needs momentum > 0 and dampening 0, not 0 and 0",
    ],
    [() => lars({ learningRate: 1, trust: 0 }), "lars: trust is 0"],
    [() => lars({ learningRate: 1, momentum: 1 }), "lars: momentum is 1"],
    [
      () => adafactor({ learningRate: 1, decayRate: 0 }),
      "adafactor: decayRate is 0; it must be a finite number < 0",
    ],
    [
      () => adafactor({ learningRate: 1, clipThreshold: 0 }),
      "adafactor: clipThreshold is 0",
    ],
    [() => adafactor({ learningRate: 1, epsilon: 0 }), "epsilon is 0"],
  ];
  for (const [make, message] of refused) {
    assertThrows(make, RangeError, message);
  }
});

Deno.test("updates refuse trees that don't fit", async () => {
  const device = await t.device("reference");
  const optimizer = adamW({ learningRate: 0.1 });
  const w = wave([2, 2], 0, device);
  const parameters: Parameters = { w };
  const state = optimizer.init(parameters);
  const good: Parameters = { w: wave([2, 2], 1, device) };
  const update = (
    p: Parameters,
    g: Parameters,
    s: OptimizerState = state,
    o: Any = {},
  ) =>
  () => optimizer.update(p, g, s, o);
  const ids = t.tensor([1], { dtype: "i32", device });
  const refused: [() => unknown, string][] = [
    [update(parameters, {}), 'adamW.update: there is no gradient of "w"'],
    [
      update(parameters, { ...good, b: w }),
      'there is a gradient of "b", but no such parameter',
    ],
    [
      update(parameters, { w: wave([2], 1, device) }),
      'the gradient of "w" is [2] f32, but the parameter is [2, 2] f32',
    ],
    [
      update({ w, b: t.copy(w) }, { ...good, b: t.copy(w) }),
      'the state has no "first" [2, 2] of "b"',
    ],
    [
      update({ w }, good, sgd({ learningRate: 1, momentum: 0.5 }).init({ w })),
      'the state has no "first" [2, 2] of "w"',
    ],
    [
      update({ w }, good, {
        step: 0,
        slots: { ...state.slots, extra: { w } },
      }),
      `the state's "extra.w" belongs to nothing`,
    ],
    [
      update(parameters, good, { ...state, step: -1 }),
      "adamW.update: state.step is 0",
    ],
    [
      update(parameters, good, state, { learningRate: -1 }),
      "adamW.update: learningRate is -1; it must be a finite number ≥ 0",
    ],
    [
      update(parameters, good, state, { scale: t.ones([2], { device }) }),
      "scale must have one element, not shape [2]",
    ],
    [
      () => optimizer.init({ ids }),
      'adamW.init: parameter "ids" is i32',
    ],
    [
      () => optimizer.init({ a: w, b: w }),
      'parameter "b" is the same tensor as "a"',
    ],
    [
      () => optimizer.init([t.expand(t.ones([1], { device }), [3])]),
      'parameter "0" [3] repeats its elements',
    ],
    [
      () =>
        vjp((p: Parameters) => optimizer.update(p, good, state).parameters, {
          w,
        }),
      'parameter "w" is followed by a tape',
    ],
  ];
  for (const [run, message] of refused) assertThrows(run, Error, message);
  // Nothing was consumed by what was refused, and 0 is a learning rate.
  const before = await w.data();
  const moved = optimizer.update(parameters, good, state, { learningRate: 0 });
  assertEquals(await moved.parameters.w.data(), before);
  device.close();
});
