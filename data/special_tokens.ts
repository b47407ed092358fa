/**
 * Special tokens: those that a tokenizer needs, and those whose text becomes one
 * id.
 *
 * @module
 */

/** A run of ordinary text, or the id of a special token. */
export type TextPart = string | number;

/**
 * A function that cuts a text at its special tokens; of two that begin at the
 * same place the longer one counts.
 */
export function specialTokenCutter(
  special: ReadonlyMap<string, number>,
): (text: string) => readonly TextPart[] {
  if (special.size === 0) return (text) => [text];
  const texts = [...special.keys()].sort((a, b) => b.length - a.length);
  // Splitting by a group keeps what the group matched, at odd places.
  const pattern = new RegExp(`(${texts.map(RegExp.escape).join("|")})`);
  return (text) =>
    text.split(pattern).map((part, place) =>
      place % 2 === 1 ? special.get(part) ?? part : part
    );
}

/**
 * The ids of tokens that a tokenizer can't do without.
 *
 * @param operation Makes the tokenizer, for messages.
 * @throws {RangeError} When called, if the vocabulary lacks the token.
 */
export function neededTokens(
  operation: string,
  idOf: ReadonlyMap<string, number>,
): (token: string) => number {
  return (token) => {
    const id = idOf.get(token);
    if (id !== undefined) return id;
    throw new RangeError(
      `${operation}: the vocabulary has no token ${
        JSON.stringify(token)
      }, which is needed`,
    );
  };
}
