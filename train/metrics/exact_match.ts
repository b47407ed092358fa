/**
 * Which answers are right as a whole.
 *
 * @module
 */

import { matchReferences, type References } from "./references.ts";

/**
 * The share of hypotheses in [0, 1] that are one of their references, letter by
 * letter; NaN if there are no hypotheses.
 *
 * @throws {RangeError} If hypotheses and references don't fit together.
 *
 * @example
 * ```ts
 * import { exactMatch } from "@layerbraid/layerbraid/train";
 *
 * console.log(exactMatch(["eins", "zwo"], ["eins", ["zwei", "zwo"]])); // 1
 * ```
 */
export function exactMatch(
  hypotheses: readonly string[],
  references: References,
): number {
  const all = matchReferences("exactMatch", hypotheses, references);
  const right = hypotheses.filter((text, i) => all[i].includes(text));
  return right.length / hypotheses.length;
}
