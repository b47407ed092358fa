/**
 * `deno task bench gradients` and `deno task bench transition`: trains a GPT
 * serially and by multigrid with fixed iterations, and tells how good the
 * gradients are that training uses.
 *
 * @module
 */

import {
  byteTokenizer,
  defaultCorpus,
  splitTokens,
  tokenizeCorpus,
  type TokenSplit,
} from "../data/mod.ts";
import { gptConfiguration } from "../models/mod.ts";
import { device } from "../tensor/mod.ts";
import { count, FlagError, type Flags, list } from "./arguments.ts";
import {
  type FixedSolver,
  type GradientTraining,
  type Measured,
  trainAndMeasure,
} from "./gradient_training.ts";
import { printTable, type Row } from "./table.ts";
import { median } from "./timing.ts";

/** Flags of `bench gradients` and their defaults. */
export const gradientsDefaults: Readonly<Record<string, string>> = {
  solvers: "serial,skip:2/1,input:1/1,input:2/1,input:1/0",
  "without-buffers": "skip:2/1,input:2/1",
  before: "2",
  layers: "16",
  after: "2",
  "end-time": "16",
  coarsening: "4",
  dim: "64",
  heads: "4",
  head: "own",
  "embedding-scale": "1",
  seq: "64",
  batch: "8",
  lr: "1e-3",
  warmup: "50",
  total: "500",
  steps: "300",
  every: "25",
  from: "100",
  seed: "0",
  threads: "2",
};

/** Flags of `bench transition` and their defaults. */
export const transitionDefaults: Readonly<Record<string, string>> = {
  ...gradientsDefaults,
  solvers: "serial,skip:2/1,input:2/1",
  "without-buffers": "",
  before: "0",
  layers: "32",
  after: "0",
  "end-time": "1",
  "embedding-scale": "5",
  lr: "3e-3",
};

/** Runs either benchmark. */
export async function benchGradients(flags: Flags): Promise<void> {
  const number = (name: string): number => count(flags, name);
  const tokens = await tokenizeCorpus(await defaultCorpus(), byteTokenizer);
  const training = trainingOf(flags, splitTokens(tokens, 0.1));
  const { layers, before, after } = training.configuration;
  const bare = gptConfiguration({
    ...training.configuration,
    before: 0,
    after: 0,
  });
  const runs = [
    ...list(flags, "solvers").map((text) => ({
      name: `${before} + ${layers} + ${after}`,
      solver: toSolver(text),
      training,
    })),
    ...list(flags, "without-buffers").map((text) => ({
      name: `${layers}`,
      solver: toSolver(text),
      training: { ...training, configuration: bare },
    })),
  ];
  const cpu = await device("wasm", { threads: number("threads") });
  const summary: Row[] = [];
  for (const { name, solver, training } of runs) {
    const label = { layers: name, solver: solver.name };
    const measured: Measured[] = [];
    const begun = performance.now();
    for await (const row of trainAndMeasure(training, solver)) {
      measured.push(row);
      console.error(`${name} ${solver.name}: batch ${row.batch}`);
    }
    printTable(measured.map((row) => ({ ...label, ...row })), flags.json);
    summary.push({
      ...label,
      ...summarize(measured, number("from")),
      seconds: Math.round((performance.now() - begun) / 1000),
    });
  }
  printTable(summary, flags.json);
  cpu.close();
}

function trainingOf(flags: Flags, split: TokenSplit): GradientTraining {
  const number = (name: string): number => count(flags, name);
  const real = (name: string): number => {
    const value = Number(flags.text[name]);
    if (value > 0 && value < Infinity) return value;
    throw new FlagError(`bench: --${name} ${value} must be a number > 0`);
  };
  const layersAt = (name: string): number =>
    flags.text[name] === "0" ? 0 : number(name);
  return {
    configuration: gptConfiguration({
      vocabulary: byteTokenizer.vocabularySize,
      context: number("seq"),
      width: number("dim"),
      heads: number("heads"),
      before: layersAt("before"),
      layers: number("layers"),
      after: layersAt("after"),
      endTime: real("end-time"),
      tied: isTied(flags),
    }),
    embeddingScale: real("embedding-scale"),
    split,
    coarsening: number("coarsening"),
    batch: number("batch"),
    learningRate: real("lr"),
    warmup: number("warmup"),
    total: number("total"),
    steps: number("steps"),
    interval: number("every"),
    seed: Number(flags.text.seed),
  };
}

function isTied({ text: { head } }: Flags): boolean {
  if (head === "own" || head === "shared") return head === "shared";
  throw new FlagError(
    `bench: --head ${head} must be own or shared, with the embeddings`,
  );
}

/** `serial`, or `GUESS:FORWARD/BACKWARD`. */
function toSolver(text: string): FixedSolver {
  if (text === "serial") return { name: text };
  const parts = /^(input|zero|skip):(\d+)\/(\d+)$/.exec(text);
  if (parts === null) {
    throw new FlagError(
      `bench: solver ${text} must be serial, or a guess and its iterations ` +
        `forward and backward such as input:2/1`,
    );
  }
  const [, guess, forward, backward] = parts;
  if (guess === "skip" && !(Number(forward) && Number(backward))) {
    throw new FlagError(
      `bench: solver ${text}: skip is the first iteration, so there must be ` +
        `one in both directions`,
    );
  }
  return {
    name: `${guess} ${forward}/${backward}`,
    multigrid: {
      guess: guess as "input" | "zero" | "skip",
      forward: Number(forward),
      backward: Number(backward),
    },
  };
}

/** Over the batches that were looked at from one on, and at the end. */
function summarize(measured: readonly Measured[], from: number): Row {
  const cosines = measured.flatMap(({ batch, cosine }) =>
    batch < from ? [] : cosine ?? []
  );
  return {
    ...(cosines.length > 0 && {
      "median cosine": median(cosines),
      "smallest cosine": Math.min(...cosines),
    }),
    "validation loss": measured.at(-1)?.validation,
  };
}
