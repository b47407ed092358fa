/** A small GPT whose weights are blown up at will, so that multigrid is bad. */

import { tokensInMemory } from "../../data/mod.ts";
import { defaultMultigrid, type MultigridOptions } from "../../mgrit/mod.ts";
import { gptConfiguration, type GptParameters } from "../../models/mod.ts";
import { mapTree, mul, type Tensor } from "../../tensor/mod.ts";
import { gptTask, type TrainingTask } from "../../train/mod.ts";

const text = "to be, or not to be, that is the question: ".repeat(8);

/** Sixteen layers, whose weights are multiplied by a factor of the batch. */
export function blownUpGpt(
  factor: (batch: number) => number,
): TrainingTask<GptParameters> {
  const task = gptTask({
    configuration: gptConfiguration({
      vocabulary: 64,
      context: 8,
      width: 16,
      heads: 2,
      layers: 16,
    }),
    tokens: tokensInMemory(
      new TextEncoder().encode(text).map((byte) => byte % 64),
    ),
    batch: 2,
    seed: 3,
  });
  return {
    ...task,
    loss: (parameters, batch, solver) => {
      const scaled = (x: Tensor): Tensor =>
        x.rank === 2 ? x : mul(x, factor(batch));
      const block = mapTree(scaled, parameters.block);
      return task.loss({ ...parameters, block }, batch, solver);
    },
  };
}

/** Two levels with c = 2: exact after eight iterations. */
export function multigrid(
  iterations: number,
  more: Partial<MultigridOptions<never>> = {},
): MultigridOptions<never> {
  return { ...defaultMultigrid, coarsening: 2, iterations, ...more };
}

/** One layer after the other. */
export const serial: MultigridOptions<never> = multigrid(1, { levels: 1 });
