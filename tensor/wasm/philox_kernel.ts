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
  type Local,
  shuffle,
  simd,
  splat,
  type Value,
  vectorOf,
} from "./assembler.ts";

/** Elements that one call of the generator makes. */
export const philoxElements = 16;

const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
const weyl = [0x9e3779b9, 0xbb67ae85] as const;
const rounds = 10;

/** Upper and lower 32 bits of the products of two vectors of u32. */
function products(f: FunctionBuilder, a: Local, b: Local): [Value, Value] {
  const low = f.let(simd("i64x2.extmul_low_i32x4_u", a, b));
  const high = f.let(simd("i64x2.extmul_high_i32x4_u", a, b));
  return [shuffle(low, high, [1, 3, 5, 7]), shuffle(low, high, [0, 2, 4, 6])];
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
 * Emits the computation of the words of blocks `block` … `block + 3` (i32):
 * four vectors of one block each.
 *
 * @param key seed mod 2³² and ⌊seed / 2³²⌋, i32.
 * @param stream The stream's three words, i32.
 */
export function philoxBlocks(
  f: FunctionBuilder,
  block: Value,
  key: readonly Value[],
  stream: readonly Value[],
): Local[] {
  let words = [
    f.let(simd("i32x4.add", splat(block), vectorOf([0, 1, 2, 3], "i32"))),
    ...stream.map((word) => f.let(splat(word))),
  ];
  const keys = key.map((word) => f.let(splat(word)));
  for (let round = 0; round < rounds; round++) {
    const [high0, low0] = products(
      f,
      words[0],
      f.constant(multipliers[0], "i32"),
    );
    const [high1, low1] = products(
      f,
      words[2],
      f.constant(multipliers[1], "i32"),
    );
    words = [
      f.let(simd("v128.xor", simd("v128.xor", high1, words[1]), keys[0])),
      f.let(low1),
      f.let(simd("v128.xor", simd("v128.xor", high0, words[3]), keys[1])),
      f.let(low0),
    ];
    if (round === rounds - 1) break;
    keys.forEach((word, n) =>
      f.set(word, simd("i32x4.add", word, f.constant(weyl[n], "i32")))
    );
  }
  return transposed(f, words);
}
