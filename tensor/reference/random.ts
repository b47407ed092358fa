/**
 * Random numbers and dropout.
 *
 * @module
 */

import type { Dropout, RandomKey, View } from "../backend.ts";
import { randomUnit } from "../philox.ts";
import { contiguousValues } from "./memory.ts";

/** The random number of one of a tensor's `size` elements. */
function randomElement(key: RandomKey, size: number, element: number): number {
  const perStream = size / key.streams.length;
  return randomUnit(key, Math.floor(element / perStream), element % perStream);
}

/** 0 where dropout zeroes the element, else 1 / (1 − p). */
export function dropoutFactor(
  { probability, key }: Dropout,
  size: number,
  element: number,
): number {
  const kept = randomElement(key, size, element) >= probability;
  return kept ? 1 / (1 - probability) : 0;
}

/** See `Kernels.random`. */
export function random(key: RandomKey, out: View): void {
  const result = contiguousValues(out);
  for (let i = 0; i < result.length; i++) {
    result[i] = randomElement(key, result.length, i);
  }
}

/** See `Kernels.dropout`. */
export function dropout(dropout: Dropout, x: View, out: View): void {
  const [values, result] = [contiguousValues(x), contiguousValues(out)];
  for (let i = 0; i < result.length; i++) {
    const factor = dropoutFactor(dropout, result.length, i);
    // Not a product: what is dropped is 0, whatever it was.
    result[i] = factor === 0 ? 0 : values[i] * factor;
  }
}
