/**
 * Images of digits, drawn by a program: strokes along curves, moved, turned and
 * bent, in pens of different widths, with noise. Nothing but a seed is needed
 * to make them.
 *
 * @module
 */

import { digitStrokes } from "./digit_strokes.ts";
import type { ImageSet } from "./image_set.ts";
import { hash, hashBelow } from "./random.ts";

/** Rows and columns of an image. */
export const drawnDigitSide = 28;

/** A digit and its image. */
export interface DrawnDigit {
  /** What was drawn, 0 … 9. */
  readonly label: number;
  /** `[28, 28]` in rows: 0 is paper, 255 ink. */
  readonly pixels: Uint8Array;
}

/** Numbers in [0, 1) by name of draw. */
type Draws = (draw: number) => number;

/**
 * Draws the digit with the given number: a function of its number and the seed
 * alone, integers ≥ 0.
 */
export function drawnDigit(index: number, seed: number): DrawnDigit {
  const label = hashBelow(10, seed, index, 0);
  const draws: Draws = (draw) => hash(seed, index, 1, draw) / 2 ** 32;
  const variants = digitStrokes[label];
  const strokes = variants[Math.floor(draws(0) * variants.length)];
  const place = placement(draws);
  const segments = strokes.flatMap((stroke, number) => {
    const points = stroke.map((point, corner) => {
      const wobble = (axis: number) =>
        0.05 * (draws(100 + 200 * number + 2 * corner + axis) - 0.5);
      return place(point[0] + wobble(0), point[1] + wobble(1));
    });
    return points.slice(1).map((end, corner) => [...points[corner], ...end]);
  });
  const pixels = paint(segments, 0.7 + 1.1 * draws(1), 0.7 + 0.3 * draws(2));
  addNoise(pixels, 12 + 28 * draws(3), (pixel) => hash(seed, index, 2, pixel));
  return { label, pixels };
}

/** From the box of the strokes to the image, in pixels. */
function placement(draws: Draws): (x: number, y: number) => number[] {
  const between = (draw: number, low: number, high: number) =>
    low + (high - low) * draws(draw);
  const angle = between(10, -0.26, 0.26);
  const shear = between(11, -0.3, 0.2);
  const width = between(12, 10, 17);
  const height = between(13, 15, 20);
  const middle = [between(14, 11.5, 15.5), between(15, 11.5, 15.5)];
  const bend = between(16, -0.08, 0.08);
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return (x, y) => {
    const v = (y - 0.5) * height;
    const u = (x - 0.5 + bend * Math.sin(2 * Math.PI * y)) * width - shear * v;
    return [
      middle[0] + cosine * u - sine * v,
      middle[1] + sine * u + cosine * v,
    ];
  };
}

/** Lines from x, y to x, y with a round pen, smooth at the edge. */
function paint(
  segments: readonly (readonly number[])[],
  radius: number,
  ink: number,
): Uint8Array {
  const side = drawnDigitSide;
  const pixels = new Uint8Array(side * side);
  for (const [x0, y0, x1, y1] of segments) {
    const reach = radius + 1;
    const [dx, dy] = [x1 - x0, y1 - y0];
    const square = dx * dx + dy * dy || 1;
    const range = (a: number, b: number): [number, number] => [
      Math.max(0, Math.floor(Math.min(a, b) - reach)),
      Math.min(side - 1, Math.ceil(Math.max(a, b) + reach)),
    ];
    const [left, right] = range(x0, x1);
    const [top, bottom] = range(y0, y1);
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const along = ((x - x0) * dx + (y - y0) * dy) / square;
        const part = Math.min(1, Math.max(0, along));
        const distance = Math.hypot(x - x0 - part * dx, y - y0 - part * dy);
        const cover = Math.min(1, Math.max(0, radius + 0.5 - distance));
        const value = Math.round(255 * ink * cover);
        const pixel = y * side + x;
        if (value > pixels[pixel]) pixels[pixel] = value;
      }
    }
  }
  return pixels;
}

/** Adds to each pixel a number between plus and minus `most`. */
function addNoise(
  pixels: Uint8Array,
  most: number,
  random: (pixel: number) => number,
): void {
  for (let pixel = 0; pixel < pixels.length; pixel++) {
    const noise = (random(pixel) / 2 ** 31 - 1) * most;
    pixels[pixel] = Math.min(255, Math.max(0, pixels[pixel] + noise));
  }
}

/** Which digits are drawn. */
export interface DrawnDigitsOptions {
  /** How many, ≥ 1. */
  readonly count: number;
  /** The number of the first, ≥ 0; default 0. */
  readonly first?: number;
  /** An integer ≥ 0; default 0. */
  readonly seed?: number;
}

/**
 * Draws digits: those of one seed with numbers from `first` on. Parts with
 * different numbers are sets that have no image in common.
 *
 * @throws {RangeError} If an option is out of range.
 *
 * @example
 * ```ts
 * import { drawnDigits } from "@layerbraid/layerbraid/data";
 *
 * const training = drawnDigits({ count: 100, seed: 1 });
 * const validation = drawnDigits({ count: 20, first: 100, seed: 1 });
 * console.log(training.pixels.length / 28 / 28, validation.count); // 100 20
 * ```
 */
export function drawnDigits(options: DrawnDigitsOptions): ImageSet {
  const { count, first = 0, seed = 0 } = options;
  for (
    const [name, value, least] of [
      ["count", count, 1],
      ["first", first, 0],
      ["seed", seed, 0],
    ] as const
  ) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new RangeError(
      `drawnDigits: ${name} ${value}: expected an integer of at least ${least}`,
    );
  }
  const size = drawnDigitSide ** 2;
  const pixels = new Uint8Array(count * size);
  const labels = new Int32Array(count);
  for (let image = 0; image < count; image++) {
    const digit = drawnDigit(first + image, seed);
    labels[image] = digit.label;
    pixels.set(digit.pixels, image * size);
  }
  return {
    name: "drawn digits",
    count,
    channels: 1,
    height: drawnDigitSide,
    width: drawnDigitSide,
    pixels,
    labels,
    classes: Array.from({ length: 10 }, (_, label) => String(label)),
  };
}
