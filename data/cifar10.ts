import { CorpusError } from "./corpus_error.ts";
import { readFile } from "./file_access.ts";
import type { ImageSet } from "./image_set.ts";

const side = 32;
const channels = 3;
const imageBytes = channels * side * side;
const recordBytes = 1 + imageBytes;

/** The classes of CIFAR-10 in the order of their labels. */
export const cifar10Classes: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

/**
 * A file of CIFAR-10's binary version (Krizhevsky 2009): records of a label and
 * 32 × 32 red, green and blue bytes.
 *
 * @param name How errors call the file.
 * @throws {CorpusError} If the bytes aren't whole records, or a label isn't one.
 */
export function parseCifar10(bytes: Uint8Array, name: string): ImageSet {
  if (bytes.length === 0 || bytes.length % recordBytes !== 0) {
    throw new CorpusError(
      `${name}: ${bytes.length} bytes; expected records of ${recordBytes} ` +
        `bytes each: a label and 32 × 32 pixels of 3 colours`,
    );
  }
  const count = bytes.length / recordBytes;
  const pixels = new Uint8Array(count * imageBytes);
  const labels = new Int32Array(count);
  for (let image = 0; image < count; image++) {
    const start = image * recordBytes;
    const label = bytes[start];
    if (label >= cifar10Classes.length) {
      throw new CorpusError(
        `${name}: image ${image} has the label ${label}; expected 0 … 9`,
      );
    }
    labels[image] = label;
    pixels.set(
      bytes.subarray(start + 1, start + recordBytes),
      image * imageBytes,
    );
  }
  const size = { channels, height: side, width: side };
  return { name, count, ...size, pixels, labels, classes: cifar10Classes };
}

/**
 * Reads a file of CIFAR-10's binary version.
 *
 * @throws {CorpusError} If it can't be read or isn't what it should be.
 */
export async function readCifar10(path: string): Promise<ImageSet> {
  return parseCifar10(await readFile(path), path);
}
