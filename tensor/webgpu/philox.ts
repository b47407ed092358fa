/**
 * Philox 4x32-10 in WGSL: the random numbers of `RandomKey`, bit for bit those
 * of `tensor/philox.ts`.
 *
 * @example
 * ```ts
 * import { randomTail } from "./philox.ts";
 *
 * const tail = randomTail({ seed: 2 ** 32 + 5, streams: [[1, 2, 3]] });
 * console.log(tail); // [5, 1, 0, 0, 1, 2, 3, 0]
 * ```
 *
 * @module
 */

import type { RandomKey } from "../backend.ts";

/**
 * WGSL `philox(counter, key)`: the block of four random words that belongs to
 * a counter and a key (Salmon et al. 2011).
 *
 * WGSL has no 64-bit integers: the upper halves of the two products of a round
 * come from 16-bit halves, both products at once.
 */
export const philoxFunction = `
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
  let multiplier = vec2<u32>(0xd2511f53u, 0xcd9e8d57u);
  let upper = multiplier >> vec2<u32>(16u);
  let lower = multiplier & vec2<u32>(0xffffu);
  var even = counter.xz;
  var odd = counter.yw;
  var round_key = key;
  for (var round = 0u; round < 10u; round++) {
    let even_upper = even >> vec2<u32>(16u);
    let even_lower = even & vec2<u32>(0xffffu);
    let middle = even_upper * lower + ((even_lower * lower) >> vec2<u32>(16u));
    let carry = even_lower * upper + (middle & vec2<u32>(0xffffu));
    let high = even_upper * upper + (middle >> vec2<u32>(16u)) + (carry >> vec2<u32>(16u));
    let low = even * multiplier;
    even = high.yx ^ odd ^ round_key;
    odd = low.yx;
    round_key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return vec4<u32>(even.x, odd.x, even.y, odd.y);
}
`;

/**
 * WGSL for shaders whose tail is a {@linkcode randomTail}:
 *
 * - `random_words(group, block)`: the words of elements 4 · block …
 *   4 · block + 3 of stream `group`;
 * - `random_word(group, element)`: the word of one element;
 * - `unit_of(word)`, `units_of(words)`: the numbers in [0, 1).
 *
 * An element is dropped where `word >> 8` is less than `dropoutThreshold(p)` (in
 * `tensor/philox.ts`), else multiplied by 1 / (1 − p).
 */
export const randomFunctions = `${philoxFunction}
fn random_words(group: u32, block: u32) -> vec4<u32> {
  let words = 4u + 4u * group;
  let counter = vec4<u32>(block, tail(words), tail(words + 1u), tail(words + 2u));
  return philox(counter, vec2<u32>(tail(0u), tail(1u)));
}
fn random_word(group: u32, element: u32) -> u32 {
  return random_words(group, element / 4u)[element % 4u];
}
fn unit_of(word: u32) -> f32 {
  return f32(word >> 8u) * 5.9604644775390625e-8;
}
fn units_of(words: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(words >> vec4<u32>(8u)) * 5.9604644775390625e-8;
}
`;

/** Streams that the tail of one launch holds at most: 16 KiB of uniforms. */
export const mostStreams = 1024;

/**
 * Length in words of the tail for a number of streams: powers of two, so that
 * few shaders serve all numbers.
 */
export function randomTailLength(streams: number): number {
  return 4 + 4 * 2 ** Math.ceil(Math.log2(streams));
}

/** The tail of a launch: four words that begin with the seed, four a stream. */
export function randomTail({ seed, streams }: RandomKey): number[] {
  const tail = new Array<number>(randomTailLength(streams.length)).fill(0);
  tail[0] = seed >>> 0;
  tail[1] = Math.floor(seed / 2 ** 32);
  for (const [group, words] of streams.entries()) {
    for (const [i, word] of words.entries()) tail[4 + 4 * group + i] = word;
  }
  return tail;
}
