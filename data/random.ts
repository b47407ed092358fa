/**
 * Numbers that look random and depend on nothing but their arguments, so that
 * the batch of any step can be made without the steps before it.
 *
 * @module
 */

const word = 2 ** 32;

/** A bijection of 32-bit words that changes half the bits on average. */
function mix(x: number): number {
  // lowbias32 of C. Wellons, "Prospecting for Hash Functions" (2018).
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * A hash, from 0 to 2^32 - 1, of a list of non-negative safe integers.
 * The same on every platform.
 */
export function hash(...values: readonly number[]): number {
  let state = 0x9e3779b9;
  for (const value of values) {
    state = mix(state + (value % word) | 0);
    state = mix(state + Math.floor(value / word) | 0);
  }
  return state;
}

/** A hash, from 0 to 2^32 - 1, of a text and an integer ≥ 0. */
export function hashText(text: string, seed: number): number {
  let state = seed | 0;
  for (let i = 0; i < text.length; i++) {
    state = Math.imul(state ^ text.charCodeAt(i), 0x01000193) + 0x9e3779b9 | 0;
  }
  return hash(state >>> 0, text.length, seed);
}

/** A number from 0 to `count - 1`, all equally likely, from hashed values. */
export function hashBelow(
  count: number,
  ...values: readonly number[]
): number {
  const high = hash(...values, 0) >>> 5;
  const low = hash(...values, 1) >>> 6;
  return Math.floor((high * 2 ** 26 + low) / 2 ** 53 * count);
}

const rounds = 6;

/**
 * Where a seeded shuffle of `0 … count - 1` puts `index`: a bijection for each
 * seed, computed by index and without any table.
 *
 * A Feistel network permutes the integers of an even number of bits; results
 * beyond `count` are permuted again until they are in range (cycle walking:
 * Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains").
 */
export function shuffled(
  index: number,
  count: number,
  ...seed: readonly number[]
): number {
  const half = Math.max(1, Math.ceil(Math.log2(count) / 2));
  const size = 2 ** half;
  let place = index;
  do {
    let left = Math.floor(place / size);
    let right = place % size;
    for (let round = 0; round < rounds; round++) {
      const swapped = (left ^ hash(...seed, round, right)) & (size - 1);
      left = right;
      right = swapped;
    }
    place = left * size + right;
  } while (place >= count);
  return place;
}
