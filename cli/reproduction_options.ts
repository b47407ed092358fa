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

/** As the paper's code: F-relaxation, and a coarse solve as first iteration. */
const shared: Partial<TrainValues> = {
  relaxation: ["F"],
  guess: "skip",
  smallestCosine: 0.9,
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
  // In few steps, for there it shows what pre-training is worth.
  classify: {
    solver: "serial",
    sample: 0,
    keep: 1,
    steps: 60,
    warmup: 6,
    evaluateEvery: 20,
  },
};

/** What the full reproduction has otherwise than the tasks' own defaults. */
const full: Readonly<Record<ReproducedTaskName, Partial<TrainValues>>> = {
  gpt: { layers: 16, before: 2, after: 2 },
  bert: { layers: 16, batch: 8, steps: 4000 },
  tagger: {},
  vit: {},
  translation: {},
  classify: {},
};

/** What all tasks have in common in the quick one. */
const often: Partial<TrainValues> = {
  warmup: 50,
  probeEvery: 40,
  evaluateEvery: 50,
  evaluationBatches: 10,
};

/** What the quick one has: some 30 seconds a run on two cores. */
const quick: Readonly<Record<ReproducedTaskName, Partial<TrainValues>>> = {
  gpt: {
    ...often,
    layers: 16,
    before: 0,
    after: 0,
    dim: 64,
    seq: 64,
    batch: 8,
    steps: 500,
  },
  bert: {
    ...often,
    layers: 16,
    before: 0,
    after: 0,
    dim: 64,
    seq: 64,
    batch: 8,
    vocabulary: 1024,
    steps: 2000,
  },
  tagger: {
    ...often,
    layers: 8,
    before: 0,
    after: 0,
    dim: 64,
    batch: 16,
    steps: 800,
  },
  vit: {
    ...often,
    layers: 16,
    before: 0,
    after: 0,
    dim: 48,
    batch: 32,
    steps: 500,
  },
  translation: {
    ...often,
    layers: 6,
    dim: 48,
    batch: 32,
    steps: 700,
    lr: 4e-3,
    beams: 1,
  },
  classify: {},
};

/** The options of a task where nobody asks for others. */
export function reproductionOptions(
  task: ReproducedTaskName,
  isQuick: boolean,
): Partial<TrainValues> {
  return { task, ...paper[task], ...(isQuick ? quick : full)[task] };
}
