/**
 * Training a BERT to fill gaps in a text: masked language modelling.
 *
 * @module
 */

import {
  batchSampler,
  type Tokenizer,
  tokenizerFromJson,
  type TokenizerJson,
  type TokenSource,
  validationBatches,
} from "../data/mod.ts";
import {
  type BertConfiguration,
  bertConfiguration,
  bertMaskedLogits,
  bertMaskedLoss,
  type BertParameters,
  initializeBert,
  type Precision,
} from "../models/mod.ts";
import { type Tensor, tensor } from "../tensor/internal.ts";
import { batchDropout } from "./batch_dropout.ts";
import {
  type BertBatch,
  bertBatch,
  bertTokens,
  measuredBatches,
  textLength,
} from "./bert_rows.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import { measureClasses } from "./class_measures.ts";
import { restoreTensors } from "./host_tensors.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";
import { taskDescription } from "./task_description.ts";
import { type BatchMeasures, validateBatches } from "./validation.ts";

/** What a BERT is trained on, and how batches are made of it. */
export interface BertTaskOptions {
  /** Shape of the model. */
  readonly configuration: BertConfiguration;
  /** What made the tokens: it has the mask and the ends of a window. */
  readonly tokenizer: Tokenizer;
  /** Tokens to train on. */
  readonly tokens: TokenSource;
  /** Tokens to measure on; default: none. */
  readonly validation?: TokenSource;
  /** Windows of a batch, ≥ 1. */
  readonly batch: number;
  /** Tokens of a window, at most the model's context, which is the default. */
  readonly sequence?: number;
  /** Share of the tokens that are to be guessed, in (0, 1]; default .15. */
  readonly masked?: number;
  /** Probability in [0, 1) that a number is dropped in training; default 0. */
  readonly dropout?: number;
  /** Of parameters, batches, gaps and dropout: an integer ≥ 0; default 0. */
  readonly seed?: number;
  /**
   * How numbers between parameters and states are stored; default f32. With f16
   * give `train` a `lossScale`.
   */
  readonly precision?: Precision;
}

/** How a BERT's checkpoint describes its task. */
export interface BertDescription {
  /** Shape of the model. */
  readonly model: BertConfiguration;
  /** The tokenizer. */
  readonly tokenizer: TokenizerJson;
  /** Windows of a batch. */
  readonly batch: number;
  /** Tokens of a window. */
  readonly sequence: number;
  /** Share of the tokens that are to be guessed. */
  readonly masked: number;
  /** Probability that a number is dropped in training. */
  readonly dropout: number;
  /** Of parameters, batches, gaps and dropout. */
  readonly seed: number;
}

/** A batch as the model takes it. */
function batchTensors(
  { inputs, positions, labels, batch, sequence, masked }: BertBatch,
): { tokens: Tensor; positions: Tensor; labels: Tensor } {
  return {
    tokens: tensor(inputs, { shape: [batch, sequence] }),
    positions: tensor(positions, { shape: [batch, masked] }),
    labels: tensor(labels, { shape: [batch, masked] }),
  };
}

/**
 * A BERT and the text whose gaps it learns to fill. Its validation measures the
 * accuracy, the share of gaps that are filled with the right token.
 *
 * @throws {RangeError} If an option is out of range, if windows are longer than
 * the model's context, or if there are too few tokens.
 *
 * @example
 * ```ts
 * import { byteTokenizer, tokensInMemory } from "@layerbraid/layerbraid/data";
 * import { bertConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import { adamW, bertTask, bertTokens, train } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const bytes = new TextEncoder().encode("to be, or not to be. ".repeat(20));
 * const task = bertTask({
 *   configuration: bertConfiguration({
 *     vocabulary: bertTokens(byteTokenizer).vocabulary,
 *     context: 16,
 *     width: 16,
 *     heads: 2,
 *     layers: 1,
 *   }),
 *   tokenizer: byteTokenizer,
 *   tokens: tokensInMemory(bytes),
 *   batch: 4,
 * });
 * const optimizer = adamW({ learningRate: 1e-2 });
 * for await (const event of train(task, { optimizer, steps: 3 })) {
 *   if (event.type === "step") console.log(event.step, event.loss); // 1 5.5…
 * }
 * ```
 */
export function bertTask(
  options: BertTaskOptions,
): TrainingTask<BertParameters> {
  const {
    configuration,
    tokenizer,
    tokens,
    validation,
    batch,
    sequence = configuration.context,
    masked = 0.15,
    dropout = 0,
    seed = 0,
    precision,
  } = options;
  requireNumber("bertTask", "dropout", dropout, "in [0, 1)");
  requireNumber("bertTask", "seed", seed, "an integer ≥ 0");
  requireFit(configuration, tokenizer, sequence);
  const rows = { tokenizer, sequence, masked, seed };
  const shape = {
    batch,
    sequence: textLength(sequence, bertTokens(tokenizer)),
  };
  const sampler = batchSampler(tokens, { ...shape, seed });
  if (validation !== undefined) validationBatches(validation, shape);
  const description: BertDescription = {
    model: configuration,
    tokenizer: tokenizer.toJSON(),
    batch,
    sequence,
    masked,
    dropout,
    seed,
  };
  return {
    name: "bert",
    tokensPerBatch: batch * sequence,
    unit: "tokens",
    initialize: () => initializeBert(configuration, seed),
    block: {
      layers: configuration.layers,
      parameters: ({ block }) => block,
    },
    loss: (parameters, number, solver) => {
      const { tokens, positions, labels } = batchTensors(
        bertBatch(sampler.batch(number), rows, number),
      );
      return bertMaskedLoss(configuration, parameters, { tokens }, {
        positions,
        labels,
      }, {
        ...solver,
        precision,
        dropout: batchDropout(dropout, seed, number),
      });
    },
    validate: validation && ((parameters, batches) =>
      validateBatches(
        parameters.open.tokens.device,
        measuredBatches(validation, { ...rows, batch, batches }),
        (rows) => measureGaps(configuration, parameters, rows, precision),
      )),
    description: { ...description },
  };
}

function requireFit(
  configuration: BertConfiguration,
  tokenizer: Tokenizer,
  sequence: number,
): void {
  const { vocabulary, begin } = bertTokens(tokenizer);
  const least = begin === undefined ? 1 : 3;
  if (sequence > configuration.context || sequence < least) {
    throw new RangeError(
      `bertTask: sequence ${sequence} must be from ${least} to the model's ` +
        `context ${configuration.context}; change one of them`,
    );
  }
  if (vocabulary > configuration.vocabulary) {
    throw new RangeError(
      `bertTask: the text needs ${vocabulary} tokens, the mask included, more ` +
        `than the model's vocabulary of ${configuration.vocabulary}`,
    );
  }
}

/** The loss and the accuracy at the gaps of a batch. */
export function measureGaps(
  configuration: BertConfiguration,
  parameters: BertParameters,
  batch: BertBatch,
  precision?: Precision,
): BatchMeasures {
  const { tokens, positions, labels } = batchTensors(batch);
  const logits = bertMaskedLogits(
    configuration,
    parameters,
    { tokens },
    positions,
    { precision },
  );
  return measureClasses({ logits, labels }, batch.gaps);
}

/** A trained BERT, with what turns text into its tokens. */
export interface TrainedBert {
  /** Shape of the model. */
  readonly configuration: BertConfiguration;
  /** On the default device. */
  readonly parameters: BertParameters;
  /** How it was trained. */
  readonly description: BertDescription;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
}

/**
 * The BERT in a checkpoint.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function bertFromCheckpoint(checkpoint: ModelCheckpoint): TrainedBert {
  const description = taskDescription<BertDescription>(
    checkpoint,
    "bert",
    "a BERT",
    ["model", "tokenizer"],
  );
  const configuration = bertConfiguration(description.model);
  return {
    configuration,
    parameters: restoreTensors(
      `${checkpoint.path}/parameters.safetensors`,
      initializeBert(configuration, description.seed),
      checkpoint.parameters,
    ),
    description,
    tokenizer: tokenizerFromJson(description.tokenizer),
  };
}
