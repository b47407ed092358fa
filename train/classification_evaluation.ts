/**
 * What a trained classifier is worth, and what it says of texts.
 *
 * @module
 */

import {
  encodeLabelled,
  labelledBatch,
  type LabelledExamples,
  type LabelledText,
} from "../data/mod.ts";
import {
  bertLayout,
  textsByLength,
  type TrainedClassifier,
} from "./classification_task.ts";
import { predict, readNumbers } from "./classifier_measures.ts";
import type { Evaluation } from "./evaluation.ts";
import {
  accuracy,
  confusionMatrix,
  macroF1,
  pearson,
  spearman,
} from "./metrics/mod.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** How a classifier is measured. */
export interface ClassificationEvaluationOptions extends Watch {
  /** Texts of a batch, ≥ 1; default: as in training. */
  readonly batch?: number;
}

/** What labels that the classifier doesn't know are called among the classes. */
const otherClass = "(another)";

/**
 * Measures a classifier on texts that are encoded with its classes: the loss,
 * the accuracy, the macro-averaged F1 and which class was taken for which. Texts
 * whose label is none of the classes count as wrong, and not in the loss. Where
 * labels are numbers: the mean squared error, and the correlations of Pearson
 * and of Spearman.
 */
export async function evaluateClassification(
  trained: TrainedClassifier,
  examples: LabelledExamples,
  options: ClassificationEvaluationOptions = {},
): Promise<Evaluation> {
  const { batch = trained.description.batch } = options;
  const batches = watchedBatches(
    textsByLength(examples, batch),
    examples.count,
    (rows) => rows.batch,
    options,
  );
  if (trained.configuration.head.kind === "number") {
    const { loss, expected, predicted } = await readNumbers(trained, batches);
    return {
      loss,
      examples: expected.length,
      metrics: {
        pearson: pearson(expected, predicted),
        spearman: spearman(expected, predicted),
      },
    };
  }
  const { classes } = trained.description;
  const expected: number[] = [];
  const predicted: number[] = [];
  let lossSum = 0;
  let known = 0;
  for (const rows of batches) {
    const { logits, loss } = await predict(trained, rows);
    const inBatch = rows.labels.reduce((sum, x) => sum + +(x >= 0), 0);
    rows.labels.forEach((label, row) => {
      expected.push(label >= 0 ? label : classes.length);
      predicted.push(likeliest(rowOf(logits, row, classes.length)));
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

function rowOf(
  logits: ArrayLike<number>,
  row: number,
  outputs: number,
): readonly number[] {
  return Array.from({ length: outputs }, (_, i) => logits[row * outputs + i]);
}

function likeliest(logits: readonly number[]): number {
  return logits.indexOf(Math.max(...logits));
}

/** What a classifier says of a text. */
export interface Classified {
  /** The likeliest class, or the number. */
  readonly label: string;
  /** The probability of the class; not there for a number. */
  readonly probability?: number;
}

/** What a classifier says of texts, or of pairs of texts, one by one. */
export async function classifyTexts(
  trained: TrainedClassifier,
  texts: readonly Pick<LabelledText, "text" | "pair">[],
): Promise<Classified[]> {
  const { description, tokenizer } = trained;
  const { classes, sequence } = description;
  const layout = bertLayout(tokenizer, sequence);
  const classified: Classified[] = [];
  for (const text of texts) {
    const examples = await encodeLabelled(
      "classifyTexts",
      [{ ...text, label: classes[0] ?? "0" }],
      layout,
      classes.length === 0 ? "numbers" : classes,
    );
    const { logits } = await predict(trained, labelledBatch(examples, [0]));
    if (classes.length === 0) {
      classified.push({ label: String(logits[0]) });
      continue;
    }
    const row = rowOf(logits, 0, classes.length);
    const best = likeliest(row);
    const sum = row.reduce((s, x) => s + Math.exp(x - row[best]), 0);
    classified.push({ label: classes[best], probability: 1 / sum });
  }
  return classified;
}
