import { CorpusError } from "./corpus_error.ts";

/** Red, green, blue and alpha of pixels that are entries of a palette. */
export function paletteColours(
  entries: Uint8Array,
  PLTE: Uint8Array,
  tRNS: Uint8Array | undefined,
  name: string,
): Uint8Array {
  const values = new Uint8Array(4 * entries.length);
  entries.forEach((entry, pixel) => {
    if (3 * entry >= PLTE.length) {
      throw new CorpusError(
        `${name}: pixel ${pixel} is colour ${entry} of a palette of ` +
          `${PLTE.length / 3}`,
      );
    }
    for (let channel = 0; channel < 3; channel++) {
      values[4 * pixel + channel] = PLTE[3 * entry + channel];
    }
    values[4 * pixel + 3] = tRNS?.[entry] ?? 255;
  });
  return values;
}

/**
 * Red, green, blue and alpha of pixels that are samples themselves.
 *
 * @param stride Samples of a pixel: grey, grey and alpha, three colours, or
 * these and alpha.
 */
export function sampleColours(
  samples: Uint8Array,
  stride: number,
  depth: number,
  tRNS: Uint8Array | undefined,
): Uint8Array {
  const count = samples.length / stride;
  const values = new Uint8Array(4 * count);
  const scale = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  const isGrey = stride < 3;
  const hasAlpha = stride % 2 === 0;
  // The colour that is clear has 16 bits a sample, whatever the depth.
  const clear = tRNS &&
    Array.from(
      { length: tRNS.length >> 1 },
      (_, sample) => tRNS[2 * sample + (depth === 16 ? 0 : 1)],
    );
  for (let pixel = 0; pixel < count; pixel++) {
    const start = pixel * stride;
    for (let channel = 0; channel < 3; channel++) {
      const sample = isGrey ? 0 : channel;
      values[4 * pixel + channel] = samples[start + sample] * scale;
    }
    const isClear = clear?.every((value, sample) =>
      value === samples[start + sample]
    );
    values[4 * pixel + 3] = hasAlpha
      ? samples[start + stride - 1]
      : isClear
      ? 0
      : 255;
  }
  return values;
}
