/**
 * Finds what somebody probably meant to type.
 *
 * @module
 */

/**
 * The number of edits that turn one text into the other: insertions,
 * deletions, replacements and swaps of neighbours (Damerau 1964, restricted).
 */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
      }
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/**
 * The candidate nearest to what was typed, if it is near: the beginning of
 * one, or at most a third of its letters wrong.
 */
export function nearest(
  typed: string,
  candidates: readonly string[],
): string | undefined {
  const word = typed.toLowerCase();
  const begins = (a: string, b: string): boolean =>
    Math.min(a.length, b.length) > 2 && (a.startsWith(b) || b.startsWith(a));
  const ranked = candidates
    .map((candidate) => ({
      candidate,
      distance: editDistance(word, candidate),
      near: begins(word, candidate),
    }))
    .filter(({ candidate, distance, near }) =>
      near ||
      distance <= Math.max(
          1,
          Math.floor(
            Math.max(
              word.length,
              candidate.length,
            ) / 3,
          ),
        )
    )
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}
