/**
 * Special tokens in a text: those whose text becomes one id.
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
