import { CorpusError } from "./corpus_error.ts";

/**
 * What `encode` makes of a text of the user's.
 *
 * @param name What errors call the text: the path of its file.
 * @throws {CorpusError} If the tokenizer lacks a character of it.
 */
export function encodeUserText<T>(name: string, encode: () => T): T {
  try {
    return encode();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorpusError(`${name}: ${error.message}`);
  }
}
