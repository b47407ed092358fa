import { checkId, chunksOf } from "./tokenizer.ts";
import type { TextChunks, Tokenizer } from "./tokenizer.ts";

/** A character-level tokenizer as plain data. */
export interface CharacterJson {
  /** Says which kind of tokenizer this is. */
  readonly kind: "character";
  /** The characters in the order of their ids; each occurs once. */
  readonly characters: string;
  /**
   * Whether one more id, the last, stands for every other character.
   * Without it such a character is an error.
   */
  readonly unknown: boolean;
}

/** What `trainCharacterTokenizer` may be told. */
export interface CharacterOptions {
  /** As in {@linkcode CharacterJson}. Default `false`. */
  readonly unknown?: boolean;
}

/**
 * A tokenizer with one id for each character (Unicode code point) of a given
 * set. The id for unknown characters, if there is one, decodes to U+FFFD.
 *
 * `encode` throws a `RangeError` that names the first character without an id.
 *
 * @throws {RangeError} If a character is listed twice, or none is.
 */
export function characterTokenizer(
  json: Omit<CharacterJson, "kind">,
): Tokenizer {
  const characters = Array.from(json.characters.toWellFormed());
  const ids = new Map(characters.map((character, id) => [character, id]));
  if (ids.size < characters.length || ids.size === 0) {
    throw new RangeError(
      `characterTokenizer: ${characters.length} characters, ${ids.size} of them different: expected at least one, each once`,
    );
  }
  const unknownId = json.unknown ? characters.length : undefined;
  const texts = json.unknown ? [...characters, "\uFFFD"] : characters;

  const idOf = (character: string, text: string): number => {
    const id = ids.get(character) ?? unknownId;
    if (id !== undefined) return id;
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
    throw new RangeError(
      `character tokenizer: encode: ${JSON.stringify(character)} (U+${
        code.padStart(4, "0")
      }) at offset ${
        text.indexOf(character)
      } isn't one of the ${ids.size} characters of the vocabulary: collect it from a corpus that has all characters, or with { unknown: true }, or take another tokenizer, such as byte`,
    );
  };
  const textOf = (id: number): string => {
    checkId("character", id, texts.length);
    return texts[id];
  };
  return {
    name: "character",
    vocabularySize: texts.length,
    special: new Map(),
    encode: (text) => {
      const wellFormed = text.toWellFormed();
      return Int32Array.from(wellFormed, (c) => idOf(c, wellFormed));
    },
    decode: (encoded) => Array.from(encoded, textOf).join(""),
    decoder: () => ({ push: textOf, flush: () => "" }),
    toJSON: () => ({
      kind: "character",
      characters: characters.join(""),
      unknown: json.unknown,
    }),
  };
}

/**
 * The character tokenizer of a text: an id for each character that occurs in
 * it, in the order of their code points.
 *
 * @throws {RangeError} If the text is empty.
 */
export async function trainCharacterTokenizer(
  text: TextChunks,
  options: CharacterOptions = {},
): Promise<Tokenizer> {
  const seen = new Set<number>();
  for await (const chunk of chunksOf(text)) {
    for (const character of chunk.toWellFormed()) {
      seen.add(character.codePointAt(0) ?? 0);
    }
  }
  const codePoints = [...seen].sort((a, b) => a - b);
  return characterTokenizer({
    characters: codePoints.map((code) => String.fromCodePoint(code)).join(""),
    unknown: options.unknown ?? false,
  });
}
