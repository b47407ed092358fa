/**
 * Hypotheses and what they are compared with.
 *
 * @module
 */

/** Of each hypothesis: the one right answer, or several. */
export type References = readonly (string | readonly string[])[];

/**
 * The references of each hypothesis.
 *
 * @throws {RangeError} If there aren't as many as hypotheses, or none of one.
 */
export function matchReferences(
  operation: string,
  hypotheses: readonly string[],
  references: References,
): (readonly string[])[] {
  if (hypotheses.length !== references.length) {
    throw new RangeError(
      `${operation}: there are ${hypotheses.length} hypotheses, but ` +
        `references of ${references.length}; give each hypothesis its own`,
    );
  }
  return references.map((given, i) => {
    const own = typeof given === "string" ? [given] : given;
    if (own.length > 0) return own;
    throw new RangeError(
      `${operation}: hypothesis ${i} has no reference; give it at least one`,
    );
  });
}
