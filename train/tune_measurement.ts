/**
 * What tuning measures: a task's gradient on a batch, solved in one way or
 * another, with its duration and with what the solver reports.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import {
  compareGradients,
  type Direction,
  directionProbe,
  directions,
  type MultigridOptions,
  probeIterations,
  type SolveOptions,
  type SolveReport,
} from "../mgrit/mod.ts";
import {
  dispose,
  leaves,
  type Tree,
  withoutScope,
} from "../tensor/internal.ts";
import { quantile } from "./smoothing.ts";
import type { TrainingTask } from "./task.ts";
import {
  directionOptions,
  type TunedIterations,
  type TuneSetting,
} from "./tune_setting.ts";

/** A model whose block is solved in several ways. */
export interface TuneSubject<P extends Tree> {
  /** What it is trained on. */
  readonly task: TrainingTask<P>;
  /** Its parameters. */
  readonly parameters: P;
  /** The part of them that is the block's. */
  readonly block: NonNullable<TrainingTask<P>["block"]>;
}

/** A gradient and how it came about. */
export interface BatchGradient {
  /** Of the block; the caller's to free. */
  readonly gradient: Tree;
  /** Of the whole model's loss and gradient. */
  readonly milliseconds: number;
  /** Forward, then backward; none of a serial solve. */
  readonly reports: readonly SolveReport[];
}

/** The gradient of a batch; serial without options. */
export async function batchGradient<P extends Tree>(
  { task, parameters, block }: TuneSubject<P>,
  batch: number,
  options?: Pick<SolveOptions<never>, "forward" | "backward">,
): Promise<BatchGradient> {
  const reports: SolveReport[] = [];
  const solver = options && {
    ...options,
    onSolve: (report: SolveReport) => void reports.push(report),
  };
  const begun = performance.now();
  const { value, gradient } = withoutScope(() =>
    valueAndGrad((p: P) => task.loss(p, batch, solver))(parameters)
  );
  await value.device.finished();
  const milliseconds = performance.now() - begun;
  // Reading lets others have their turn.
  await value.item();
  const kept = block.parameters(gradient);
  const ofBlock = new Set(leaves(kept));
  dispose([value, ...leaves(gradient).filter((leaf) => !ofBlock.has(leaf))]);
  return { gradient: kept, milliseconds, reports };
}

/** How good a setting's gradients are. */
export interface GradientAccuracy {
  /** Cosine of the angle between the block's gradient and the serial one. */
  readonly cosine: number;
  /** That of the layer where it is smallest. */
  readonly worstLayer: number;
  /** ‖g − g*‖ / ‖g*‖. */
  readonly relativeError: number;
  /** Median duration of loss and gradient on this device. */
  readonly milliseconds: number;
}

/**
 * The accuracy of a setting on the batches 0, 1, …; of several, the worst
 * counts.
 *
 * @param exact The serial gradients of the batches.
 */
export async function measureAccuracy<P extends Tree>(
  subject: TuneSubject<P>,
  setting: TuneSetting,
  exact: readonly Tree[],
): Promise<GradientAccuracy> {
  const found: Omit<GradientAccuracy, "milliseconds">[] = [];
  const durations: number[] = [];
  for (const [batch, right] of exact.entries()) {
    const { gradient, milliseconds } = await batchGradient(
      subject,
      batch,
      solverOf(setting),
    );
    const { cosine, relativeError, layers } = await compareGradients(
      gradient,
      right,
      subject.block.sections,
    );
    dispose(gradient);
    durations.push(milliseconds);
    const worstLayer = Math.min(...layers.cosine);
    found.push({ cosine, worstLayer, relativeError });
  }
  return {
    cosine: Math.min(...found.map(({ cosine }) => cosine)),
    worstLayer: Math.min(...found.map(({ worstLayer }) => worstLayer)),
    relativeError: Math.max(...found.map((one) => one.relativeError)),
    milliseconds: quantile(durations, 0.5),
  };
}

/** What the solver reported in each direction, batch by batch. */
export type SolveHistory = Readonly<Record<Direction, readonly SolveReport[]>>;

/**
 * What the solver reports of settings that differ in their iterations only: of
 * a solve with twice the most of them.
 */
export async function measureConvergence<P extends Tree>(
  subject: TuneSubject<P>,
  settings: readonly TuneSetting[],
  batches: number,
): Promise<SolveHistory> {
  const most = (direction: Direction): TunedIterations => {
    const counts = settings.map((setting) => setting[direction])
      .filter((count) => count !== "serial");
    return counts.length === 0
      ? "serial"
      : probeIterations(Math.max(...counts), settings[0].guess);
  };
  const deep: TuneSetting = {
    ...settings[0],
    forward: most("forward"),
    backward: most("backward"),
  };
  const history: Record<Direction, SolveReport[]> = {
    forward: [],
    backward: [],
  };
  for (let batch = 0; batch < batches; batch++) {
    const { gradient, reports } = await batchGradient(
      subject,
      batch,
      solverOf(deep),
    );
    dispose(gradient);
    for (const report of reports) history[report.direction].push(report);
  }
  return history;
}

/** ρ at twice a setting's iterations, the largest of all batches. */
export async function ratiosOf<P extends Tree>(
  { parameters }: TuneSubject<P>,
  setting: TuneSetting,
  history: SolveHistory,
): Promise<Partial<Record<Direction, number>>> {
  const { device: { floatDtype } } = leaves(parameters)[0];
  const largest: Partial<Record<Direction, number>> = {};
  for (const direction of directions) {
    const iterations = setting[direction];
    if (iterations === "serial") continue;
    const count = probeIterations(iterations, setting.guess);
    for (const report of history[direction]) {
      const residuals = report.residuals.slice(0, count);
      const { ratio } = await directionProbe(
        { ...report, residuals },
        floatDtype,
      );
      if (ratio === undefined) continue;
      largest[direction] = Math.max(ratio, largest[direction] ?? 0);
    }
  }
  return largest;
}

/** How both directions are solved. */
export function solverOf(
  setting: TuneSetting,
): Record<Direction, MultigridOptions<never>> {
  return {
    forward: directionOptions(setting, "forward"),
    backward: directionOptions(setting, "backward"),
  };
}
