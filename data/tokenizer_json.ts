import { type BytePairJson, bytePairTokenizer } from "./byte_pair_tokenizer.ts";
import { byteTokenizer } from "./byte_tokenizer.ts";
import {
  type CharacterJson,
  characterTokenizer,
} from "./character_tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { type UnigramJson, unigramTokenizer } from "./unigram_tokenizer.ts";
import {
  type WordPieceJson,
  wordPieceTokenizer,
} from "./word_piece_tokenizer.ts";

/** The byte-level tokenizer as plain data. */
export interface ByteJson {
  /** Says which kind of tokenizer this is. */
  readonly kind: "byte";
}

/** A tokenizer as plain data, as a checkpoint carries it. */
export type TokenizerJson =
  | ByteJson
  | CharacterJson
  | BytePairJson
  | WordPieceJson
  | UnigramJson;

/**
 * The tokenizer whose `toJSON` gave this plain data.
 *
 * @throws {TypeError} If it isn't the data of a tokenizer.
 */
export function tokenizerFromJson(json: unknown): Tokenizer {
  const data = (json ?? {}) as Partial<TokenizerJson>;
  if (data.kind === "byte") return byteTokenizer;
  if (
    data.kind === "character" && typeof data.characters === "string" &&
    typeof data.unknown === "boolean"
  ) {
    return characterTokenizer({
      characters: data.characters,
      unknown: data.unknown,
    });
  }
  if (
    data.kind === "byte-pair" && Array.isArray(data.merges) &&
    typeof data.vocabulary === "object" && data.vocabulary !== null
  ) {
    return bytePairTokenizer({
      vocabulary: data.vocabulary,
      merges: data.merges,
    });
  }
  if (data.kind === "word-piece" && isWordPiece(data)) {
    return wordPieceTokenizer(withoutKind(data));
  }
  if (data.kind === "unigram" && isUnigram(data)) {
    return unigramTokenizer(withoutKind(data));
  }
  throw new TypeError(
    `tokenizerFromJson: ${
      JSON.stringify(json)?.slice(0, 80)
    } isn't a tokenizer: expected { kind: "byte" }, { kind: "character", characters, unknown }, { kind: "byte-pair", vocabulary, merges }, { kind: "word-piece", vocabulary, … } or { kind: "unigram", vocabulary, scores, … }`,
  );
}

function isWordPiece(data: Partial<WordPieceJson>): data is WordPieceJson {
  const { vocabulary, special, unknown, normalization, longestWord } = data;
  return isTexts(vocabulary) && isTexts(special) &&
    typeof unknown === "string" && typeof longestWord === "number" &&
    typeof normalization === "object" && normalization !== null;
}

function isUnigram(data: Partial<UnigramJson>): data is UnigramJson {
  const { vocabulary, scores, special, unknown, normalization } = data;
  return isTexts(vocabulary) && isTexts(special) &&
    Array.isArray(scores) && typeof unknown === "string" &&
    Array.isArray(normalization) && typeof data.bytes === "boolean" &&
    typeof data.prefix === "boolean" &&
    (data.cut === "words" || data.cut === "spaces");
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) &&
    value.every((item) => typeof item === "string");
}

function withoutKind<T extends TokenizerJson>(data: T): Omit<T, "kind"> {
  const { kind: _, ...rest } = data;
  return rest;
}
