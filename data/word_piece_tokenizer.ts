import {
  type BertNormalization,
  normalizeWord,
  rawWordsOf,
} from "./bert_words.ts";
import { remembered } from "./pieces.ts";
import { neededTokens, specialTokenCutter } from "./special_tokens.ts";
import { checkId, type EncodeOptions, type Tokenizer } from "./tokenizer.ts";

/** A word-piece tokenizer as plain data. */
export interface WordPieceJson {
  /** Says which kind of tokenizer this is. */
  readonly kind: "word-piece";
  /**
   * The tokens in the order of their ids, as in `vocab.txt`. Pieces that go on
   * with a word begin with `##`.
   */
  readonly vocabulary: readonly string[];
  /** The special tokens. */
  readonly special: readonly string[];
  /** The token of words that no pieces make up. */
  readonly unknown: string;
  /** What happens to a text before it is cut into words. */
  readonly normalization: BertNormalization;
  /** Words of more characters are unknown. */
  readonly longestWord: number;
}

/** A tokenizer that cuts text into words, and words into pieces. */
export interface WordPieceTokenizer extends Tokenizer {
  /** See {@linkcode Tokenizer}. */
  toJSON(): WordPieceJson;
}

/** What begins a piece that goes on with a word. */
export const continuation = "##";

/** BERT's special tokens, in the order of a trained vocabulary. */
export const wordPieceSpecial: readonly string[] = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
];

/** The longest word that BERT's tokenizer cuts. */
export const longestWord = 100;

/** What BERT does to a text, cased or uncased. */
export function bertNormalization(lowercase: boolean): BertNormalization {
  return { clean: true, chinese: true, stripAccents: lowercase, lowercase };
}

/**
 * The tokenizer of BERT (Devlin et al. 2019): words, cut at white space and
 * around signs, and of each word the longest piece in the vocabulary that it
 * begins with, then the longest that goes on, and so on. A word without such
 * pieces is unknown as a whole.
 *
 * `decode` puts a space between words, but none before `.`, `,`, `?` and `!`.
 * What a text loses: its white space, unknown words, and what normalisation
 * takes off: control characters, and case and accents where it says so.
 *
 * @throws {RangeError} If a token is there twice, or `unknown` or a special
 * token isn't there.
 */
export function wordPieceTokenizer(
  json: Omit<WordPieceJson, "kind">,
): WordPieceTokenizer {
  const { vocabulary, normalization } = json;
  const idOf = vocabularyIds(vocabulary);
  const requireId = neededTokens("wordPieceTokenizer", idOf);
  const unknownId = requireId(json.unknown);
  const special = new Map(json.special.map((text) => [text, requireId(text)]));
  const cutSpecial = specialTokenCutter(special);
  const cutWord = wordCutter(idOf, special);

  const encodeWord = (word: string): readonly number[] =>
    (word.length > json.longestWord &&
        Array.from(word).length > json.longestWord
      ? undefined
      : cutWord(word)) ?? [unknownId];
  const encodeRawWord = remembered((word) =>
    Int32Array.from(normalizeWord(word, normalization).flatMap(encodeWord))
  );

  const textOf = (id: number, first: boolean): string => {
    checkId("word-piece", id, vocabulary.length);
    const token = vocabulary[id];
    if (token.length > continuation.length && token.startsWith(continuation)) {
      return token.slice(continuation.length);
    }
    return first || endsClause.test(token) ? token : ` ${token}`;
  };

  return {
    name: "word-piece",
    vocabularySize: vocabulary.length,
    special,
    encode: (text: string, options: EncodeOptions = {}) => {
      const ids: number[] = [];
      for (const part of options.special ? cutSpecial(text) : [text]) {
        if (typeof part === "number") {
          ids.push(part);
          continue;
        }
        for (const word of rawWordsOf(part)) {
          const encoded = encodeRawWord(word);
          for (let i = 0; i < encoded.length; i++) ids.push(encoded[i]);
        }
      }
      return Int32Array.from(ids);
    },
    decode: (ids) =>
      Array.from(ids, (id, place) => textOf(id, place === 0)).join(""),
    decoder: () => {
      let first = true;
      return {
        push: (id) => {
          const text = textOf(id, first);
          first = false;
          return text;
        },
        flush: () => "",
      };
    },
    toJSON: () => ({ kind: "word-piece", ...json }),
  };
}

// Signs, and endings of English words, that no space stands before.
const endsClause = /^(?:[.?!,]|n't$|'m$|'s$|'ve$|'re$)/;

function vocabularyIds(
  vocabulary: readonly string[],
): ReadonlyMap<string, number> {
  const idOf = new Map<string, number>();
  vocabulary.forEach((token, id) => {
    const first = idOf.get(token);
    if (first !== undefined) {
      throw new RangeError(
        `wordPieceTokenizer: token ${
          JSON.stringify(token)
        } has the ids ${first} and ${id}: expected each token once`,
      );
    }
    idOf.set(token, id);
  });
  return idOf;
}

/** A function that gives the ids of the pieces of a word, if there are any. */
function wordCutter(
  idOf: ReadonlyMap<string, number>,
  special: ReadonlyMap<string, number>,
): (word: string) => readonly number[] | undefined {
  // Pieces that go on with a word, without their mark, and pieces that begin
  // one. A special token is never cut out of a text.
  const starting = new Map<string, number>();
  const continuing = new Map<string, number>();
  let longest = 0;
  for (const [token, id] of idOf) {
    if (special.has(token)) continue;
    longest = Math.max(longest, token.length);
    starting.set(token, id);
    if (token.startsWith(continuation)) {
      continuing.set(token.slice(continuation.length), id);
    }
  }
  return (word) => {
    const ids: number[] = [];
    for (let start = 0; start < word.length;) {
      const pieces = start === 0 ? starting : continuing;
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      while (end > start) {
        id = pieces.get(word.slice(start, end));
        if (id !== undefined) break;
        end--;
      }
      if (id === undefined) return undefined;
      ids.push(id);
      start = end;
    }
    return ids;
  };
}
