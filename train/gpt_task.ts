/**
 * Training a GPT to predict the next token of a text.
 *
 * @module
 */

import {
  batchSampler,
  type TokenBatch,
  type Tokenizer,
  tokenizerFromJson,
  type TokenizerJson,
  type TokenSource,
  validationBatches,
} from "../data/mod.ts";
import {
  type GptConfiguration,
  gptConfiguration,
  gptLoss,
  type GptParameters,
  initializeGpt,
  type Precision,
} from "../models/mod.ts";
import { type Tensor, tensor } from "../tensor/internal.ts";
import { batchDropout } from "./batch_dropout.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import { restoreTensors } from "./host_tensors.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";
import { taskDescription } from "./task_description.ts";
import { validateBatches } from "./validation.ts";

/** What a GPT is trained on, and how batches are made of it. */
export interface GptTaskOptions {
  /** Shape of the model. */
  readonly configuration: GptConfiguration;
  /** Tokens to train on. */
  readonly tokens: TokenSource;
  /** Tokens to measure on; default: none. */
  readonly validation?: TokenSource;
  /** Windows of a batch, ≥ 1. */
  readonly batch: number;
  /** Tokens of a window, at most the model's context, which is the default. */
  readonly sequence?: number;
  /** Probability in [0, 1) that a number is dropped in training; default 0. */
  readonly dropout?: number;
  /** Of parameters, batches and dropout: an integer ≥ 0; default 0. */
  readonly seed?: number;
  /**
   * How numbers between parameters and states are stored; default f32. With f16
   * give `train` a `lossScale`.
   */
  readonly precision?: Precision;
  /** What made the tokens, for checkpoints: text in and out needs it. */
  readonly tokenizer?: Tokenizer;
}

/** How a GPT's checkpoint describes its task. */
export interface GptDescription {
  /** Shape of the model. */
  readonly model: GptConfiguration;
  /** Windows of a batch. */
  readonly batch: number;
  /** Tokens of a window. */
  readonly sequence: number;
  /** Probability that a number is dropped in training. */
  readonly dropout: number;
  /** Of parameters, batches and dropout. */
  readonly seed: number;
  /** The tokenizer, where one was given. */
  readonly tokenizer?: TokenizerJson;
}

/**
 * A GPT and the text that it learns.
 *
 * @throws {RangeError} If an option is out of range, if windows are longer than
 * the model's context, or if there are too few tokens.
 */
export function gptTask(
  options: GptTaskOptions,
): TrainingTask<GptParameters> {
  const {
    configuration,
    tokens,
    validation,
    batch,
    sequence = configuration.context,
    dropout = 0,
    seed = 0,
    precision,
    tokenizer,
  } = options;
  requireNumber("gptTask", "dropout", dropout, "in [0, 1)");
  requireNumber("gptTask", "seed", seed, "an integer ≥ 0");
  if (sequence > configuration.context) {
    throw new RangeError(
      `gptTask: sequence ${sequence} is longer than the model's context ` +
        `${configuration.context}; shorten it or make a larger model`,
    );
  }
  const vocabulary = tokenizer?.vocabularySize ?? 0;
  if (vocabulary > configuration.vocabulary) {
    throw new RangeError(
      `gptTask: the tokenizer has ${vocabulary} tokens, more than the model's ` +
        `vocabulary of ${configuration.vocabulary}`,
    );
  }
  const shape = { batch, sequence };
  const sampler = batchSampler(tokens, { ...shape, seed });
  if (validation !== undefined) validationBatches(validation, shape);
  const description: GptDescription = {
    model: configuration,
    ...shape,
    dropout,
    seed,
    ...(tokenizer && { tokenizer: tokenizer.toJSON() }),
  };
  return {
    name: "gpt",
    tokensPerBatch: batch * sequence,
    unit: "tokens",
    initialize: () => initializeGpt(configuration, seed),
    block: {
      layers: configuration.layers,
      parameters: ({ block }) => block,
    },
    loss: (parameters, number, solver) => {
      const { inputs, targets } = batchTensors(sampler.batch(number));
      return gptLoss(configuration, parameters, inputs, targets, {
        ...solver,
        precision,
        dropout: batchDropout(dropout, seed, number),
      });
    },
    validate: validation && ((parameters, batches) =>
      validateBatches(
        parameters.open.tokens.device,
        validationBatches(validation, { ...shape, batches }),
        (rows) => {
          const { inputs, targets } = batchTensors(rows);
          const options = { precision };
          return {
            weight: rows.batch,
            loss: gptLoss(configuration, parameters, inputs, targets, options),
          };
        },
      )),
    description: { ...description },
  };
}

function batchTensors(
  { inputs, targets, batch, sequence }: TokenBatch,
): { inputs: Tensor; targets: Tensor } {
  const shape = [batch, sequence];
  return {
    inputs: tensor(inputs, { shape }),
    targets: tensor(targets, { shape }),
  };
}

/**
 * Which parameters of a GPT weight decay is for: matrices, and neither biases
 * nor normalizations.
 *
 * @example
 * ```ts
 * import { adamW, gptDecay } from "@layerbraid/layerbraid/train";
 *
 * adamW({ learningRate: 1e-3, weightDecay: 0.1, decay: gptDecay });
 * console.log(gptDecay("block.mlpInput.weight"), gptDecay("block.mlpNorm.weight"));
 * // true false
 * ```
 */
export function gptDecay(name: string): boolean {
  return !name.endsWith("bias") && !/norm\.weight$/i.test(name);
}

/** A trained GPT, with what turns text into its tokens. */
export interface TrainedGpt {
  /** Shape of the model. */
  readonly configuration: GptConfiguration;
  /** On the default device. */
  readonly parameters: GptParameters;
  /** How it was trained. */
  readonly description: GptDescription;
  /** Where the task had one. */
  readonly tokenizer: Tokenizer | undefined;
}

/**
 * The GPT in a checkpoint.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function gptFromCheckpoint(checkpoint: ModelCheckpoint): TrainedGpt {
  const description = taskDescription<GptDescription>(
    checkpoint,
    "gpt",
    "a GPT",
    ["model"],
  );
  const configuration = gptConfiguration(description.model);
  return {
    configuration,
    parameters: restoreTensors(
      `${checkpoint.path}/parameters.safetensors`,
      initializeGpt(configuration, description.seed),
      checkpoint.parameters,
    ),
    description,
    tokenizer: description.tokenizer &&
      tokenizerFromJson(description.tokenizer),
  };
}
