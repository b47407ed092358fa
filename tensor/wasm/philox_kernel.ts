/**
 * Philox 4x32-10 (see `../philox.ts`) for four counters at a time.
 *
 * The four words of four counters are four vectors. Products of 32 bits come
 * from two extended multiplications; a transposition at the end puts the words
 * of each counter side by side, in the order of the elements.
 *
 * @module
 */

import {
  type FunctionBuilder,
  i32,
  type Local,
  scalar,
  shuffle,
  simd,
  splat,
  type Value,
  vectorOf,
} from "./assembler.ts";

/** Elements that a group of four counters makes. */
export const philoxElements = 16;

const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
const weyl = [0x9e3779b9, 0xbb67ae85] as const;
const rounds = 10;

/** Upper 32 bits of the products of two vectors of u32. */
function productsHigh(f: FunctionBuilder, a: Value, b: Value): Value {
  const low = f.let(simd("i64x2.extmul_low_i32x4_u", a, b));
  const high = f.let(simd("i64x2.extmul_high_i32x4_u", a, b));
  return shuffle(low, high, [1, 3, 5, 7]);
}

/** One round: the next words of four counters. */
function mixed(
  f: FunctionBuilder,
  words: readonly Local[],
  keys: readonly Local[],
): Local[] {
  const mixedWords = (
    from: Local,
    multiplier: number,
    old: Local,
    key: Local,
  ) => {
    const factor = f.constant(multiplier, "i32");
    const high = productsHigh(f, from, factor);
    return [
      f.let(simd("v128.xor", simd("v128.xor", high, old), key)),
      f.let(simd("i32x4.mul", from, factor)),
    ];
  };
  return [
    ...mixedWords(words[2], multipliers[1], words[1], keys[0]),
    ...mixedWords(words[0], multipliers[0], words[3], keys[1]),
  ];
}

/** Columns of a 4 × 4 matrix of words, given its rows. */
function transposed(
  f: FunctionBuilder,
  [a, b, c, d]: readonly Local[],
): Local[] {
  const ab = f.let(shuffle(a, b, [0, 4, 1, 5]));
  const cd = f.let(shuffle(c, d, [0, 4, 1, 5]));
  const abHigh = f.let(shuffle(a, b, [2, 6, 3, 7]));
  const cdHigh = f.let(shuffle(c, d, [2, 6, 3, 7]));
  return [
    f.let(shuffle(ab, cd, [0, 1, 4, 5])),
    f.let(shuffle(ab, cd, [2, 3, 6, 7])),
    f.let(shuffle(abHigh, cdHigh, [0, 1, 4, 5])),
    f.let(shuffle(abHigh, cdHigh, [2, 3, 6, 7])),
  ];
}

/**
 * Emits the computation of the words of blocks `block` … `block + 4 · groups −
 * 1` (i32), a vector each. Four groups together are nearly twice as fast as one
 * by one, as rounds are long chains of dependent instructions.
 *
 * @param key seed mod 2³² and ⌊seed / 2³²⌋, i32.
 * @param stream The stream's three words, i32.
 */
export function philoxBlocks(
  f: FunctionBuilder,
  block: Value,
  key: readonly Value[],
  stream: readonly Value[],
  groups = 1,
): Local[] {
  const first = vectorOf([0, 1, 2, 3], "i32");
  const counters = Array.from({ length: groups }, (_, group) => [
    f.let(
      simd("i32x4.add", splat(scalar("i32.add", block, i32(4 * group))), first),
    ),
    ...stream.map((word) => f.let(splat(word))),
  ]);
  const keys = key.map((word) => f.let(splat(word)));
  for (let round = 0; round < rounds; round++) {
    counters.forEach((words, group) => {
      counters[group] = mixed(f, words, keys);
    });
    if (round === rounds - 1) break;
    keys.forEach((word, n) =>
      f.set(word, simd("i32x4.add", word, f.constant(weyl[n], "i32")))
    );
  }
  return counters.flatMap((words) => transposed(f, words));
}
