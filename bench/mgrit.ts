/**
 * `deno task bench mgrit`: a training step of a block of transformer layers,
 * forward and backward, by the serial march and by multigrid over the layers,
 * one step after the other and stacked.
 *
 * `--levels auto` takes as many levels as leave at least two steps on the
 * coarsest, so that it has 2 … 2c − 1 of them however many layers there are: the
 * coarse march, whose launches grow with its steps, then stays the same.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import {
  defaultMultigrid,
  type Direction,
  type Execution,
  type Guess,
  type MultigridOptions,
  parallelTime,
  residualBlock,
  solve,
  type SolveOptions,
  type SolveReport,
} from "../mgrit/mod.ts";
import {
  attentionBranch,
  gptConfiguration,
  initializeGpt,
  type LayerParameters,
  mlpBranch,
} from "../models/mod.ts";
import {
  type Device,
  dispose,
  normal,
  randomKey,
  square,
  sum,
  type Tensor,
} from "../tensor/mod.ts";
import { count, counts, FlagError, type Flags, list } from "./arguments.ts";
import { openDevice } from "./background.ts";
import { printTable, type Row } from "./table.ts";
import { median, pendingEvents } from "./timing.ts";

/** Flags and their defaults. */
export const mgritDefaults: Readonly<Record<string, string>> = {
  layers: "16,32,64,128,256",
  batch: "1,8",
  dim: "64",
  heads: "4",
  seq: "32",
  levels: "2",
  coarsening: "4",
  guess: "skip",
  forward: "2",
  backward: "1",
  runs: "9",
  device: "wasm",
  threads: "1",
};

/** Steps before the clock counts, in which V8 optimizes the kernels. */
const warmup = 8;

/** Of a layer, in forward steps. */
const work = { forward: 1, stateVjp: 1, fullVjp: 2, communication: 0 };

/** The ways to take a training step. */
const executions = ["sequential", "stacked"] as const;
const ways = ["serial", ...executions] as const;

/** Runs the benchmark. */
export async function benchMgrit(flags: Flags): Promise<void> {
  const device = await openDevice(flags);
  const measured: Measured[] = [];
  for (const batch of counts(flags, "batch")) {
    for (const layers of counts(flags, "layers")) {
      measured.push(await measureBlock(device, flags, layers, batch));
    }
  }
  printTable(measured.flatMap(({ steps }) => steps), flags.json);
  if (!flags.json) console.log("\nThe sweeps of the last block:");
  printTable(measured.at(-1)!.sweeps, flags.json);
  device.close();
}

/** What was measured of a block. */
interface Measured {
  /** A row for each way. */
  readonly steps: readonly Row[];
  /** A row for each sweep of a step by multigrid. */
  readonly sweeps: readonly Row[];
}

/** Serial, sequential and stacked, in turns, so that all see the same noise. */
async function measureBlock(
  device: Device,
  flags: Flags,
  layers: number,
  batch: number,
): Promise<Measured> {
  const [dim, heads, seq, runs] = ["dim", "heads", "seq", "runs"]
    .map((name) => count(flags, name));
  const { block: parameters } = initializeGpt(
    gptConfiguration({ vocabulary: 2, width: dim, heads, layers }),
    0,
  );
  const block = residualBlock({
    layers,
    endTime: 1,
    branches: [attentionBranch, mlpBranch],
    discretization: "outer",
  });
  const context = {
    heads,
    causal: true,
    epsilon: 1e-5,
    activation: "gelu-tanh",
    firstLayer: 0,
  } as const;
  const x = normal([batch, seq, dim], randomKey(1));
  const step = valueAndGrad((
    given: { x: Tensor; parameters: LayerParameters },
    options: SolveOptions<Tensor>,
  ) => sum(square(solve(block, given.x, given.parameters, context, options))));
  const levels = levelsOf(flags, layers);
  const options = { serial: {}, ...multigridWays(flags, levels) };
  const results = ways.map((way) => ({
    way,
    durations: [] as number[],
    launches: 0,
    peakBytes: 0,
  }));
  for (let run = 0; run < warmup + runs; run++) {
    for (const result of results) {
      const { liveBytes } = device.stats();
      const { launches } = device;
      device.resetPeak();
      const start = performance.now();
      const { value, gradient } = step({ x, parameters }, options[result.way]);
      await device.finished();
      const duration = performance.now() - start;
      result.launches = device.launches - launches;
      result.peakBytes = device.stats().peakBytes - liveBytes;
      dispose([value, gradient]);
      if (run >= warmup) result.durations.push(duration);
      await pendingEvents();
    }
  }
  const reports = executions.map((execution) => {
    const reports: SolveReport[] = [];
    const onSolve = (report: SolveReport): void => void reports.push(report);
    const given = { x, parameters };
    const { value, gradient } = step(given, { ...options[execution], onSolve });
    dispose([value, gradient]);
    return reports;
  });
  const coarseLaunches = {
    serial: undefined,
    sequential: launchesOfMarch(reports[0]),
    stacked: launchesOfMarch(reports[1]),
  };
  dispose([x, parameters]);
  const { forward, backward } = options.sequential;
  const predicted = (parallelTime("forward", layers, forward, work, 1) +
    parallelTime("backward", layers, backward, work, 1)) / (3 * layers);
  const serial = median(results[0].durations);
  const steps = results.map(({ way, durations, launches, peakBytes }) => ({
    layers,
    levels: way === "serial" ? 1 : levels,
    batch,
    way,
    ms: median(durations),
    "ms, best": Math.min(...durations),
    "of serial": median(durations) / serial,
    "by evaluations": way === "serial" ? 1 : predicted,
    launches,
    "coarse march": coarseLaunches[way],
    "peak MB": peakBytes / 1e6,
    mode: device.mode,
  }));
  return { steps, sweeps: sweepRows(reports) };
}

/** Launches of the marches on the coarsest level, in both passes. */
function launchesOfMarch(passes: readonly SolveReport[]): number {
  return passes.flatMap(({ sweeps }) => sweeps)
    .filter(({ kind }) => kind === "coarse solve")
    .reduce((sum, { launches }) => sum + launches, 0);
}

/** The sweeps of both passes, sequential and stacked side by side. */
function sweepRows(reports: readonly (readonly SolveReport[])[]): Row[] {
  const [sequential, stacked] = reports.map((passes) =>
    passes.flatMap(({ direction, sweeps }) =>
      sweeps.map((sweep) => ({ direction, ...sweep }))
    )
  );
  return sequential.map((sweep, i) => ({
    pass: sweep.direction,
    level: sweep.level,
    sweep: sweep.kind,
    "layers' steps": sweep.steps,
    "sequential: ms": sweep.milliseconds,
    launches: sweep.launches,
    "stacked: ms": stacked[i].milliseconds,
    "launches, stacked": stacked[i].launches,
  }));
}

/** A solver by multigrid. */
type MultigridWay =
  & SolveOptions<Tensor>
  & Readonly<Record<Direction, MultigridOptions<never>>>;

/** The number of levels that was asked for, or that suits the layers. */
function levelsOf(flags: Flags, layers: number): number {
  if (flags.text.levels !== "auto") return count(flags, "levels");
  const coarsening = count(flags, "coarsening");
  let levels = 1;
  let steps = Math.floor(layers / coarsening);
  while (steps >= 2) {
    levels++;
    steps = Math.floor(steps / coarsening);
  }
  return levels;
}

function multigridWays(
  flags: Flags,
  levels: number,
): Record<Execution, MultigridWay> {
  const guess = list(flags, "guess")[0] as Guess<never>;
  const direction = (name: string): MultigridOptions<never> => ({
    ...defaultMultigrid,
    levels,
    coarsening: count(flags, "coarsening"),
    guess,
    iterations: iterations(flags, name),
  });
  const options = {
    forward: direction("forward"),
    backward: direction("backward"),
  };
  return {
    sequential: options,
    stacked: { ...options, execution: "stacked" },
  };
}

/** Iterations may be 0, where the guess goes straight to the final sweep. */
function iterations({ text }: Flags, name: string): number {
  const value = Number(text[name]);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new FlagError(`bench: --${name} ${value} must be an integer ≥ 0`);
}
