/** What iterations start from: which guess gives the best gradients. */

import { assert } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  compareGradients,
  type Guess,
  type MultigridOptions,
  type Relaxation,
  solve,
  type SolveOptions,
} from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";
import { goldenArrays, goldenJson, goldenMissing } from "../golden.ts";
import { type Golden, prepare } from "./golden_problems.ts";

const problems = [
  "transformer",
  "transformer_dt1",
  "transformer_causal_dt1",
] as const;
/** Iterations forward and backward. */
const iterations = [[1, 1], [2, 1], [2, 2], [3, 2]] as const;
/** Relative error of gradients in f32, as the golden data's recipe has it. */
const rounding = 5e-6;
const relaxations: readonly Relaxation[] = ["F", "FCF"];

for (const name of problems) {
  Deno.test({
    name: `golden ${name}: no guess gives better gradients than the input`,
    ignore: goldenMissing,
    fn: async () => {
      const device = await t.device("wasm", { threads: 1 });
      using _ = device.scope();
      const golden: Golden = goldenJson(`mgrit/${name}.json`);
      const { problem, x0, target } = prepare(
        golden,
        goldenArrays(`mgrit/${name}.safetensors`),
        "sequential",
      );
      const { block, parameters, context } = problem;
      const gradientOf = (options: SolveOptions<never>): t.Tree =>
        valueAndGrad<t.Tree, []>((theta) => {
          const last = solve(block, x0, theta, context, options);
          const distance = t.sum(t.square(t.sub(last, target)));
          return t.mul(distance, 0.5 / golden.state[0]);
        })(parameters).gradient;
      const exact = gradientOf({});
      const coarsening = golden.configs[0].cf;
      for (const relaxation of relaxations) {
        for (const [forward, backward] of iterations) {
          const errorFrom = async (guess: Guess<never>) => {
            const options = (count: number): MultigridOptions<never> => ({
              levels: 2,
              coarsening,
              relaxation,
              iterations: count,
              guess,
            });
            const gradient = gradientOf({
              forward: options(forward),
              backward: options(backward),
            });
            return await compareGradients(gradient, exact);
          };
          const input = await errorFrom("input");
          for (const guess of ["zero", "skip"] as const) {
            const other = await errorFrom(guess);
            const what = `${relaxation} ${forward}/${backward} ${guess}`;
            assert(
              input.cosine >= other.cosine - rounding ** 2,
              `${what}: cosine ${input.cosine} < ${other.cosine}`,
            );
            assert(
              input.relativeError <= other.relativeError + rounding,
              `${what}: error ${input.relativeError} > ${other.relativeError}`,
            );
          }
        }
      }
    },
  });
}
