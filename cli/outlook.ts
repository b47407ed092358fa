/**
 * How long a row of things will take, in all.
 *
 * @module
 */

import { formatDuration } from "../train/report_format.ts";

/** Tells how long it will take. */
export interface Outlook<T> {
  /** That one thing is done, and took so many seconds. */
  readonly finish: (thing: T, seconds: number) => void;
  /** Such as `about 2 h 5 min left in all`. */
  readonly words: () => string;
}

/**
 * An outlook from what things should take. What the first ones take in fact
 * corrects it; until then it is the least.
 *
 * @param expected Seconds of each thing that is to be done; they needn't be
 *   right, only right compared with each other.
 */
export function createOutlook<T>(
  expected: ReadonlyMap<T, number>,
): Outlook<T> {
  const left = new Map(expected);
  let modelled = 0;
  let measured = 0;
  return {
    finish: (thing, seconds) => {
      modelled += left.get(thing) ?? 0;
      measured += seconds;
      left.delete(thing);
    },
    words: () => {
      const isMeasured = modelled > 0;
      const rest = [...left.values()].reduce((sum, each) => sum + each, 0) *
        (isMeasured ? measured / modelled : 1);
      return `${isMeasured ? "about" : "at least"} ${
        formatDuration(rest)
      } left in all`;
    },
  };
}
