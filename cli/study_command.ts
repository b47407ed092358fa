/**
 * The options of `deno task study`, all of them, and nothing else.
 *
 * @module
 */

import {
  flag,
  type Option,
  type OptionValues,
  section,
  session,
  text,
} from "./option.ts";
import type { Command } from "./parse.ts";
import { trainCommand } from "./train_command.ts";

const train = trainCommand.options;

/** An option of `train` with another default. */
function redefault<T>(
  option: Option<T>,
  value: T & (number | string | readonly (number | string)[]),
): Option<T> {
  return { ...option, default: value, defaultText: String(value) };
}

const options = {
  data: train.data,
  validation: train.validation,
  tokenizer: train.tokenizer,
  vocabulary: train.vocabulary,
  layers: redefault(train.layers, 32),
  before: redefault(train.before, 0),
  after: redefault(train.after, 0),
  endTime: redefault(train.endTime, 1),
  dim: redefault(train.dim, 64),
  heads: redefault(train.heads, 4),
  seq: redefault(train.seq, 64),
  ...section("Model", {
    tied: flag({
      help: "Let the head share the embedding's weights; else it has its own",
    }),
  }),
  batch: redefault(train.batch, 8),
  steps: redefault(train.steps, 800),
  lr: redefault(train.lr, 1.5e-3),
  warmup: redefault(train.warmup, 50),
  beta2: redefault(train.beta2, 0.99),
  weightDecay: redefault(train.weightDecay, 0.1),
  clip: redefault(train.clip, 1),
  dropout: train.dropout,
  seed: train.seed,
  levels: redefault(train.levels, [2]),
  coarsening: redefault(train.coarsening, [4]),
  relaxation: redefault(train.relaxation, ["F"]),
  cycle: train.cycle,
  guess: redefault(train.guess, "skip"),
  forwardIterations: redefault(train.forwardIterations, 2),
  backwardIterations: redefault(train.backwardIterations, 1),
  execution: redefault(train.execution, "sequential"),
  probeEvery: redefault(train.probeEvery, 25),
  policy: redefault(train.policy, "double"),
  indicator: train.indicator,
  largestRatio: train.largestRatio,
  smallestCosine: redefault(train.smallestCosine, 0.9),
  mostIterations: train.mostIterations,
  controlPatience: train.controlPatience,
  wayBack: train.wayBack,
  evaluateEvery: redefault(train.evaluateEvery, 50),
  evaluationBatches: redefault(train.evaluationBatches, 40),
  saveEvery: redefault(train.saveEvery, 100),
  device: train.device,
  threads: train.threads,
  ...session(
    section("Study", {
      out: text<string | undefined>({
        help: "Folder for the three runs, report.html and its charts as SVG",
        default: undefined,
        defaultText: "runs/DATE-study",
        placeholder: "DIR",
      }),
      resume: text<string | undefined>({
        help: "Go on with a study that was broken off, with its options",
        default: undefined,
        bare: "newest",
        defaultText: "the newest in runs/, if no folder is named",
        placeholder: "[STUDY]",
      }),
      json: flag({
        help: "End with one line of JSON on stdout; progress goes to stderr",
      }),
      help: flag({ help: "Print this" }),
    }),
  ),
};

/** The values of the options of `study`. */
export type StudyValues = OptionValues<typeof options>;

/** The command `study`. */
export const studyCommand: Command<typeof options> = {
  name: "study",
  summary: "Trains the same GPT on the same batches serially, by multigrid " +
    "over the layers with fixed iterations, and with accuracy control, and " +
    "compares the three; in about ten minutes.",
  options,
  rest: "data",
  examples: [
    ["deno task study", "shows where inexact gradients begin to do harm"],
    [
      "deno task study --guess input --policy serial",
      "with a better guess, and serial training where that isn't enough",
    ],
    ["deno task study --resume", "goes on with the newest study"],
  ],
};
