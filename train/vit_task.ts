/**
 * Training a ViT to classify images.
 *
 * @module
 */

import {
  exampleSampler,
  type ImageBatch,
  imageBatch,
  type ImageSet,
  type PixelScale,
  pixelScale,
  requireLike,
} from "../data/mod.ts";
import {
  initializeVit,
  type Precision,
  type VitConfiguration,
  vitConfiguration,
  vitLogits,
  vitLoss,
  type VitParameters,
} from "../models/mod.ts";
import { formatShape, type Tensor, tensor } from "../tensor/internal.ts";
import { batchDropout } from "./batch_dropout.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import { measureClasses } from "./class_measures.ts";
import { restoreTensors } from "./host_tensors.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";
import { taskDescription } from "./task_description.ts";
import { validateBatches } from "./validation.ts";

/** What a ViT is trained on, and how batches are made of it. */
export interface VitTaskOptions {
  /** Shape of the model; it must fit the images. */
  readonly configuration: VitConfiguration;
  /** Images to train on. */
  readonly images: ImageSet;
  /** Images to measure on, with the same classes; default: none. */
  readonly validation?: ImageSet;
  /**
   * Mean and deviation of pixels; default: those of the images to train on.
   */
  readonly scale?: PixelScale;
  /** Images of a batch, ≥ 1. */
  readonly batch: number;
  /**
   * Pixels that images are moved by at most in training, up or down and left or
   * right, at random; default 0.
   */
  readonly shift?: number;
  /** Probability in [0, 1) that a number is dropped in training; default 0. */
  readonly dropout?: number;
  /** Of parameters, batches, shifts and dropout: an integer ≥ 0; default 0. */
  readonly seed?: number;
  /**
   * How numbers between parameters and states are stored; default f32. With f16
   * give `train` a `lossScale`.
   */
  readonly precision?: Precision;
}

/** How a ViT's checkpoint describes its task. */
export interface VitDescription {
  /** Shape of the model. */
  readonly model: VitConfiguration;
  /** The names of the classes, in the order of the model's outputs. */
  readonly classes: readonly string[];
  /** Mean and deviation of the pixels that it was trained on. */
  readonly scale: PixelScale;
  /** Images of a batch. */
  readonly batch: number;
  /** Pixels that images are moved by at most in training. */
  readonly shift: number;
  /** Probability that a number is dropped in training. */
  readonly dropout: number;
  /** Of parameters, batches, shifts and dropout. */
  readonly seed: number;
}

/**
 * A ViT and the images that it learns. Pixels are normalized by mean and
 * deviation of the images to train on. Its validation measures the accuracy, the
 * share of images whose class is right.
 *
 * @throws {RangeError} If an option is out of range or the model doesn't fit
 * the images.
 * @throws {CorpusError} If the images to measure on have another size or other
 * classes.
 *
 * @example
 * ```ts
 * import { drawnDigits } from "@layerbraid/layerbraid/data";
 * import { vitConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import { adamW, train, vitTask } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const task = vitTask({
 *   configuration: vitConfiguration({
 *     image: 28,
 *     patch: 7,
 *     channels: 1,
 *     classes: 10,
 *     width: 16,
 *     heads: 2,
 *     layers: 2,
 *   }),
 *   images: drawnDigits({ count: 100 }),
 *   batch: 8,
 *   shift: 1,
 * });
 * const optimizer = adamW({ learningRate: 1e-3 });
 * for await (const event of train(task, { optimizer, steps: 3 })) {
 *   if (event.type === "step") console.log(event.step, event.loss); // 1 2.3…
 * }
 * ```
 */
export function vitTask(options: VitTaskOptions): TrainingTask<VitParameters> {
  const {
    configuration,
    images,
    validation,
    scale = pixelScale(options.images),
    batch,
    shift = 0,
    dropout = 0,
    seed = 0,
    precision,
  } = options;
  requireNumber("vitTask", "shift", shift, "an integer ≥ 0");
  requireNumber("vitTask", "dropout", dropout, "in [0, 1)");
  requireNumber("vitTask", "seed", seed, "an integer ≥ 0");
  requireFit(configuration, images);
  if (validation !== undefined) requireLike(images, validation);
  const sampler = exampleSampler({ count: images.count, batch, seed });
  const { classes } = images;
  const description: VitDescription = {
    model: configuration,
    classes,
    scale,
    batch,
    shift,
    dropout,
    seed,
  };
  return {
    name: "vit",
    tokensPerBatch: batch,
    unit: "images",
    initialize: () => initializeVit(configuration, seed),
    block: {
      layers: configuration.layers,
      parameters: ({ block }) => block,
    },
    loss: (parameters, number, solver) => {
      const { pixels, labels } = imageTensors(
        configuration,
        imageBatch(images, sampler.indices(number), scale, {
          most: shift,
          seed,
          step: number,
        }),
      );
      return vitLoss(configuration, parameters, pixels, labels, {
        ...solver,
        precision,
        dropout: batchDropout(dropout, seed, number),
      });
    },
    validate: validation && ((parameters, batches) =>
      validateBatches(
        parameters.open.token.device,
        imageBatches(validation, scale, batch, batches),
        (rows) => {
          const { pixels, labels } = imageTensors(configuration, rows);
          const logits = vitLogits(configuration, parameters, pixels, {
            precision,
          });
          return measureClasses({ logits, labels }, rows.labels.length);
        },
      )),
    description: { ...description },
  };
}

/**
 * Checks that a model takes these images and has an output for each class.
 *
 * @throws {RangeError} If not, naming what differs.
 */
function requireFit(
  { image, channels, classes }: VitConfiguration,
  images: ImageSet,
): void {
  const expected = formatShape([channels, image, image]);
  const given = formatShape([images.channels, images.height, images.width]);
  if (given !== expected) {
    throw new RangeError(
      `vitTask: ${images.name} has images ${given}, but the model takes ` +
        `${expected}: channels, rows, columns`,
    );
  }
  if (images.classes.length > classes) {
    throw new RangeError(
      `vitTask: ${images.name} has ${images.classes.length} classes, more ` +
        `than the model's ${classes}`,
    );
  }
}

/**
 * Batches of images in order, the last one smaller if they don't come out even.
 *
 * @param batches How many at most; the images are then spread evenly.
 */
export function* imageBatches(
  images: ImageSet,
  scale: PixelScale,
  batch: number,
  batches = Infinity,
): Generator<ImageBatch, void, void> {
  const { count } = images;
  const wanted = Math.min(count, batch * batches);
  for (let start = 0; start < wanted; start += batch) {
    const indices = Int32Array.from(
      { length: Math.min(batch, wanted - start) },
      (_, row) => Math.floor((start + row) * count / wanted),
    );
    yield imageBatch(images, indices, scale);
  }
}

/** A batch as the model takes it. */
export function imageTensors(
  { image, channels }: VitConfiguration,
  { pixels, labels }: ImageBatch,
): { pixels: Tensor; labels: Tensor } {
  const shape = [labels.length, channels, image, image];
  return { pixels: tensor(pixels, { shape }), labels: tensor(labels) };
}

/** A trained ViT. */
export interface TrainedVit {
  /** Shape of the model. */
  readonly configuration: VitConfiguration;
  /** On the default device. */
  readonly parameters: VitParameters;
  /** How it was trained. */
  readonly description: VitDescription;
}

/**
 * The ViT in a checkpoint.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function vitFromCheckpoint(checkpoint: ModelCheckpoint): TrainedVit {
  const description = taskDescription<VitDescription>(
    checkpoint,
    "vit",
    "a ViT",
    ["model", "classes", "scale"],
  );
  const configuration = vitConfiguration(description.model);
  return {
    configuration,
    parameters: restoreTensors(
      `${checkpoint.path}/parameters.safetensors`,
      initializeVit(configuration, description.seed),
      checkpoint.parameters,
    ),
    description,
  };
}
