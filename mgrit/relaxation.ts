/**
 * Relaxation: improving a grid's states by steps between neighbours, all
 * intervals at once.
 *
 * @module
 */

import type { Level } from "./hierarchy.ts";
import type { Propagator } from "./propagator.ts";
import type { StateSpace } from "./state_space.ts";

/** The states of one level, and the equations they shall satisfy. */
export interface Grid<X> {
  /** Where its points are. */
  readonly level: Level;
  /** u₀ … u_N; F-points are empty until the first F-relaxation. */
  readonly u: X[];
  /**
   * f in uᵢ = Φ(uᵢ₋₁) + fᵢ, i ≥ 1; absent on the finest level, where it is 0.
   */
  readonly f?: readonly X[];
}

/** What a solve computes with. */
export interface Arithmetic<X> {
  /** Operations on states. */
  readonly space: StateSpace<X>;
  /** Steps. */
  readonly propagator: Propagator<X>;
}

/** Φ(uᵢ₋₁) + fᵢ at the points i. */
export function stepTo<X>(
  { space, propagator }: Arithmetic<X>,
  { level, u, f }: Grid<X>,
  points: readonly number[],
): X[] {
  const values = propagator(
    level,
    points.map((i) => ({ n: i - 1, from: u[i - 1] })),
  );
  if (f === undefined) return values;
  const sums = space.axpy(1, points.map((i) => f[i]), values);
  values.forEach(space.dispose);
  return sums;
}

/** x − uᵢ for a state x at each of the points i. */
export function changes<X>(
  { space }: Arithmetic<X>,
  { u }: Grid<X>,
  points: readonly number[],
  values: readonly X[],
): X[] {
  return space.axpy(-1, points.map((i) => u[i]), values);
}

/** Puts new states in their places. */
export function store<X>(
  { space }: Arithmetic<X>,
  { u }: Grid<X>,
  points: readonly number[],
  values: readonly X[],
): void {
  points.forEach((i, k) => {
    if (u[i] !== undefined) space.dispose(u[i]);
    u[i] = values[k];
  });
}

/**
 * uᵢ ← uᵢ + ω (Φ(uᵢ₋₁) + fᵢ − uᵢ) at some points, from left to right: runs of
 * neighbours march, all runs abreast.
 *
 * @param points Ascending.
 * @param weight ω; with 1, uᵢ needn't have a value before.
 */
export function relax<X>(
  arithmetic: Arithmetic<X>,
  grid: Grid<X>,
  points: readonly number[],
  weight = 1,
): void {
  for (const abreast of rounds(points)) {
    const values = stepTo(arithmetic, grid, abreast);
    store(
      arithmetic,
      grid,
      abreast,
      weight === 1
        ? values
        : weighted(arithmetic, grid, weight, abreast, values),
    );
  }
}

/** Every point one round after its left neighbour, if that is among them. */
function rounds(points: readonly number[]): number[][] {
  const result: number[][] = [];
  let round = 0;
  points.forEach((i, k) => {
    round = points[k - 1] === i - 1 ? round + 1 : 0;
    (result[round] ??= []).push(i);
  });
  return result;
}

/** u + ω (x − u) for the states x; frees them. */
function weighted<X>(
  arithmetic: Arithmetic<X>,
  grid: Grid<X>,
  weight: number,
  points: readonly number[],
  values: readonly X[],
): X[] {
  const { space } = arithmetic;
  const steps = changes(arithmetic, grid, points, values);
  const blends = space.axpy(weight, steps, points.map((i) => grid.u[i]));
  [...values, ...steps].forEach(space.dispose);
  return blends;
}
