/**
 * The tokenizer that the options name: learned from the text, or loaded.
 *
 * @module
 */

import {
  byteTokenizer,
  loadTokenizer,
  type TextChunks,
  type Tokenizer,
  trainBytePairEncoding,
  trainCharacterTokenizer,
  trainUnigram,
  trainWordPiece,
} from "../data/mod.ts";
import { UsageError } from "./failure.ts";
import { nearest } from "./suggestion.ts";
import type { TrainValues } from "./train_command.ts";

/** The tokenizers that can be asked for by name. */
const tokenizerKinds = [
  "byte",
  "character",
  "bpe",
  "word-piece",
  "unigram",
] as const;

/**
 * Learns the tokenizer that `--tokenizer` names, with `--vocabulary` ids, or
 * loads it from the folder or file that it names.
 *
 * @param text The text to learn from, asked for where it is needed.
 * @param sentences Whether what will be encoded are sentences one by one, whose
 * first word is to be a word like any other.
 * @throws {UsageError} If there is no such kind, folder or file, or the
 * vocabulary is too small.
 * @throws {CorpusError} If the files of a tokenizer have mistakes.
 */
export async function makeTokenizer(
  { tokenizer, vocabulary }: Pick<TrainValues, "tokenizer" | "vocabulary">,
  text: () => TextChunks,
  sentences = false,
): Promise<Tokenizer> {
  const vocabularySize = vocabulary;
  try {
    switch (tokenizer as typeof tokenizerKinds[number]) {
      case "byte":
        return byteTokenizer;
      case "character":
        return await trainCharacterTokenizer(text());
      case "bpe":
        return await trainBytePairEncoding(text(), { vocabularySize });
      case "word-piece":
        return await trainWordPiece(text(), { vocabularySize });
      case "unigram":
        return await trainUnigram(text(), {
          vocabularySize,
          prefix: sentences,
        });
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`--vocabulary ${vocabulary}: ${error.message}`);
  }
  if (await exists(tokenizer)) return await loadTokenizer(tokenizer);
  const hint = nearest(tokenizer, tokenizerKinds);
  throw new UsageError(
    `--tokenizer ${tokenizer}: ` +
      (hint === undefined
        ? `there is no such file or folder; expected ${
          tokenizerKinds.join(", ")
        } or a folder or file with a tokenizer`
        : `did you mean ${hint}?`),
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
