/**
 * The tokens that BLEU counts: those of mteval-v13a, the script of the WMT
 * competitions, as sacreBLEU's tokenizer `13a` makes them.
 *
 * @module
 */

import { splitWords } from "./ngrams.ts";

/** Each is applied to what the one before left. */
const steps: readonly (readonly [pattern: RegExp | string, by: string])[] = [
  ["<skipped>", ""],
  ["-\n", ""],
  ["\n", " "],
  ["&quot;", '"'],
  ["&amp;", "&"],
  ["&lt;", "<"],
  ["&gt;", ">"],
];

const splits: readonly (readonly [pattern: RegExp, by: string])[] = [
  // ASCII punctuation but for the apostrophe, comma, hyphen and full stop.
  [/([{-~[-` -&(-+:-@/])/gu, " $1 "],
  // Full stops and commas, unless a digit is before,
  [/([^0-9])([.,])/gu, "$1 $2 "],
  // or behind them.
  [/([.,])([^0-9])/gu, " $1 $2"],
  // Hyphens behind a digit.
  [/([0-9])(-)/gu, "$1 $2 "],
];

/**
 * A text's tokens by the rules of mteval-v13a.
 *
 * @example
 * ```ts
 * import { tokenize13a } from "@layerbraid/layerbraid/train";
 *
 * console.log(tokenize13a("It wasn't 3.5%, &quot;or so&quot;.").join(" "));
 * // It wasn't 3.5 % , " or so " .
 * ```
 */
export function tokenize13a(text: string): string[] {
  let line = text;
  for (const [pattern, by] of steps) line = line.replaceAll(pattern, by);
  line = ` ${line} `;
  for (const [pattern, by] of splits) line = line.replaceAll(pattern, by);
  return splitWords(line);
}
