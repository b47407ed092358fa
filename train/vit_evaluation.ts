/**
 * What a trained ViT is worth on images.
 *
 * @module
 */

import { type ImageSet, requireLike } from "../data/mod.ts";
import { vitLogits } from "../models/mod.ts";
import { evaluateClasses } from "./class_measures.ts";
import type { Evaluation } from "./evaluation.ts";
import { imageBatches, imageTensors, type TrainedVit } from "./vit_task.ts";
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
  return await evaluateClasses(
    classes,
    watchedBatches(
      imageBatches(images, description.scale, batch),
      images.count,
      ({ labels }) => labels.length,
      options,
    ),
    (rows) => rows,
    (rows) => {
      const { pixels, labels } = imageTensors(configuration, rows);
      return { logits: vitLogits(configuration, parameters, pixels), labels };
    },
  );
}
