/**
 * What a trained GPT is worth on a text.
 *
 * @module
 */

import {
  type TokenBatch,
  type TokenSource,
  validationBatches,
} from "../data/mod.ts";
import { gptLogits } from "../models/mod.ts";
import { tensor } from "../tensor/internal.ts";
import { measureClasses } from "./class_measures.ts";
import type { Evaluation } from "./evaluation.ts";
import type { TrainedGpt } from "./gpt_task.ts";
import { bitsPerByte, perplexity } from "./metrics/mod.ts";
import { validateBatches } from "./validation.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** How a GPT is measured. */
export interface GptEvaluationOptions extends Watch {
  /** Windows of a batch, ≥ 1; default: as in training. */
  readonly batch?: number;
  /** Of the text on average, for bits per byte; default: left out. */
  readonly bytesPerToken?: number;
}

/**
 * Measures a GPT on all windows of a text: the loss, perplexity, accuracy of
 * the likeliest next token and bits per byte.
 *
 * @throws {RangeError} If the text is shorter than a window.
 */
export async function evaluateGpt(
  { configuration, parameters, description }: TrainedGpt,
  tokens: TokenSource,
  options: GptEvaluationOptions = {},
): Promise<Evaluation> {
  const { sequence } = description;
  const { batch = description.batch, bytesPerToken } = options;
  const windows = Math.floor((tokens.length - 1) / sequence);
  const batches = watchedBatches(
    validationBatches(tokens, { batch, sequence }),
    windows * sequence,
    (rows) => rows.batch * sequence,
    options,
  );
  const { loss, metrics } = await validateBatches(
    parameters.open.tokens.device,
    batches,
    ({ inputs, targets, batch }: TokenBatch) => {
      const shape = [batch, sequence];
      const labels = tensor(targets, { shape });
      const logits = gptLogits(
        configuration,
        parameters,
        tensor(inputs, { shape }),
      );
      return measureClasses({ logits, labels }, batch * sequence);
    },
  );
  return {
    loss,
    examples: windows * sequence,
    metrics: {
      perplexity: perplexity(loss),
      ...(bytesPerToken && { bitsPerByte: bitsPerByte(loss, bytesPerToken) }),
      ...metrics,
    },
  };
}
