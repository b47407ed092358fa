/**
 * What a tagger sees of a word: rows of a table of embeddings, whose sum is
 * the word's embedding. Words that training never saw still have an ending, a
 * beginning and a shape that it knows (Bojanowski et al. 2017, "Enriching Word
 * Vectors with Subword Information", hash parts of words in this way).
 *
 * @module
 */

import { hashText } from "./random.ts";

/**
 * The parts of a word, each of a kind of its own: the word, the word in lower
 * case, its first one to three and its last one to four letters in lower case,
 * and its shape.
 */
export function wordParts(word: string): readonly string[] {
  const letters = Array.from(word.toLowerCase());
  const first = (count: number): string => letters.slice(0, count).join("");
  const last = (count: number): string => letters.slice(-count).join("");
  return [
    word,
    letters.join(""),
    first(1),
    first(2),
    first(3),
    last(1),
    last(2),
    last(3),
    last(4),
    wordShape(word),
  ];
}

/** The number of features of a word. */
export const featuresPerWord = 10;

/**
 * The shape of a word: capitals as `A`, other letters as `a`, digits as `9`,
 * runs of the same kept to two: `Aa` for "The", `AA9` for "GPT2".
 */
export function wordShape(word: string): string {
  return word
    .replace(/\p{Lu}/gu, "A")
    .replace(/\p{L}/gu, (letter) => letter === "A" ? letter : "a")
    .replace(/\p{N}/gu, "9")
    .replace(/(.)\1{2,}/gsu, "$1$1");
}

/**
 * The features of a word: a row, from 1 to `rows - 1`, for each of its parts.
 * Row 0 is for padding.
 *
 * @param rows The number of rows of the table, at least 2.
 */
export function wordFeatures(
  word: string,
  rows: number,
): Int32Array<ArrayBuffer> {
  return Int32Array.from(
    wordParts(word),
    (part, kind) => 1 + hashText(part, kind) % (rows - 1),
  );
}
