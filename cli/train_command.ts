/**
 * The options of `deno task train`, all of them, and nothing else.
 *
 * @module
 */

import { device, threads } from "./machine_options.ts";
import {
  adjustable,
  choice,
  flag,
  integer,
  number,
  type OptionValues,
  section,
  session,
  text,
  texts,
} from "./option.ts";
import type { Command } from "./parse.ts";
import { solverOptions } from "./solver_options.ts";

const options = {
  ...section("Text", {
    data: texts({
      help: "Files, folders or patterns such as 'src/**/*.ts'; again for more",
      default: [],
      defaultText: "what `deno types` prints",
      placeholder: "PATH",
    }),
    validation: number({
      help: "Share of the text, its end, that is kept to measure on",
      default: 0.1,
      above: 0,
      most: 0.5,
    }),
    tokenizer: text({
      help: "byte; character; bpe, learned from the text; or a folder with " +
        "GPT-2's vocab.json and merges.txt",
      default: "byte",
      defaultText: "byte",
      placeholder: "KIND",
    }),
    vocabulary: integer({
      help: "Tokens that bpe learns",
      default: 1024,
      least: 257,
      most: 2 ** 21,
    }),
  }),
  ...section("Model", {
    layers: integer({
      help: "Transformer layers that the solver is for",
      default: 8,
      least: 1,
    }),
    before: integer({
      help: "Layers in front of these that are always serial",
      default: 1,
      least: 0,
    }),
    after: integer({ help: "The same behind them", default: 1, least: 0 }),
    endTime: number({
      help:
        "T: a layer adds T / layers times what it does by itself; as many " +
        "as layers makes an ordinary transformer",
      default: 1,
      above: 0,
    }),
    dim: integer({
      help: "Width of the states, a multiple of heads",
      default: 96,
      least: 1,
    }),
    heads: integer({ help: "Attention heads", default: 4, least: 1 }),
    seq: integer({
      help: "Tokens that the model sees at a time",
      default: 128,
      least: 1,
    }),
    untied: flag({
      help: "Give the head weights of its own; else it shares the embedding's",
    }),
  }),
  ...section("Training", {
    batch: integer({ help: "Sequences in a batch", default: 4, least: 1 }),
    accumulate: integer({
      help: "Batches in a step",
      default: 1,
      least: 1,
    }),
    ...adjustable({
      steps: integer({ help: "Steps of the run", default: 2500, least: 1 }),
    }),
    lr: number({
      help: "Highest learning rate; it rises during the warm-up, then falls " +
        "along a cosine to 0",
      default: 3e-3,
      above: 0,
    }),
    warmup: integer<number | undefined>({
      help: "Steps in which the learning rate rises",
      default: undefined,
      defaultText: "a tenth of all, at most 100",
      least: 0,
    }),
    beta2: number({
      help: "How much AdamW's mean of squared gradients keeps in a step; so " +
        "small a batch wants it to forget sooner than the usual 0.999 does",
      default: 0.99,
      least: 0,
      below: 1,
    }),
    weightDecay: number({
      help: "AdamW's decay of weight matrices",
      default: 0.1,
      least: 0,
    }),
    clip: number({
      help: "Largest norm of all gradients together",
      default: 1,
      above: 0,
    }),
    dropout: number({
      help: "Share of activations that are dropped in training",
      default: 0,
      least: 0,
      below: 1,
    }),
    seed: integer({
      help: "Decides everything random: the same seed, the same run",
      default: 0,
      least: 0,
      most: 2 ** 32 - 1,
    }),
  }),
  ...solverOptions,
  ...adjustable(
    section("Measuring and saving", {
      evaluateEvery: integer({
        help: "Steps from one validation loss to the next",
        default: 100,
        least: 1,
      }),
      evaluationBatches: integer({
        help: "Batches that a validation loss is the mean of",
        default: 40,
        least: 1,
      }),
      patience: integer<number | undefined>({
        help: "Stop after so many validation losses without a new lowest",
        default: undefined,
        defaultText: "never",
        least: 1,
      }),
      saveEvery: integer({
        help: "Steps from one checkpoint to the next",
        default: 500,
        least: 1,
      }),
      keep: integer({
        help: "Newest checkpoints that are kept, beside the best",
        default: 2,
        least: 1,
      }),
      sample: integer({
        help: "Tokens that the model writes at the end",
        default: 400,
        least: 0,
      }),
    }),
  ),
  ...section("Machine", {
    ...adjustable({
      device,
      precision: choice(["f32", "f16"], {
        help:
          "How products and attention store their numbers; f16 takes half " +
          "the memory, on a GPU that has it",
        default: "f32",
      }),
    }),
    ...session({
      threads,
      readEvery: integer<number | undefined>({
        help:
          "Steps from one look at the loss to the next; the model doesn't " +
          "depend on it",
        default: undefined,
        defaultText: "8 on webgpu, else 1",
        least: 1,
      }),
      safe: flag({
        help: "Keep WebAssembly's bounds checks; slower, as train:portable is",
      }),
    }),
  }),
  ...session(
    section("Run", {
      out: text<string | undefined>({
        help: "Folder for checkpoints, metrics.jsonl and report.html",
        default: undefined,
        defaultText: "runs/DATE-TEXT",
        placeholder: "DIR",
      }),
      resume: text<string | undefined>({
        help: "Go on with a run from its newest checkpoint, with its options",
        default: undefined,
        bare: "newest",
        defaultText: "the newest in runs/, if no folder is named",
        placeholder: "[RUN]",
      }),
      config: text<string | undefined>({
        help: 'Options in a JSON file, such as { "layers": 8, "lr": 5e-4 }; ' +
          "the command line counts more",
        default: undefined,
        placeholder: "FILE",
      }),
      reference: text<string | undefined>({
        help: "A run, such as a serial one, whose losses the report shows too",
        default: undefined,
        placeholder: "RUN",
      }),
      json: flag({
        help: "End with one line of JSON on stdout; progress goes to stderr",
      }),
      help: flag({ help: "Print this" }),
    }),
  ),
};

/** The values of the options of `train`. */
export type TrainValues = OptionValues<typeof options>;

/** The command `train`. */
export const trainCommand: Command<typeof options> = {
  name: "train",
  summary: "Trains a GPT on text, by default on Deno's own type declarations " +
    "in two to three minutes.",
  options,
  rest: "data",
  examples: [
    ["deno task train", "trains the default model on what `deno types` prints"],
    [
      "deno task train --data book.txt --layers 6 --steps 3000",
      "trains a deeper one on a text of your own",
    ],
    [
      "deno task train --layers 16 --levels 1,2 --probe-every 100",
      "takes the backward pass by multigrid, and often looks how exact it is",
    ],
    ["deno task train --resume", "goes on with the newest run"],
  ],
};
