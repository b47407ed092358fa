/**
 * The options of `deno task tune`, all of them, and nothing else.
 *
 * @module
 */

import type { Relaxation } from "../mgrit/mod.ts";
import type { TunedGuess, TunedIterations } from "../train/tune_setting.ts";
import {
  choice,
  flag,
  integer,
  list,
  number,
  type Option,
  type OptionValues,
  section,
  text,
} from "./option.ts";
import type { Command } from "./parse.ts";
import { trainCommand } from "./train_command.ts";

const train = trainCommand.options;
const item = { help: "", default: 2, least: 2 };

/** Iterations forward and backward, such as 2/1 or serial/1. */
type IterationPair = readonly [TunedIterations, TunedIterations];

const pair: Option<IterationPair> = {
  ...text({ help: "", default: "" }),
  bare: undefined,
  default: [1, 1],
  placeholder: "F/B",
  expected: "pairs such as 2/1 or serial/1",
  accept: (json) => {
    const parts = /^(serial|\d+)\/(serial|\d+)$/.exec(String(json));
    if (parts === null) return undefined;
    const [forward, backward] = parts.slice(1)
      .map((part) => part === "serial" ? part : Number(part));
    return [forward, backward];
  },
};

const options = {
  ...section("Model", {
    from: text<string | undefined>({
      help: "Folder of a run, whose newest checkpoint is looked at; its " +
        "gradients are the ones that matter",
      default: undefined,
      bare: "newest",
      defaultText: "a new model",
      placeholder: "[RUN]",
    }),
    layers: redefault(train.layers, 32),
    before: train.before,
    after: train.after,
    endTime: train.endTime,
    dim: redefault(train.dim, 64),
    heads: train.heads,
    seq: redefault(train.seq, 64),
    untied: train.untied,
    seed: train.seed,
  }),
  ...section("Text", {
    data: train.data,
    tokenizer: train.tokenizer,
    vocabulary: train.vocabulary,
    batch: {
      ...train.batch,
      defaultText: `${train.batch.default}, or the run's`,
    },
    batches: integer({
      help: "Batches to compare gradients on; the worst one counts",
      default: 1,
      least: 1,
    }),
  }),
  ...section("Settings to compare, with commas between them", {
    levels: list(integer(item), {
      help: "Levels of the multigrid",
      default: [2, 3],
    }),
    coarsening: list(integer(item), {
      help: "Layers of a step on the next coarser level",
      default: [2, 4, 8, 16],
    }),
    relaxation: list<Relaxation>(
      choice(["F", "FCF", "FCFCF"], { help: "", default: "F" }),
      {
        help: "Sweeps on the finest level; those below it have FCF",
        default: ["F", "FCF"],
        placeholder: "F|FCF,…",
      },
    ),
    guess: list<TunedGuess>(
      choice(["input", "zero", "skip", "nested"], {
        help: "",
        default: "input",
      }),
      { help: "Where iterations start", default: ["input", "skip"] },
    ),
    iterations: list<IterationPair>(pair, {
      help: "Iterations forward/backward, each of them a number or serial",
      default: [
        ["serial", 0],
        ["serial", 1],
        [1, 0],
        [1, 1],
        [2, 1],
        [2, 2],
        [3, 3],
      ],
      defaultText: "serial/0,serial/1,1/0,1/1,2/1,2/2,3/3",
    }),
  }),
  ...section("Devices that times are modelled for", {
    latency: number({
      help: "Microseconds until a message begins to arrive",
      default: 20,
      least: 0,
    }),
    bandwidth: number({
      help: "Gigabytes in a second between two devices",
      default: 10,
      above: 0,
    }),
  }),
  ...section("Result", {
    cosine: number({
      help: "Smallest cosine between a gradient and the serial one that is " +
        "good enough to train with",
      default: 0.99,
      least: -1,
      most: 1,
    }),
    all: flag({
      help:
        "Show settings too that would be chosen for no number of devices and no cosine",
    }),
    json: flag({
      help: "End with one line of JSON on stdout; the rest goes to stderr",
    }),
  }),
  ...section("Machine", {
    device: train.device,
    threads: train.threads,
    help: flag({ help: "Print this" }),
  }),
};

function redefault(
  option: Option<number>,
  value: number,
): Option<number> {
  return { ...option, default: value, defaultText: String(value) };
}

/** The values of the options of `tune`. */
export type TuneValues = OptionValues<typeof options>;

/** The command `tune`. */
export const tuneCommand: Command<typeof options> = {
  name: "tune",
  summary: "Measures what multigrid over the layers costs and how good its " +
    "gradients are, and recommends settings for `deno task train`; in about a " +
    "minute.",
  options,
  rest: "data",
  examples: [
    ["deno task tune", "compares settings for a new model of 32 layers"],
    [
      "deno task tune --from runs/2025-01-31-book --batches 3",
      "compares them for a trained one",
    ],
    [
      "deno task tune --layers 128 --coarsening 8,16 --iterations 1/1,2/1",
      "compares a few for a deep one",
    ],
  ],
};
