/**
 * From what the options say about the text to its tokens.
 *
 * @module
 */

import {
  type Corpus,
  type CorpusTokens,
  defaultCorpus,
  openCorpus,
  readText,
  splitTokens,
  tokenizeCorpus,
  type Tokenizer,
  type TokenSplit,
} from "../data/mod.ts";
import { UsageError } from "./failure.ts";
import { makeTokenizer } from "./make_tokenizer.ts";
import type { TrainValues } from "./train_command.ts";

/** A text that is ready to be trained on; `dispose` closes its files. */
export interface PreparedText extends Disposable {
  /** The text. */
  readonly corpus: Corpus;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** The number of its tokens. */
  readonly length: number;
  /** Bytes in UTF-8 per token, on average, of the text to measure on. */
  readonly bytesPerToken: number;
  /** Its tokens: those to train on, and those to measure on. */
  readonly split: TokenSplit;
}

/**
 * Opens the corpus, makes the tokenizer and encodes one with the other.
 *
 * @param tokenizer The tokenizer, where a checkpoint brings it along.
 * @throws {CorpusError} If there is no such text.
 * @throws {UsageError} If there is no such tokenizer, or the text is too short.
 */
export async function prepareText(
  values: TextValues,
  tokenizer?: Tokenizer,
): Promise<PreparedText> {
  const corpus = await openText(values.data);
  tokenizer ??= await makeTokenizer(values, () => readText(corpus));
  using files = new DisposableStack();
  const encode = async (text: Corpus): Promise<CorpusTokens> =>
    files.use(await tokenizeCorpus(text, tokenizer));
  const tokens = await encode(corpus);
  const measured = values.validationData.length === 0
    ? tokens
    : await encode(await openCorpus(values.validationData));
  const split = measured === tokens
    ? splitTokens(tokens, values.validation)
    : { train: tokens, validation: measured };
  checkLength(values, corpus, split);
  const open = files.move();
  return {
    corpus,
    tokenizer,
    length: tokens.length,
    bytesPerToken: measured.byteLength / measured.length,
    split,
    [Symbol.dispose]: () => open.dispose(),
  };
}

/** The options that say which text, and what its tokens are. */
export type TextValues = Pick<
  TrainValues,
  | "data"
  | "validationData"
  | "validation"
  | "tokenizer"
  | "vocabulary"
  | "seq"
>;

/** The files that were named, or the text that is always there. */
export async function openText(paths: readonly string[]): Promise<Corpus> {
  return paths.length === 0 ? await defaultCorpus() : await openCorpus(paths);
}

function checkLength(
  { seq, validation, validationData }: TextValues,
  corpus: Corpus,
  split: TokenSplit,
): void {
  for (const part of ["train", "validation"] as const) {
    const { length } = split[part];
    if (length > seq) continue;
    const text = part === "validation" && validationData.length > 0
      ? validationData.join(", ")
      : corpus.name;
    if (split.train.length + split.validation.length === 0) {
      throw new UsageError(`${text}: holds no text, only white space`);
    }
    const needed = `and ${seq + 1} are needed`;
    if (validationData.length > 0) {
      throw new UsageError(
        `--seq ${seq} is too long for ${text}: it has ${length} tokens, ` +
          needed,
      );
    }
    const all = split.train.length + split.validation.length;
    throw new UsageError(
      `--seq ${seq} is too long for ${text}: ` +
        `of its ${all} tokens --validation ${validation} leaves ` +
        `${length} ${part === "train" ? "to train on" : "to measure on"}, ` +
        needed,
    );
  }
}
