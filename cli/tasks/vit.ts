/**
 * The task `vit`: the class of an image.
 *
 * @module
 */

import {
  drawnDigits,
  type ImageSet,
  type ImageSplit,
  openImages,
  requireLike,
  splitImages,
} from "../../data/mod.ts";
import { type VitConfiguration, vitConfiguration } from "../../models/mod.ts";
import {
  evaluateVit,
  type VitDescription,
  vitFromCheckpoint,
  vitTask,
} from "../../train/mod.ts";
import { fromOptions, UsageError } from "../failure.ts";
import type { TrainValues } from "../train_command.ts";
import {
  anyTask,
  countWords,
  layersWords,
  measureCommands,
  type PreparedTask,
  type TaskKind,
} from "./task_kind.ts";

/** How many digits are drawn where there is no data. */
const drawnCount = 10_000;

/** The task `vit`. */
export const vitKind: TaskKind = {
  name: "vit",
  summary:
    "Trains a vision transformer to classify images, by default digits " +
    "that a program draws.",
  examples: [
    ["deno task train --task vit", "learns to read drawn digits"],
    [
      "deno task train --task vit --data mnist/",
      "trains on a folder with IDX files, such as MNIST's",
    ],
    [
      "deno task train --task vit --data photos/ --patch 4",
      "trains on PNG or PPM images, a folder for each class",
    ],
  ],
  defaults: {
    layers: 16,
    dim: 64,
    batch: 32,
    steps: 2000,
    lr: 1e-3,
    shift: 2,
    levels: [1, 2],
    coarsening: [4],
  },
  words: {
    data: {
      help: "Folders with IDX files, with CIFAR-10's binary files, or with a " +
        "folder of PNG, PPM or PGM images for each class; or single IDX files",
      defaultText: "digits that a program draws",
    },
    validation: {
      help: "Share of the images, the last ones, that is kept to measure on " +
        "where --data has no test images of its own",
    },
    batch: { help: "Images in a batch" },
  },
  prepare: async (values, begun) => {
    const { scale, classes } = (begun ?? {}) as Partial<VitDescription>;
    const { training, validation } = await openSplit(values, classes);
    const configuration = configurationOf(values, training);
    const task = vitTask({
      configuration,
      images: training,
      validation,
      scale,
      batch: values.batch,
      shift: values.shift,
      dropout: values.dropout,
      seed: values.seed,
      precision: values.precision,
    });
    const { before, layers, after, dim, heads, patch } = values;
    const { name, width, height, channels } = training;
    return {
      task: anyTask(task),
      name,
      data: `${name}, ${countWords(training.count, "image")} to train on and ` +
        `${countWords(validation.count, "image")} to measure on`,
      dataDetails: `${width} × ${height}, ${
        countWords(channels, "channel")
      }, ${training.classes.length} classes`,
      dataSize: training.count + validation.count,
      model: `ViT, layers ${
        layersWords(values)
      }, width ${dim}, heads ${heads}, patches of ${patch} × ${patch}`,
      title: `A ViT of ${
        countWords(before + layers + after, "layer")
      } on ${name}`,
      commands: measureCommands,
      [Symbol.dispose]: () => {},
    } satisfies PreparedTask;
  },
  evaluate: async (checkpoint, values, how) => {
    const trained = vitFromCheckpoint(checkpoint);
    const images = values.validationData.length > 0
      ? await openToMeasure(values.validationData)
      : (await openSplit(values)).validation;
    return await evaluateVit(trained, images, how);
  },
};

/**
 * Reads, or draws, images to train on and to measure on.
 *
 * @param classes Those of a model that is there already.
 */
async function openSplit(
  values: TrainValues,
  classes?: readonly string[],
): Promise<ImageSplit> {
  const { data, validationData, validation: share, seed } = values;
  const opened = data.length === 0
    ? { training: drawnDigits({ count: drawnCount, seed }) }
    : await openImages(data);
  const training = withClasses(opened.training, classes);
  const validation = validationData.length > 0
    ? await openToMeasure(validationData)
    : opened.validation;
  if (validation !== undefined) {
    requireLike(training, validation);
    return { training, validation };
  }
  try {
    return splitImages(training, share);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(
      `--validation ${share} of ${countWords(training.count, "image")} ` +
        `leaves none to measure on, or none to train on; change it, or give ` +
        `--validation-data`,
    );
  }
}

/** Images with all classes of a model, of which they need not have the last. */
function withClasses(
  images: ImageSet,
  classes: readonly string[] = images.classes,
): ImageSet {
  requireLike({ ...images, name: "the run", classes }, images);
  return { ...images, classes };
}

/** The test images in files, or all if none are kept apart. */
async function openToMeasure(paths: readonly string[]): Promise<ImageSet> {
  const { training, validation = training } = await openImages(paths);
  return validation;
}

function configurationOf(
  values: TrainValues,
  { name, width, height, channels, classes }: ImageSet,
): VitConfiguration {
  const { patch, shift } = values;
  if (classes.length < 2) {
    throw new UsageError(
      `${name}: all images are of the class ${JSON.stringify(classes[0])}; ` +
        `there must be two classes at least`,
    );
  }
  if (shift >= width) {
    throw new UsageError(
      `--shift ${shift} moves images of ${width} × ${height} pixels out of ` +
        `sight; take less than ${width}`,
    );
  }
  if (width !== height) {
    throw new UsageError(
      `${name} has images of ${width} × ${height}; a ViT takes squares: crop ` +
        `or pad them`,
    );
  }
  if (width % patch !== 0) {
    const fitting = Array.from({ length: width }, (_, i) => i + 1)
      .filter((side) => width % side === 0);
    throw new UsageError(
      `--patch ${patch} doesn't divide images of ${width} × ${height} pixels ` +
        `evenly; use ${fitting.join(", ")}, or crop or pad the images`,
    );
  }
  return fromOptions(() =>
    vitConfiguration({
      image: width,
      patch,
      channels,
      classes: classes.length,
      width: values.dim,
      heads: values.heads,
      hidden: values.hidden,
      layers: values.layers,
      before: values.before,
      after: values.after,
      endTime: values.endTime,
    })
  );
}
