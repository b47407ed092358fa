/**
 * The layer-parallel tests of TorchBraid: T = 2, c = 2, four layers for each of
 * its ranks, states of shape [5, 2].
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { vjp } from "../../autograd/mod.ts";
import {
  type MultigridOptions,
  type OdeBlock,
  solve,
  type SolveOptions,
} from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";
import { deviation } from "../golden.ts";

interface Affine {
  readonly [name: string]: t.Tensor;
  readonly weight: t.Tensor;
  readonly bias: t.Tensor;
}

function linear(layers: number): OdeBlock<t.Tensor, t.Tensor, unknown> {
  return { layers, endTime: 2, rightHandSide: (x) => x };
}

function rectified(layers: number): OdeBlock<t.Tensor, Affine, unknown> {
  return {
    layers,
    endTime: 2,
    rightHandSide: (x, { weight, bias }) =>
      t.relu(t.add(t.matmul(x, weight, { transposeB: true }), bias)),
  };
}

/** The same weights in every layer. */
function equalLayers(layers: number): Affine {
  return {
    weight: t.full([layers, 2, 2], 2.3),
    bias: t.full([layers, 1, 2], -1.22),
  };
}

/** Other weights in every layer. */
function randomLayers(layers: number): Affine {
  return {
    weight: t.normal([layers, 2, 2], t.randomKey(7, 0)),
    bias: t.normal([layers, 1, 2], t.randomKey(7, 1)),
  };
}

/** All levels that there is room for, and enough iterations to be exact. */
function parallel(layers: number): SolveOptions<t.Tensor> {
  const options: MultigridOptions<never> = {
    levels: layers < 8 ? 2 : 3,
    coarsening: 2,
    relaxation: "F",
    iterations: 8,
    guess: "zero",
  };
  return { forward: options, backward: options };
}

interface Pass {
  readonly end: t.Tensor;
  readonly start: t.Tensor;
  readonly parameters: Affine;
}

/** Both directions, with a cotangent of `seed` everywhere. */
function run(
  layers: number,
  x: t.Tensor,
  parameters: Affine,
  seed: number,
  options: SolveOptions<t.Tensor>,
): Pass {
  const { value, pullback } = vjp(
    (x: t.Tensor, parameters: Affine) =>
      solve(rectified(layers), x, parameters, {}, options),
    x,
    parameters,
  );
  const [start, gradient] = pullback(t.full(value.shape, seed));
  return { end: value, start, parameters: gradient };
}

async function assertNear(
  what: string,
  actual: t.Tensor,
  expected: ArrayLike<number>,
  tolerance: number,
): Promise<void> {
  const largest = Math.max(...Array.from(expected, Math.abs));
  const values = await actual.data();
  const off = deviation(values, expected, tolerance, tolerance * largest);
  assert(off <= 1, `${what}: ${values}, not ${Array.from(expected)}`);
}

for (const name of ["reference", "wasm"] as const) {
  const open = (): Promise<t.Device> =>
    name === "reference"
      ? t.device(name, { dtype: "f64" })
      : t.device(name, { threads: 1 });
  // Rounding of f64; TorchBraid's own tolerance for what travels as f32.
  const tolerance = name === "reference" ? 1e-14 : 1e-6;
  const modes = (layers: number): SolveOptions<t.Tensor>[] => [
    {},
    parallel(layers),
    { ...parallel(layers), execution: "stacked" },
  ];

  Deno.test(`TorchBraid's linear block on ${name}: x (1 + h)^N`, async () => {
    const device = await open();
    for (const [layers, factor] of [[4, 5.0625], [12, 6.358599558665295]]) {
      const x = t.normal([5, 2], t.randomKey(3, 0));
      const values = await x.data();
      const expected = Float64Array.from(values, (value) => factor * value);
      for (const options of modes(layers)) {
        const end = solve(
          linear(layers),
          x,
          t.zeros([layers, 1]),
          {},
          options,
        );
        await assertNear(`${layers} layers`, end, expected, tolerance);
      }
    }
    device.close();
  });

  Deno.test(`TorchBraid's ReLU block on ${name}: closed forms`, async () => {
    const device = await open();
    const table: [number, number, number, number][] = [
      [4, 1391.91773, 355.7763, 1e-9],
      [12, 1.084778440774114e4, 2.773170893420301e3, 1e-14],
    ];
    for (const [layers, end, start, printed] of table) {
      const x = t.full([5, 2], 12);
      const by = Math.max(tolerance, printed);
      for (const options of modes(layers)) {
        const pass = run(layers, x, equalLayers(layers), 3, options);
        const all = (value: number): number[] => new Array(10).fill(value);
        await assertNear("end", pass.end, all(end), by);
        await assertNear("start", pass.start, all(start), by);
      }
    }
    device.close();
  });

  Deno.test(`TorchBraid's serial equivalence on ${name}, before and after an update`, async () => {
    const device = await open();
    for (const layers of [4, 12]) {
      const x = t.normal([5, 2], t.randomKey(3, 1));
      let parameters = randomLayers(layers);
      for (const what of ["before", "after"]) {
        const serial = run(layers, x, parameters, 1, {});
        for (const options of modes(layers)) {
          const pass = run(layers, x, parameters, 1, options);
          const expected = t.leaves({ ...serial });
          for (const [i, leaf] of t.leaves({ ...pass }).entries()) {
            const values = await expected[i].data();
            await assertNear(`${what}: ${i}`, leaf, values, tolerance);
          }
        }
        parameters = t.mapTree(
          (p, g) => t.sub(p, t.mul(1e-3, g)),
          parameters,
          serial.parameters,
        );
      }
    }
    device.close();
  });
}

Deno.test("TorchBraid's initial guess: asked at N/c times", async () => {
  const device = await t.device("reference");
  const layers = 128;
  const x = t.ones([5, 2]);
  const asked: number[] = [];
  const { forward } = parallel(layers);
  solve(linear(layers), x, t.zeros([layers, 1]), {}, {
    forward: {
      ...forward!,
      guess: (point) => {
        asked.push(point);
        return t.copy(x);
      },
    },
  });
  assertEquals(asked, Array.from({ length: 64 }, (_, i) => 2 * (i + 1)));
  device.close();
});
