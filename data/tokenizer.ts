import type { TokenizerJson } from "./tokenizer_json.ts";

/** How a text is encoded. */
export interface EncodeOptions {
  /**
   * Whether the texts of special tokens, such as `<|endoftext|>`, become their
   * ids. Without it, the default, they are text like any other.
   */
  readonly special?: boolean;
}

/**
 * Turns ids into text one at a time. The bytes of a character that is spread
 * over several ids are held back until it is complete, so what `push` and
 * `flush` return, joined, is `decode` of all ids.
 */
export interface StreamingDecoder {
  /** Takes the next id; returns the text that is complete now, often "". */
  push(id: number): string;
  /** Ends the text: an incomplete character becomes U+FFFD. */
  flush(): string;
}

/**
 * A map between text and ids from `0` to `vocabularySize - 1`. Bytes, characters
 * and byte pairs give every text back as it was; what word pieces and unigrams
 * lose, they say.
 *
 * Long texts are encoded chunk by chunk: a chunk ends before white space that
 * follows something else. Every tokenizer here gives the same ids for the
 * chunks as for the whole.
 */
export interface Tokenizer {
  /**
   * The kind of tokenizer: `byte`, `character`, `byte-pair`, `word-piece` or
   * `unigram`.
   */
  readonly name: string;
  /** The number of ids. */
  readonly vocabularySize: number;
  /** The ids of special tokens by their text; empty where there are none. */
  readonly special: ReadonlyMap<string, number>;
  /** The ids of a text. Lone surrogates in it count as U+FFFD. */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /**
   * The text of ids; bytes that are not valid UTF-8 become U+FFFD.
   *
   * @throws {RangeError} If an id isn't in the vocabulary.
   */
  decode(ids: ArrayLike<number>): string;
  /** Starts decoding a stream of ids. */
  decoder(): StreamingDecoder;
  /** The plain data that `tokenizerFromJson` makes this tokenizer from. */
  toJSON(): TokenizerJson;
}

/**
 * Text in pieces, in order. A corpus read by `readText` is such a text; a
 * string is one too, in one piece.
 */
export type TextChunks = string | Iterable<string> | AsyncIterable<string>;

/** The chunks of a text; a string would else fall apart into characters. */
export function chunksOf(
  text: TextChunks,
): Iterable<string> | AsyncIterable<string> {
  return typeof text === "string" ? [text] : text;
}

/** Throws unless `id` is one of the vocabulary's ids. */
export function checkId(name: string, id: number, size: number): void {
  if (Number.isInteger(id) && id >= 0 && id < size) return;
  throw new RangeError(
    `${name} tokenizer: decode: ${id} isn't an id: expected an integer from 0 to ${
      size - 1
    }`,
  );
}
