/**
 * How text is cut into pieces that are encoded one by one: GPT-2's way, and
 * what is common to all ways.
 *
 * @module
 */

import { chunksOf, type TextChunks } from "./tokenizer.ts";

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

// White space that a tokenizer may change or drop is the beginning of what
// follows; control characters that are white space too (U+000B, U+0085) may
// vanish, and join what stands around them.
const cut = /^\P{White_Space}[ \t\n\r\p{Z}]$/u;

/**
 * The last place, at index `from` or later, where a text can be cut without
 * changing what any tokenizer makes of it: before white space that follows
 * something else. `undefined` if there is none.
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
function ownPiece(piece: string): string {
  return decoder.decode(encoder.encode(piece));
}

/** How often each piece of a text occurs, in the order of first occurrence. */
export async function countPieces(
  text: TextChunks,
  cut: (chunk: string) => Iterable<string>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const chunk of chunksOf(text)) {
    for (const piece of cut(chunk)) {
      const count = counts.get(piece);
      if (count === undefined) counts.set(ownPiece(piece), 1);
      else counts.set(piece, count + 1);
    }
  }
  return counts;
}

// Texts repeat few pieces often; long pieces are rare, and rarely repeat.
const cachedPieces = 2 ** 16;
const cachedLength = 64;

/** The same function of pieces, which remembers what it made of short ones. */
export function remembered<T>(
  make: (piece: string) => T,
): (piece: string) => T {
  const cache = new Map<string, T>();
  return (piece) => {
    const known = cache.get(piece);
    if (known !== undefined) return known;
    const made = make(piece);
    if (piece.length <= cachedLength) {
      if (cache.size === cachedPieces) cache.clear();
      cache.set(ownPiece(piece), made);
    }
    return made;
  };
}
