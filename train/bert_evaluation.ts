/**
 * What a trained BERT is worth on a text, and how it fills gaps.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import type { TokenSource } from "../data/mod.ts";
import { bertMaskedLogits } from "../models/mod.ts";
import { argmax, tensor } from "../tensor/internal.ts";
import {
  bertBatch,
  bertTokens,
  measuredBatches,
  textLength,
} from "./bert_rows.ts";
import { measureGaps, type TrainedBert } from "./bert_task.ts";
import type { Evaluation } from "./evaluation.ts";
import { perplexity } from "./metrics/mod.ts";
import { validateBatches } from "./validation.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** How a BERT is measured. */
export interface BertEvaluationOptions extends Watch {
  /** Windows of a batch, ≥ 1; default: as in training. */
  readonly batch?: number;
}

/**
 * Measures a BERT on all windows of a text, each with the share of gaps that it
 * was trained with: the loss, the perplexity and the accuracy of the likeliest
 * token at the gaps.
 *
 * @throws {RangeError} If the text is shorter than a window.
 */
export async function evaluateBert(
  { configuration, parameters, description, tokenizer }: TrainedBert,
  tokens: TokenSource,
  options: BertEvaluationOptions = {},
): Promise<Evaluation> {
  const { sequence, masked, seed } = description;
  const { batch = description.batch } = options;
  const length = textLength(sequence, bertTokens(tokenizer));
  const windows = Math.floor((tokens.length - 1) / length);
  let gaps = 0;
  const { loss, metrics } = await validateBatches(
    parameters.open.tokens.device,
    watchedBatches(
      measuredBatches(tokens, { tokenizer, sequence, masked, seed, batch }),
      windows,
      (rows) => rows.batch,
      options,
    ),
    (rows) => {
      gaps += rows.gaps;
      return measureGaps(configuration, parameters, rows);
    },
  );
  return {
    loss,
    examples: gaps,
    metrics: { perplexity: perplexity(loss), ...metrics },
  };
}

/** A text with gaps, and what a BERT fills them with. */
export interface FilledGaps {
  /** The text with `▢` in place of each token that was to be guessed. */
  readonly gaps: string;
  /** The text with the likeliest token at each gap. */
  readonly filled: string;
}

/**
 * Hides some tokens of a text and has a BERT guess them.
 *
 * @param tokens The text: at most as much as fits a window.
 * @param seed Which tokens are hidden: an integer ≥ 0.
 */
export async function fillGaps(
  { configuration, parameters, description, tokenizer }: TrainedBert,
  tokens: Int32Array,
  seed: number,
): Promise<FilledGaps> {
  const { masked } = description;
  const { begin } = bertTokens(tokenizer);
  const ends = begin === undefined ? 0 : 1;
  const sequence = tokens.length + 2 * ends;
  const rows = { tokenizer, sequence, masked, seed };
  const { inputs, positions, labels } = bertBatch(
    { inputs: tokens, batch: 1 },
    rows,
    0,
  );
  using guesses = evaluate(() =>
    argmax(bertMaskedLogits(
      configuration,
      parameters,
      { tokens: tensor(inputs, { shape: [1, sequence] }) },
      tensor(positions, { shape: [1, positions.length] }),
    ))
  );
  const guessed = await guesses.data();
  const filled = Int32Array.from(tokens);
  const hidden = new Set<number>();
  positions.forEach((position, i) => {
    if (labels[i] < 0) return;
    const place = position - ends;
    filled[place] = Math.min(guessed[i], tokenizer.vocabularySize - 1);
    hidden.add(place);
  });
  const decoder = tokenizer.decoder();
  let gaps = "";
  tokens.forEach((token, place) => {
    const text = decoder.push(token);
    if (!hidden.has(place)) gaps += text;
    else gaps += text.startsWith(" ") ? " ▢" : "▢";
  });
  gaps += decoder.flush();
  return { gaps, filled: tokenizer.decode(filled) };
}
