/**
 * Chains of plain numbers for tests of the solver.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type Chain,
  forwardPropagator,
  type Guess,
  type LayerStep,
  type MultigridOptions,
  numbers,
  type Relaxation,
} from "../../mgrit/mod.ts";

/** Settings in the order of the published tables. */
export function settings<X>(
  levels: number,
  coarsening: number | readonly number[],
  relaxation: readonly Relaxation[],
  iterations: number,
  guess: Guess<X>,
): MultigridOptions<X> {
  return { levels, coarsening, relaxation, iterations, guess };
}

/** A chain of numbers. */
export function chainOf(steps: number, step: LayerStep<number>): Chain<number> {
  return { steps, space: numbers, propagator: forwardPropagator(step) };
}

/** Chaotic numbers in (−1, 1), so that no structure helps. */
export function noise(seed: number): number {
  const x = Math.sin(seed * 12.9898 + 78.233) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
}

/** Each layer its own affine map; coarse steps are unrelated to the fine ones. */
export function randomStep(u: number, layer: number, stride: number): number {
  const seed = 1000 * stride + layer;
  return noise(seed) * u + noise(seed + 0.5);
}

/** The states one after the other. */
export function march<X>(steps: number, first: X, step: LayerStep<X>): X[] {
  const states = [first];
  for (let n = 0; n < steps; n++) states.push(step(states[n], n, 1));
  return states;
}

/** Compares lists; null is a residual that there isn't. */
export function assertNear(
  actual: readonly (number | Promise<number> | null)[],
  expected: readonly (number | null)[],
  relative: number,
  absolute: number,
): void {
  assertEquals(actual.length, expected.length, `${actual}`);
  for (const [i, b] of expected.entries()) {
    const a = actual[i];
    if (a === null || b === null) assertEquals(a, b);
    else {
      assert(
        typeof a === "number" &&
          Math.abs(a - b) <= relative * Math.abs(b) + absolute,
        `${i}: ${a}, not ${b}`,
      );
    }
  }
}
