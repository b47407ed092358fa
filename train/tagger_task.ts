/**
 * Training a tagger: the class of each word of a sentence.
 *
 * @module
 */

import {
  exampleSampler,
  examplesByLength,
  featuresPerWord,
  type TaggedBatch,
  taggedBatch,
  type TaggedExamples,
} from "../data/mod.ts";
import {
  initializeTagger,
  type Precision,
  type TaggerConfiguration,
  taggerConfiguration,
  taggerLogits,
  type TaggerParameters,
} from "../models/mod.ts";
import { crossEntropy, type Tensor, tensor } from "../tensor/internal.ts";
import { batchDropout } from "./batch_dropout.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import { restoreTensors } from "./host_tensors.ts";
import { countKnown, measureClasses } from "./class_measures.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";
import { taskDescription } from "./task_description.ts";
import { validateBatches } from "./validation.ts";

/** What a tagger is trained on, and how batches are made of it. */
export interface TaggerTaskOptions {
  /** Shape of the model; as many features and classes as the examples have. */
  readonly configuration: TaggerConfiguration;
  /** Sentences to train on. */
  readonly examples: TaggedExamples;
  /** Sentences to measure on, with the same classes; default: none. */
  readonly validation?: TaggedExamples;
  /** Sentences of a batch, ≥ 1; those of like length share one. */
  readonly batch: number;
  /** Probability in [0, 1) that a number is dropped in training; default 0. */
  readonly dropout?: number;
  /**
   * Probability in [0, 1) that a word is known by its parts alone in training,
   * as words are that it never saw; default 0.
   */
  readonly wordDropout?: number;
  /** Of parameters, batches and dropout: an integer ≥ 0; default 0. */
  readonly seed?: number;
  /**
   * How numbers between parameters and states are stored; default f32. With f16
   * give `train` a `lossScale`.
   */
  readonly precision?: Precision;
}

/** How a tagger's checkpoint describes its task. */
export interface TaggerDescription {
  /** Shape of the model. */
  readonly model: TaggerConfiguration;
  /** The names of the classes, in the order of the model's outputs. */
  readonly classes: readonly string[];
  /** Sentences of a batch. */
  readonly batch: number;
  /** Probability that a number is dropped in training. */
  readonly dropout: number;
  /** Probability that a word is known by its parts alone in training. */
  readonly wordDropout: number;
  /** Of parameters, batches and dropout. */
  readonly seed: number;
}

/**
 * A tagger and the sentences that it learns. Its validation measures the
 * accuracy, the share of words whose class is right.
 *
 * @throws {RangeError} If an option is out of range or the model doesn't fit
 * the examples.
 *
 * @example
 * ```ts
 * import { encodeTagged, featuresPerWord, readWordTags, textCorpus } from "@layerbraid/layerbraid/data";
 * import { taggerConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import { adamW, taggerTask, train } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const corpus = textCorpus("two sentences", "the/DET cat/NOUN sat/VERB\nit/PRON sat/VERB");
 * const features = 64;
 * const examples = await encodeTagged(corpus.name, readWordTags(corpus), {
 *   rows: features,
 *   context: 8,
 * });
 * const task = taggerTask({
 *   configuration: taggerConfiguration({
 *     features,
 *     featuresPerWord,
 *     classes: examples.classes.length,
 *     context: 8,
 *     width: 16,
 *     heads: 2,
 *     layers: 2,
 *   }),
 *   examples,
 *   batch: 2,
 * });
 * const optimizer = adamW({ learningRate: 1e-2 });
 * for await (const event of train(task, { optimizer, steps: 3 })) {
 *   if (event.type === "step") console.log(event.step, event.loss); // 1 1.3…
 * }
 * ```
 */
export function taggerTask(
  options: TaggerTaskOptions,
): TrainingTask<TaggerParameters> {
  const {
    configuration,
    examples,
    validation,
    batch,
    dropout = 0,
    wordDropout = 0,
    seed = 0,
    precision,
  } = options;
  requireNumber("taggerTask", "dropout", dropout, "in [0, 1)");
  requireNumber("taggerTask", "wordDropout", wordDropout, "in [0, 1)");
  requireNumber("taggerTask", "seed", seed, "an integer ≥ 0");
  requireFit(configuration, examples);
  if (validation) requireFit(configuration, validation);
  const { count, lengths, words, classes } = examples;
  const sampler = exampleSampler({ count, batch, seed, lengths });
  const description: TaggerDescription = {
    model: configuration,
    classes,
    batch,
    dropout,
    wordDropout,
    seed,
  };
  return {
    name: "tagger",
    tokensPerBatch: Math.round(words / count * batch),
    unit: "words",
    initialize: () => initializeTagger(configuration, seed),
    block: {
      layers: configuration.layers,
      parameters: ({ block }) => block,
    },
    loss: (parameters, number, solver) => {
      const dropped = { probability: wordDropout, seed, batch: number };
      const { inputs, labels } = batchTensors(
        taggedBatch(examples, sampler.indices(number), dropped),
      );
      const logits = taggerLogits(configuration, parameters, inputs, {
        ...solver,
        precision,
        dropout: batchDropout(dropout, seed, number),
      });
      return crossEntropy(logits, labels);
    },
    validate: validation && ((parameters, batches) =>
      validateBatches(
        parameters.open.features.device,
        batchesByLength(validation, batch, batches),
        (rows) => {
          const { inputs, labels } = batchTensors(rows);
          const logits = taggerLogits(configuration, parameters, inputs, {
            precision,
          });
          return measureClasses(
            { logits, labels },
            rows.words,
            countKnown(rows.labels),
          );
        },
      )),
    description: { ...description },
  };
}

function requireFit(
  { features, featuresPerWord: each, context, classes }: TaggerConfiguration,
  examples: TaggedExamples,
): void {
  const longest = examples.lengths.reduce((a, b) => Math.max(a, b), 0);
  const pairs = [
    ["features", features, examples.rows, features >= examples.rows],
    ["featuresPerWord", each, featuresPerWord, each === featuresPerWord],
    ["context", context, longest, context >= longest],
    [
      "classes",
      classes,
      examples.classes.length,
      classes >= examples.classes.length,
    ],
  ] as const;
  for (const [name, has, needed, fits] of pairs) {
    if (fits) continue;
    throw new RangeError(
      `taggerTask: the model's ${name} ${has} don't fit the examples, which ` +
        `need ${needed}; configure the model for them`,
    );
  }
}

/** Batches of sentences of like length, each once; at most so many, spread. */
export function* batchesByLength(
  examples: TaggedExamples,
  batch: number,
  batches?: number,
): Generator<TaggedBatch, void, void> {
  for (const rows of examplesByLength(examples.lengths, batch, batches)) {
    yield taggedBatch(examples, rows);
  }
}

/** A batch as the model takes it. */
export function batchTensors(
  { features, labels, keep, batch, sequence }: TaggedBatch,
): {
  inputs: { features: Tensor; keep: Tensor };
  labels: Tensor;
} {
  const shape = [batch, sequence];
  return {
    inputs: {
      features: tensor(features, { shape: [...shape, featuresPerWord] }),
      keep: tensor(keep, { shape, dtype: "bool" }),
    },
    labels: tensor(labels, { shape }),
  };
}

/** A trained tagger. */
export interface TrainedTagger {
  /** Shape of the model. */
  readonly configuration: TaggerConfiguration;
  /** On the default device. */
  readonly parameters: TaggerParameters;
  /** How it was trained. */
  readonly description: TaggerDescription;
}

/**
 * The tagger in a checkpoint.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function taggerFromCheckpoint(
  checkpoint: ModelCheckpoint,
): TrainedTagger {
  const description = taskDescription<TaggerDescription>(
    checkpoint,
    "tagger",
    "a tagger",
    ["model", "classes"],
  );
  const configuration = taggerConfiguration(description.model);
  return {
    configuration,
    parameters: restoreTensors(
      `${checkpoint.path}/parameters.safetensors`,
      initializeTagger(configuration, description.seed),
      checkpoint.parameters,
    ),
    description,
  };
}
