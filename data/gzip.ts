import { CorpusError } from "./corpus_error.ts";

/**
 * The bytes of a file, decompressed if they are gzip's.
 *
 * @throws {CorpusError} If there is no such file, it is empty, or its
 * compression is damaged.
 */
export async function readPossiblyGzipped(
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return await decompress(bytes, "gzip", path);
}

/**
 * The bytes of a file that isn't empty.
 *
 * @throws {CorpusError} If there is no such file, or it is empty.
 */
export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const bytes = await Deno.readFile(path);
    if (bytes.length > 0) return bytes;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CorpusError(`${path}: no such file`);
  }
  throw new CorpusError(`${path}: the file is empty`);
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
