import { byteTokenizer } from "./byte_tokenizer.ts";
import { type Corpus, readText } from "./corpus.ts";
import { encodeUserText } from "./encode_user_text.ts";
import { isJsonLinesName } from "./json_lines.ts";
import {
  type BytesPerToken,
  bytesPerToken,
  FileTokens,
  packTokens,
} from "./token_file.ts";
import { tokensInMemory, type TokenSource } from "./token_source.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Where the tokens of a corpus are kept. */
export interface TokenizeOptions {
  /**
   * The size in bytes up to which the tokens of a corpus are held in memory.
   * Default: 64 MiB.
   */
  readonly memoryLimit?: number;
  /**
   * The folder for the temporary file with the tokens of a larger corpus.
   * Default: the system's.
   */
  readonly directory?: string;
}

/** The tokens of a corpus; `dispose` removes the temporary file, if any. */
export interface CorpusTokens extends TokenSource, Disposable {
  /** The size in UTF-8 of the text that they stand for. */
  readonly byteLength: number;
}

const defaultMemoryLimit = 64 * 2 ** 20;

/**
 * Encodes a corpus chunk by chunk. A small one is then in memory. A large one
 * is read from disk, no more than is asked for: from its own files where the
 * tokens are bytes, else from a temporary file of token ids, little endian, 1,
 * 2 or 4 bytes each.
 *
 * @throws {CorpusError} If the corpus isn't valid UTF-8, or the tokenizer lacks
 * a character of it.
 */
export async function tokenizeCorpus(
  corpus: Corpus,
  tokenizer: Tokenizer,
  options: TokenizeOptions = {},
): Promise<CorpusTokens> {
  const { memoryLimit = defaultMemoryLimit, directory } = options;
  if (corpus.byteLength <= memoryLimit) {
    return await encodeToMemory(corpus, tokenizer);
  }
  const inFiles = corpus.documents.every(({ name, bytes }) =>
    bytes === undefined && !isJsonLinesName(name)
  );
  if (tokenizer === byteTokenizer && inFiles) {
    for await (const _ of readText(corpus)); // it must be UTF-8 all the same
    const files = corpus.documents.map(({ name, byteLength }) => ({
      path: name,
      byteLength,
    }));
    return corpusTokens(new FileTokens(files, 1), corpus.byteLength);
  }
  return await encodeToFile(corpus, tokenizer, directory);
}

/** Tokens in files; `close` is called when they are closed. */
function corpusTokens(
  tokens: FileTokens,
  byteLength: number,
  close: () => void = () => {},
): CorpusTokens {
  return {
    length: tokens.length,
    byteLength,
    read: (position, target) => tokens.read(position, target),
    [Symbol.dispose]: () => {
      tokens[Symbol.dispose]();
      close();
    },
  };
}

function sizeInUtf8(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The narrowest array that holds the ids of a vocabulary. */
function arrayFor(
  vocabularySize: number,
): typeof Uint8Array | typeof Uint16Array | typeof Int32Array {
  const width = bytesPerToken(vocabularySize);
  if (width === 1) return Uint8Array;
  return width === 2 ? Uint16Array : Int32Array;
}

async function encodeToMemory(
  corpus: Corpus,
  tokenizer: Tokenizer,
): Promise<CorpusTokens> {
  const Ids = arrayFor(tokenizer.vocabularySize);
  const chunks = [];
  let length = 0;
  let byteLength = 0;
  for await (const chunk of readText(corpus)) {
    byteLength += sizeInUtf8(chunk);
    const encode = () => new Ids(tokenizer.encode(chunk));
    const ids = encodeUserText(corpus.name, encode);
    chunks.push(ids);
    length += ids.length;
  }
  const all = new Ids(length);
  let position = 0;
  for (const chunk of chunks) {
    all.set(chunk, position);
    position += chunk.length;
  }
  return { ...tokensInMemory(all), byteLength, [Symbol.dispose]: () => {} };
}

async function encodeToFile(
  corpus: Corpus,
  tokenizer: Tokenizer,
  dir: string | undefined,
): Promise<CorpusTokens> {
  const path = await Deno.makeTempFile({ dir, prefix: "layerbraid_tokens_" });
  try {
    const width = bytesPerToken(tokenizer.vocabularySize);
    const written = await writeTokens(path, corpus, tokenizer, width);
    const { byteLength, textLength } = written;
    const tokens = new FileTokens([{ path, byteLength }], width);
    return corpusTokens(tokens, textLength, () => Deno.removeSync(path));
  } catch (error) {
    await Deno.remove(path);
    throw error;
  }
}

/** Writes the ids of a corpus to a file; returns its size, and the text's. */
async function writeTokens(
  path: string,
  corpus: Corpus,
  tokenizer: Tokenizer,
  width: BytesPerToken,
): Promise<{ byteLength: number; textLength: number }> {
  using file = await Deno.create(path);
  let byteLength = 0;
  let textLength = 0;
  for await (const chunk of readText(corpus)) {
    textLength += sizeInUtf8(chunk);
    const encode = () => packTokens(tokenizer.encode(chunk), width);
    const bytes = encodeUserText(corpus.name, encode);
    let written = 0;
    while (written < bytes.length) {
      written += await file.write(bytes.subarray(written));
    }
    byteLength += bytes.length;
  }
  return { byteLength, textLength };
}
