import { assert, assertEquals } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  defaultMultigrid,
  layerMapBlock,
  type OdeBlock,
  residualBlock,
  solve,
  type SolveOptions,
} from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";
import { deviation } from "../golden_case.ts";

interface Parameters {
  readonly [name: string]: t.Tensor;
  readonly weight: t.Tensor;
}

/** tanh(x W), without a skip connection. */
const map = (x: t.Tensor, { weight }: Parameters): t.Tensor =>
  t.tanh(t.linear(x, weight));

const layers = 8;
const parameters = (): Parameters => ({
  weight: t.normal([layers, 3, 3], t.randomKey(1)),
});
const start = (): t.Tensor => t.normal([2, 3], t.randomKey(2));

/** End state and gradient of the sum of its squares. */
async function numbersOf(
  block: OdeBlock<t.Tensor, Parameters, object>,
  options: SolveOptions<t.Tensor> = {},
): Promise<number[]> {
  const x = start();
  const { value, gradient } = valueAndGrad((p: Parameters) =>
    t.sum(t.square(solve(block, x, p, {}, options)))
  )(parameters());
  return [await value.item(), ...await gradient.weight.data()];
}

Deno.test("a block of layer maps is the network that they are", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const block = layerMapBlock({ layers, endTime: layers, map });
  const { weight } = parameters();
  let x = start();
  for (let n = 0; n < layers; n++) {
    x = map(x, { weight: t.select(weight, 0, n) });
  }
  const solved = solve(block, start(), parameters(), {});
  assertEquals(await solved.data(), await x.data());
  cpu.close();
});

Deno.test("a block of layer maps steps as their residual does", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const shape = { layers, endTime: 3 };
  const maps = layerMapBlock({ ...shape, map });
  const residuals = residualBlock<Parameters, object>({
    ...shape,
    branches: [
      (x, { weight }, _context, residual, factor) =>
        t.add(
          residual,
          t.mul(factor, t.sub(t.tanh(t.linear(x, weight)), x)),
        ),
    ],
    discretization: "outer",
  });
  const expected = await numbersOf(residuals);
  const solver = { ...defaultMultigrid, levels: 3, coarsening: 2 };
  const exact = { ...solver, iterations: 4 };
  for (
    const options of [
      {},
      { forward: exact, backward: exact },
      { forward: exact, backward: exact, execution: "stacked" as const },
    ]
  ) {
    // Rounding in double precision.
    const off = deviation(
      await numbersOf(maps, options),
      expected,
      1e-10,
      1e-12,
    );
    assert(off <= 1, `off by ${off} tolerances`);
  }
  cpu.close();
});

Deno.test("a layer map takes states of several tensors", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  interface Pair {
    readonly [name: string]: t.Tensor;
    readonly a: t.Tensor;
    readonly b: t.Tensor;
  }
  const block = layerMapBlock<Pair, t.Tensor, object>({
    layers: 2,
    endTime: 1,
    map: ({ a, b }, factor) => ({ a: t.mul(factor, a), b: t.add(a, b) }),
  });
  const pair = { a: t.tensor([1]), b: t.tensor([0]) };
  const { a, b } = solve(block, pair, t.tensor([3, 5]), {});
  // h = 1/2: a becomes 1 + (3 − 1) / 2 = 2, then 2 + (10 − 2) / 2 = 6;
  // b becomes 0 + 1 / 2, then 1/2 + 2 / 2.
  assertEquals([await a.item(), await b.item()], [6, 1.5]);
  cpu.close();
});
