import { assert, assertAlmostEquals } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import { defaultMultigrid, type SolveOptions } from "../../mgrit/mod.ts";
import {
  gptConfiguration,
  gptLoss,
  type GptParameters,
  initializeGpt,
  type Precision,
} from "../../models/mod.ts";
import * as t from "../../tensor/mod.ts";
import { gpuMissing } from "../tensor/webgpu_subject.ts";
import { networks, type Parameters } from "./networks.ts";

const gpu = gpuMissing ? undefined : await t.device("webgpu");

const configuration = gptConfiguration({
  vocabulary: 64,
  width: 32,
  heads: 4,
  layers: 4,
  context: 16,
  endTime: 4,
});
/** Keeps small cotangents away from what 16 bits can't hold. */
const lossScale = 1024;

/** Loss, and the gradient of all parameters in one list. */
async function lossAndGradient(
  precision: Precision,
  options: SolveOptions<t.Tensor>,
): Promise<{ loss: number; gradient: number[] }> {
  const parameters = initializeGpt(configuration, 0);
  const text = t.cast(t.uniform([4, 17], t.randomKey(1), 0, 64), "int");
  const tokens = t.slice(text, [undefined, [0, 16]]);
  const targets = t.slice(text, [undefined, [1, 17]]);
  const scaled = (parameters: GptParameters): t.Tensor =>
    t.mul(
      gptLoss(configuration, parameters, tokens, targets, {
        ...options,
        precision,
      }),
      lossScale,
    );
  const { value, gradient } = valueAndGrad(scaled)(parameters);
  const values = await Promise.all(t.leaves(gradient).map((x) => x.data()));
  return {
    loss: await value.item() / lossScale,
    gradient: values.flatMap((x) => [...x]),
  };
}

const multigrid = { ...defaultMultigrid, levels: 2, coarsening: 2 };
const solvers: Record<string, SolveOptions<t.Tensor>> = {
  "serially": {},
  "layer-parallel": { forward: multigrid, backward: multigrid },
  "layer-parallel, stacked": {
    forward: multigrid,
    backward: multigrid,
    execution: "stacked",
  },
};

for (const [name, options] of Object.entries(solvers)) {
  Deno.test({
    name: `f16: a GPT's loss and gradient, ${name}`,
    ignore: !gpu?.halves,
    fn: async () => {
      const exact = await lossAndGradient("f32", options);
      const halves = await lossAndGradient("f16", options);
      // 16-bit numbers have 11 bits; errors of many roundings average out.
      assertAlmostEquals(halves.loss, exact.loss, 2 ** -11 * exact.loss);
      let [difference, norm] = [0, 0];
      exact.gradient.forEach((x, i) => {
        difference += (halves.gradient[i] - x) ** 2;
        norm += x ** 2;
      });
      assert(norm > 0 && difference > 0);
      assert(Math.sqrt(difference / norm) < 2 * 2 ** -11);
    },
  });
}

Deno.test({
  name: "f16: every network's loss and gradient",
  ignore: !gpu?.halves,
  fn: async () => {
    for (const { name, make } of networks) {
      using _ = gpu!.scope();
      const { parameters, loss } = make();
      const gradientIn = async (precision: Precision): Promise<number[]> => {
        const scaled = valueAndGrad((p: Parameters) =>
          t.mul(loss(p, { precision }), lossScale)
        );
        const values = t.leaves(scaled(parameters).gradient)
          .map((x) => x.data());
        return (await Promise.all(values)).flatMap((x) => [...x]);
      };
      const exact = await gradientIn("f32");
      const halves = await gradientIn("f16");
      const difference = Math.hypot(...exact.map((x, i) => x - halves[i]));
      // As above.
      const relative = difference / Math.hypot(...exact);
      assert(relative > 0 && relative < 2 * 2 ** -11, `${name}: ${relative}`);
    }
  },
});
