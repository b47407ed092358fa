/**
 * Checks that the configurations and inputs of all networks need.
 *
 * @module
 */

import { formatShape, type Tensor } from "../tensor/internal.ts";

/**
 * @throws {RangeError} If a number of a configuration isn't an integer of at
 *   least `lowest`.
 */
export function requireInteger(
  network: string,
  name: string,
  value: number,
  lowest: number,
): void {
  if (Number.isInteger(value) && value >= lowest) return;
  throw new RangeError(
    `${network}: ${name} ${value} must be an integer ≥ ${lowest}`,
  );
}

/** @throws {RangeError} If a word of a configuration isn't one of those known. */
export function requireOneOf(
  network: string,
  name: string,
  value: string,
  known: readonly string[],
): void {
  if (known.includes(value)) return;
  throw new RangeError(
    `${network}: ${name} "${value}" isn't one of ${known.join(", ")}`,
  );
}

/**
 * @param start Position of the first token.
 * @throws {RangeError} If tokens aren't `[batch, length]`, or go beyond the
 *   network's positions.
 */
export function requireTokens(
  network: string,
  tokens: Tensor,
  context: number,
  start = 0,
): void {
  if (tokens.rank === 2 && start + tokens.shape[1] <= context) return;
  throw new RangeError(
    `${network}: tokens ${
      formatShape(tokens.shape)
    } at position ${start} must ` +
      `be [batch, length] with at most ${context} positions`,
  );
}

/** @throws {RangeError} If an input's shape isn't what it must be. */
export function requireShape(
  network: string,
  name: string,
  x: Tensor | undefined,
  shape: readonly number[],
): void {
  if (x === undefined || x.shape.join() === shape.join()) return;
  throw new RangeError(
    `${network}: ${name} ${formatShape(x.shape)} must be ${formatShape(shape)}`,
  );
}
