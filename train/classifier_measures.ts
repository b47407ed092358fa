/**
 * What a classifier makes of batches of texts.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import type { LabelledBatch } from "../data/mod.ts";
import {
  type BertInputs,
  type ClassifierConfiguration,
  classifierLogits,
  type ClassifierParameters,
  type Precision,
} from "../models/mod.ts";
import {
  argmax,
  cast,
  crossEntropy,
  dispose,
  equal,
  mean,
  meanSquaredError,
  reshape,
  type Tensor,
  tensor,
} from "../tensor/internal.ts";
import { pearson } from "./metrics/mod.ts";
import type { Validation } from "./task.ts";
import type { BatchMeasures } from "./validation.ts";

/** A classifier in use. */
export interface MeasuredClassifier {
  /** Shape of the model. */
  readonly configuration: ClassifierConfiguration;
  /** On some device. */
  readonly parameters: ClassifierParameters;
  /** How numbers between them are stored; default f32. */
  readonly precision?: Precision;
}

/**
 * The loss and the accuracy on a batch of texts. Texts whose label is none of
 * the classes count as wrong, and not in the loss.
 */
export function measureClasses(
  { configuration, parameters, precision }: MeasuredClassifier,
  rows: LabelledBatch,
): BatchMeasures {
  const { inputs, labels } = batchTensors(configuration, rows);
  const logits = classifierLogits(configuration, parameters, inputs, {
    precision,
  });
  return {
    weight: rows.batch,
    lossWeight: rows.labels.reduce((sum, label) => sum + +(label >= 0), 0),
    loss: crossEntropy(logits, labels),
    metrics: {
      accuracy: mean(cast(equal(argmax(logits), labels), "float")),
    },
  };
}

/** A batch as the model takes it. */
export function batchTensors(
  { head }: ClassifierConfiguration,
  { tokens, segments, keep, labels, batch, sequence }: LabelledBatch,
): { inputs: Required<BertInputs>; labels: Tensor } {
  const shape = [batch, sequence];
  return {
    inputs: {
      tokens: tensor(tokens, { shape }),
      segments: tensor(segments, { shape }),
      keep: tensor(keep, { shape, dtype: "bool" }),
    },
    labels: head.kind === "number"
      ? tensor(Float32Array.from(labels), { shape: [batch] })
      : tensor(Int32Array.from(labels), { shape: [batch] }),
  };
}

/** The mean squared error of numbers, and their correlation. */
export async function measureNumbers(
  model: MeasuredClassifier,
  batches: Iterable<LabelledBatch>,
): Promise<Validation> {
  const { loss, expected, predicted } = await readNumbers(model, batches);
  return { loss, metrics: { pearson: pearson(expected, predicted) } };
}

/** All numbers that are right, and that the model says. */
export async function readNumbers(
  model: MeasuredClassifier,
  batches: Iterable<LabelledBatch>,
): Promise<{ loss: number; expected: number[]; predicted: number[] }> {
  const expected: number[] = [];
  const predicted: number[] = [];
  let squares = 0;
  for (const rows of batches) {
    const { logits, loss } = await predict(model, rows);
    squares += rows.batch * loss;
    expected.push(...rows.labels);
    predicted.push(...Array.from(logits));
  }
  return { loss: squares / expected.length, expected, predicted };
}

/** Logits `[batch · outputs]` of a batch, and its loss. */
export async function predict(
  { configuration, parameters, precision }: MeasuredClassifier,
  rows: LabelledBatch,
): Promise<{ logits: ArrayLike<number>; loss: number }> {
  const result = evaluate(() => {
    const { inputs, labels } = batchTensors(configuration, rows);
    const logits = classifierLogits(configuration, parameters, inputs, {
      precision,
    });
    const loss = configuration.head.kind === "number"
      ? meanSquaredError(logits, reshape(labels, logits.shape))
      : crossEntropy(logits, labels);
    return { logits, loss };
  });
  try {
    return {
      logits: await result.logits.data(),
      loss: await result.loss.item(),
    };
  } finally {
    dispose(result);
  }
}
