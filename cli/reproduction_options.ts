/**
 * What a reproduction trains, as options of `train` for each task.
 *
 * @module
 */

import type { TaskName, TrainValues } from "./train_command.ts";

/** The tasks of the paper, in the order in which they are trained. */
export const paperTasks = [
  "gpt",
  "bert",
  "tagger",
  "vit",
  "translation",
] as const satisfies readonly TaskName[];

/** One of them. */
export type PaperTask = typeof paperTasks[number];

/** The tasks, and the one that BERT is fine-tuned for. */
export type ReproducedTaskName = PaperTask | "classify";

/** What all runs by multigrid have in common: iterations as the paper's code. */
const shared: Partial<TrainValues> = {
  relaxation: ["F"],
  guess: "skip",
  sample: 0,
  keep: 1,
};

/** Levels, coarsening and iterations of the paper. */
const paper: Readonly<Record<ReproducedTaskName, Partial<TrainValues>>> = {
  gpt: { ...shared, levels: [1, 2], coarsening: [4], backwardIterations: 1 },
  bert: {
    ...shared,
    levels: [2],
    coarsening: [4],
    forwardIterations: 1,
    backwardIterations: 1,
  },
  tagger: {
    ...shared,
    levels: [2],
    coarsening: [2],
    forwardIterations: 2,
    backwardIterations: 1,
  },
  vit: { ...shared, levels: [1, 2], coarsening: [4], backwardIterations: 1 },
  translation: {
    ...shared,
    levels: [2],
    coarsening: [3],
    forwardIterations: 2,
    backwardIterations: 1,
  },
  classify: { solver: "serial", sample: 0, keep: 1 },
};

/** What the full reproduction has otherwise than the tasks' own defaults. */
const full: Readonly<Record<ReproducedTaskName, Partial<TrainValues>>> = {
  gpt: { layers: 16, before: 2, after: 2 },
  bert: {},
  tagger: {},
  vit: {},
  translation: {},
  classify: {},
};

/** What the quick one has: some 40 seconds a run on two cores. */
const quick: Readonly<Record<ReproducedTaskName, Partial<TrainValues>>> = {
  gpt: {
    layers: 16,
    dim: 64,
    seq: 64,
    steps: 400,
    probeEvery: 40,
    evaluateEvery: 50,
    evaluationBatches: 20,
  },
  bert: {},
  tagger: {},
  vit: {},
  translation: {},
  classify: {},
};

/** The options of a task where nobody asks for others. */
export function reproductionOptions(
  task: ReproducedTaskName,
  isQuick: boolean,
): Partial<TrainValues> {
  return { task, ...paper[task], ...(isQuick ? quick : full)[task] };
}
