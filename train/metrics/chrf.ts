/**
 * chrF: the F-score of runs of letters, which is kinder than BLEU to languages
 * whose words have many forms (Popović 2015), and chrF++, which counts words
 * as well (Popović 2017).
 *
 * @example
 * ```ts
 * import { corpusChrf } from "@layerbraid/layerbraid/train";
 *
 * const hypotheses = ["the dog bites the man"];
 * const references = ["the dog bit the man"];
 * console.log(corpusChrf(hypotheses, references).toFixed(2)); // 75.31
 * ```
 *
 * @module
 */

import {
  countAll,
  countMatches,
  countNgrams,
  type NgramCounts,
  splitWords,
} from "./ngrams.ts";
import { matchReferences, type References } from "./references.ts";

const letterOrder = 6;
/** Recall counts β² times as much as precision. */
const beta = 2;

/** How chrF is counted. */
export interface ChrfOptions {
  /**
   * Longest runs of words that count beside those of up to six letters: 0 for
   * chrF, 2 for chrF++; default 0.
   */
  readonly wordOrder?: number;
}

/** Of runs of one length. */
interface Matches {
  readonly hypothesis: number;
  readonly reference: number;
  readonly match: number;
}

/**
 * chrF2 of a corpus in [0, 100] as sacreBLEU computes it: runs of 1 to 6
 * letters without the spaces between words, of all sentences together, and of
 * each sentence against the reference that suits it best.
 *
 * @param hypotheses Translations.
 * @param references Of each translation, one right one or several.
 *
 * @throws {RangeError} If hypotheses and references don't fit together.
 */
export function corpusChrf(
  hypotheses: readonly string[],
  references: References,
  { wordOrder = 0 }: ChrfOptions = {},
): number {
  const all = matchReferences("corpusChrf", hypotheses, references);
  const sums: Matches[] = Array.from(
    { length: letterOrder + wordOrder },
    () => ({ hypothesis: 0, reference: 0, match: 0 }),
  );
  hypotheses.forEach((text, i) => {
    const own = allNgrams(text, wordOrder);
    const best = bestMatches(
      all[i].map((reference) =>
        matchesOf(own, allNgrams(reference, wordOrder))
      ),
    );
    best.forEach(({ hypothesis, reference, match }, order) => {
      const sum = sums[order];
      sums[order] = {
        hypothesis: sum.hypothesis + hypothesis,
        reference: sum.reference + reference,
        match: sum.match + match,
      };
    });
  });
  return fScore(sums);
}

/** The runs of each length, letters first. */
function allNgrams(text: string, wordOrder: number): NgramCounts[] {
  const letters = Array.from(splitWords(text).join(""));
  const words = splitWords(text).flatMap(splitPunctuation);
  return [
    ...Array.from(
      { length: letterOrder },
      (_, i) => countNgrams(letters, i + 1, ""),
    ),
    ...Array.from(
      { length: wordOrder },
      (_, i) => countNgrams(words, i + 1, " "),
    ),
  ];
}

const punctuation = /[!-/:-@[-`{-~]/;

/** A word and a mark behind or else before it. */
function splitPunctuation(word: string): string[] {
  const letters = Array.from(word);
  if (letters.length === 1) return [word];
  if (punctuation.test(letters.at(-1)!)) {
    return [letters.slice(0, -1).join(""), letters.at(-1)!];
  }
  return punctuation.test(letters[0])
    ? [letters[0], letters.slice(1).join("")]
    : [word];
}

function matchesOf(
  own: readonly NgramCounts[],
  reference: readonly NgramCounts[],
): Matches[] {
  return own.map((counts, i) => ({
    // Runs that the reference is too short for aren't held against anybody.
    hypothesis: reference[i].size === 0 ? 0 : countAll(counts),
    reference: countAll(reference[i]),
    match: countMatches(counts, reference[i]),
  }));
}

/** Those of the reference with the best score, the first of equal ones. */
function bestMatches(candidates: readonly Matches[][]): Matches[] {
  let best = candidates[0];
  for (const candidate of candidates) {
    if (fScore(candidate) > fScore(best)) best = candidate;
  }
  return best;
}

function fScore(matches: readonly Matches[]): number {
  const counted = matches.filter(({ hypothesis, reference }) =>
    hypothesis > 0 && reference > 0
  );
  const mean = (of: (matches: Matches) => number): number =>
    counted.reduce((sum, each) => sum + of(each), 0) / counted.length;
  const precision = mean(({ match, hypothesis }) => match / hypothesis);
  const recall = mean(({ match, reference }) => match / reference);
  return precision + recall > 0
    ? 100 * (1 + beta ** 2) * precision * recall /
      (beta ** 2 * precision + recall)
    : 0;
}
