/**
 * From what the options say about the text to its tokens.
 *
 * @module
 */

import {
  byteTokenizer,
  type Corpus,
  type CorpusTokens,
  defaultCorpus,
  loadBytePairTokenizer,
  openCorpus,
  readText,
  splitTokens,
  tokenizeCorpus,
  type Tokenizer,
  type TokenSplit,
  trainBytePairEncoding,
  trainCharacterTokenizer,
} from "../data/mod.ts";
import { UsageError } from "./failure.ts";
import { nearest } from "./suggestion.ts";
import type { TrainValues } from "./train_command.ts";

/** A text that is ready to be trained on; `dispose` closes its files. */
export interface PreparedText extends Disposable {
  /** The text. */
  readonly corpus: Corpus;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** The number of its tokens. */
  readonly length: number;
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
  values: Pick<
    TrainValues,
    "data" | "tokenizer" | "vocabulary" | "validation" | "seq"
  >,
  tokenizer?: Tokenizer,
): Promise<PreparedText> {
  const corpus = await openText(values.data);
  tokenizer ??= await makeTokenizer(values, corpus);
  const tokens = await tokenizeCorpus(corpus, tokenizer);
  const split = splitTokens(tokens, values.validation);
  checkLength(values, corpus, tokens, split);
  return {
    corpus,
    tokenizer,
    length: tokens.length,
    split,
    [Symbol.dispose]: () => tokens[Symbol.dispose](),
  };
}

/** The files that were named, or the text that is always there. */
async function openText(paths: readonly string[]): Promise<Corpus> {
  return paths.length === 0 ? await defaultCorpus() : await openCorpus(paths);
}

const kinds = ["byte", "character", "bpe"] as const;

async function makeTokenizer(
  { tokenizer, vocabulary }: Pick<TrainValues, "tokenizer" | "vocabulary">,
  corpus: Corpus,
): Promise<Tokenizer> {
  switch (tokenizer as typeof kinds[number]) {
    case "byte":
      return byteTokenizer;
    case "character":
      return await trainCharacterTokenizer(readText(corpus));
    case "bpe":
      return await trainBytePairEncoding(readText(corpus), {
        vocabularySize: vocabulary,
      });
  }
  if (!await isFolder(tokenizer)) {
    const hint = nearest(tokenizer, kinds);
    throw new UsageError(
      `--tokenizer ${tokenizer}: ` +
        (hint === undefined
          ? `there is no such folder; expected ${
            kinds.join(", ")
          } or a folder with vocab.json and merges.txt`
          : `did you mean ${hint}?`),
    );
  }
  try {
    return await loadBytePairTokenizer(tokenizer);
  } catch (error) {
    throw new UsageError(
      error instanceof Deno.errors.NotFound
        ? `--tokenizer ${tokenizer}: there is no vocab.json or no merges.txt ` +
          `in this folder; name one that has both`
        : `--tokenizer ${tokenizer}: ${(error as Error).message}`,
    );
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}

function checkLength(
  { seq, validation }: Pick<TrainValues, "seq" | "validation">,
  corpus: Corpus,
  tokens: CorpusTokens,
  split: TokenSplit,
): void {
  for (const part of ["train", "validation"] as const) {
    const { length } = split[part];
    if (length > seq) continue;
    tokens[Symbol.dispose]();
    throw new UsageError(
      `--seq ${seq} is too long for ${corpus.name}: ` +
        `of its ${tokens.length} tokens --validation ${validation} leaves ` +
        `${length} ${part === "train" ? "to train on" : "to measure on"}, and ${
          seq + 1
        } are needed`,
    );
  }
}
