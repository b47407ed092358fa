import { CorpusError } from "./corpus_error.ts";
import { accessing } from "./file_access.ts";

/** How many bytes a character has that begins with this byte. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** How many bytes at the end belong to a character that isn't complete. */
export function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

/** The text of bytes, a byte order mark included; `undefined` if not UTF-8. */
export function decodeStrictly(
  bytes: Uint8Array<ArrayBuffer>,
): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Where the first sequence of bytes begins that isn't UTF-8. */
export function firstInvalid(
  bytes: Uint8Array<ArrayBuffer>,
): number | undefined {
  let position = 0;
  while (position < bytes.length) {
    const end = position + sequenceLength(bytes[position]);
    if (
      end > position + 1 &&
      decodeStrictly(bytes.subarray(position, end)) === undefined
    ) return position;
    position = end;
  }
  return undefined;
}

/**
 * The text of a small file, without a byte order mark.
 *
 * @throws {CorpusError} If it can't be read or isn't valid UTF-8; names the
 * first invalid byte.
 */
export async function readTextStrictly(path: string): Promise<string> {
  const bytes = await accessing(path, () => Deno.readFile(path));
  const text = decodeStrictly(bytes);
  if (text !== undefined) return text.replace(/^\uFEFF/, "");
  throw new CorpusError(
    `${path}: not a text in UTF-8: byte ${firstInvalid(bytes)} is invalid; ` +
      `save it as UTF-8`,
  );
}
