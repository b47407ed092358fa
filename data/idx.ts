import { CorpusError } from "./corpus_error.ts";
import { readPossiblyGzipped } from "./gzip.ts";
import type { ImageSet } from "./image_set.ts";

/** An array of bytes as an IDX file holds it. */
export interface IdxArray {
  /** The length of each axis. */
  readonly shape: readonly number[];
  /** The numbers in rows. */
  readonly data: Uint8Array;
}

const unsignedByte = 0x08;

/**
 * An IDX file of unsigned bytes (LeCun, "The MNIST database"): two zero bytes,
 * the type, the number of axes, their lengths as big-endian 32-bit integers,
 * then the numbers.
 *
 * @param name How errors call the file.
 * @throws {CorpusError} If the bytes aren't such a file, or fewer or more than
 * its header says.
 */
export function parseIdx(bytes: Uint8Array, name: string): IdxArray {
  const [zero, alsoZero, type, rank] = bytes;
  if (bytes.length < 4 || zero !== 0 || alsoZero !== 0 || rank === 0) {
    const start = [...bytes.subarray(0, 4)]
      .map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new CorpusError(
      `${name}: not an IDX file: it begins with "${start}"; expected ` +
        `"00 00 08" and the number of axes`,
    );
  }
  if (type !== unsignedByte) {
    throw new CorpusError(
      `${name}: an IDX file of type 0x${type.toString(16).padStart(2, "0")}; ` +
        `expected 0x08, unsigned bytes`,
    );
  }
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    throw new CorpusError(
      `${name}: ends within its header of ${start} bytes: it has ` +
        `${bytes.length}`,
    );
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, start);
  const shape = Array.from(
    { length: rank },
    (_, axis) => header.getUint32(4 + 4 * axis),
  );
  const size = shape.reduce((product, length) => product * length, 1);
  if (bytes.length !== start + size) {
    throw new CorpusError(
      `${name}: ${bytes.length - start} bytes after the header; expected ` +
        `${shape.join(" × ")} = ${size}`,
    );
  }
  return { shape, data: bytes.subarray(start) };
}

/**
 * Images and labels in IDX files, compressed by gzip or not, as MNIST and
 * Fashion-MNIST have them. The classes are called by their numbers.
 *
 * @throws {CorpusError} If a file can't be read or isn't what it should be, or
 * if there aren't as many labels as images.
 */
export async function readIdxImages(
  imagesPath: string,
  labelsPath: string,
): Promise<ImageSet> {
  const images = await readIdx(imagesPath, 3, "images, rows, columns");
  const labels = await readIdx(labelsPath, 1, "labels");
  const [count, height, width] = images.shape;
  if (labels.data.length !== count) {
    throw new CorpusError(
      `${labelsPath}: ${labels.data.length} labels for the ${count} images ` +
        `of ${imagesPath}; expected as many`,
    );
  }
  if (images.data.length === 0) {
    throw new CorpusError(`${imagesPath}: holds no images`);
  }
  const largest = labels.data.reduce((a, b) => Math.max(a, b));
  return {
    name: imagesPath,
    count,
    channels: 1,
    height,
    width,
    pixels: images.data,
    labels: Int32Array.from(labels.data),
    classes: Array.from({ length: largest + 1 }, (_, label) => String(label)),
  };
}

async function readIdx(
  path: string,
  rank: number,
  axes: string,
): Promise<IdxArray> {
  const array = parseIdx(await readPossiblyGzipped(path), path);
  if (array.shape.length === rank) return array;
  throw new CorpusError(
    `${path}: an IDX file of ${array.shape.length} axes; expected ${rank}: ` +
      axes,
  );
}

/** An IDX file of images and where its labels should be. */
export interface IdxFiles {
  /** Path of the images. */
  readonly images: string;
  /** Path of the labels. */
  readonly labels: string;
}

/**
 * Pairs of IDX files among those of a folder, found by their names: `images`
 * and `idx3` stand where `labels` and `idx1` do, with `.gz` or without. Of a
 * file that is there with and without `.gz` the one without is taken.
 *
 * @throws {CorpusError} If images have no labels.
 */
export function findIdxFiles(paths: readonly string[]): IdxFiles[] {
  const present = new Set(paths);
  const alternatives = (path: string) => [path, `${path}.gz`];
  const plain = new Set(
    paths.filter(isIdxImages).map((path) => path.replace(/\.gz$/, "")),
  );
  return [...plain].map((path) => {
    const images = alternatives(path).find((path) => present.has(path))!;
    const expected = labelsName(path);
    const labels = alternatives(expected).find((path) => present.has(path));
    if (labels !== undefined) return { images, labels };
    throw new CorpusError(
      `${images}: there are no labels beside it; expected ${expected} or ` +
        `${expected}.gz`,
    );
  });
}

/** Whether a file is called as IDX images are. */
function isIdxImages(path: string): boolean {
  return /images[^/]*(idx3|ubyte|\.idx)[^/]*$/.test(path);
}

/** What the file of the labels is called, from that of the images. */
export function labelsName(images: string): string {
  const slash = images.lastIndexOf("/") + 1;
  return images.slice(0, slash) +
    images.slice(slash).replace("images", "labels").replace("idx3", "idx1");
}
