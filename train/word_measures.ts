/**
 * How well the classes of words are found.
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

/** The words of a batch. */
export interface WordBatch {
  /** How many there are. */
  readonly words: number;
  /** Classes; −100 where nothing counts and at tags that aren't known. */
  readonly labels: Int32Array;
}

/** What a model says of a batch, and what is right. */
export interface WordLogits {
  /** `[B, T, classes]`. */
  readonly logits: Tensor;
  /** i32 `[B, T]`: classes; −100 where nothing counts. */
  readonly labels: Tensor;
}

/**
 * The loss and the accuracy of a batch. Words whose tag is none of the classes
 * count as wrong, and not in the loss.
 */
export function measureWords(
  { logits, labels }: WordLogits,
  { words, labels: classes }: WordBatch,
): BatchMeasures {
  const right = sum(cast(equal(argmax(logits), labels), "float"));
  return {
    weight: words,
    lossWeight: classes.reduce((sum, label) => sum + +(label >= 0), 0),
    loss: crossEntropy(logits, labels),
    metrics: { accuracy: div(right, words) },
  };
}

/** The likeliest classes `[B · T]` and the mean loss of a batch. */
export async function predictWords(
  model: () => WordLogits,
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

/** A batch whose words are counted. */
export interface CountedBatch {
  /** Classes; −100 where nothing counts and at tags that aren't known. */
  readonly labels: Int32Array;
  /** 1 at each place that stands for a word. */
  readonly isWord: Uint8Array;
}

/** What tags that a model doesn't know are called among the classes. */
const otherClass = "(another)";

/**
 * The loss, the accuracy, the macro-averaged F1 and which class was taken for
 * which. Words whose tag is none of the classes count as wrong, and not in the
 * loss.
 */
export async function evaluateWords<B>(
  classes: readonly string[],
  batches: Iterable<B>,
  counted: (batch: B) => CountedBatch,
  model: (batch: B) => WordLogits,
): Promise<Evaluation> {
  const expected: number[] = [];
  const found: number[] = [];
  let lossSum = 0;
  let known = 0;
  for (const batch of batches) {
    const { predicted, loss } = await predictWords(() => model(batch));
    const { labels, isWord } = counted(batch);
    let inBatch = 0;
    labels.forEach((label, place) => {
      if (isWord[place] === 0) return;
      if (label >= 0) inBatch++;
      expected.push(label >= 0 ? label : classes.length);
      found.push(predicted[place]);
    });
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
