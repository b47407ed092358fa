import { type BytePairJson, bytePairTokenizer } from "./byte_pair_tokenizer.ts";
import { byteTokenizer } from "./byte_tokenizer.ts";
import {
  type CharacterJson,
  characterTokenizer,
} from "./character_tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The byte-level tokenizer as plain data. */
export interface ByteJson {
  /** Says which kind of tokenizer this is. */
  readonly kind: "byte";
}

/** A tokenizer as plain data, as a checkpoint carries it. */
export type TokenizerJson = ByteJson | CharacterJson | BytePairJson;

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
  throw new TypeError(
    `tokenizerFromJson: ${
      JSON.stringify(json)?.slice(0, 80)
    } isn't a tokenizer: expected { kind: "byte" }, { kind: "character", characters, unknown } or { kind: "byte-pair", vocabulary, merges }`,
  );
}
