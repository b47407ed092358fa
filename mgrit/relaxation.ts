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

/** The points first, first + stride, … up to and including last. */
export function pointsFrom(
  first: number,
  last: number,
  stride: number,
): number[] {
  const count = Math.max(0, Math.floor((last - first) / stride) + 1);
  return Array.from({ length: count }, (_, k) => first + k * stride);
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
  return values.map((value, k) => {
    const sum = space.axpy(1, f[points[k]], value);
    space.dispose(value);
    return sum;
  });
}

/** Puts new states in their places. */
export function store<X>(
  space: StateSpace<X>,
  { u }: Grid<X>,
  points: readonly number[],
  values: readonly X[],
): void {
  points.forEach((i, k) => {
    if (u[i] !== undefined) space.dispose(u[i]);
    u[i] = values[k];
  });
}

/** uᵢ ← Φ(uᵢ₋₁) + fᵢ at the points i, from what is now to their left. */
export function relaxPoints<X>(
  arithmetic: Arithmetic<X>,
  grid: Grid<X>,
  points: readonly number[],
): void {
  if (points.length === 0) return;
  const values = stepTo(arithmetic, grid, points);
  store(arithmetic.space, grid, points, values);
}

/**
 * F-relaxation: every interval marches from its C-point through its F-points,
 * all intervals abreast.
 */
export function relaxF<X>(arithmetic: Arithmetic<X>, grid: Grid<X>): void {
  const { steps, factor } = grid.level;
  for (let k = 1; k < factor; k++) {
    relaxPoints(arithmetic, grid, pointsFrom(k, steps, factor));
  }
}

/** C-relaxation: every C-point but the first, from the F-point before it. */
export function relaxC<X>(arithmetic: Arithmetic<X>, grid: Grid<X>): void {
  relaxPoints(arithmetic, grid, coarsePoints(grid.level));
}

/** The C-points after the first. */
export function coarsePoints({ steps, factor }: Level): number[] {
  return pointsFrom(factor, steps, factor);
}
