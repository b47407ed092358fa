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
import { evaluateClasses } from "./class_measures.ts";
import { bertLayout, textsByLength } from "./classification_task.ts";
import { logitsOf, predict, readNumbers } from "./classifier_measures.ts";
import type { Evaluation } from "./evaluation.ts";
import { pearson, spearman } from "./metrics/mod.ts";
import type { TrainedClassifier } from "./trained_classifier.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** How a classifier is measured. */
export interface ClassificationEvaluationOptions extends Watch {
  /** Texts of a batch, ≥ 1; default: as in training. */
  readonly batch?: number;
}

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
  return await evaluateClasses(
    trained.description.classes,
    batches,
    (rows) => rows,
    (rows) => logitsOf(trained, rows),
  );
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
    const logits = Array.from(
      await predict(trained, labelledBatch(examples, [0])),
    );
    if (classes.length === 0) {
      classified.push({ label: String(logits[0]) });
      continue;
    }
    const best = logits.indexOf(Math.max(...logits));
    const sum = logits.reduce((s, x) => s + Math.exp(x - logits[best]), 0);
    classified.push({ label: classes[best], probability: 1 / sum });
  }
  return classified;
}
