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
  type Option,
  type OptionValues,
  section,
  session,
  text,
  texts,
} from "./option.ts";
import type { Command } from "./parse.ts";
import { solverOptions } from "./solver_options.ts";

/** The kinds of tasks, the first by default. */
export const taskNames = [
  "gpt",
  "bert",
  "tagger",
  "vit",
  "translation",
  "classify",
] as const;

/** One of them. */
export type TaskName = typeof taskNames[number];

function column(help: string): Option<string | undefined> {
  return text<string | undefined>({
    help,
    default: undefined,
    defaultText: "found by the header",
    placeholder: "COLUMN",
  });
}

const options = {
  ...section("Task", {
    task: choice(taskNames, {
      help: "What is trained: gpt writes text; bert fills gaps in it; tagger " +
        "classifies the words of sentences; vit classifies images; " +
        "translation translates sentences; classify classifies texts, best " +
        "from a trained bert. Options and defaults depend on it: " +
        "--task vit --help",
      default: "gpt",
    }),
  }),
  ...section("Data", {
    data: texts({
      help: "Files, folders or patterns such as 'src/**/*.ts'; again for more",
      default: [],
      defaultText: "what `deno types` prints",
      placeholder: "PATH",
    }),
    target: texts({
      help: "Translations of --data, line by line; without it --data are " +
        "tables of two columns, or gettext:FOLDER",
      default: [],
      placeholder: "PATH",
    }),
    language: text<string | undefined>({
      help: "Of the gettext catalogues, such as de",
      default: undefined,
      placeholder: "CODE",
    }),
    column: choice(["upos", "xpos", "feats", "upos+feats"], {
      help: "Which column of CoNLL-U files is to be predicted",
      default: "upos",
    }),
    textColumn: column("The text's column in tables, its name or its number"),
    pairColumn: column("The column of a second text, if there is one"),
    labelColumn: column("The label's column"),
    validationData: texts({
      help: "The same to measure on; else it is a share of --data",
      default: [],
      placeholder: "PATH",
    }),
    validationTarget: texts({
      help: "Translations of --validation-data",
      default: [],
      placeholder: "PATH",
    }),
    validation: number({
      help: "Share of the data, its end, that is kept to measure on",
      default: 0.1,
      above: 0,
      most: 0.5,
    }),
    tokenizer: text({
      help: "byte; character; bpe, word-piece or unigram, learned from the " +
        "text; or a folder or file with a tokenizer: tokenizer.json, " +
        "vocab.json and merges.txt, vocab.txt",
      default: "byte",
      defaultText: "byte",
      placeholder: "KIND",
    }),
    vocabulary: integer({
      help: "Tokens that bpe, word-piece or unigram learn",
      default: 1024,
      least: 64,
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
    decoderLayers: integer<number | undefined>({
      help: "Layers of the decoder, which the solver takes with the encoder's",
      default: undefined,
      defaultText: "as many as --layers, which are the encoder's",
      least: 1,
    }),
    dim: integer({
      help: "Width of the states, a multiple of heads",
      default: 96,
      least: 1,
    }),
    heads: integer({ help: "Attention heads", default: 4, least: 1 }),
    hidden: integer<number | undefined>({
      help: "Width within the layers' MLPs",
      default: undefined,
      defaultText: "4 times --dim",
      least: 1,
    }),
    norm: choice(["pre", "post"], {
      help: "Where layers normalize: pre, their inputs (the paper's); post, " +
        "their results (the first transformers')",
      default: "pre",
    }),
    seq: integer({
      help: "Tokens that the model sees at a time",
      default: 128,
      least: 1,
    }),
    patch: integer({
      help: "Side of the squares that images are cut into, in pixels",
      default: 7,
      least: 1,
    }),
    untied: flag({
      help: "Give the head weights of its own; else it shares the embedding's",
    }),
  }),
  ...section("Weights of another run", {
    from: text<string | undefined>({
      help: "Begin with the weights of a trained bert: a run, or a folder " +
        "with config.json and model.safetensors as Hugging Face has them",
      default: undefined,
      defaultText: "fresh weights",
      placeholder: "RUN",
    }),
    freeze: texts({
      help: "Parameters that stay as they are, such as open or " +
        "block.attentionInput; again for more",
      default: [],
      placeholder: "NAME",
    }),
    refine: text<string | undefined>({
      help: "Begin with the run of the same task with fewer layers, refined " +
        "in depth (nested iteration), its optimizer's moments too",
      default: undefined,
      placeholder: "RUN",
    }),
    interpolation: choice(["constant", "linear"], {
      help: "How refined layers follow from the coarse ones: each repeated; " +
        "linearly between them",
      default: "constant",
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
    masked: number({
      help: "Share of the tokens that bert has to guess",
      default: 0.15,
      above: 0,
      below: 1,
    }),
    labelSmoothing: number({
      help: "Share of the probability that is spread over wrong tokens",
      default: 0.1,
      least: 0,
      below: 1,
    }),
    shift: integer({
      help: "Pixels that images are moved by at most, at random",
      default: 0,
      least: 0,
    }),
    kind: choice(["classes", "number"], {
      help: "What labels are: classes, or a number to come close to",
      default: "classes",
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
      beams: integer({
        help: "Translations that are followed at a time when one is searched " +
          "for; 1: greedily",
        default: 4,
        least: 1,
      }),
      lengthPenalty: number({
        help: "Power of the length that a translation's log-probability is " +
          "divided by; more favours longer ones",
        default: 1,
        least: 0,
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
  summary: "Trains a transformer, its layers solved by multigrid or serially.",
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
