import { checkRange, type TokenSource } from "./token_source.ts";

/** How many bytes a token takes in a file: 1, 2 or 4, little endian. */
export type BytesPerToken = 1 | 2 | 4;

/** The fewest bytes that hold every id of a vocabulary. */
export function bytesPerToken(vocabularySize: number): BytesPerToken {
  if (vocabularySize <= 2 ** 8) return 1;
  return vocabularySize <= 2 ** 16 ? 2 : 4;
}

/** Ids as they are written to a file. */
export function packTokens(
  ids: Int32Array,
  width: BytesPerToken,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ids.length * width);
  for (let i = 0, at = 0; i < ids.length; i++) {
    for (let shift = 0; shift < 8 * width; shift += 8) {
      bytes[at++] = ids[i] >>> shift;
    }
  }
  return bytes;
}

function unpackTokens(
  bytes: Uint8Array,
  width: BytesPerToken,
  target: Int32Array,
): void {
  for (let i = 0, at = 0; i < target.length; i++) {
    let id = 0;
    for (let shift = 0; shift < 8 * width; shift += 8) {
      id |= bytes[at++] << shift;
    }
    target[i] = id;
  }
}

/** A file with tokens in it and nothing else. */
export interface TokenFile {
  /** Where it is. */
  readonly path: string;
  /** Its size. */
  readonly byteLength: number;
}

/**
 * The tokens in files, one after the other, read by position. One file at a
 * time is open; memory doesn't depend on their size.
 */
export class FileTokens implements TokenSource, Disposable {
  /** The number of tokens. */
  readonly length: number;
  readonly #files: readonly TokenFile[];
  readonly #width: BytesPerToken;
  /** The position in bytes at which each file starts, and the end. */
  readonly #starts: readonly number[];
  #open: { index: number; file: Deno.FsFile } | undefined;

  /** The tokens of files that hold whole tokens of a given width. */
  constructor(files: readonly TokenFile[], width: BytesPerToken) {
    const starts = [0];
    for (const { byteLength } of files) {
      starts.push(starts[starts.length - 1] + byteLength);
    }
    this.length = starts[files.length] / width;
    this.#files = files;
    this.#width = width;
    this.#starts = starts;
  }

  /** See {@linkcode TokenSource}. */
  read(position: number, target: Int32Array): void {
    checkRange(this.length, position, target.length);
    const bytes = new Uint8Array(target.length * this.#width);
    this.#readBytes(position * this.#width, bytes);
    unpackTokens(bytes, this.#width, target);
  }

  /** Closes the file that is open. */
  [Symbol.dispose](): void {
    this.#open?.file.close();
    this.#open = undefined;
  }

  #readBytes(position: number, target: Uint8Array): void {
    let index = this.#indexAt(position);
    let filled = 0;
    while (filled < target.length) {
      const file = this.#fileAt(index);
      const start = position + filled - this.#starts[index];
      const size = this.#files[index].byteLength;
      const end = Math.min(target.length, filled + size - start);
      file.seekSync(start, Deno.SeekMode.Start);
      while (filled < end) {
        const read = file.readSync(target.subarray(filled, end));
        if (read === null) throw shortened(this.#files[index]);
        filled += read;
      }
      index++;
    }
  }

  /** The file that holds the byte at a position. */
  #indexAt(position: number): number {
    let low = 0;
    let high = this.#files.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #fileAt(index: number): Deno.FsFile {
    if (this.#open?.index === index) return this.#open.file;
    this.#open?.file.close();
    const file = Deno.openSync(this.#files[index].path);
    this.#open = { index, file };
    return file;
  }
}

function shortened({ path, byteLength }: TokenFile): Error {
  return new Error(
    `${path}: was ${byteLength} bytes long when it was opened, and is shorter now: start again`,
  );
}
