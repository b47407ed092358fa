/**
 * Larger or smaller embeddings at the beginning of a training.
 *
 * @module
 */

import type { GptParameters } from "../models/mod.ts";
import { mapTree, mul, scope } from "../tensor/mod.ts";
import type { TrainingTask } from "../train/mod.ts";

/**
 * The same task with its first embeddings multiplied by a number. GPT-2's have
 * a deviation of 0.02, against which the first layers change the states so
 * much that multigrid's coarse steps are far from the fine ones.
 */
export function withEmbeddingScale(
  task: TrainingTask<GptParameters>,
  scale: number,
): TrainingTask<GptParameters> {
  return {
    ...task,
    initialize: () =>
      scope(() => {
        const parameters = task.initialize();
        const open = mapTree((x) => mul(x, scale), parameters.open);
        return { ...parameters, open };
      }),
  };
}
