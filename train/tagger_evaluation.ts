/**
 * What a trained tagger is worth, and what it says of sentences.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import {
  encodeTagged,
  type TaggedBatch,
  taggedBatch,
  type TaggedExamples,
  type TaggedSentence,
} from "../data/mod.ts";
import { taggerLogits } from "../models/mod.ts";
import { argmax, crossEntropy, dispose } from "../tensor/internal.ts";
import type { Evaluation } from "./evaluation.ts";
import { accuracy, confusionMatrix, macroF1 } from "./metrics/mod.ts";
import {
  batchesByLength,
  batchTensors,
  type TrainedTagger,
} from "./tagger_task.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** How a tagger is measured. */
export interface TaggerEvaluationOptions extends Watch {
  /** Sentences of a batch, ≥ 1; default: as in training. */
  readonly batch?: number;
}

/** What tags that the tagger doesn't know are called among the classes. */
const otherClass = "(another)";

/**
 * Measures a tagger on sentences that are encoded with its classes: the loss,
 * the accuracy, the macro-averaged F1 and which class was taken for which. Words
 * whose tag is none of the classes count as wrong, and not in the loss.
 */
export async function evaluateTagger(
  trained: TrainedTagger,
  examples: TaggedExamples,
  options: TaggerEvaluationOptions = {},
): Promise<Evaluation> {
  const { batch = trained.description.batch } = options;
  const { classes } = trained.description;
  const batches = watchedBatches(
    batchesByLength(examples, batch),
    examples.words,
    (rows) => rows.words,
    options,
  );
  const expected: number[] = [];
  const predicted: number[] = [];
  let lossSum = 0;
  let known = 0;
  for (const rows of batches) {
    const { labels, loss } = await predict(trained, rows);
    let inBatch = 0;
    rows.keep.forEach((isWord, place) => {
      if (isWord === 0) return;
      const label = rows.labels[place];
      if (label >= 0) inBatch++;
      expected.push(label >= 0 ? label : classes.length);
      predicted.push(labels[place]);
    });
    if (inBatch > 0) lossSum += inBatch * loss;
    known += inBatch;
  }
  const names = known < expected.length ? [...classes, otherClass] : classes;
  const confusion = confusionMatrix(names, expected, predicted);
  return {
    loss: lossSum / known,
    examples: expected.length,
    metrics: { accuracy: accuracy(confusion), macroF1: macroF1(confusion) },
    confusion,
  };
}

/** The likeliest class of each word `[batch · sequence]`, and the mean loss. */
async function predict(
  { configuration, parameters }: TrainedTagger,
  rows: TaggedBatch,
): Promise<{ labels: ArrayLike<number>; loss: number }> {
  const result = evaluate(() => {
    const { inputs, labels } = batchTensors(rows);
    const logits = taggerLogits(configuration, parameters, inputs);
    return { labels: argmax(logits), loss: crossEntropy(logits, labels) };
  });
  try {
    return {
      labels: await result.labels.data(),
      loss: await result.loss.item(),
    };
  } finally {
    dispose(result);
  }
}

/**
 * The tags that a tagger gives the words of sentences.
 *
 * @param sentences Words; at least one sentence, none of them empty.
 */
export async function tagSentences(
  trained: TrainedTagger,
  sentences: readonly (readonly string[])[],
): Promise<TaggedSentence[]> {
  const { configuration, description } = trained;
  const tagged: TaggedSentence[] = [];
  for (const words of sentences) {
    const tags: string[] = [];
    const examples = await encodeTagged("tagSentences", [{
      words,
      tags: words.map(() => ""),
    }], {
      rows: configuration.features,
      context: configuration.context,
      classes: description.classes,
    });
    for (let i = 0; i < examples.count; i++) {
      const batch = taggedBatch(examples, [i]);
      const { labels } = await predict(trained, batch);
      for (let word = 0; word < batch.words; word++) {
        tags.push(description.classes[labels[word]]);
      }
    }
    tagged.push({ words, tags });
  }
  return tagged;
}
