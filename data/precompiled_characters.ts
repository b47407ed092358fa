/**
 * SentencePiece's table of characters and what they become, as the field
 * `precompiled_charsmap` of a `tokenizer.json` holds it: in base64, the size of a
 * trie in bytes, the trie, then the texts, each with a zero behind it.
 *
 * The trie is a double array of Darts-clone: 32-bit units, the children of a
 * node at `base ^ byte`.
 *
 * @module
 */

import { pieceBytes, remembered } from "./pieces.ts";

/** A table that is ready to look things up. */
interface CharacterTable {
  readonly units: Uint32Array;
  /** The texts that characters become. */
  readonly texts: Uint8Array<ArrayBuffer>;
}

// Longer clusters of characters are looked up character by character.
const longestCluster = 5;

/**
 * The function that replaces characters as a table says: each cluster of
 * characters (grapheme) of at most 5 bytes by what the shortest entry that it
 * begins with becomes, else each of its characters by itself, as Hugging Face's
 * library does it.
 *
 * @throws {RangeError} If the table isn't one.
 */
export function precompiledNormalizer(
  base64: string,
): (text: string) => string {
  const table = parseTable(base64);
  const clusters = new Intl.Segmenter("en", { granularity: "grapheme" });
  const normalizeWord = remembered((word) => {
    let changed = "";
    for (const { segment } of clusters.segment(word)) {
      const bytes = pieceBytes(segment);
      const whole = bytes.length <= longestCluster
        ? replacement(table, bytes)
        : undefined;
      if (whole !== undefined) {
        changed += whole;
        continue;
      }
      for (const character of segment) {
        changed += replacement(table, pieceBytes(character)) ?? character;
      }
    }
    return changed;
  });
  return (text) => text.replace(/ ?[^ ]+| +/g, normalizeWord);
}

function parseTable(base64: string): CharacterTable {
  const fail = (reason: string): never => {
    throw new RangeError(`precompiled_charsmap: ${reason}`);
  };
  let bytes = new Uint8Array(0);
  try {
    bytes = Uint8Array.from(atob(base64), (unit) => unit.charCodeAt(0));
  } catch {
    fail("isn't base64");
  }
  if (bytes.length < 4) fail(`${bytes.length} bytes are too few`);
  const view = new DataView(bytes.buffer);
  const size = view.getUint32(0, true);
  if (size % 4 !== 0 || size === 0 || 4 + size > bytes.length) {
    fail(`a trie of ${size} bytes doesn't fit into ${bytes.length}`);
  }
  const units = Uint32Array.from(
    { length: size / 4 },
    (_, i) => view.getUint32(4 + 4 * i, true),
  );
  return { units, texts: bytes.subarray(4 + size) };
}

/** What the shortest entry that some bytes begin with becomes. */
function replacement(
  { units, texts }: CharacterTable,
  bytes: Uint8Array,
): string | undefined {
  let place = offsetOf(units[0]);
  for (const byte of bytes) {
    place ^= byte;
    const unit = units[place];
    // The highest bit says that a unit is a value.
    if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
    place ^= offsetOf(unit);
    const hasValue = (unit >>> 8 & 1) === 1;
    if (!hasValue) continue;
    const start = units[place] & 0x7fffffff;
    const end = texts.indexOf(0, start);
    return new TextDecoder("utf-8", { ignoreBOM: true })
      .decode(texts.subarray(start, end === -1 ? undefined : end));
  }
  return undefined;
}

function offsetOf(unit: number): number {
  return unit >>> 10 << ((unit & 0x200) >>> 6);
}
