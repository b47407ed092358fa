/**
 * Decodes PNG images (Portable Network Graphics, third edition, W3C 2025): all
 * kinds of colour and depth, without interlacing.
 *
 * @module
 */

import { CorpusError } from "./corpus_error.ts";
import { decompress } from "./gzip.ts";
import type { Picture } from "./picture.ts";
import { paletteColours, sampleColours } from "./png_colours.ts";
import { unfilter } from "./png_filter.ts";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Samples of a pixel and the depths allowed, by IHDR's type of colour. */
const colourTypes: Readonly<
  Record<number, { samples: number; depths: readonly number[] }>
> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

const palette = 3;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  /** Samples of a pixel. */
  readonly samples: number;
}

/**
 * The pixels of a PNG image, 8 bits a value: of 16 bits the upper 8 are taken.
 * What is transparent shows white through. Grey images, also those whose
 * palette is grey, have one channel.
 *
 * @param name How errors call it.
 * @throws {CorpusError} If the bytes aren't a PNG image, are damaged, or hold
 * an interlaced one.
 */
export async function parsePng(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
): Promise<Picture> {
  if (signature.some((byte, place) => bytes[place] !== byte)) {
    throw new CorpusError(`${name}: not a PNG image: its signature is missing`);
  }
  const chunks = readChunks(bytes, name);
  const header = parseHeader(chunks, name);
  const packed = await decompress(concatenate(chunks.IDAT), "deflate", name);
  const { width, height, depth, samples } = header;
  const rowBytes = Math.ceil(width * samples * depth / 8);
  if (packed.length !== height * (1 + rowBytes)) {
    throw new CorpusError(
      `${name}: ${packed.length} bytes of pixels; expected ${height} rows of ` +
        `${1 + rowBytes}`,
    );
  }
  const rows = unfilter(packed, rowBytes, Math.ceil(samples * depth / 8), name);
  return toPicture(header, unpack(rows, header), chunks, name);
}

/** The bytes of chunks that matter here. */
interface Chunks {
  IHDR?: Uint8Array;
  PLTE?: Uint8Array;
  tRNS?: Uint8Array;
  readonly IDAT: Uint8Array[];
}

function readChunks(bytes: Uint8Array, name: string): Chunks {
  const chunks: Chunks = { IDAT: [] };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let start = signature.length;
  for (;;) {
    const length = start + 8 > bytes.length ? NaN : view.getUint32(start);
    const end = start + 8 + length;
    if (!(end + 4 <= bytes.length)) {
      throw new CorpusError(
        `${name}: the PNG image is cut off: ${bytes.length} bytes and no end`,
      );
    }
    const type = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
    if (
      cyclicRedundancy(bytes.subarray(start + 4, end)) !== view.getUint32(end)
    ) {
      throw new CorpusError(
        `${name}: damaged: the checksum of ${type} at byte ${start} is wrong`,
      );
    }
    const data = bytes.subarray(start + 8, end);
    if (type === "IEND") return chunks;
    if (type === "IDAT") chunks.IDAT.push(data);
    else if (type === "IHDR" || type === "PLTE" || type === "tRNS") {
      chunks[type] = data;
    }
    start = end + 4;
  }
}

function parseHeader({ IHDR, PLTE }: Chunks, name: string): Header {
  if (IHDR?.length !== 13) {
    throw new CorpusError(`${name}: the PNG image has no header`);
  }
  const view = new DataView(IHDR.buffer, IHDR.byteOffset, IHDR.length);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colour, , , interlace] = IHDR.subarray(8);
  const type = colourTypes[colour];
  if (width === 0 || height === 0 || !type?.depths.includes(depth)) {
    throw new CorpusError(
      `${name}: its header says ${width} × ${height}, colour ${colour}, ` +
        `${depth} bits; expected a kind of PNG image that there is`,
    );
  }
  if (interlace !== 0) {
    throw new CorpusError(
      `${name}: an interlaced PNG image; save it without interlacing`,
    );
  }
  if (colour === palette && PLTE === undefined) {
    throw new CorpusError(`${name}: the PNG image lacks its palette`);
  }
  return { width, height, depth, colour, samples: type.samples };
}

/** Samples of less than 8 bits in a byte each; of 16 bits the upper byte. */
function unpack(
  rows: Uint8Array,
  { width, height, depth, samples }: Header,
): Uint8Array {
  if (depth === 8) return rows;
  const count = width * samples;
  const rowBytes = rows.length / height;
  const values = new Uint8Array(height * count);
  for (let row = 0; row < height; row++) {
    for (let sample = 0; sample < count; sample++) {
      const bit = sample * depth;
      const byte = rows[row * rowBytes + (bit >> 3)];
      values[row * count + sample] = depth === 16
        ? byte
        : (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
    }
  }
  return values;
}

/** Colours with white behind them, channel after channel. */
function toPicture(
  header: Header,
  samples: Uint8Array,
  { PLTE, tRNS }: Chunks,
  name: string,
): Picture {
  const { width, height, colour, depth } = header;
  const size = width * height;
  const values = colour === palette
    ? paletteColours(samples, PLTE!, tRNS, name)
    : sampleColours(samples, header.samples, depth, tRNS);
  const pixels = new Uint8Array(3 * size);
  let grey = true;
  for (let pixel = 0; pixel < size; pixel++) {
    const alpha = values[4 * pixel + 3] / 255;
    for (let channel = 0; channel < 3; channel++) {
      const value = values[4 * pixel + channel];
      grey &&= value === values[4 * pixel];
      pixels[channel * size + pixel] = Math.round(255 - (255 - value) * alpha);
    }
  }
  return grey
    ? { channels: 1, height, width, pixels: pixels.slice(0, size) }
    : { channels: 3, height, width, pixels };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(length);
  let done = 0;
  for (const part of parts) {
    whole.set(part, done);
    done += part.length;
  }
  return whole;
}

/** The remainders of all bytes, for `cyclicRedundancy`. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) {
    byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  }
  return byte;
});

/** CRC-32, as PNG and gzip have it. */
function cyclicRedundancy(bytes: Uint8Array): number {
  let state = 0xffffffff;
  for (const byte of bytes) {
    state = remainders[(state ^ byte) & 255] ^ (state >>> 8);
  }
  return (state ^ 0xffffffff) >>> 0;
}
