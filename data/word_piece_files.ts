import { CorpusError } from "./corpus_error.ts";
import {
  bertNormalization,
  longestWord,
  wordPieceSpecial,
  type WordPieceTokenizer,
  wordPieceTokenizer,
} from "./word_piece_tokenizer.ts";

/** What `parseWordPieceVocabulary` may be told. */
export interface WordPieceFileOptions {
  /**
   * Whether letters lose case and accents. Default: `true` if no token has an
   * upper-case letter, special ones apart.
   */
  readonly lowercase?: boolean;
  /** What to call the file in error messages. Default: `vocab.txt`. */
  readonly name?: string;
}

/**
 * The tokenizer of a `vocab.txt`, BERT's format: a token a line, in the order
 * of their ids. Those of `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]` that
 * it has are special; it must have `[UNK]`.
 *
 * @throws {CorpusError} If a line is empty or doubled, or `[UNK]` is missing;
 * names the line.
 */
export function parseWordPieceVocabulary(
  text: string,
  options: WordPieceFileOptions = {},
): WordPieceTokenizer {
  const { name = "vocab.txt" } = options;
  const vocabulary = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (vocabulary.at(-1) === "") vocabulary.pop();
  checkLines(vocabulary, name);
  const tokens = new Set(vocabulary);
  const special = wordPieceSpecial.filter((token) => tokens.has(token));
  const lowercase = options.lowercase ??
    !vocabulary.some((token) =>
      !/^\[.*\]$/u.test(token) && /\p{Lu}/u.test(token)
    );
  return wordPieceTokenizer({
    vocabulary,
    special,
    unknown: "[UNK]",
    normalization: bertNormalization(lowercase),
    longestWord,
  });
}

function checkLines(lines: readonly string[], name: string): void {
  const first = new Map<string, number>();
  lines.forEach((token, index) => {
    const line = index + 1;
    if (token === "") {
      throw new CorpusError(
        `${name}:${line}: the line is empty; expected a token on each line`,
      );
    }
    const before = first.get(token);
    if (before !== undefined) {
      throw new CorpusError(
        `${name}:${line}: token ${
          JSON.stringify(token)
        } was in line ${before} already; expected each token once`,
      );
    }
    first.set(token, line);
  });
  if (!first.has("[UNK]")) {
    throw new CorpusError(
      `${name}: there is no token [UNK] in its ${lines.length} lines; ` +
        `expected BERT's vocabulary, a token a line`,
    );
  }
}

/** The text of `vocab.txt` of a word-piece tokenizer. */
export function formatWordPieceVocabulary(
  tokenizer: WordPieceTokenizer,
): string {
  return [...tokenizer.toJSON().vocabulary, ""].join("\n");
}
