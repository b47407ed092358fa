/**
 * A comparison: a model that was trained serially, with fixed multigrid
 * iterations and with accuracy control, from the same seed on the same batches.
 *
 * @module
 */

import type { History } from "./history.ts";
import { decimals } from "./report_format.ts";

/** The runs of a comparison, in their order. */
export const comparedNames = ["serial", "fixed", "adaptive"] as const;

/** One of them. */
export type ComparedName = typeof comparedNames[number];

/** The runs of a comparison by name. */
export type Comparison = Readonly<Record<ComparedName, History>>;

/** Runs by multigrid. */
export const parallelNames = ["fixed", "adaptive"] as const;

/** Class of a run's lines. */
export const comparedClass: Readonly<Record<ComparedName, string>> = {
  serial: "reference",
  fixed: "validation",
  adaptive: "train",
};

/** Steps of the longest run. */
export function lastStep(runs: Comparison): number {
  return Math.max(
    0,
    ...comparedNames.map((name) => runs[name].steps.at(-1)?.step ?? 0),
  );
}

/** Relative difference of the last validation loss to the serial one. */
export function againstSerial(runs: Comparison, name: ComparedName): number {
  const [own, serial] = [runs[name], runs.serial].map((run) =>
    run.evaluations.at(-1)
  );
  return own === undefined || own.step !== serial?.step
    ? NaN
    : own.loss / serial.loss - 1;
}

/** A relative difference such as `+1.2 %`. */
export function percentWords(share: number): string {
  const percent = decimals(100 * share, 1);
  return Number.isFinite(share) ? `${share < 0 ? "" : "+"}${percent} %` : "–";
}
