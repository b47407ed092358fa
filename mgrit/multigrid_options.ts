/**
 * How a chain of steps is solved by multigrid.
 *
 * @module
 */

import { assertInteger, assertNotEmpty, type Coarsening } from "./hierarchy.ts";

/** F: F-relaxation. FCF: an FC-sweep before it. FCFCF: two. */
export type Relaxation = "F" | "FCF" | "FCFCF";

/**
 * V: once down to the coarsest level and back. F: on the way up every level
 * between is left only after one V-cycle more from it (XBraid's and PyMGRIT's
 * F-cycle).
 */
export type Cycle = "V" | "F";

/**
 * What the C-points start from. `input`: the chain's first state, everywhere.
 * `zero`. `skip`: the first iteration is a march on the coarsest level instead
 * of a cycle (XBraid's skip of the first down-cycle) and has no residual.
 * `nested`: before the first iteration, a march on the coarsest level and a
 * V-cycle on each level between (PyMGRIT's nested iteration). `previous`: where
 * the last solve ended; for solvers that remember it. A function: called once
 * for each C-point but the first, with its index; the solver owns what it
 * returns.
 */
export type Guess<X> =
  | "input"
  | "zero"
  | "skip"
  | "nested"
  | "previous"
  | ((point: number) => X);

/** When to stop before the last iteration: at the residual that meets one. */
export interface Tolerance {
  /** The residual's norm itself; 0 never stops. */
  readonly absolute?: number;
  /** Its ratio to the first measured one; 0 never stops. */
  readonly relative?: number;
}

/** How a chain is solved. */
export interface MultigridOptions<X> extends Coarsening {
  /** Of each level but the coarsest; of a list, the last repeats. */
  readonly relaxation: Relaxation | readonly Relaxation[];
  /**
   * ω > 0 of each level but the coarsest; of a list, the last repeats. The
   * C-relaxation of a cycle moves C-points by ω times what the step says. The
   * final sweep is not weighted. Default 1.
   */
  readonly weight?: number | readonly number[];
  /** Default V. With two levels both are the same. */
  readonly cycle?: Cycle;
  /**
   * w ≥ 1: instead of a serial march, a cycle does w sweeps over the coarsest
   * level, each taking all its steps at once, so that nothing is sequential.
   * Every point is then reached by w steps from what was w points before it:
   * AT-MGRIT (Hahne, Southworth and Friedhoff) with k = w + 1. From w = the level's steps on,
   * the same as the march, which is the default.
   */
  readonly coarseSweeps?: number;
  /**
   * K ≥ 0, at most: iterations before the final sweep. With 0 the guess goes
   * straight to the final sweep. Without meaning if there is one level.
   */
  readonly iterations: number;
  /** Where to start. */
  readonly guess: Guess<X>;
  /** Not if absent: all iterations are done. */
  readonly tolerance?: Tolerance;
}

/**
 * Two levels with c = 4, F-relaxation on the finest and FCF below it, from the
 * chain's input.
 */
export const defaultMultigrid: MultigridOptions<never> = {
  levels: 2,
  coarsening: 4,
  relaxation: ["F", "FCF"],
  iterations: 1,
  guess: "input",
};

/**
 * Checks options, those of {@linkcode hierarchy} excepted.
 *
 * @throws {RangeError} If one is out of its range.
 */
export function assertMultigridOptions<X>(
  options: MultigridOptions<X>,
): void {
  const { relaxation, weight, cycle = "V", coarseSweeps = 1 } = options;
  const { iterations, guess, tolerance } = options;
  assertNotEmpty("relaxation", relaxation);
  for (const name of [relaxation].flat()) {
    assertOneOf("relaxation", name, relaxations);
  }
  assertNotEmpty("weight", weight);
  for (const omega of [weight ?? 1].flat()) {
    if (!(omega > 0 && omega < Infinity)) {
      throw new RangeError(`multigrid: weight ${omega} must be positive`);
    }
  }
  assertOneOf("cycle", cycle, ["V", "F"]);
  assertInteger("coarseSweeps", coarseSweeps, 1);
  if (typeof guess !== "function") assertOneOf("guess", guess, guesses);
  assertInteger("iterations", iterations, guess === "skip" ? 1 : 0);
  const { absolute = 0, relative = 0 } = tolerance ?? {};
  if (!(absolute >= 0 && relative >= 0)) {
    throw new RangeError(
      `multigrid: tolerances ${absolute} and ${relative} must be ≥ 0`,
    );
  }
}

/** In the order of their numbers of FC-sweeps. */
const relaxations: readonly Relaxation[] = ["F", "FCF", "FCFCF"];

const guesses = ["input", "zero", "skip", "nested", "previous"];

/** ν: FC-sweeps before the F-relaxation. */
export function fcSweepsOf(relaxation: Relaxation): number {
  return relaxations.indexOf(relaxation);
}

/** @throws {RangeError} If an option is none of the words that there are. */
export function assertOneOf(
  name: string,
  value: unknown,
  known: readonly string[],
): void {
  if (!known.some((one) => one === value)) {
    throw new RangeError(
      `multigrid: ${name} ${value} must be ${known.slice(0, -1).join(", ")} ` +
        `or ${known.at(-1)}`,
    );
  }
}
