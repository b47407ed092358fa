/**
 * How text is cut before byte pairs are merged, as GPT-2 does it.
 *
 * @module
 */

// GPT-2's pattern. `\p{White_Space}` stands where the original has `\s`:
// JavaScript's `\s` lacks U+0085 and has U+FEFF.
const pattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * The pieces of a text, which joined are the text again: words and numbers
 * with the space before them, runs of other signs, contractions, white space.
 * Byte pairs are merged inside a piece only.
 */
export function piecesOf(text: string): readonly string[] {
  return text.toWellFormed().match(pattern) ?? [];
}

// No piece reaches over such a place, and none before it depends on what
// follows: runs of letters and of digits end there, contractions end in
// letters, and only white space looks ahead.
const cut = /^[\p{L}\p{N}][^\p{L}\p{N}\p{Cs}]$/u;

/**
 * The last place, at index `from` or later, where a text can be cut without
 * changing its pieces: after a letter or a digit that is followed by neither.
 * `undefined` if there is none.
 */
export function lastCut(text: string, from: number): number | undefined {
  for (let place = text.length - 1; place >= Math.max(from, 1); place--) {
    if (cut.test(text.slice(place - 1, place + 1))) return place;
  }
  return undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of a piece in UTF-8. */
export function pieceBytes(piece: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(piece);
}

/**
 * A copy of a piece that may be kept. A piece itself is a view of the text
 * that it was cut from, and would keep all of that text in memory.
 */
export function ownPiece(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
