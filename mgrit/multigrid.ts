/**
 * MGRIT: multigrid reduction in time, for any states and any steps.
 *
 * @module
 */

import { type Multigrid, runCycle, solveNested } from "./cycle.ts";
import { hierarchy, ofLevel } from "./hierarchy.ts";
import {
  assertMultigridOptions,
  fcSweepsOf,
  type MultigridOptions,
  type Tolerance,
} from "./multigrid_options.ts";
import type { Propagator } from "./propagator.ts";
import {
  type Arithmetic,
  changes,
  type Grid,
  relax,
  stepTo,
  store,
} from "./relaxation.ts";
import type { Measurement, StateSpace, Transfer } from "./state_space.ts";
import { recorder, type Sweep } from "./sweep.ts";

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
  /**
   * From each level to the next one, where states are smaller on coarser
   * levels. Default, and for levels beyond the list: states stay as they are.
   */
  readonly transfers?: readonly Transfer<X>[];
  /** Counts kernel launches, for {@linkcode Sweep}. */
  readonly launches?: () => number;
  /**
   * Whether to compute the norms of residuals; default true. The rest of the
   * solve doesn't need them, unless there is a tolerance.
   */
  readonly measure?: boolean;
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
   * The residual's norm in each iteration that was done: √(Σ ‖rᵢ‖²) over the
   * C-points of the finest level, after the iteration's relaxation and before
   * its correction. `null` for a skipped first cycle. Empty if the chain isn't
   * measured.
   */
  readonly residuals: readonly (Measurement | null)[];
  /**
   * The same norm after the last correction: what the final C-relaxation
   * changed. (PyMGRIT calls this the residual of the last iteration.) Absent
   * with one level, and if the chain isn't measured.
   */
  readonly finalResidual?: Measurement;
  /** What was done, in order. */
  readonly sweeps: readonly Sweep[];
  /** Steps evaluated on each level. */
  readonly evaluations: readonly number[];
  /**
   * Iterations after which every C-point is exact whatever the coarse steps
   * are: ⌈M / (ν + 1)⌉ for M intervals between C-points (M if the C-relaxation
   * is weighted), and one more with `skip`. Residuals from there on are
   * rounding. Not if there are transfers that lose something.
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
 * @throws {TypeError} If a tolerance is given and residuals aren't measured, or
 *   can't be read at once; or if the guess is `previous`.
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
 * const { states, residuals, finalResidual } = multigrid(chain, 1, {
 *   ...defaultMultigrid,
 *   iterations: 4,
 * });
 * console.log(states[16], (8 / 9) ** 16); // equal to rounding
 * console.log(residuals, finalResidual); // falling
 * ```
 */
export function multigrid<X>(
  chain: Chain<X>,
  first: X,
  options: MultigridOptions<X>,
): Solution<X> {
  const levels = hierarchy(chain.steps, options);
  assertMultigridOptions(options);
  if (options.guess === "previous") {
    throw new TypeError(
      "multigrid: guess previous needs the states of a solve before; give " +
        "solve() a memory, or a function as the guess",
    );
  }
  const { space, finalPropagator = chain.propagator } = chain;
  let steps = 0;
  const count =
    (propagator: Propagator<X>): Propagator<X> => (level, taken) => {
      steps += taken.length;
      return propagator(level, taken);
    };
  const sweeps: Sweep[] = [];
  const record = recorder(sweeps, () => steps, chain.launches ?? (() => 0));
  const copies = (states: readonly X[]): X[] => states.map(space.copy);
  const solver: Multigrid<X> = {
    space,
    levels,
    propagator: count(chain.propagator),
    fcSweeps: levels.map(({ index }) =>
      fcSweepsOf(ofLevel(options.relaxation, index))
    ),
    coarseSweeps: options.coarseSweeps,
    weights: levels.map(({ index }) => ofLevel(options.weight ?? 1, index)),
    transfers: levels.map(({ index }) =>
      chain.transfers?.[index] ?? { restrict: copies, interpolate: copies }
    ),
    record,
  };
  const grid: Grid<X> = {
    level: levels[0],
    u: new Array<X>(chain.steps + 1),
  };
  grid.u[0] = space.copy(first);
  const several = levels.length > 1;
  const measure = several && chain.measure !== false;
  const residuals = several ? iterate(solver, grid, options, measure) : [];
  const final = { space, propagator: count(finalPropagator) };
  const last = record("final sweep", 0, () => finalSweep(final, grid, measure));
  return {
    states: grid.u,
    ...last,
    residuals,
    sweeps,
    evaluations: levels.map(({ index }) => stepsOn(index, sweeps)),
    exactIterations: several ? iterationsFor(levels[1].steps, options) : 0,
  };
}

function stepsOn(index: number, sweeps: readonly Sweep[]): number {
  return sweeps.reduce(
    (sum, { level, steps }) => level === index ? sum + steps : sum,
    0,
  );
}

/**
 * Whether the final sweep ends in the serial march's states but for rounding,
 * whatever the coarse steps are: all of its intervals begin at exact C-points.
 *
 * @param steps N ≥ 1.
 * @throws {RangeError} If levels or factors don't go with the steps.
 */
export function isExact<X>(
  steps: number,
  options: MultigridOptions<X>,
): boolean {
  if (options.levels === 1) return true;
  const [{ coarsePoints }] = hierarchy(steps, options);
  // The last C-point begins an interval only if there are F-points behind it.
  const starts = coarsePoints.filter((point) => point < steps).length;
  return options.iterations >= iterationsFor(starts, options);
}

/**
 * Iterations that make so many C-points exact. Every cycle makes one more of
 * them exact, from the left, and each of its C-relaxations one more if it isn't
 * weighted.
 */
function iterationsFor<X>(
  points: number,
  { relaxation, weight = 1, guess }: MultigridOptions<X>,
): number {
  const perCycle = ofLevel(weight, 0) === 1
    ? fcSweepsOf(ofLevel(relaxation, 0)) + 1
    : 1;
  return Math.ceil(points / perCycle) + (guess === "skip" ? 1 : 0);
}

/** Iterations on the finest grid until its C-points are good enough. */
function iterate<X>(
  solver: Multigrid<X>,
  grid: Grid<X>,
  { iterations, guess, cycle = "V", tolerance }: MultigridOptions<X>,
  measure: boolean,
): (Measurement | null)[] {
  const residuals: (Measurement | null)[] = [];
  const skip = guess === "skip";
  if (skip || guess === "nested") solveNested(solver, grid, !skip);
  else setGuess(solver.space, grid, guess);
  if (skip && measure) residuals.push(null);
  for (let k = skip ? 1 : 0; k < iterations; k++) {
    runCycle(solver, grid, cycle, (residual) => {
      if (measure) residuals.push(solver.space.norm(residual));
    });
    if (tolerance !== undefined && small(residuals, tolerance)) break;
  }
  return residuals;
}

function setGuess<X>(
  space: StateSpace<X>,
  { level: { coarsePoints }, u }: Grid<X>,
  guess: MultigridOptions<X>["guess"],
): void {
  const zero = guess === "zero" ? space.axpy(-1, [u[0]], [u[0]]) : [];
  for (const i of coarsePoints) {
    u[i] = typeof guess === "function" ? guess(i) : space.copy(zero[0] ?? u[0]);
  }
  zero.forEach(space.dispose);
}

/** F-relaxation and C-relaxation; tells what was fed into each step. */
function finalSweep<X>(
  arithmetic: Arithmetic<X>,
  grid: Grid<X>,
  measure: boolean,
): Pick<Solution<X>, "inputs" | "finalResidual"> {
  const { space } = arithmetic;
  const { coarsePoints, finePoints } = grid.level;
  relax(arithmetic, grid, finePoints);
  const inputs = grid.u.slice(0, -1).map(space.copy);
  const values = stepTo(arithmetic, grid, coarsePoints);
  const residual = measure
    ? changes(arithmetic, grid, coarsePoints, values)
    : [];
  const finalResidual = measure ? space.norm(residual) : undefined;
  residual.forEach(space.dispose);
  store(arithmetic, grid, coarsePoints, values);
  return { inputs, ...(measure ? { finalResidual } : {}) };
}

function small(
  residuals: readonly (Measurement | null)[],
  { absolute = 0, relative = 0 }: Tolerance,
): boolean {
  const last = residuals.at(-1);
  const first = residuals.find((residual) => residual !== null);
  if (typeof last !== "number" || typeof first !== "number") {
    throw new TypeError(
      "multigrid: a tolerance needs residuals that are measured and a device " +
        "whose values can be read at once; set the number of iterations instead",
    );
  }
  return last <= absolute || last <= relative * first;
}
