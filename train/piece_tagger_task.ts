/**
 * Fine-tuning a BERT to tag words: the class of each word of a sentence, read
 * off at the first of the word's pieces.
 *
 * @module
 */

import {
  exampleSampler,
  examplesByLength,
  type PieceBatch,
  pieceBatch,
  type TaggedPieces,
} from "../data/mod.ts";
import {
  type ClassifierConfiguration,
  classifierLogits,
  type ClassifierParameters,
  initializeClassifier,
  type Precision,
  type StackCallOptions,
} from "../models/mod.ts";
import { crossEntropy, tensor } from "../tensor/internal.ts";
import { batchDropout } from "./batch_dropout.ts";
import { bertTokens } from "./bert_rows.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import {
  type ClassLogits,
  countKnown,
  evaluateClasses,
  measureClasses,
} from "./class_measures.ts";
import type { Evaluation } from "./evaluation.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { PretrainedEncoder } from "./pretrained_encoder.ts";
import type { TrainingTask } from "./task.ts";
import {
  type ClassificationDescription,
  type TrainedClassifier,
  trainedClassifier,
} from "./trained_classifier.ts";
import { validateBatches } from "./validation.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** What a tagger of pieces is trained on, and how batches are made of it. */
export interface PieceTaggerTaskOptions {
  /** Shape of the model, with a head for `tokens`, one output for each class. */
  readonly configuration: ClassifierConfiguration;
  /** Sentences to train on. */
  readonly examples: TaggedPieces;
  /** Sentences to measure on, with the same classes; default: none. */
  readonly validation?: TaggedPieces;
  /** What the model begins with; default: it begins from scratch. */
  readonly pretrained?: Pick<PretrainedEncoder, "classifier">;
  /** Sentences of a batch, ≥ 1; those of like length share one. */
  readonly batch: number;
  /** Probability in [0, 1) that a number is dropped in training; default 0. */
  readonly dropout?: number;
  /** Of head, batches and dropout: an integer ≥ 0; default 0. */
  readonly seed?: number;
  /**
   * How numbers between parameters and states are stored; default f32. With f16
   * give `train` a `lossScale`.
   */
  readonly precision?: Precision;
}

/**
 * A BERT with a head for tokens and the sentences whose words it learns to tag.
 * Its validation measures the accuracy, the share of words whose class is right.
 *
 * @throws {RangeError} If an option is out of range or the model doesn't fit
 * the examples.
 */
export function pieceTaggerTask(
  options: PieceTaggerTaskOptions,
): TrainingTask<ClassifierParameters> {
  const {
    configuration,
    examples,
    validation,
    pretrained,
    batch,
    dropout = 0,
    seed = 0,
    precision,
  } = options;
  requireNumber("pieceTaggerTask", "dropout", dropout, "in [0, 1)");
  requireNumber("pieceTaggerTask", "seed", seed, "an integer ≥ 0");
  requireFit(configuration, examples);
  if (validation) requireFit(configuration, validation);
  const { rows, words, classes, layout } = examples;
  const sampler = exampleSampler({
    count: rows.length,
    batch,
    seed,
    lengths: lengthsOf(examples),
  });
  const description: ClassificationDescription = {
    model: configuration,
    classes,
    tokenizer: layout.tokenizer.toJSON(),
    sequence: layout.context,
    batch,
    dropout,
    seed,
  };
  return {
    name: "piece-tagger",
    tokensPerBatch: Math.round(words / rows.length * batch),
    unit: "words",
    initialize: () =>
      pretrained === undefined
        ? initializeClassifier(configuration, seed)
        : pretrained.classifier(configuration, seed),
    block: {
      layers: configuration.layers,
      parameters: ({ block }) => block,
    },
    loss: (parameters, number, solver) => {
      const rows = pieceBatch(examples, sampler.indices(number));
      const { logits, labels } = logitsOf({ configuration, parameters }, rows, {
        ...solver,
        precision,
        dropout: batchDropout(dropout, seed, number),
      });
      return crossEntropy(logits, labels);
    },
    validate: validation && ((parameters, batches) =>
      validateBatches(
        parameters.open.tokens.device,
        piecesByLength(validation, batch, batches),
        (rows) =>
          measureClasses(
            logitsOf({ configuration, parameters }, rows, { precision }),
            rows.words,
            countKnown(rows.labels),
          ),
      )),
    description: { ...description },
  };
}

function lengthsOf({ rows }: TaggedPieces): Int32Array {
  return Int32Array.from(rows, ({ tokens }) => tokens.length);
}

function requireFit(
  { head, vocabulary, context }: ClassifierConfiguration,
  { classes, layout }: TaggedPieces,
): void {
  const ids = bertTokens(layout.tokenizer).vocabulary;
  const pairs = [
    ["head.kind", head.kind, "tokens", head.kind === "tokens"],
    [
      "head.outputs",
      head.outputs,
      classes.length,
      head.outputs === classes.length,
    ],
    ["vocabulary", vocabulary, ids, vocabulary >= ids],
    ["context", context, layout.context, context >= layout.context],
  ] as const;
  for (const [name, has, needed, fits] of pairs) {
    if (fits) continue;
    throw new RangeError(
      `pieceTaggerTask: the model's ${name} ${has} doesn't fit the examples, ` +
        `which need ${needed}; configure the model for them`,
    );
  }
}

/** Batches of rows of like length, each row once; at most so many, spread. */
function* piecesByLength(
  examples: TaggedPieces,
  batch: number,
  batches?: number,
): Generator<PieceBatch, void, void> {
  for (const rows of examplesByLength(lengthsOf(examples), batch, batches)) {
    yield pieceBatch(examples, rows);
  }
}

function logitsOf(
  { configuration, parameters }: Pick<
    TrainedClassifier,
    "configuration" | "parameters"
  >,
  { tokens, keep, labels, batch, sequence }: PieceBatch,
  options: StackCallOptions = {},
): ClassLogits {
  const shape = [batch, sequence];
  const inputs = {
    tokens: tensor(tokens, { shape }),
    keep: tensor(keep, { shape, dtype: "bool" }),
  };
  return {
    logits: classifierLogits(configuration, parameters, inputs, options),
    labels: tensor(labels, { shape }),
  };
}

/**
 * The tagger of pieces in a checkpoint.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function pieceTaggerFromCheckpoint(
  checkpoint: ModelCheckpoint,
): TrainedClassifier {
  return trainedClassifier(checkpoint, "piece-tagger", "a tagger of pieces");
}

/**
 * Measures a tagger of pieces on sentences that are encoded with its classes
 * and its tokenizer, as `evaluateTagger` does.
 */
export async function evaluatePieceTagger(
  trained: TrainedClassifier,
  examples: TaggedPieces,
  options: Watch & { readonly batch?: number } = {},
): Promise<Evaluation> {
  const { batch = trained.description.batch } = options;
  return await evaluateClasses(
    trained.description.classes,
    watchedBatches(
      piecesByLength(examples, batch),
      examples.words,
      ({ words }) => words,
      options,
    ),
    ({ labels, firsts }) => ({ labels, isExample: firsts }),
    (rows) => logitsOf(trained, rows),
  );
}
