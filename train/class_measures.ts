/**
 * How well a model finds classes: of texts, images, words or tokens.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import {
  argmax,
  cast,
  crossEntropy,
  dispose,
  div,
  equal,
  sum,
  type Tensor,
} from "../tensor/internal.ts";
import type { Evaluation } from "./evaluation.ts";
import { accuracy, confusionMatrix, macroF1 } from "./metrics/mod.ts";
import type { BatchMeasures } from "./validation.ts";

/** What a model says of a batch, and what is right. */
export interface ClassLogits {
  /** `[…, classes]`. */
  readonly logits: Tensor;
  /** i32 `[…]`: classes; −100 where nothing counts. */
  readonly labels: Tensor;
}

/**
 * The loss and the accuracy of a batch. Examples whose label is none of the
 * classes count as wrong, and not in the loss.
 *
 * @param examples How many there are.
 * @param known How many of them have a label that is a class.
 */
export function measureClasses(
  { logits, labels }: ClassLogits,
  examples: number,
  known: number = examples,
): BatchMeasures {
  const right = sum(cast(equal(argmax(logits), labels), "float"));
  return {
    weight: examples,
    lossWeight: known,
    loss: crossEntropy(logits, labels),
    metrics: { accuracy: div(right, examples) },
  };
}

/** How many labels are classes. */
export function countKnown(labels: Int32Array | Float64Array): number {
  let known = 0;
  for (const label of labels) if (label >= 0) known++;
  return known;
}

/** The likeliest classes, one for each label, and the mean loss of a batch. */
export async function predictClasses(
  model: () => ClassLogits,
): Promise<{ predicted: ArrayLike<number>; loss: number }> {
  const result = evaluate(() => {
    const { logits, labels } = model();
    return { predicted: argmax(logits), loss: crossEntropy(logits, labels) };
  });
  try {
    return {
      predicted: await result.predicted.data(),
      loss: await result.loss.item(),
    };
  } finally {
    dispose(result);
  }
}

/** What is right in a batch. */
export interface RightClasses {
  /** Classes; −100 where nothing counts and for labels that aren't known. */
  readonly labels: Int32Array | Float64Array;
  /** 1 at each place that stands for an example; default: at all. */
  readonly isExample?: Uint8Array;
}

/** What labels that a model doesn't know are called among the classes. */
const otherClass = "(another)";

/**
 * The loss, the accuracy, the macro-averaged F1 and which class was taken for
 * which. Examples whose label is none of the classes count as wrong, and not in
 * the loss.
 */
export async function evaluateClasses<B>(
  classes: readonly string[],
  batches: Iterable<B>,
  right: (batch: B) => RightClasses,
  model: (batch: B) => ClassLogits,
): Promise<Evaluation> {
  const expected: number[] = [];
  const found: number[] = [];
  let lossSum = 0;
  let known = 0;
  for (const batch of batches) {
    const { predicted, loss } = await predictClasses(() => model(batch));
    const { labels, isExample } = right(batch);
    labels.forEach((label, place) => {
      if (isExample?.[place] === 0) return;
      expected.push(label >= 0 ? label : classes.length);
      found.push(predicted[place]);
    });
    const inBatch = countKnown(labels);
    // A mean over nothing may be NaN.
    if (inBatch > 0) lossSum += inBatch * loss;
    known += inBatch;
  }
  const names = known < expected.length ? [...classes, otherClass] : classes;
  const confusion = confusionMatrix(names, expected, found);
  return {
    loss: lossSum / known,
    examples: expected.length,
    metrics: { accuracy: accuracy(confusion), macroF1: macroF1(confusion) },
    confusion,
  };
}
