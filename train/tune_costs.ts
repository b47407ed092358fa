/**
 * What the steps of a training step cost on this device: one layer forward and
 * backward, and everything else.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import type { Direction, SolveReport, Sweep, SweepKind } from "../mgrit/mod.ts";
import { dispose, leaves, type Tree } from "../tensor/internal.ts";
import { quantile } from "./smoothing.ts";
import {
  type BatchGradient,
  batchGradient,
  solverOf,
  type TuneSubject,
} from "./tune_measurement.ts";
import type { TrainingCosts, TuneSetting } from "./tune_setting.ts";

/** Runs that a time is the median of. */
const timedRuns = 11;
/** How long runs before those go on: kernels are compiled in that time. */
const warmMilliseconds = 1000;

/** What was done, and how long it took. */
type Solves = Pick<BatchGradient, "reports" | "milliseconds">;

/** What was measured of a training step, in milliseconds. */
export interface MeasuredCosts {
  /** Of one layer, and of the rest; messages are free here. */
  readonly costs: TrainingCosts;
  /** Of the serial loss and gradient as a whole. */
  readonly serial: number;
}

/**
 * Times of one layer and of the rest of a training step.
 *
 * @param setting Any, for its grids.
 */
export async function measureCosts<P extends Tree>(
  subject: TuneSubject<P>,
  setting: TuneSetting,
): Promise<MeasuredCosts> {
  const once: TuneSetting = {
    ...setting,
    guess: "input",
    forward: 1,
    backward: 1,
  };
  const { device } = leaves(subject.parameters)[0];
  return device.backend.synchronous
    ? await costsBySweeps(subject, once)
    : await costsByDifferences(subject, once);
}

/** Medians of what the solver's own sweeps take, and of what is left. */
async function costsBySweeps<P extends Tree>(
  subject: TuneSubject<P>,
  once: TuneSetting,
): Promise<MeasuredCosts> {
  const rounds = await timed(async () => {
    const exact = await freedGradient(subject);
    const inexact = await freedGradient(subject, once);
    return { ...costsOf(inexact), serial: exact.milliseconds };
  });
  const { serial, ...costs } = mediansOf(rounds);
  return { costs: { ...costs, communication: 0 }, serial };
}

/**
 * Differences of medians, for devices that compute in the background: their
 * sweeps end before the work does. What multigrid adds to a serial loss, or going
 * back to a serial training step, is shared among the layers that it adds. Apart
 * from the layers, going back is taken to cost twice as much as going forward.
 */
async function costsByDifferences<P extends Tree>(
  subject: TuneSubject<P>,
  once: TuneSetting,
): Promise<MeasuredCosts> {
  const { block: { layers } } = subject;
  let forwardSteps = 0;
  let backwardSteps = 0;
  const times = mediansOf(
    await timed(async () => {
      const exact = await freedGradient(subject);
      const loss = await timedLoss(subject);
      const ahead = await timedLoss(subject, { ...once, backward: "serial" });
      const back = await freedGradient(subject, { ...once, forward: "serial" });
      forwardSteps = total(sweepsOf(ahead, "forward"), "steps");
      backwardSteps = total(sweepsOf(back, "backward"), "steps");
      return {
        serial: exact.milliseconds,
        loss: loss.milliseconds,
        ahead: ahead.milliseconds,
        back: back.milliseconds,
      };
    }),
  );
  const share = (time: number, steps: number): number =>
    Math.max(0, time) / steps;
  const forward = share(times.ahead - times.loss, forwardSteps - layers);
  const stateVjp = share(times.back - times.serial, backwardSteps - layers);
  // A product with the parameters' gradients is at least the state's alone;
  // beside other work, differences of small times can say otherwise.
  const most = Math.max(0, times.serial - layers * (forward + stateVjp));
  const rest = Math.min(3 * Math.max(0, times.loss - layers * forward), most);
  const fullVjp = Math.max(
    stateVjp,
    share(times.serial - layers * forward - rest, layers),
  );
  return {
    costs: { forward, stateVjp, fullVjp, communication: 0, rest },
    serial: times.serial,
  };
}

/** As `batchGradient` of the first batch, but the loss alone. */
async function timedLoss<P extends Tree>(
  { task, parameters }: TuneSubject<P>,
  setting?: TuneSetting,
): Promise<Solves> {
  const reports: SolveReport[] = [];
  const options = setting && {
    ...solverOf(setting),
    onSolve: (report: SolveReport) => void reports.push(report),
  };
  const begun = performance.now();
  using loss = evaluate(() => task.loss(parameters, 0, options));
  await loss.device.finished();
  return { reports, milliseconds: performance.now() - begun };
}

/** As `batchGradient` of the first batch, but without the gradient. */
async function freedGradient<P extends Tree>(
  subject: TuneSubject<P>,
  setting?: TuneSetting,
): Promise<Solves> {
  const options = setting && solverOf(setting);
  const found = await batchGradient(subject, 0, options);
  dispose(found.gradient);
  return found;
}

/** What several rounds find, after others that warm up. */
async function timed<T>(round: () => Promise<T>): Promise<T[]> {
  const rounds: T[] = [];
  const warm = performance.now() + warmMilliseconds;
  while (rounds.length < timedRuns) {
    const isWarm = performance.now() > warm;
    const found = await round();
    if (isWarm) rounds.push(found);
  }
  return rounds;
}

function mediansOf<Name extends string>(
  rounds: readonly Readonly<Record<Name, number>>[],
): Record<Name, number> {
  return Object.fromEntries(
    Object.keys(rounds[0]).map((name) => [
      name,
      quantile(rounds.map((round) => round[name as Name]), 0.5),
    ]),
  ) as Record<Name, number>;
}

/** Milliseconds of a step of each kind on the finest level, and of the rest. */
function costsOf(
  found: Solves,
): Omit<TrainingCosts, "communication"> {
  const { reports, milliseconds } = found;
  const stepTime = (direction: Direction, ...kinds: SweepKind[]): number => {
    const sweeps = sweepsOf(found, direction).filter(({ level, kind }) =>
      level === 0 && kinds.includes(kind)
    );
    return total(sweeps, "milliseconds") / total(sweeps, "steps");
  };
  const solving = total(
    reports.flatMap(({ sweeps }) => sweeps),
    "milliseconds",
  );
  return {
    forward: stepTime("forward", "F-relaxation", "final sweep"),
    stateVjp: stepTime("backward", "F-relaxation"),
    fullVjp: stepTime("backward", "final sweep"),
    rest: milliseconds - solving,
  };
}

function sweepsOf({ reports }: Solves, direction: Direction): Sweep[] {
  return reports
    .filter((report) => report.direction === direction)
    .flatMap(({ sweeps }) => sweeps);
}

function total(
  sweeps: readonly Sweep[],
  name: "milliseconds" | "steps",
): number {
  return sweeps.reduce((sum, sweep) => sum + sweep[name], 0);
}
