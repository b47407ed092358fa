import { assert, assertEquals, assertThrows } from "@std/assert";
import { grad, gradCheck, valueAndGrad } from "../../autograd/mod.ts";
import {
  type Discretization,
  type OdeBlock,
  residualBlock,
  solve,
} from "../../mgrit/mod.ts";
import {
  attentionBranch,
  gptConfiguration,
  initializeGpt,
  type LayerParameters,
  mlpBranch,
  type TransformerContext,
} from "../../models/mod.ts";
import * as t from "../../tensor/mod.ts";
import { deviation } from "../golden.ts";

const rates: OdeBlock<t.Tensor, t.Tensor, unknown> = {
  layers: 4,
  endTime: 1,
  rightHandSide: (x, rate) => t.mul(rate, x),
};

const context: TransformerContext = {
  heads: 2,
  causal: true,
  epsilon: 1e-5,
  activation: "gelu-tanh",
  firstLayer: 0,
};

const layers = 3;
const batch = 2;
const length = 5;
const width = 8;

function transformer(
  discretization: Discretization,
  endTime: number,
): OdeBlock<t.Tensor, LayerParameters, TransformerContext> {
  return residualBlock({
    layers,
    endTime,
    discretization,
    branches: [attentionBranch, mlpBranch],
  });
}

/** Parameters of random size, so that nothing is zero or one by chance. */
function parametersOf(): LayerParameters {
  const configuration = gptConfiguration({
    vocabulary: 4,
    width,
    heads: 2,
    layers,
  });
  const { block } = initializeGpt(configuration, 5);
  let stream = 100;
  return t.mapTree(
    (x) =>
      t.add(t.mul(x, 5), t.normal(x.shape, t.randomKey(1, stream++), 0, 0.1)),
    block,
  );
}

function stateOf(shape: t.Shape = [batch, length, width]): t.Tensor {
  return t.normal(shape, t.randomKey(2, 0));
}

Deno.test("the march multiplies by 1 + hλ in every layer", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const x = solve(rates, t.tensor([2]), t.tensor([1, 2, 3, 4]), {});
  assertEquals(await x.item(), 2 * 1.25 * 1.5 * 1.75 * 2);
  assertThrows(
    () => solve(rates, t.tensor([2]), t.tensor([1, 2, 3]), {}),
    RangeError,
    "the 4 layers as its first axis",
  );
  assertThrows(
    () => solve({ ...rates, endTime: 0 }, t.tensor([2]), t.ones([4]), {}),
    RangeError,
    "endTime 0 must be positive",
  );
  cpu.close();
});

Deno.test("gradients of the march match central differences", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  for (const discretization of ["outer", "split"] as const) {
    for (const remat of [false, true]) {
      const block = transformer(discretization, 1.5);
      const x = stateOf([1, 3, width]);
      // Twelve leaves of several layers: differences of all would take long,
      // so one scalar moves every parameter in a random direction.
      const parameters = parametersOf();
      const directions = t.mapTree(
        (p) => t.normal(p.shape, t.randomKey(9, 1)),
        parameters,
      );
      const f = ({ s, x }: { s: t.Tensor; x: t.Tensor }): t.Tensor => {
        const moved = t.mapTree(
          (p, d) => t.add(p, t.mul(s, d)),
          parameters,
          directions,
        );
        return t.sum(t.square(solve(block, x, moved, context, { remat })));
      };
      await gradCheck(f, { s: t.tensor([0.01]), x }, { tolerance: 1e-5 });
    }
  }
  cpu.close();
});

Deno.test("recomputed layers give the same gradients, bit for bit", async () => {
  const cpu = await t.device("reference");
  const parameters = parametersOf();
  const x = stateOf();
  const dropout = { probability: 0.3, seed: 4, batch: 2 };
  const run = (remat: boolean): { x: t.Tensor; parameters: LayerParameters } =>
    grad((inputs: { x: t.Tensor; parameters: LayerParameters }) =>
      t.sum(t.square(solve(
        transformer("outer", 1),
        inputs.x,
        inputs.parameters,
        { ...context, dropout },
        { remat },
      )))
    )({ x, parameters });
  const [kept, recomputed] = [t.leaves(run(false)), t.leaves(run(true))];
  for (const [i, leaf] of kept.entries()) {
    assertEquals(await recomputed[i].data(), await leaf.data());
  }
  cpu.close();
});

Deno.test("remat holds less memory at its peak", async () => {
  const cpu = await t.device("reference");
  const parameters = parametersOf();
  const x = stateOf([2, 16, width]);
  const peak = (remat: boolean): number => {
    using _ = cpu.scope();
    cpu.resetPeak();
    const before = cpu.stats().liveBytes;
    valueAndGrad((p: LayerParameters) =>
      t.sum(solve(transformer("outer", 1), x, p, context, { remat }))
    )(parameters);
    return cpu.stats().peakBytes - before;
  };
  assert(peak(true) < 0.7 * peak(false));
  cpu.close();
});

for (const name of ["reference", "wasm"] as const) {
  Deno.test(`a stack of layers gives the numbers of its layers on ${name}`, async () => {
    const cpu = await t.device(name, { threads: 1 });
    const parameters = parametersOf();
    const x = stateOf([layers, batch, length, width]);
    const keep = t.tensor([
      [true, true, true, true, true],
      [true, true, true, false, false],
    ]);
    const dropout = { probability: 0.2, seed: 3, batch: 1 };
    const full = { ...context, keep, dropout };
    for (const discretization of ["outer", "split"] as const) {
      const block = transformer(discretization, 1);
      const compute = (
        state: t.Tensor,
        p: LayerParameters,
        which: number[],
      ): { value: t.Tensor; x: t.Tensor; parameters: LayerParameters } => {
        const { value, gradient } = valueAndGrad(
          (inputs: { x: t.Tensor; parameters: LayerParameters }) =>
            t.sum(t.square(
              block.rightHandSide(inputs.x, inputs.parameters, {
                ...full,
                layers: which,
              }),
            )),
        )({ x: state, parameters: p });
        return { value, ...gradient };
      };
      const all = compute(x, parameters, [0, 1, 2]);
      let total = 0;
      for (let n = 0; n < layers; n++) {
        const layer = t.mapTree((leaf) => t.select(leaf, 0, n), parameters);
        const one = compute(t.select(x, 0, n), layer, [n]);
        total += await one.value.item();
        const stacked = t.leaves({ x: all.x, parameters: all.parameters });
        const single = t.leaves({ x: one.x, parameters: one.parameters });
        for (const [i, leaf] of single.entries()) {
          // Same sums in another blocking: rounding of f32 sums only.
          const off = deviation(
            await t.contiguous(t.select(stacked[i], 0, n)).data(),
            await leaf.data(),
            1e-4,
            1e-4,
          );
          assert(off <= 1, `layer ${n}, leaf ${i}: off by ${off}`);
        }
      }
      assert(Math.abs(await all.value.item() - total) <= 1e-4 * total);
    }
    cpu.close();
  });
}
