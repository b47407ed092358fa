/**
 * How far a measure is from another run's.
 *
 * @module
 */

import { decimals } from "./report_format.ts";

/** Measures that have no highest value: their differences are relative. */
const unbounded: ReadonlySet<string> = new Set([
  "loss",
  "perplexity",
  "bitsPerByte",
  "meanSquaredError",
]);

/** Measures from 0 to 100; all others are shares. */
const scores: ReadonlySet<string> = new Set(["bleu", "chrf"]);

/**
 * A difference in points, such as `+0.25 points` from .9 to .9025, or in per
 * cent where there is no highest value; `–` where one of both isn't known.
 *
 * @param name The measure's.
 */
export function differenceWords(
  name: string,
  value: number,
  reference: number,
): string {
  const isRelative = unbounded.has(name);
  const difference = isRelative
    ? 100 * (value / reference - 1)
    : (value - reference) * (scores.has(name) ? 1 : 100);
  if (!Number.isFinite(difference)) return "–";
  const digits = decimals(Math.abs(difference), 2);
  const sign = Number(digits) === 0 ? "±" : difference < 0 ? "−" : "+";
  return `${sign}${digits} ${isRelative ? "%" : "points"}`;
}
