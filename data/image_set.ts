import { CorpusError } from "./corpus_error.ts";

/** Images of one size, each with its class. */
export interface ImageSet {
  /** What to call it: the paths it was read from. */
  readonly name: string;
  /** The number of images. */
  readonly count: number;
  /** 1: grey, 3: red, green and blue. */
  readonly channels: number;
  /** Rows of an image. */
  readonly height: number;
  /** Columns of an image. */
  readonly width: number;
  /** `[count, channels, height, width]` in rows, 0 … 255. */
  readonly pixels: Uint8Array;
  /** The class of each image, 0 … `classes.length` − 1. */
  readonly labels: Int32Array;
  /** The names of the classes. */
  readonly classes: readonly string[];
}

/** Images `start` … `end` − 1, without a copy. */
export function sliceImages(
  images: ImageSet,
  start: number,
  end: number,
): ImageSet {
  const size = images.channels * images.height * images.width;
  return {
    ...images,
    count: end - start,
    pixels: images.pixels.subarray(start * size, end * size),
    labels: images.labels.subarray(start, end),
  };
}

/** Images to train on and images to measure on. */
export interface ImageSplit {
  /** To train on. */
  readonly training: ImageSet;
  /** To measure on. */
  readonly validation: ImageSet;
}

/**
 * Keeps the last `share` of the images for validation.
 *
 * @throws {RangeError} If `share` isn't between 0 and 1, or a part would be
 * empty.
 */
export function splitImages(images: ImageSet, share: number): ImageSplit {
  const { count } = images;
  const kept = Math.round(count * share);
  if (!(share > 0 && share < 1) || kept === 0 || kept === count) {
    throw new RangeError(
      `splitImages: a share of ${share} of ${count} images: expected a share ` +
        `between 0 and 1 that leaves images in both parts`,
    );
  }
  return {
    training: sliceImages(images, 0, count - kept),
    validation: sliceImages(images, count - kept, count),
  };
}

/** The size of an image as errors say it: `28 × 28, 1 channel`. */
function imageSize(
  { width, height, channels }: Pick<ImageSet, "width" | "height" | "channels">,
): string {
  const word = channels === 1 ? "channel" : "channels";
  return `${width} × ${height}, ${channels} ${word}`;
}

/**
 * Several sets as one, in order.
 *
 * @throws {CorpusError} If their sizes, channels or classes differ; of classes
 * that are numbers one set may have more.
 */
export function joinImages(sets: readonly ImageSet[]): ImageSet {
  if (sets.length === 1) return sets[0];
  const first = sets.reduce((a, b) =>
    b.classes.length > a.classes.length ? b : a
  );
  for (const set of sets) requireLike(first, set);
  const count = sets.reduce((sum, { count }) => sum + count, 0);
  const size = first.channels * first.height * first.width;
  const pixels = new Uint8Array(count * size);
  const labels = new Int32Array(count);
  let done = 0;
  for (const set of sets) {
    pixels.set(set.pixels, done * size);
    labels.set(set.labels, done);
    done += set.count;
  }
  const name = sets.map(({ name }) => name).join(", ");
  return { ...first, name, count, pixels, labels };
}

/**
 * Checks that images are of the size of others, and their classes are among the
 * others', in the same order.
 *
 * @throws {CorpusError} If they aren't.
 */
export function requireLike(
  expected: Pick<
    ImageSet,
    "name" | "channels" | "height" | "width" | "classes"
  >,
  given: ImageSet,
): void {
  if (imageSize(expected) !== imageSize(given)) {
    throw new CorpusError(
      `${given.name}: images of ${imageSize(given)}; expected ` +
        `${imageSize(expected)}, as in ${expected.name}`,
    );
  }
  given.classes.forEach((name, label) => {
    const other = expected.classes[label];
    if (name === other) return;
    throw new CorpusError(
      `${given.name}: class ${label} is "${name}"; expected ` +
        `${other === undefined ? "no more classes" : `"${other}"`}, as in ` +
        expected.name,
    );
  });
}
