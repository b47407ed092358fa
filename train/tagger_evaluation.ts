/**
 * What a trained tagger is worth, and what it says of sentences.
 *
 * @module
 */

import {
  encodeTagged,
  type TaggedBatch,
  taggedBatch,
  type TaggedExamples,
  type TaggedSentence,
} from "../data/mod.ts";
import { taggerLogits } from "../models/mod.ts";
import {
  type ClassLogits,
  evaluateClasses,
  predictClasses,
} from "./class_measures.ts";
import type { Evaluation } from "./evaluation.ts";
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
  return await evaluateClasses(
    trained.description.classes,
    watchedBatches(
      batchesByLength(examples, batch),
      examples.words,
      ({ words }) => words,
      options,
    ),
    ({ labels, keep }) => ({ labels, isExample: keep }),
    (rows) => logitsOf(trained, rows),
  );
}

function logitsOf(
  { configuration, parameters }: TrainedTagger,
  rows: TaggedBatch,
): ClassLogits {
  const { inputs, labels } = batchTensors(rows);
  return { logits: taggerLogits(configuration, parameters, inputs), labels };
}

/**
 * The tags that a tagger gives the words of sentences.
 *
 * @param sentences Words; none of the sentences is empty.
 */
export async function tagSentences(
  trained: TrainedTagger,
  sentences: readonly (readonly string[])[],
): Promise<TaggedSentence[]> {
  const { configuration: { features, context }, description } = trained;
  const { classes } = description;
  const tagged: TaggedSentence[] = [];
  for (const words of sentences) {
    // Any of the classes will do: what the tags are isn't looked at.
    const sentence = { words, tags: words.map(() => classes[0]) };
    const examples = await encodeTagged("tagSentences", [sentence], {
      rows: features,
      context,
      classes,
    });
    const tags: string[] = [];
    for (let part = 0; part < examples.count; part++) {
      const rows = taggedBatch(examples, [part]);
      const { predicted } = await predictClasses(() => logitsOf(trained, rows));
      for (let word = 0; word < rows.words; word++) {
        tags.push(classes[predicted[word]]);
      }
    }
    tagged.push({ words, tags });
  }
  return tagged;
}
