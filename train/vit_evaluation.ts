/**
 * What a trained ViT is worth on images.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import { imageBatch, type ImageSet, requireLike } from "../data/mod.ts";
import { vitLogits } from "../models/mod.ts";
import { argmax, crossEntropy, dispose } from "../tensor/internal.ts";
import type { Evaluation } from "./evaluation.ts";
import { accuracy, confusionMatrix, macroF1 } from "./metrics/mod.ts";
import { batchIndices, imageTensors, type TrainedVit } from "./vit_task.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** How a ViT is measured. */
export interface VitEvaluationOptions extends Watch {
  /** Images of a batch, ≥ 1; default: as in training. */
  readonly batch?: number;
}

/**
 * Measures a ViT on images: the loss, the accuracy, the mean F1 of the classes,
 * and which class was taken for which.
 *
 * @throws {CorpusError} If the images have another size or other classes than
 * those that it was trained on.
 */
export async function evaluateVit(
  { configuration, parameters, description }: TrainedVit,
  images: ImageSet,
  options: VitEvaluationOptions = {},
): Promise<Evaluation> {
  const { image, channels } = configuration;
  const { classes } = description;
  const size = { channels, height: image, width: image };
  requireLike(
    { name: "what the model was trained on", ...size, classes },
    images,
  );
  const { batch = description.batch } = options;
  const batches = watchedBatches(
    batchIndices(images.count, batch),
    images.count,
    (indices) => indices.length,
    options,
  );
  let loss = 0;
  const expected: number[] = [];
  const predicted: number[] = [];
  for (const indices of batches) {
    const rows = imageBatch(images, indices, description.scale);
    const measures = evaluate(() => {
      const { pixels, labels } = imageTensors(configuration, rows);
      const logits = vitLogits(configuration, parameters, pixels);
      return {
        loss: crossEntropy(logits, labels),
        classes: argmax(logits),
      };
    });
    try {
      loss += indices.length * await measures.loss.item();
      expected.push(...rows.labels);
      predicted.push(...await measures.classes.data());
    } finally {
      dispose(measures);
    }
  }
  const examples = expected.length;
  const confusion = confusionMatrix(classes, expected, predicted);
  return {
    loss: loss / examples,
    examples,
    metrics: { accuracy: accuracy(confusion), macroF1: macroF1(confusion) },
    confusion,
  };
}
