/**
 * Runs of tokens or letters, counted.
 *
 * @module
 */

/** How often each n-gram is there. */
export type NgramCounts = ReadonlyMap<string, number>;

/**
 * All runs of `order` units.
 *
 * @param separator Between the units of a key; in none of them.
 */
export function countNgrams(
  units: readonly string[],
  order: number,
  separator: string,
): NgramCounts {
  const counts = new Map<string, number>();
  for (let i = 0; i + order <= units.length; i++) {
    const key = units.slice(i, i + order).join(separator);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** Of each n-gram the most that any of the texts has. */
export function mostOfEach(texts: readonly NgramCounts[]): NgramCounts {
  const most = new Map<string, number>();
  for (const text of texts) {
    for (const [key, count] of text) {
      most.set(key, Math.max(most.get(key) ?? 0, count));
    }
  }
  return most;
}

/** How many n-grams of one text the other has as well. */
export function countMatches(own: NgramCounts, other: NgramCounts): number {
  let matches = 0;
  for (const [key, count] of own) {
    matches += Math.min(count, other.get(key) ?? 0);
  }
  return matches;
}

/** How many n-grams there are. */
export function countAll(counts: NgramCounts): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

// What Python's `str.split()` takes for space, which scores are defined by; a
// byte order mark isn't among it, as it would be in \s.
const space =
  // deno-lint-ignore no-control-regex
  /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;

const spaceAtEnd = new RegExp(`${space.source}$`, "u");

/** A text without the space behind it. */
export function withoutSpaceAtEnd(text: string): string {
  return text.replace(spaceAtEnd, "");
}

/** The words between spaces. */
export function splitWords(text: string): string[] {
  return text.split(space).filter((word) => word !== "");
}
