/**
 * Who takes the steps: the chain's own propagator, or the reversed one of its
 * adjoint.
 *
 * @module
 */

import type { Level } from "./hierarchy.ts";

/** One step to be taken. */
export interface Step<X> {
  /** From point n of the level to point n + 1. */
  readonly n: number;
  /** The state at point n; not freed by the step. */
  readonly from: X;
}

/**
 * Takes steps: Φₙ of each, as new states in the same order. The steps of a call
 * are independent of each other, so that they may run together.
 */
export type Propagator<X> = (level: Level, steps: readonly Step<X>[]) => X[];

/**
 * One step over `stride` finest steps from the left end of layer `layer`: with
 * that layer's parameters and step size stride · h.
 */
export type LayerStep<X> = (x: X, layer: number, stride: number) => X;

/** Forward in time, one step after the other. */
export function forwardPropagator<X>(step: LayerStep<X>): Propagator<X> {
  return ({ points }, steps) =>
    steps.map(({ n, from }) =>
      step(from, points[n], points[n + 1] - points[n])
    );
}

/**
 * Backward in time: point j of the adjoint's chain is point N − j of the
 * forward one, and a step from it is the transposed {@linkcode LayerStep},
 * w ↦ (∂Φ/∂x)ᵀ w. Where c divides N, coarse steps are exactly the transposes of
 * the forward solve's.
 *
 * @param layers N.
 */
export function adjointPropagator<X>(
  layers: number,
  transposedStep: LayerStep<X>,
): Propagator<X> {
  return ({ points }, steps) =>
    steps.map(({ n, from }) =>
      transposedStep(from, layers - points[n + 1], points[n + 1] - points[n])
    );
}
