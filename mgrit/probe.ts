/**
 * What a probe measures: a solve with more iterations than training uses.
 *
 * @module
 */

import type { Guess } from "./multigrid_options.ts";
import type { SolveReport } from "./solve.ts";
import type { Sweep } from "./sweep.ts";

/** What a probe measured in a direction. */
export interface DirectionProbe {
  /** K of this solve. */
  readonly iterations: number;
  /** Norm of the residual in each iteration; `null` where there is none. */
  readonly residuals: readonly (number | null)[];
  /** Norm of what the final sweep's C-relaxation changed. */
  readonly finalResidual: number;
  /** Iterations after which the solve is exact, whatever the network is. */
  readonly exactIterations: number;
  /** ρ; see {@linkcode convergenceRatio}. Absent: there is none to speak of. */
  readonly ratio?: number;
  /** What was done, summed up by level and kind. */
  readonly sweeps: readonly Sweep[];
  /**
   * Of a serial direction that was tried: the gradient at its configured
   * iterations against the one in use.
   */
  readonly gradient?: GradientProbe;
}

/** How far a gradient is from a better one, for the parameters of the block. */
export interface GradientProbe {
  /** ‖g − g*‖ / ‖g*‖ of all layers together. */
  readonly relativeError: number;
  /** Cosine of the angle between them. */
  readonly cosine: number;
  /** The same for each layer. */
  readonly layers: {
    /** ‖g − g*‖ / ‖g*‖. */
    readonly relativeError: readonly number[];
    /** Cosine of the angle between them. */
    readonly cosine: readonly number[];
  };
}

/** What a probe found. */
export interface Probe {
  /** Of the forward pass, if it is or tries multigrid. */
  readonly forward?: DirectionProbe;
  /** Of the backward pass, if it is or tries multigrid. */
  readonly backward?: DirectionProbe;
  /** The gradient at K iterations against that of the probe. */
  readonly gradient?: GradientProbe;
}

/**
 * K of a probe: doubled, and enough for two residuals to divide. A skipped
 * first cycle has none.
 */
export function probeIterations(
  iterations: number,
  guess: Guess<never>,
): number {
  return Math.max(2 * iterations, guess === "skip" ? 3 : 2);
}

/** What {@linkcode convergenceRatio} needs to know of a solve. */
export interface Convergence {
  /** Norm of the residual in each iteration; `null` where there is none. */
  readonly residuals: readonly (number | null)[];
  /** Iterations after which the solve is exact, whatever the network is. */
  readonly exactIterations: number;
}

/**
 * ρ = ‖r_K‖ / ‖r_{K−1}‖ of the last two residuals measured: the factor by which
 * the correction between them shrank the error (Layer-Parallel Training for
 * Transformers, §3.2.3). Undefined where it says nothing: after so many
 * iterations that the solve is exact anyway, where the residual was rounding
 * already, and where there are no two of them.
 *
 * @param floor Norm of a residual that is rounding; see {@linkcode roundOff}.
 *
 * @example
 * ```ts
 * import { convergenceRatio } from "@layerbraid/layerbraid/mgrit";
 *
 * const solve = { residuals: [null, 0.5, 0.1], exactIterations: 9 };
 * console.log(convergenceRatio(solve, 1e-6)); // 0.2
 * console.log(convergenceRatio(solve, 1)); // undefined
 * ```
 */
export function convergenceRatio(
  { residuals, exactIterations }: Convergence,
  floor: number,
): number | undefined {
  if (residuals.length >= exactIterations) return undefined;
  const [previous, last] = residuals.slice(-2);
  if (typeof previous !== "number" || typeof last !== "number") {
    return undefined;
  }
  return previous <= floor ? undefined : last / previous;
}

/** Spacing of numbers near 1. */
const machineEpsilon = { f32: 2 ** -23, f64: 2 ** -52 };

/**
 * Norm of a residual that is nothing but rounding: 8 units in the last place of
 * the states that it is a difference of.
 *
 * @param scale Norm of those states: √(Σ ‖uᵢ‖²) over the C-points.
 */
export function roundOff(scale: number, dtype: "f32" | "f64"): number {
  return 8 * machineEpsilon[dtype] * scale;
}

/**
 * What a probe says of a solve, once its residuals could be read.
 *
 * @param dtype Of the states.
 * @throws {TypeError} If residuals weren't measured.
 */
export async function directionProbe(
  solve: Pick<
    SolveReport,
    "residuals" | "finalResidual" | "exactIterations" | "scale" | "sweeps"
  >,
  dtype: "f32" | "f64",
): Promise<DirectionProbe> {
  const { exactIterations, sweeps } = solve;
  const residuals = await Promise.all(solve.residuals);
  const finalResidual = await solve.finalResidual;
  if (finalResidual === undefined) {
    throw new TypeError(
      "directionProbe: the solve's residuals weren't measured",
    );
  }
  const ratio = convergenceRatio(
    { residuals, exactIterations },
    roundOff(await solve.scale, dtype),
  );
  return {
    iterations: residuals.length,
    residuals,
    finalResidual,
    exactIterations,
    ...(ratio !== undefined && { ratio }),
    sweeps: totalSweeps(sweeps),
  };
}

/** Whether all that was measured is a number. */
export function isFiniteProbe(
  { residuals, finalResidual, gradient }: DirectionProbe,
): boolean {
  return [...residuals, finalResidual, gradient?.cosine ?? 0].every((x) =>
    x === null || Number.isFinite(x)
  );
}

/** Sums sweeps of the same kind on the same level up, in order of appearance. */
function totalSweeps(sweeps: readonly Sweep[]): Sweep[] {
  const groups = Map.groupBy(sweeps, ({ level, kind }) => `${level} ${kind}`);
  return [...groups.values()].map((group) => ({
    level: group[0].level,
    kind: group[0].kind,
    steps: total(group, "steps"),
    milliseconds: total(group, "milliseconds"),
    launches: total(group, "launches"),
  }));
}

function total(
  sweeps: readonly Sweep[],
  field: "steps" | "milliseconds" | "launches",
): number {
  return sweeps.reduce((sum, sweep) => sum + sweep[field], 0);
}
