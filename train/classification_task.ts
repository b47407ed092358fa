/**
 * Fine-tuning a BERT: the class of a text, or a number for it.
 *
 * @module
 */

import {
  exampleSampler,
  examplesByLength,
  type LabelledBatch,
  labelledBatch,
  type LabelledExamples,
  type RowLayout,
  type Tokenizer,
} from "../data/mod.ts";
import {
  type BertConfiguration,
  type ClassifierConfiguration,
  classifierConfiguration,
  classifierLoss,
  type ClassifierParameters,
  type HeadConfiguration,
  initializeClassifier,
  type LayerSplit,
  type Precision,
  splitLayers,
} from "../models/mod.ts";
import { batchDropout } from "./batch_dropout.ts";
import { bertTokens } from "./bert_rows.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import { countKnown, measureClasses } from "./class_measures.ts";
import {
  batchTensors,
  logitsOf,
  measureNumbers,
} from "./classifier_measures.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";
import {
  type ClassificationDescription,
  type TrainedClassifier,
  trainedClassifier,
} from "./trained_classifier.ts";
import { validateBatches } from "./validation.ts";

/** Weights that a classifier may begin with. */
export interface PretrainedWeights {
  /**
   * A classifier, on the default device, with the weights of an encoder and a
   * fresh head.
   *
   * @throws {RangeError} If the configuration isn't of the encoder's shape.
   */
  readonly classifier: (
    configuration: ClassifierConfiguration,
    seed: number,
  ) => ClassifierParameters;
}

/** What a classifier is trained on, and how batches are made of it. */
export interface ClassificationTaskOptions {
  /**
   * Shape of the model: as many outputs as the examples have classes, or one
   * number.
   */
  readonly configuration: ClassifierConfiguration;
  /** Texts to train on. */
  readonly examples: LabelledExamples;
  /** Texts to measure on, with the same classes; default: none. */
  readonly validation?: LabelledExamples;
  /** What the model begins with; default: it begins from scratch. */
  readonly pretrained?: PretrainedWeights;
  /** Texts of a batch, ≥ 1; those of like length share one. */
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

/** How texts become rows for a BERT: its marks, where the tokenizer has them. */
export function bertLayout(tokenizer: Tokenizer, context: number): RowLayout {
  const { begin, end, padding } = bertTokens(tokenizer);
  return { tokenizer, context, begin, end, padding };
}

/**
 * The configuration of a trained encoder with a head, its layers split in
 * another way if that is asked for.
 *
 * @throws {RangeError} If the split has another number of layers, or the
 * block's steps aren't of size 1, as those of layers outside of it are.
 */
export function fineTunedConfiguration(
  encoder: BertConfiguration,
  head: HeadConfiguration,
  split: LayerSplit = encoder,
): ClassifierConfiguration {
  const { before, layers, after } = split;
  const same = before === encoder.before && layers === encoder.layers &&
    after === encoder.after;
  if (same) return classifierConfiguration(encoder, head);
  const words = ({ before, layers, after }: LayerSplit): string =>
    `${before} + ${layers} + ${after}`;
  const total = ({ before, layers, after }: LayerSplit): number =>
    before + layers + after;
  if (total(split) !== total(encoder)) {
    throw new RangeError(
      `classifier: the trained encoder has ${words(encoder)} layers, ` +
        `${total(encoder)} in all; ${words(split)} are ${total(split)}`,
    );
  }
  if (encoder.endTime !== encoder.layers) {
    throw new RangeError(
      `classifier: the trained encoder's ${encoder.layers} layers take steps ` +
        `of ${encoder.endTime} / ${encoder.layers}, so they stay split as ` +
        `${words(encoder)}, not ${words(split)}`,
    );
  }
  return classifierConfiguration(splitLayers(encoder, split), head);
}

/**
 * A classifier and the texts that it learns. Its validation measures the
 * accuracy, the share of texts whose class is right, or, where labels are
 * numbers, their correlation (Pearson's) with what the model says.
 *
 * @throws {RangeError} If an option is out of range or the model doesn't fit
 * the examples.
 *
 * @example
 * ```ts
 * import { byteTokenizer, encodeLabelled } from "@layerbraid/layerbraid/data";
 * import { bertConfiguration, classifierConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import { adamW, bertLayout, bertTokens, classificationTask, train } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const texts = [
 *   { text: "to be", label: "short" },
 *   { text: "or not to be", label: "long" },
 * ];
 * const layout = bertLayout(byteTokenizer, 16);
 * const examples = await encodeLabelled("two texts", texts, layout);
 * const encoder = bertConfiguration({
 *   vocabulary: bertTokens(byteTokenizer).vocabulary,
 *   context: 16,
 *   width: 16,
 *   heads: 2,
 *   layers: 2,
 * });
 * const task = classificationTask({
 *   configuration: classifierConfiguration(encoder, { kind: "classes", outputs: 2 }),
 *   examples,
 *   batch: 2,
 * });
 * const optimizer = adamW({ learningRate: 1e-2 });
 * for await (const event of train(task, { optimizer, steps: 3 })) {
 *   if (event.type === "step") console.log(event.step, event.loss); // 1 0.6…
 * }
 * ```
 */
export function classificationTask(
  options: ClassificationTaskOptions,
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
  requireNumber("classificationTask", "dropout", dropout, "in [0, 1)");
  requireNumber("classificationTask", "seed", seed, "an integer ≥ 0");
  requireFit(configuration, examples);
  if (validation) requireFit(configuration, validation);
  const { count, lengths, classes, layout } = examples;
  const sampler = exampleSampler({ count, batch, seed, lengths });
  const description: ClassificationDescription = {
    model: configuration,
    classes,
    tokenizer: layout.tokenizer.toJSON(),
    sequence: layout.context,
    batch,
    dropout,
    seed,
  };
  const isNumber = configuration.head.kind === "number";
  const measured = { configuration, precision };
  return {
    name: "classify",
    tokensPerBatch: batch,
    unit: "texts",
    initialize: () =>
      pretrained === undefined
        ? initializeClassifier(configuration, seed)
        : pretrained.classifier(configuration, seed),
    block: {
      layers: configuration.layers,
      parameters: ({ block }) => block,
    },
    loss: (parameters, number, solver) => {
      const { inputs, labels } = batchTensors(
        configuration,
        labelledBatch(examples, sampler.indices(number)),
      );
      return classifierLoss(configuration, parameters, inputs, labels, {
        ...solver,
        precision,
        dropout: batchDropout(dropout, seed, number),
      });
    },
    validate: validation && ((parameters, batches) => {
      const rows = textsByLength(validation, batch, batches);
      return isNumber
        ? measureNumbers({ ...measured, parameters }, rows)
        : validateBatches(
          parameters.open.tokens.device,
          rows,
          (row) =>
            measureClasses(
              logitsOf({ ...measured, parameters }, row),
              row.batch,
              countKnown(row.labels),
            ),
        );
    }),
    description: { ...description },
  };
}

/** Batches of texts of like length, each text once; at most so many, spread. */
export function* textsByLength(
  examples: LabelledExamples,
  batch: number,
  batches?: number,
): Generator<LabelledBatch, void, void> {
  for (const rows of examplesByLength(examples.lengths, batch, batches)) {
    yield labelledBatch(examples, rows);
  }
}

function requireFit(
  { head, vocabulary, context, segments }: ClassifierConfiguration,
  { classes, layout }: LabelledExamples,
): void {
  const ids = bertTokens(layout.tokenizer).vocabulary;
  const outputs = classes.length || 1;
  const kind = classes.length === 0 ? "number" : "classes";
  const pairs = [
    ["head.kind", head.kind, kind, head.kind === kind],
    ["head.outputs", head.outputs, outputs, head.outputs === outputs],
    ["vocabulary", vocabulary, ids, vocabulary >= ids],
    ["context", context, layout.context, context >= layout.context],
    ["segments", segments, 2, segments >= 2],
  ] as const;
  for (const [name, has, needed, fits] of pairs) {
    if (fits) continue;
    throw new RangeError(
      `classificationTask: the model's ${name} ${has} doesn't fit the ` +
        `examples, which need ${needed}; configure the model for them`,
    );
  }
}

/**
 * The classifier in a checkpoint, on the default device.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function classifierFromCheckpoint(
  checkpoint: ModelCheckpoint,
): TrainedClassifier {
  return trainedClassifier(checkpoint, "classify", "a classifier");
}
