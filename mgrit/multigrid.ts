/**
 * MGRIT: multigrid reduction in time, for any states and any steps.
 *
 * @module
 */

import { type Multigrid, solveNested, vCycle } from "./cycle.ts";
import {
  assertInteger,
  type Coarsening,
  hierarchy,
  ofLevel,
} from "./hierarchy.ts";
import type { Propagator } from "./propagator.ts";
import {
  type Arithmetic,
  coarsePoints,
  type Grid,
  relaxC,
  relaxF,
} from "./relaxation.ts";
import type { Measurement, StateSpace } from "./state_space.ts";

/** F: F-relaxation. FCF: an FC-sweep before it. FCFCF: two. */
export type Relaxation = "F" | "FCF" | "FCFCF";

/**
 * What the C-points start from. `input`: the chain's first state, everywhere.
 * `zero`. `skip`: the first iteration is a march on the coarsest level instead
 * of a cycle (XBraid's skip of the first down-cycle) and has no residual. A
 * function: called once for each C-point but the first, with its index; the
 * solver owns what it returns.
 */
export type Guess<X> = "input" | "zero" | "skip" | ((point: number) => X);

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

/** A chain of steps u₀ → u₁ → … → u_N. */
export interface Chain<X> {
  /** N ≥ 1. */
  readonly steps: number;
  /** Operations on states. */
  readonly space: StateSpace<X>;
  /** Takes the steps. */
  readonly propagator: Propagator<X>;
  /**
   * Takes those of the final sweep, where each finest step is evaluated once
   * and for the last time, and may keep what is needed later. Default:
   * `propagator`.
   */
  readonly finalPropagator?: Propagator<X>;
}

/** What a solve found. The states are the caller's to free. */
export interface Solution<X> {
  /** u₀ … u_N after the final sweep; u_N is the result. */
  readonly states: readonly X[];
  /**
   * x₀ … x_{N−1}: what the final sweep fed into each step. Differs from u at
   * C-points, where it is u before the final C-relaxation.
   */
  readonly inputs: readonly X[];
  /**
   * The residual's norm in each iteration that was done: √(Σ ‖rᵢ‖²) over the C-points of
   * the finest level, after the iteration's relaxation and before its
   * correction. `null` for a skipped first cycle.
   */
  readonly residuals: readonly (Measurement | null)[];
  /** Steps evaluated on each level. */
  readonly evaluations: readonly number[];
  /**
   * Iterations after which every C-point is exact whatever the coarse steps
   * are: ⌈⌊N/c⌋ / (ν + 1)⌉, and one more with `skip`. Residuals from there on
   * are rounding.
   */
  readonly exactIterations: number;
}

/**
 * Solves a chain of steps by multigrid: iterations, then one sweep of
 * F-relaxation and C-relaxation that gives the states everywhere. On one level
 * that sweep is the serial march.
 *
 * The adjoint is solved by the same function with
 * {@linkcode adjointPropagator}.
 *
 * @param first u₀; not freed.
 * @throws {RangeError} If an option is out of its range.
 * @throws {TypeError} If a tolerance is given and residuals can't be read at
 *   once.
 *
 * @example Dahlquist's equation u' = −u with backward Euler
 * ```ts
 * import {
 *   defaultMultigrid,
 *   forwardPropagator,
 *   multigrid,
 *   numbers,
 * } from "@layerbraid/layerbraid/mgrit";
 *
 * const chain = {
 *   steps: 16,
 *   space: numbers,
 *   propagator: forwardPropagator<number>((u, _, stride) =>
 *     u / (1 + 0.125 * stride)
 *   ),
 * };
 * const { states, residuals } = multigrid(chain, 1, {
 *   ...defaultMultigrid,
 *   iterations: 4,
 * });
 * console.log(states[16], (8 / 9) ** 16); // equal to rounding
 * console.log(residuals); // falling
 * ```
 */
export function multigrid<X>(
  chain: Chain<X>,
  first: X,
  options: MultigridOptions<X>,
): Solution<X> {
  const levels = hierarchy(chain.steps, options);
  const sweeps = levels.map(({ index }) =>
    sweepsOf(ofLevel(options.relaxation, index))
  );
  assertInteger(
    "iterations",
    options.iterations,
    options.guess === "skip" ? 1 : 0,
  );
  assertTolerance(options.tolerance);
  const { space } = chain;
  const evaluations = levels.map(() => 0);
  const count =
    (propagator: Propagator<X>): Propagator<X> => (level, steps) => {
      evaluations[level.index] += steps.length;
      return propagator(level, steps);
    };
  const solver: Multigrid<X> = {
    space,
    levels,
    sweeps,
    propagator: count(chain.propagator),
  };
  const final: Arithmetic<X> = {
    space,
    propagator: count(chain.finalPropagator ?? chain.propagator),
  };
  const grid: Grid<X> = {
    level: levels[0],
    u: new Array<X>(chain.steps + 1),
  };
  grid.u[0] = space.copy(first);
  const residuals = levels.length === 1 ? [] : iterate(solver, grid, options);
  const inputs = finalSweep(final, grid);
  return {
    states: grid.u,
    inputs,
    residuals,
    evaluations,
    exactIterations: levels.length === 1
      ? 0
      : exactAfter(levels[1].steps, sweeps[0], options.guess === "skip"),
  };
}

/** Every cycle makes ν + 1 more C-points exact, from the left. */
function exactAfter(intervals: number, sweeps: number, skip: boolean): number {
  return Math.ceil(intervals / (sweeps + 1)) + (skip ? 1 : 0);
}

/** Iterations on the finest grid until its C-points are good enough. */
function iterate<X>(
  solver: Multigrid<X>,
  grid: Grid<X>,
  { iterations, guess, tolerance }: MultigridOptions<X>,
): (Measurement | null)[] {
  const residuals: (Measurement | null)[] = [];
  if (guess === "skip") {
    solveNested(solver, grid);
    residuals.push(null);
  } else {
    setGuess(solver.space, grid, guess);
  }
  while (residuals.length < iterations) {
    vCycle(solver, grid, (residual) => {
      residuals.push(solver.space.norm(residual));
    });
    if (tolerance !== undefined && small(residuals, tolerance)) break;
  }
  return residuals;
}

function setGuess<X>(
  space: StateSpace<X>,
  { level, u }: Grid<X>,
  guess: Exclude<Guess<X>, "skip">,
): void {
  for (const i of coarsePoints(level)) {
    if (guess === "input") u[i] = space.copy(u[0]);
    else if (guess === "zero") u[i] = space.axpy(-1, u[0], u[0]);
    else u[i] = guess(i);
  }
}

/** F-relaxation and C-relaxation; returns what was fed into each step. */
function finalSweep<X>(arithmetic: Arithmetic<X>, grid: Grid<X>): X[] {
  relaxF(arithmetic, grid);
  const inputs = grid.u.slice(0, -1).map(arithmetic.space.copy);
  relaxC(arithmetic, grid);
  return inputs;
}

function small(
  residuals: readonly (Measurement | null)[],
  { absolute = 0, relative = 0 }: Tolerance,
): boolean {
  const last = residuals.at(-1);
  const first = residuals.find((residual) => residual !== null);
  if (typeof last !== "number" || typeof first !== "number") {
    throw new TypeError(
      "multigrid: a tolerance needs a device whose values can be read at " +
        "once; set the number of iterations instead",
    );
  }
  return last <= absolute || last <= relative * first;
}

function sweepsOf(relaxation: Relaxation): number {
  const sweeps = ["F", "FCF", "FCFCF"].indexOf(relaxation);
  if (sweeps < 0) {
    throw new RangeError(
      `multigrid: relaxation ${relaxation} must be F, FCF or FCFCF`,
    );
  }
  return sweeps;
}

function assertTolerance({ absolute = 0, relative = 0 }: Tolerance = {}): void {
  if (!(absolute >= 0 && relative >= 0)) {
    throw new RangeError(
      `multigrid: tolerances ${absolute} and ${relative} must be ≥ 0`,
    );
  }
}
