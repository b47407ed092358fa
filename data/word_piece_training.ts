import { normalizeWord, rawWordsOf } from "./bert_words.ts";
import { learnMerges, type Word } from "./merge_training.ts";
import { countPieces } from "./pieces.ts";
import type { TextChunks } from "./tokenizer.ts";
import {
  bertNormalization,
  continuation,
  longestWord,
  wordPieceSpecial,
  type WordPieceTokenizer,
  wordPieceTokenizer,
} from "./word_piece_tokenizer.ts";

/** What `trainWordPiece` is told. */
export interface WordPieceOptions {
  /** The number of ids wanted, the five special tokens included. */
  readonly vocabularySize: number;
  /**
   * Whether letters lose case and accents, as with BERT "uncased". Default
   * `false`.
   */
  readonly lowercase?: boolean;
}

/** The most characters that a vocabulary begins with. */
const mostCharacters = 1000;
const smallestVocabulary = wordPieceSpecial.length + 2;

/**
 * Learns a word-piece vocabulary from a text: the merges of a byte-pair
 * encoding over the characters of its words, `##` before each that doesn't
 * begin a word, as Hugging Face's trainer does it. (The likelihood that Schuster
 * and Nakajima 2012 choose merges by isn't computed: frequency chooses.)
 *
 * The ids begin with `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`. Then
 * come the most frequent characters, each alone and with `##`: at most 1,000,
 * and no more than half of the vocabulary. Words with other characters are
 * unknown. The same text always gives the same tokenizer. The vocabulary is
 * smaller than asked for when no pair occurs twice any more.
 *
 * @throws {RangeError} If `vocabularySize` isn't an integer of 7 or more.
 */
export async function trainWordPiece(
  text: TextChunks,
  options: WordPieceOptions,
): Promise<WordPieceTokenizer> {
  const { vocabularySize, lowercase = false } = options;
  if (
    !Number.isInteger(vocabularySize) || vocabularySize < smallestVocabulary
  ) {
    throw new RangeError(
      `trainWordPiece: vocabularySize ${vocabularySize}: expected an integer of at least ${smallestVocabulary}`,
    );
  }
  const normalization = bertNormalization(lowercase);
  const counts = new Map<string, number>();
  for (const [raw, count] of await countPieces(text, rawWordsOf)) {
    for (const word of normalizeWord(raw, normalization)) {
      counts.set(word, (counts.get(word) ?? 0) + count);
    }
  }
  const characters = frequentCharacters(counts, vocabularySize);
  const tokens = [
    ...wordPieceSpecial,
    ...characters,
    ...characters.map((character) => continuation + character),
  ];
  const words = wordsOfIds(counts, characters);
  for (const merge of learnMerges(words, tokens.length, vocabularySize)) {
    const right = tokens[merge.right].slice(continuation.length);
    tokens.push(tokens[merge.left] + right);
  }
  return wordPieceTokenizer({
    vocabulary: tokens,
    special: wordPieceSpecial,
    unknown: "[UNK]",
    normalization,
    longestWord,
  });
}

/** The characters that get tokens, in the order of their code points. */
function frequentCharacters(
  words: ReadonlyMap<string, number>,
  vocabularySize: number,
): readonly string[] {
  const counts = new Map<string, number>();
  for (const [word, count] of words) {
    for (const character of word) {
      counts.set(character, (counts.get(character) ?? 0) + count);
    }
  }
  const half = Math.floor((vocabularySize - wordPieceSpecial.length) / 4);
  return [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || compare(a, b))
    .slice(0, Math.max(1, Math.min(mostCharacters, half)))
    .map(([character]) => character)
    .sort(compare);
}

function compare(a: string, b: string): number {
  return (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0);
}

/** The words made of the characters alone, in ids. */
function wordsOfIds(
  counts: ReadonlyMap<string, number>,
  characters: readonly string[],
): readonly Word[] {
  const starting = new Map(
    characters.map((character, i) => [character, wordPieceSpecial.length + i]),
  );
  const words: Word[] = [];
  for (const [word, count] of counts) {
    const ids = Array.from(word, (character) => starting.get(character));
    if (ids.length > longestWord || !ids.every((id) => id !== undefined)) {
      continue;
    }
    const shifted = ids.map((id, i) => i === 0 ? id : id + characters.length);
    words.push({ ids: Int32Array.from(shifted), count });
  }
  return words;
}
