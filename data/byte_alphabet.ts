/**
 * GPT-2's alphabet for bytes: `vocab.json` and `merges.txt` write each byte
 * as one printable character. Printable bytes of Latin-1 stand for themselves,
 * the others, in order, are the characters from U+0100 on.
 *
 * @module
 */

function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
}

/** The character of each byte. */
export const byteCharacters: readonly string[] = (() => {
  let next = 0x100;
  return Array.from(
    { length: 256 },
    (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++),
  );
})();

// The byte of each UTF-16 code below U+0144, or -1.
const byteOfCode = new Int16Array(0x144).fill(-1);
byteCharacters.forEach((character, byte) =>
  byteOfCode[character.charCodeAt(0)] = byte
);

/**
 * The bytes that a token of `vocab.json` stands for.
 *
 * @throws {RangeError} If a character isn't one of the alphabet.
 */
export function bytesOfToken(token: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfCode[token.charCodeAt(i)] ?? -1;
    if (byte === -1) {
      throw new RangeError(
        `vocabulary: ${JSON.stringify(token[i])} in the token ${
          JSON.stringify(token)
        } doesn't stand for a byte in GPT-2's alphabet`,
      );
    }
    bytes[i] = byte;
  }
  return bytes;
}
