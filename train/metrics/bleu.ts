/**
 * Corpus BLEU: how many runs of one to four words of a translation are in a
 * reference, too (Papineni et al. 2002).
 *
 * @example
 * ```ts
 * import { corpusBleu, formatBleu } from "@layerbraid/layerbraid/train";
 *
 * const bleu = corpusBleu(
 *   ["The dog bit the man.", "It wasn't surprising."],
 *   ["The dog had bit the man.", ["It was not unexpected.", "No surprise."]],
 * );
 * console.log(formatBleu(bleu));
 * // BLEU = 42.73 80.0/50.0/33.3/25.0 (BP = 1.000 ratio = 1.000 hyp_len = 10 ref_len = 10)
 * ```
 *
 * @module
 */

import { tokenize13a } from "./bleu_tokens.ts";
import {
  countMatches,
  countNgrams,
  mostOfEach,
  splitWords,
  withoutSpaceAtEnd,
} from "./ngrams.ts";
import { matchReferences, type References } from "./references.ts";

const orders = [1, 2, 3, 4];

/** How BLEU is counted. */
export interface BleuOptions {
  /**
   * How texts become words: by the rules of mteval-v13a, or at spaces; default
   * `13a`.
   */
  readonly tokenize?: "13a" | "none";
  /**
   * Whether runs longer than every hypothesis are left out, which BLEU of
   * single sentences needs; default false.
   */
  readonly effectiveOrder?: boolean;
}

/** BLEU and what it is made of. */
export interface Bleu {
  /** In [0, 100]. */
  readonly score: number;
  /** Percent of the runs of 1, 2, 3 and 4 words that are right, smoothed. */
  readonly precisions: readonly number[];
  /** In (0, 1], below 1 if hypotheses are shorter than references. */
  readonly brevityPenalty: number;
  /** Words of all hypotheses. */
  readonly hypothesisLength: number;
  /** Words of the references, of each sentence the one of the nearest length. */
  readonly referenceLength: number;
}

interface Counts {
  readonly correct: number[];
  readonly total: number[];
  hypothesisLength: number;
  referenceLength: number;
}

/**
 * BLEU of a corpus as sacreBLEU computes it (Post 2018), with its smoothing
 * `exp`: the k-th order without a match counts as 2⁻ᵏ of one.
 *
 * @param hypotheses Translations.
 * @param references Of each translation, one right one or several.
 *
 * @throws {RangeError} If hypotheses and references don't fit together.
 */
export function corpusBleu(
  hypotheses: readonly string[],
  references: References,
  { tokenize = "13a", effectiveOrder = false }: BleuOptions = {},
): Bleu {
  const split = tokenize === "13a" ? tokenizeLine : splitWords;
  const counts: Counts = {
    correct: orders.map(() => 0),
    total: orders.map(() => 0),
    hypothesisLength: 0,
    referenceLength: 0,
  };
  const all = matchReferences("corpusBleu", hypotheses, references);
  hypotheses.forEach((text, i) =>
    addSentence(counts, split(text), all[i].map(split))
  );
  return scoreOf(counts, effectiveOrder);
}

/** sacreBLEU takes lines as a file holds them, less the space at their ends. */
function tokenizeLine(text: string): string[] {
  return tokenize13a(withoutSpaceAtEnd(text));
}

function addSentence(
  counts: Counts,
  words: readonly string[],
  references: readonly (readonly string[])[],
): void {
  orders.forEach((order, i) => {
    const allowed = mostOfEach(
      references.map((reference) => countNgrams(reference, order, " ")),
    );
    counts.correct[i] += countMatches(countNgrams(words, order, " "), allowed);
    counts.total[i] += Math.max(0, words.length - order + 1);
  });
  counts.hypothesisLength += words.length;
  counts.referenceLength += nearestLength(
    words.length,
    references.map(({ length }) => length),
  );
}

/** The length that is nearest to another, the shorter of two. */
function nearestLength(length: number, candidates: readonly number[]): number {
  const distance = (other: number): number => Math.abs(other - length);
  return candidates.reduce((best, other) =>
    distance(other) < distance(best) ||
      (distance(other) === distance(best) && other < best)
      ? other
      : best
  );
}

function scoreOf(
  { correct, total, hypothesisLength, referenceLength }: Counts,
  effectiveOrder: boolean,
): Bleu {
  const isShort = hypothesisLength < referenceLength;
  const brevityPenalty = !isShort
    ? 1
    : hypothesisLength === 0
    ? 0
    : Math.exp(1 - referenceLength / hypothesisLength);
  const lengths = { brevityPenalty, hypothesisLength, referenceLength };
  if (correct.every((count) => count === 0)) {
    return { score: 0, precisions: orders.map(() => 0), ...lengths };
  }
  let smoothing = 1;
  const precisions = correct.map((count, i) => {
    if (total[i] === 0) return 0;
    if (count > 0) return 100 * count / total[i];
    smoothing *= 2;
    return 100 / (smoothing * total[i]);
  });
  const counted = effectiveOrder
    ? precisions.filter((_, i) => total[i] > 0)
    : precisions;
  const logarithm = counted.reduce((sum, p) => sum + Math.log(p), 0);
  const score = brevityPenalty * Math.exp(logarithm / counted.length);
  return { score, precisions, ...lengths };
}

/** A score in the line that sacreBLEU prints. */
export function formatBleu(bleu: Bleu): string {
  const { score, precisions, brevityPenalty } = bleu;
  const { hypothesisLength, referenceLength } = bleu;
  const ratio = referenceLength === 0 ? 0 : hypothesisLength / referenceLength;
  return `BLEU = ${score.toFixed(2)} ${
    precisions.map((precision) => precision.toFixed(1)).join("/")
  } (BP = ${brevityPenalty.toFixed(3)} ratio = ${
    ratio.toFixed(3)
  } hyp_len = ${hypothesisLength} ref_len = ${referenceLength})`;
}
