/** A GPT that trains in milliseconds, with everything that resuming must mind. */

import { byteTokenizer, tokensInMemory } from "../../data/mod.ts";
import {
  gptConfiguration,
  type GptParameters,
  type Precision,
} from "../../models/mod.ts";
import {
  adamW,
  cosineWarmup,
  gptDecay,
  gptTask,
  type TrainingTask,
  type TrainOptions,
} from "../../train/mod.ts";

const text = "to be, or not to be, that is the question: ".repeat(8);

/** Two layers unless said otherwise, dropout, validation data. */
export function tinyGpt(
  seed = 3,
  precision?: Precision,
  layers = 2,
): TrainingTask<GptParameters> {
  const bytes = new TextEncoder().encode(text);
  return gptTask({
    configuration: gptConfiguration({
      vocabulary: 256,
      context: 8,
      width: 8,
      heads: 2,
      layers,
    }),
    tokens: tokensInMemory(bytes),
    validation: tokensInMemory(bytes.subarray(0, 100)),
    batch: 2,
    dropout: 0.2,
    seed,
    precision,
    tokenizer: byteTokenizer,
  });
}

/** AdamW with decay, schedule, clipping and accumulation. */
export function tinyOptions(
  steps: number,
  more: Partial<TrainOptions> = {},
): TrainOptions {
  return {
    optimizer: adamW({
      learningRate: 1e-2,
      weightDecay: 0.1,
      decay: gptDecay,
    }),
    schedule: cosineWarmup({ warmup: 2, total: 20 }),
    clipNorm: 1,
    accumulation: 2,
    evaluationInterval: 4,
    evaluationBatches: 2,
    steps,
    ...more,
  };
}
