import type { CorpusDocument } from "./corpus.ts";
import { CorpusError } from "./corpus_error.ts";
import { accessing } from "./file_access.ts";
import { decodeStrictly, firstInvalid, incompleteTail } from "./strict_utf8.ts";

/**
 * The text of a document, in parts of whole characters.
 *
 * @throws {CorpusError} If it isn't valid UTF-8; names the first byte that
 * isn't.
 */
export async function* decodeDocument(
  document: CorpusDocument,
  chunkBytes: number,
): AsyncGenerator<string, void, void> {
  let offset = 0;
  let tail = new Uint8Array(0);
  for await (const chunk of readBytes(document, chunkBytes)) {
    const bytes = new Uint8Array(tail.length + chunk.length);
    bytes.set(tail);
    bytes.set(chunk, tail.length);
    const end = bytes.length - incompleteTail(bytes);
    const complete = bytes.subarray(0, end);
    const text = decodeStrictly(complete);
    if (text === undefined) {
      throw invalidText(document, offset + (firstInvalid(complete) ?? 0));
    }
    yield text;
    tail = bytes.slice(end);
    offset += end;
  }
  if (tail.length > 0) throw invalidText(document, offset);
}

/** The bytes of a document; each chunk is valid until the next is asked for. */
async function* readBytes(
  document: CorpusDocument,
  chunkBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  if (document.bytes !== undefined) {
    for (let start = 0; start < document.byteLength; start += chunkBytes) {
      yield document.bytes.subarray(start, start + chunkBytes);
    }
    return;
  }
  const { name } = document;
  using file = await accessing(name, () => Deno.open(name));
  const chunk = new Uint8Array(chunkBytes);
  for (;;) {
    const read = await accessing(name, () => file.read(chunk));
    if (read === null) return;
    yield chunk.subarray(0, read);
  }
}

function invalidText(document: CorpusDocument, offset: number): CorpusError {
  return new CorpusError(
    `${document.name}: not a text in UTF-8: byte ${offset} is invalid; save ` +
      `it as UTF-8`,
  );
}
