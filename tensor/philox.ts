/**
 * Philox 4x32-10, the counter-based random numbers of every device.
 *
 * Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
 * (2011). A block of four words is a pure function of a counter and a key, so
 * any element of any tensor can be drawn by anybody in any order.
 *
 * @example
 * ```ts
 * import { randomUnit } from "./philox.ts";
 *
 * const key = { seed: 1, streams: [[0, 0, 7] as const] };
 * console.log(randomUnit(key, 0, 5) === randomUnit(key, 0, 5)); // true
 * ```
 *
 * @module
 */

import type { RandomKey } from "./backend.ts";

/** Four 32-bit words, unsigned. */
export type PhiloxBlock = [number, number, number, number];

const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
/** Golden ratio and √3 − 1, as fractions of 2³²: what the key grows by. */
const weyl = [0x9e3779b9, 0xbb67ae85] as const;
const rounds = 10;

/** Upper 32 bits of a 64-bit product; every partial sum is below 2⁵³. */
function multiplyHigh(a: number, b: number): number {
  const [aHigh, aLow] = [a >>> 16, a & 0xffff];
  const [bHigh, bLow] = [b >>> 16, b & 0xffff];
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000);
  const carry = aLow * bHigh + (middle % 0x10000);
  return aHigh * bHigh + Math.floor(middle / 0x10000) +
    Math.floor(carry / 0x10000);
}

function multiplyLow(a: number, b: number): number {
  return Math.imul(a, b) >>> 0;
}

/**
 * The block of random words that belongs to a counter and a key.
 *
 * @param counter Four 32-bit words.
 * @param key Two 32-bit words.
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): PhiloxBlock {
  let [x0, x1, x2, x3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < rounds; round++) {
    const high0 = multiplyHigh(multipliers[0], x0);
    const low0 = multiplyLow(multipliers[0], x0);
    const high1 = multiplyHigh(multipliers[1], x2);
    const low1 = multiplyLow(multipliers[1], x2);
    [x0, x1, x2, x3] = [
      (high1 ^ x1 ^ k0) >>> 0,
      low1,
      (high0 ^ x3 ^ k1) >>> 0,
      low0,
    ];
    k0 = (k0 + weyl[0]) >>> 0;
    k1 = (k1 + weyl[1]) >>> 0;
  }
  return [x0, x1, x2, x3];
}

/**
 * One random number in [0, 1), a multiple of 2⁻²⁴, as {@linkcode RandomKey}
 * defines it.
 *
 * @param key The streams.
 * @param group Which of the key's streams.
 * @param index Which element of the stream, from 0.
 */
export function randomUnit(
  key: RandomKey,
  group: number,
  index: number,
): number {
  const words = philox(
    [Math.floor(index / 4), ...key.streams[group]],
    [key.seed >>> 0, Math.floor(key.seed / 2 ** 32)],
  );
  return (words[index % 4] >>> 8) * 2 ** -24;
}

/**
 * The integer that the upper 24 bits of a random word are compared with: an
 * element's number is ≥ p exactly where they are ≥ ⌈2²⁴ p⌉.
 *
 * @param probability p, in [0, 1).
 */
export function dropoutThreshold(probability: number): number {
  return Math.ceil(probability * 2 ** 24);
}
