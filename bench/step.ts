/**
 * `deno task bench step`: one training step of a GPT (forward, backward, Adam),
 * again and again on one batch.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import {
  gptConfiguration,
  gptLoss,
  type GptParameters,
  initializeGpt,
} from "../models/mod.ts";
import {
  cast,
  device,
  leaves,
  randomKey,
  slice,
  uniform,
} from "../tensor/mod.ts";
import { adam } from "../train/mod.ts";
import { count, type Flags } from "./arguments.ts";
import { median } from "./timing.ts";

/** Flags and their defaults. */
export const stepDefaults: Readonly<Record<string, string>> = {
  layers: "4",
  dim: "128",
  heads: "4",
  seq: "64",
  batch: "16",
  vocab: "256",
  steps: "20",
  threads: "1",
};

/** Steps before the clock counts, in which V8 optimizes the kernels. */
const warmup = 5;

/** Runs the benchmark. */
export async function benchStep(flags: Flags): Promise<void> {
  const number = (name: string): number => count(flags, name);
  const [batch, sequence, steps] = ["batch", "seq", "steps"].map(number);
  const configuration = gptConfiguration({
    vocabulary: number("vocab"),
    width: number("dim"),
    heads: number("heads"),
    layers: number("layers"),
    context: sequence,
    tied: false,
  });
  const cpu = await device("wasm", { threads: number("threads") });
  const text = cast(
    uniform([batch, sequence + 1], randomKey(1), 0, configuration.vocabulary),
    "int",
  );
  const tokens = slice(text, [undefined, [0, sequence]]);
  const targets = slice(text, [undefined, [1, sequence + 1]]);
  const lossAndGradient = valueAndGrad((parameters: GptParameters) =>
    gptLoss(configuration, parameters, tokens, targets)
  );
  const optimizer = adam({ learningRate: 1e-3 });
  let parameters = initializeGpt(configuration, 0);
  let state = optimizer.init(parameters);
  const size = leaves(parameters).reduce((sum, leaf) => sum + leaf.size, 0);
  const losses: number[] = [];
  const durations: number[] = [];
  for (let step = 0; step < warmup + steps; step++) {
    if (step === warmup) cpu.resetPeak();
    const start = performance.now();
    const { value, gradient } = lossAndGradient(parameters);
    ({ parameters, state } = optimizer.update(parameters, gradient, state));
    losses.push(await value.item());
    durations.push(performance.now() - start);
  }
  const counted = durations.slice(warmup);
  const msPerStep = median(counted);
  const result = {
    msPerStep,
    msMin: Math.min(...counted),
    tokensPerSecond: batch * sequence / msPerStep * 1000,
    lossFirst: losses[0],
    lossLast: losses[losses.length - 1],
    parameters: size,
    peakBytes: cpu.stats().peakBytes,
    mode: cpu.mode,
    threads: cpu.threads,
  };
  console.log(
    flags.json
      ? JSON.stringify(result)
      : Object.entries(result).map(([name, value]) =>
        `${name.padEnd(16)} ${
          typeof value === "number" ? Number(value.toPrecision(6)) : value
        }`
      ).join("\n"),
  );
  cpu.close();
}
