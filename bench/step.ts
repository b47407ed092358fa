/**
 * `deno task bench step`: one training step of a GPT (forward, backward, Adam),
 * again and again on one batch.
 *
 * A device that works in the background is waited for every few steps only, as
 * in training, when the loss is read. There `jsMsPerStep` is the time of the
 * program itself, until all work of a step is recorded and submitted; it is
 * taken in steps of their own that find the device idle, for one that is played
 * by the CPU would slow down the program.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import {
  type GptConfiguration,
  gptConfiguration,
  gptLoss,
  type GptParameters,
  initializeGpt,
} from "../models/mod.ts";
import {
  cast,
  contiguous,
  type Device,
  leaves,
  randomKey,
  slice,
  type Tensor,
  uniform,
} from "../tensor/mod.ts";
import { adam } from "../train/mod.ts";
import { count, type Flags } from "./arguments.ts";
import { openDevice, untilSubmitted } from "./background.ts";
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
  device: "wasm",
  threads: "1",
};

/** Steps before the clock counts, in which V8 optimizes the kernels. */
const warmup = 5;

/** Steps for each reading of the loss, on devices where it has to be waited for. */
const pipelined = 5;

/** Steps on a tiny batch in which V8 optimizes the program, for `jsMsPerStep`. */
const programWarmup = 300;

/** What a step takes of a device besides time. */
const counters = ["launches", "submits", "readbacks"] as const;

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
  const device = await openDevice(flags);
  const { synchronous } = device.backend;
  if (!synchronous) {
    using _scope = device.scope();
    const { step } = training(configuration, 1, Math.min(sequence, 4));
    for (let i = 0; i < programWarmup; i++) {
      step().dispose();
      if (i % pipelined === 0) await device.finished();
    }
    await device.finished();
  }
  const { step, size } = training(configuration, batch, sequence);
  const losses: number[] = [];
  /** Milliseconds a step, of steps up to the reading of a loss. */
  const run = async (count: number): Promise<number> => {
    const start = performance.now();
    for (let i = 1; i < count; i++) {
      step().dispose();
      await null; // as a training loop does: the step is submitted here
    }
    using loss = step();
    losses.push(await loss.item());
    return (performance.now() - start) / count;
  };
  const stepsPerReading = synchronous ? 1 : pipelined;
  for (let done = 0; done < warmup; done++) await run(1);
  device.resetPeak();
  const before = counted(device);
  const durations: number[] = [];
  for (let done = 0; done < steps; done += stepsPerReading) {
    durations.push(await run(Math.min(stepsPerReading, steps - done)));
  }
  const after = counted(device);
  const msPerStep = median(durations);
  const program: number[] = [];
  while (!synchronous && program.length < steps) {
    await device.finished();
    const start = performance.now();
    step().dispose();
    program.push(await untilSubmitted(start));
  }
  const result = {
    msPerStep,
    msMin: Math.min(...durations),
    ...(synchronous ? {} : {
      jsMsPerStep: median(program),
      jsMsMin: Math.min(...program),
    }),
    tokensPerSecond: batch * sequence / msPerStep * 1000,
    lossFirst: losses[0],
    lossLast: losses[losses.length - 1],
    parameters: size,
    peakBytes: device.stats().peakBytes,
    ...Object.fromEntries(counters.map((name) => [
      name,
      (after[name] - before[name]) / steps,
    ])),
    device: device.name,
    mode: device.mode,
    threads: device.threads,
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
  device.close();
}

function counted(device: Device): Record<typeof counters[number], number> {
  const { launches, submits, readbacks } = device;
  return { launches, submits, readbacks };
}

/** A model in training on one batch of random tokens. */
function training(
  configuration: GptConfiguration,
  batch: number,
  sequence: number,
): { step: () => Tensor; size: number } {
  const text = cast(
    uniform([batch, sequence + 1], randomKey(1), 0, configuration.vocabulary),
    "int",
  );
  const tokens = contiguous(slice(text, [undefined, [0, sequence]]));
  const targets = contiguous(slice(text, [undefined, [1, sequence + 1]]));
  const lossAndGradient = valueAndGrad((parameters: GptParameters) =>
    gptLoss(configuration, parameters, tokens, targets)
  );
  const optimizer = adam({ learningRate: 1e-3 });
  let parameters = initializeGpt(configuration, 0);
  let state = optimizer.init(parameters);
  const size = leaves(parameters).reduce((sum, leaf) => sum + leaf.size, 0);
  const step = (): Tensor => {
    const { value, gradient } = lossAndGradient(parameters);
    ({ parameters, state } = optimizer.update(parameters, gradient, state));
    return value;
  };
  return { step, size };
}
