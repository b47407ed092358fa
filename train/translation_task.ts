/**
 * Training an encoder–decoder to translate sentences.
 *
 * @module
 */

import {
  exampleSampler,
  examplesByLength,
  type PairBatch,
  pairBatch,
  type PairExamples,
  type Tokenizer,
  tokenizerFromJson,
  type TokenizerJson,
} from "../data/mod.ts";
import {
  type EncoderDecoderConfiguration,
  encoderDecoderConfiguration,
  type EncoderDecoderInputs,
  encoderDecoderLogits,
  encoderDecoderLoss,
  type EncoderDecoderParameters,
  initializeEncoderDecoder,
} from "../models/mod.ts";
import { type Tensor, tensor } from "../tensor/internal.ts";
import { batchDropout } from "./batch_dropout.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import { measureClasses } from "./class_measures.ts";
import { restoreTensors } from "./host_tensors.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";
import { taskDescription } from "./task_description.ts";
import { type BatchMeasures, validateBatches } from "./validation.ts";

/** What a translator is trained on, and how batches are made of it. */
export interface TranslationTaskOptions {
  /** Shape of the model, with the examples' special tokens. */
  readonly configuration: EncoderDecoderConfiguration;
  /** Pairs to train on. */
  readonly examples: PairExamples;
  /** Pairs to measure on, encoded alike; default: none. */
  readonly validation?: PairExamples;
  /** What encoded the pairs: text in and out needs it. */
  readonly tokenizer: Tokenizer;
  /** Pairs of a batch, ≥ 1; those of like length share one. */
  readonly batch: number;
  /** Probability in [0, 1) that a number is dropped in training; default 0. */
  readonly dropout?: number;
  /**
   * Share in [0, 1) of the probability that is spread over all tokens in
   * training; default 0.
   */
  readonly labelSmoothing?: number;
  /** Of parameters, batches and dropout: an integer ≥ 0; default 0. */
  readonly seed?: number;
}

/** How a translator's checkpoint describes its task. */
export interface TranslationDescription {
  /** Shape of the model. */
  readonly model: EncoderDecoderConfiguration;
  /** The tokenizer of both languages. */
  readonly tokenizer: TokenizerJson;
  /** Pairs of a batch. */
  readonly batch: number;
  /** Probability that a number is dropped in training. */
  readonly dropout: number;
  /** Share of the probability that is spread over all tokens in training. */
  readonly labelSmoothing: number;
  /** Of parameters, batches and dropout. */
  readonly seed: number;
}

/**
 * A translator and the sentences that it learns. Its validation measures the
 * loss without label smoothing, and the accuracy: the share of tokens that are
 * the likeliest after what comes before them in the right translation.
 *
 * @throws {RangeError} If an option is out of range or the model doesn't fit
 * the examples.
 *
 * @example
 * ```ts
 * import { encodePairs, numberWordPair, trainCharacterTokenizer } from "@layerbraid/layerbraid/data";
 * import { encoderDecoderConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import { adamW, train, translationTask } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const pairs = [1, 2, 3, 4].map(numberWordPair);
 * const text = pairs.flatMap(({ source, target }) => [source, target]).join("");
 * const tokenizer = await trainCharacterTokenizer(text);
 * const examples = await encodePairs("numbers", pairs, { tokenizer, context: 8 });
 * const task = translationTask({
 *   configuration: encoderDecoderConfiguration({
 *     ...examples.tokens,
 *     context: 8,
 *     width: 16,
 *     heads: 2,
 *     encoderLayers: 2,
 *     decoderLayers: 2,
 *   }),
 *   examples,
 *   tokenizer,
 *   batch: 2,
 * });
 * const optimizer = adamW({ learningRate: 1e-2 });
 * for await (const event of train(task, { optimizer, steps: 3 })) {
 *   if (event.type === "step") console.log(event.step, event.loss); // 1 2.9…
 * }
 * ```
 */
export function translationTask(
  options: TranslationTaskOptions,
): TrainingTask<EncoderDecoderParameters> {
  const {
    configuration,
    examples,
    validation,
    tokenizer,
    batch,
    dropout = 0,
    labelSmoothing = 0,
    seed = 0,
  } = options;
  requireNumber("translationTask", "dropout", dropout, "in [0, 1)");
  requireNumber(
    "translationTask",
    "labelSmoothing",
    labelSmoothing,
    "in [0, 1)",
  );
  requireNumber("translationTask", "seed", seed, "an integer ≥ 0");
  requireFit(configuration, examples);
  if (validation) requireFit(configuration, validation);
  const { count, lengths } = examples;
  const sampler = exampleSampler({ count, batch, seed, lengths });
  const { encoderLayers, decoderLayers } = configuration;
  const description: TranslationDescription = {
    model: configuration,
    tokenizer: tokenizer.toJSON(),
    batch,
    dropout,
    labelSmoothing,
    seed,
  };
  return {
    name: "translation",
    tokensPerBatch: batch,
    unit: "sentences",
    initialize: () => initializeEncoderDecoder(configuration, seed),
    block: {
      layers: encoderLayers + decoderLayers,
      parameters: ({ block }) => block,
      sections: [
        { name: "encoder", layers: encoderLayers },
        { name: "decoder", layers: decoderLayers },
      ],
    },
    loss: (parameters, number, solver) => {
      const { inputs, labels } = pairTensors(
        pairBatch(examples, sampler.indices(number)),
      );
      return encoderDecoderLoss(configuration, parameters, inputs, labels, {
        ...solver,
        labelSmoothing,
        dropout: batchDropout(dropout, seed, number),
      });
    },
    validate: validation && ((parameters, batches) =>
      validateBatches(
        parameters.open.tokens.device,
        pairsByLength(validation, batch, batches),
        (rows) => measurePairs(configuration, parameters, rows),
      )),
    description: { ...description },
  };
}

function requireFit(
  configuration: EncoderDecoderConfiguration,
  { tokens, sources, targets }: PairExamples,
): void {
  const longest = [...sources, ...targets].reduce(
    (most, { length }) => Math.max(most, length + 1),
    0,
  );
  if (configuration.context < longest) {
    throw new RangeError(
      `translationTask: the model's context ${configuration.context} is too ` +
        `short for the examples, which have up to ${longest} tokens`,
    );
  }
  for (const name of ["vocabulary", "padding", "start", "end"] as const) {
    if (configuration[name] === tokens[name]) continue;
    throw new RangeError(
      `translationTask: the model's ${name} ${configuration[name]} isn't the ` +
        `examples' ${tokens[name]}; configure the model for them`,
    );
  }
}

/** The loss and the accuracy of a batch. */
export function measurePairs(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  batch: PairBatch,
): BatchMeasures {
  const { inputs, labels } = pairTensors(batch);
  const logits = encoderDecoderLogits(configuration, parameters, inputs);
  return measureClasses({ logits, labels }, batch.labelCount);
}

/** Batches of pairs of like length, each pair once; at most so many, spread. */
export function* pairsByLength(
  examples: PairExamples,
  batch: number,
  batches?: number,
): Generator<PairBatch, void, void> {
  for (const rows of examplesByLength(examples.lengths, batch, batches)) {
    yield pairBatch(examples, rows);
  }
}

/** A batch as the model takes it. */
function pairTensors(batch: PairBatch): {
  inputs: EncoderDecoderInputs;
  labels: Tensor;
} {
  const sourceShape = [batch.batch, batch.sourceLength];
  const targetShape = [batch.batch, batch.targetLength];
  return {
    inputs: {
      source: tensor(batch.source, { shape: sourceShape }),
      sourceKeep: tensor(batch.sourceKeep, {
        shape: sourceShape,
        dtype: "bool",
      }),
      target: tensor(batch.target, { shape: targetShape }),
    },
    labels: tensor(batch.labels, { shape: targetShape }),
  };
}

/** A trained translator, with what turns text into its tokens. */
export interface TrainedTranslator {
  /** Shape of the model. */
  readonly configuration: EncoderDecoderConfiguration;
  /** On the default device. */
  readonly parameters: EncoderDecoderParameters;
  /** How it was trained. */
  readonly description: Pick<TranslationDescription, "batch">;
  /** Of both languages. */
  readonly tokenizer: Tokenizer;
}

/**
 * The translator in a checkpoint.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function translatorFromCheckpoint(
  checkpoint: ModelCheckpoint,
): TrainedTranslator {
  const description = taskDescription<TranslationDescription>(
    checkpoint,
    "translation",
    "a translator",
    ["model", "tokenizer"],
  );
  const configuration = encoderDecoderConfiguration(description.model);
  return {
    configuration,
    parameters: restoreTensors(
      `${checkpoint.path}/parameters.safetensors`,
      initializeEncoderDecoder(configuration, description.seed),
      checkpoint.parameters,
    ),
    description,
    tokenizer: tokenizerFromJson(description.tokenizer),
  };
}
