/**
 * Windows of text as a BERT sees them: with ends and with gaps.
 *
 * @module
 */

import {
  type MaskedTokens,
  maskTokens,
  type TokenBatch,
  type Tokenizer,
  type TokenSource,
  validationBatches,
} from "../data/mod.ts";

/** The ids that a BERT needs beside those of the text. */
export interface BertTokens {
  /** The number of ids that the model must know. */
  readonly vocabulary: number;
  /**
   * The mask: `[MASK]` or `<mask>` of the tokenizer; where it has neither, the
   * id behind its last.
   */
  readonly mask: number;
  /** `[CLS]`, which begins a window, where the tokenizer has both ends. */
  readonly begin?: number;
  /** `[SEP]`, which ends a window, where the tokenizer has both ends. */
  readonly end?: number;
  /** The id of padding, `[PAD]` or `<pad>`; 0 where the tokenizer has none. */
  readonly padding: number;
}

/**
 * The ids that a BERT needs beside those of the text.
 *
 * @example
 * ```ts
 * import { byteTokenizer } from "@layerbraid/layerbraid/data";
 * import { bertTokens } from "@layerbraid/layerbraid/train";
 *
 * console.log(bertTokens(byteTokenizer)); // { vocabulary: 257, mask: 256, padding: 0 }
 * ```
 */
export function bertTokens(
  { vocabularySize, special }: Pick<Tokenizer, "vocabularySize" | "special">,
): BertTokens {
  const own = special.get("[MASK]") ?? special.get("<mask>");
  const begin = special.get("[CLS]");
  const end = special.get("[SEP]");
  return {
    vocabulary: own === undefined ? vocabularySize + 1 : vocabularySize,
    mask: own ?? vocabularySize,
    ...(begin !== undefined && end !== undefined && { begin, end }),
    padding: special.get("[PAD]") ?? special.get("<pad>") ?? 0,
  };
}

/** Rows of tokens with gaps. */
export interface BertBatch extends MaskedTokens {
  /** The number of windows. */
  readonly batch: number;
  /** Tokens of a window, ends included. */
  readonly sequence: number;
  /** The number of gaps in all windows. */
  readonly gaps: number;
}

/** How windows become rows with gaps. */
export interface BertRows {
  /** What made the tokens. */
  readonly tokenizer: Tokenizer;
  /** Tokens of a window, ends included. */
  readonly sequence: number;
  /** Share of the tokens that are to be guessed. */
  readonly masked: number;
  /** Decides the gaps. */
  readonly seed: number;
}

/** Tokens of the text in a window, which has ends where there are any. */
export function textLength(sequence: number, { begin }: BertTokens): number {
  return begin === undefined ? sequence : sequence - 2;
}

/** Windows of text with their ends and with gaps. */
export function bertBatch(
  { inputs: text, batch }: Pick<TokenBatch, "inputs" | "batch">,
  { tokenizer, sequence, masked, seed }: BertRows,
  number: number,
): BertBatch {
  const { mask, begin, end } = bertTokens(tokenizer);
  let rows = text;
  if (begin !== undefined && end !== undefined) {
    const length = sequence - 2;
    rows = new Int32Array(batch * sequence);
    for (let row = 0; row < batch; row++) {
      const start = row * sequence;
      rows[start] = begin;
      rows.set(text.subarray(row * length, (row + 1) * length), start + 1);
      rows[start + sequence - 1] = end;
    }
  }
  const result = maskTokens(rows, {
    sequence,
    probability: masked,
    mask,
    vocabulary: tokenizer.vocabularySize,
    special: new Set(tokenizer.special.values()),
    seed,
    batch: number,
  });
  const gaps = result.labels.reduce((sum, label) => sum + +(label >= 0), 0);
  return { ...result, batch, sequence, gaps };
}

/** Where the numbers of batches begin that are measured on. */
const firstMeasured = 2 ** 40;

/** Batches to measure on: the same windows with the same gaps every time. */
export function* measuredBatches(
  tokens: TokenSource,
  { batch, batches, ...rows }: BertRows & { batch: number; batches?: number },
): Generator<BertBatch, void, void> {
  const sequence = textLength(rows.sequence, bertTokens(rows.tokenizer));
  let number = firstMeasured;
  for (
    const windows of validationBatches(tokens, { batch, sequence, batches })
  ) yield bertBatch(windows, rows, number++);
}
