/**
 * How far results are from what is expected.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

/** Largest difference of two lists. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assertEquals(a.length, b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(a[i] - b[i]));
  }
  return largest;
}
