/**
 * Checks of the options of optimizers and schedules.
 *
 * @module
 */

import type { Tensor } from "../tensor/internal.ts";

/** Chooses tensors of a tree by their path, such as `layers.0.weight`. */
export type Predicate = (name: string, tensor: Tensor) => boolean;

/** Chooses tensors of a tree by their path alone. */
export type NamePredicate = (name: string) => boolean;

/** Chooses every tensor. */
export function everyTensor(): boolean {
  return true;
}

/** Chooses no tensor. */
export function noTensor(): boolean {
  return false;
}

/** What a number has to be. */
export type Demand =
  | "a finite number > 0"
  | "a finite number ≥ 0"
  | "a finite number < 0"
  | "in [0, 1)"
  | "an integer ≥ 0"
  | "an integer ≥ 1";

const demands: Readonly<Record<Demand, (x: number) => boolean>> = {
  "a finite number > 0": (x) => Number.isFinite(x) && x > 0,
  "a finite number ≥ 0": (x) => Number.isFinite(x) && x >= 0,
  "a finite number < 0": (x) => Number.isFinite(x) && x < 0,
  "in [0, 1)": (x) => x >= 0 && x < 1,
  "an integer ≥ 0": (x) => Number.isInteger(x) && x >= 0,
  "an integer ≥ 1": (x) => Number.isInteger(x) && x >= 1,
};

/**
 * Checks an option.
 *
 * @throws {RangeError} If the value isn't what is demanded.
 */
export function requireNumber(
  operation: string,
  option: string,
  value: number,
  demand: Demand,
): void {
  if (!demands[demand](value)) {
    throw new RangeError(
      `${operation}: ${option} is ${value}; it must be ${demand}`,
    );
  }
}
