/**
 * All ways to put a word together from pieces (Kudo 2018, section 3.2), and
 * the likeliest of them.
 *
 * @module
 */

import { nothing, PieceTrie, rootNode } from "./piece_trie.ts";

/** Pieces with their log probabilities. */
export interface ScoredPieces {
  /** The pieces in a trie. */
  readonly trie: PieceTrie;
  /** The logarithm of the probability of each piece. */
  readonly scores: Float64Array;
}

/** A sequence of pieces that make up a word. */
export interface Segmentation {
  /** The pieces; `nothing` for a character that no piece covers. */
  readonly pieces: readonly number[];
  /** Where each piece ends in the word. */
  readonly ends: readonly number[];
  /** The sum of their log probabilities. */
  readonly score: number;
}

/** Makes `ScoredPieces` of texts and their log probabilities. */
export function scoredPieces(
  pieces: readonly string[],
  scores: ArrayLike<number>,
): ScoredPieces {
  return { trie: new PieceTrie(pieces), scores: Float64Array.from(scores) };
}

/**
 * The likeliest segmentation of a word (Viterbi 1967). Of equally likely ones
 * it is that whose last piece is longest.
 *
 * @param unknownScore What a character costs that no piece covers.
 * @param banned A piece not to use.
 */
export function likeliestSegmentation(
  word: string,
  { trie, scores }: ScoredPieces,
  unknownScore: number,
  banned: number = nothing,
): Segmentation {
  const { length } = word;
  const best = new Float64Array(length + 1).fill(-Infinity);
  const starts = new Int32Array(length + 1);
  const pieces = new Int32Array(length + 1).fill(nothing);
  best[0] = 0;
  for (let start = 0; start < length;) {
    const character = characterLength(word, start);
    let covered = false;
    let node = rootNode;
    for (let end = start; end < length;) {
      node = trie.child(node, word.charCodeAt(end++));
      if (node === nothing) break;
      const piece = trie.piece(node);
      if (piece === nothing || piece === banned) continue;
      covered ||= end === start + character;
      const score = best[start] + scores[piece];
      if (score > best[end]) {
        best[end] = score;
        starts[end] = start;
        pieces[end] = piece;
      }
    }
    const next = start + character;
    if (!covered && best[start] + unknownScore > best[next]) {
      best[next] = best[start] + unknownScore;
      starts[next] = start;
      pieces[next] = nothing;
    }
    start = next;
  }
  const found: number[] = [];
  const ends: number[] = [];
  for (let end = length; end > 0; end = starts[end]) {
    found.push(pieces[end]);
    ends.push(end);
  }
  return {
    pieces: found.reverse(),
    ends: ends.reverse(),
    score: best[length],
  };
}

/** How many UTF-16 units the character at a place has. */
function characterLength(text: string, place: number): number {
  return (text.codePointAt(place) ?? 0) > 0xffff ? 2 : 1;
}

/** Sums over all segmentations of words; it keeps its arrays between calls. */
export class SegmentationSums {
  #forward = new Float64Array(64);
  #backward = new Float64Array(64);
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #pieces: number[] = [];

  /**
   * Adds to `expected[i]` how often piece i occurs in a word on average over
   * its segmentations, times `count` (the E-step: forward and backward sums).
   * A word that the pieces don't make up adds nothing.
   *
   * @returns The log likelihood of the word.
   */
  addExpected(
    word: string,
    count: number,
    { trie, scores }: ScoredPieces,
    expected: Float64Array,
  ): number {
    const { length } = word;
    if (this.#forward.length <= length) {
      this.#forward = new Float64Array(2 * length);
      this.#backward = new Float64Array(2 * length);
    }
    const forward = this.#forward;
    const backward = this.#backward;
    forward.fill(-Infinity, 0, length + 1);
    backward.fill(-Infinity, 0, length + 1);
    forward[0] = 0;
    backward[length] = 0;

    let edges = 0;
    for (let start = 0; start < length; start++) {
      if (forward[start] === -Infinity) continue;
      let node = rootNode;
      for (let end = start; end < length;) {
        node = trie.child(node, word.charCodeAt(end++));
        if (node === nothing) break;
        const piece = trie.piece(node);
        if (piece === nothing) continue;
        forward[end] = logAdd(forward[end], forward[start] + scores[piece]);
        this.#starts[edges] = start;
        this.#ends[edges] = end;
        this.#pieces[edges++] = piece;
      }
    }
    const total = forward[length];
    if (total === -Infinity) return total;
    for (let edge = edges - 1; edge >= 0; edge--) {
      const piece = this.#pieces[edge];
      const start = this.#starts[edge];
      const rest = scores[piece] + backward[this.#ends[edge]];
      if (rest === -Infinity) continue;
      backward[start] = logAdd(backward[start], rest);
      expected[piece] += count * Math.exp(forward[start] + rest - total);
    }
    return total;
  }
}

/** log(eᵃ + eᵇ) */
function logAdd(a: number, b: number): number {
  const larger = Math.max(a, b);
  const difference = Math.min(a, b) - larger;
  // Below e⁻⁴⁰ the smaller one is lost in rounding.
  return difference > -40 ? larger + Math.log1p(Math.exp(difference)) : larger;
}
