import { CorpusError } from "./corpus_error.ts";
import { readFile } from "./file_access.ts";

/**
 * The bytes of a file, decompressed if they are gzip's.
 *
 * @throws {CorpusError} If it can't be read, is empty, or its compression is
 * damaged.
 */
export async function readPossiblyGzipped(
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return await decompress(bytes, "gzip", path);
}

/**
 * Compressed bytes as they were before.
 *
 * @param name How errors call them.
 * @throws {CorpusError} If they are damaged or cut off.
 */
export async function decompress(
  bytes: Uint8Array<ArrayBuffer>,
  format: CompressionFormat,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream()
    .pipeThrough(new DecompressionStream(format));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const kind = format === "gzip" ? "gzip" : "zlib";
    throw new CorpusError(
      `${name}: its ${kind} data are damaged or cut off: ${error.message}`,
    );
  }
}
