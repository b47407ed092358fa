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
import { type Tensor, tensor } from "../tensor/internal.ts";
import type { ClassLogits } from "./class_measures.ts";
import { pearson } from "./metrics/mod.ts";
import type { Validation } from "./task.ts";

/** A classifier in use. */
export interface MeasuredClassifier {
  /** Shape of the model. */
  readonly configuration: ClassifierConfiguration;
  /** On some device. */
  readonly parameters: ClassifierParameters;
  /** How numbers between them are stored; default f32. */
  readonly precision?: Precision;
}

/** What a classifier says of a batch of texts, and what is right. */
export function logitsOf(
  { configuration, parameters, precision }: MeasuredClassifier,
  rows: LabelledBatch,
): ClassLogits {
  const { inputs, labels } = batchTensors(configuration, rows);
  const logits = classifierLogits(configuration, parameters, inputs, {
    precision,
  });
  return { logits, labels };
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
    const said = await predict(model, rows);
    rows.labels.forEach((label, row) => {
      squares += (label - said[row]) ** 2;
      expected.push(label);
      predicted.push(said[row]);
    });
  }
  return { loss: squares / expected.length, expected, predicted };
}

/** Logits `[batch · outputs]` of a batch. */
export async function predict(
  model: MeasuredClassifier,
  rows: LabelledBatch,
): Promise<ArrayLike<number>> {
  using logits = evaluate(() => logitsOf(model, rows).logits);
  return await logits.data();
}
