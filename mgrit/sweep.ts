/**
 * What a solve does, piece by piece, and what each piece costs.
 *
 * @module
 */

/**
 * The pieces of a cycle. `restriction` is the right-hand side of the coarser
 * level, `coarse solve` the march on the coarsest one, `correction` what the
 * coarser level gives back. `final sweep`: the last F- and C-relaxation.
 */
export type SweepKind =
  | "F-relaxation"
  | "C-relaxation"
  | "residual"
  | "restriction"
  | "coarse solve"
  | "correction"
  | "final sweep";

/** One piece of a solve. */
export interface Sweep {
  /** The level whose steps it evaluates or whose states it corrects. */
  readonly level: number;
  /** What it was. */
  readonly kind: SweepKind;
  /** Steps evaluated. */
  readonly steps: number;
  /**
   * Wall-clock time; on a device that computes in the background, until all of
   * it was handed over.
   */
  readonly milliseconds: number;
  /** Kernel launches, where the chain counts them; else 0. */
  readonly launches: number;
}

/** Does a sweep and takes note of it. */
export type Recorder = <T>(
  kind: SweepKind,
  level: number,
  sweep: () => T,
) => T;

/**
 * Notes what sweeps cost.
 *
 * @param sweeps Is appended to.
 * @param steps Steps evaluated so far.
 * @param launches Kernels launched so far.
 */
export function recorder(
  sweeps: Sweep[],
  steps: () => number,
  launches: () => number,
): Recorder {
  return (kind, level, sweep) => {
    const before = { steps: steps(), launches: launches() };
    const start = performance.now();
    const result = sweep();
    sweeps.push({
      level,
      kind,
      steps: steps() - before.steps,
      milliseconds: performance.now() - start,
      launches: launches() - before.launches,
    });
    return result;
  };
}
