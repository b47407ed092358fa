/**
 * Images as numbers for a network: scaled, and moved at random if wanted.
 *
 * @module
 */

import type { ImageSet } from "./image_set.ts";
import { hashBelow } from "./random.ts";

/** Mean and deviation of pixels, 0 … 255, of each channel. */
export interface PixelScale {
  /** Of each channel. */
  readonly mean: readonly number[];
  /** Of each channel, > 0. */
  readonly deviation: readonly number[];
}

/** Mean and deviation of each channel; the deviation of equal pixels is 1. */
export function pixelScale(images: ImageSet): PixelScale {
  const { count, channels, height, width, pixels } = images;
  const size = height * width;
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let place = 0; place < pixels.length; place++) {
    const channel = Math.floor(place / size) % channels;
    sums[channel] += pixels[place];
    squares[channel] += pixels[place] ** 2;
  }
  const mean = Array.from(sums, (sum) => sum / (count * size));
  const deviation = Array.from(
    squares,
    (square, channel) =>
      Math.sqrt(square / (count * size) - mean[channel] ** 2) || 1,
  );
  return { mean, deviation };
}

/** Numbers of some images, as a network takes them. */
export interface ImageBatch {
  /** `[batch, channels, height, width]` in rows. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** The class of each image. */
  readonly labels: Int32Array<ArrayBuffer>;
}

/** How images are moved at random: a function of seed and step. */
export interface Shift {
  /** Pixels to each side at most, ≥ 0. */
  readonly most: number;
  /** The seed of all draws. */
  readonly seed: number;
  /** The number of the batch. */
  readonly step: number;
}

/**
 * Some images of a set with pixels (p − mean) / deviation. Pixels that a shift
 * moves in are those of the edge.
 *
 * @param indices Which images, 0 … `count` − 1.
 * @param shift How they are moved; default: not at all.
 */
export function imageBatch(
  images: ImageSet,
  indices: ArrayLike<number>,
  scale: PixelScale,
  shift?: Shift,
): ImageBatch {
  const { channels, height, width, pixels } = images;
  const size = channels * height * width;
  const batch = indices.length;
  const numbers = new Float32Array(batch * size);
  const labels = new Int32Array(batch);
  for (let row = 0; row < batch; row++) {
    labels[row] = images.labels[indices[row]];
    const [down, right] = shiftOf(row, shift);
    let to = row * size;
    for (let channel = 0; channel < channels; channel++) {
      const mean = scale.mean[channel];
      const factor = 1 / scale.deviation[channel];
      const from = indices[row] * size + channel * height * width;
      for (let y = 0; y < height; y++) {
        const line = from + clamp(y - down, height) * width;
        for (let x = 0; x < width; x++) {
          const value = pixels[line + clamp(x - right, width)];
          numbers[to++] = (value - mean) * factor;
        }
      }
    }
  }
  return { pixels: numbers, labels };
}

/** How far an image of a batch moves down and to the right. */
function shiftOf(row: number, shift: Shift | undefined): [number, number] {
  if (shift === undefined || shift.most === 0) return [0, 0];
  const { most, seed, step } = shift;
  const along = (axis: number) =>
    hashBelow(2 * most + 1, seed, step, row, axis) - most;
  return [along(0), along(1)];
}

function clamp(place: number, size: number): number {
  return Math.min(size - 1, Math.max(0, place));
}
