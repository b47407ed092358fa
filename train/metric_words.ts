/**
 * Names and values of metrics as progress lines and reports show them.
 *
 * @module
 */

import { upperFirst } from "./report_format.ts";

const names: Readonly<Record<string, string>> = {
  bleu: "BLEU",
  chrf: "chrF",
  macroF1: "macro F1",
};

/** The name of a metric in words: `exactMatch` is `exact match`. */
export function metricName(name: string): string {
  return names[name] ??
    name.replaceAll(
      /(?<=[a-z\d])[A-Z]/g,
      (letter) => ` ${letter.toLowerCase()}`,
    );
}

/** A value of a metric: shares with three digits, scores with two. */
export function metricValue(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value.toFixed(Math.abs(value) <= 1 ? 3 : 2);
}

/** What a metric's name begins with where it begins a line. */
export function metricTitle(name: string): string {
  const words = metricName(name);
  return words === names.chrf ? words : upperFirst(words);
}
