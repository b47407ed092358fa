/**
 * The safetensors format: named arrays in one file, as Hugging Face stores
 * weights. A little-endian 64-bit header length, a JSON header, then raw
 * row-major data.
 *
 * @example
 * ```ts
 * import { readSafetensors, writeSafetensors } from "@layerbraid/layerbraid/models";
 *
 * const bytes = writeSafetensors({
 *   x: { dtype: "f32", shape: [2], values: new Float32Array([1, 2]) },
 * });
 * console.log(readSafetensors(bytes).arrays.x.values); // Float32Array [ 1, 2 ]
 * ```
 *
 * @module
 */

import type { Dtype, TypedArray } from "../tensor/internal.ts";

/** An array on the host, with its shape. */
export interface HostArray {
  /** Element type. */
  readonly dtype: Dtype;
  /** Extents of the axes. */
  readonly shape: readonly number[];
  /** Elements in row-major order. */
  readonly values: TypedArray;
}

/** What a file holds. */
export interface Safetensors {
  /** Arrays by name, in the order of the header. */
  readonly arrays: Readonly<Record<string, HostArray>>;
  /** The header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const names: Readonly<Record<Dtype, string>> = {
  f16: "F32",
  f32: "F32",
  f64: "F64",
  i32: "I32",
  bool: "BOOL",
};

type Decoder = (bytes: Uint8Array<ArrayBuffer>) => TypedArray;

/** Formats that are read; half precision and 64-bit integers are converted. */
const decoders: Readonly<
  Record<string, [dtype: Dtype, size: number, Decoder]>
> = {
  F64: ["f64", 8, (b) => new Float64Array(b.buffer)],
  F32: ["f32", 4, (b) => new Float32Array(b.buffer)],
  F16: [
    "f32",
    2,
    (b) => Float32Array.from(new Uint16Array(b.buffer), halfToFloat),
  ],
  BF16: [
    "f32",
    2,
    (b) =>
      new Float32Array(
        Uint32Array.from(new Uint16Array(b.buffer), (x) => x << 16).buffer,
      ),
  ],
  I64: [
    "i32",
    8,
    (b) => Int32Array.from(new BigInt64Array(b.buffer), (x) => Number(x)),
  ],
  I32: ["i32", 4, (b) => new Int32Array(b.buffer)],
  BOOL: ["bool", 1, (b) => b],
};

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Reads a safetensors file. F16 and BF16 become f32, I64 becomes i32.
 *
 * @throws {SyntaxError} If the bytes are no safetensors file, or hold a dtype
 *   that isn't read; the message names what is wrong.
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const fail = (reason: string): never => {
    throw new SyntaxError(`safetensors: ${reason}`);
  };
  if (bytes.length < 8) fail(`${bytes.length} bytes are too few for a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > bytes.length - 8) {
    fail(
      `a header of ${length} bytes doesn't fit into ${bytes.length}; the file ` +
        `is cut off, or of another format`,
    );
  }
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError("safetensors: the header is no JSON", {
      cause: error,
    });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    return fail("the header is no JSON object");
  }
  const { __metadata__: metadata = {}, ...entries } = header as
    & Readonly<Record<string, unknown>>
    & { readonly __metadata__?: Readonly<Record<string, string>> };
  const arrays: Record<string, HostArray> = {};
  for (const [name, entry] of Object.entries(entries)) {
    if (!isHeaderEntry(entry)) {
      return fail(
        `the header says of "${name}" ${
          JSON.stringify(entry)
        }, which lacks a ` +
          `dtype, a shape or two data_offsets`,
      );
    }
    const { dtype, shape, data_offsets } = entry;
    const decoder = decoders[dtype];
    if (decoder === undefined) {
      return fail(
        `"${name}" is ${dtype}; ${Object.keys(decoders).join(", ")} are read`,
      );
    }
    const [target, size, decode] = decoder;
    const [start, end] = data_offsets;
    const count = shape.reduce((product, extent) => product * extent, 1);
    if (end - start !== count * size) {
      fail(
        `"${name}" of shape [${shape.join(", ")}] ${dtype} needs ` +
          `${count * size} bytes; its range ${start} … ${end} doesn't fit`,
      );
    }
    if (8 + length + end > bytes.length) {
      fail(
        `"${name}" ends at byte ${8 + length + end} of a file of ` +
          `${bytes.length}; the file is cut off: copy or download it again`,
      );
    }
    const raw = bytes.slice(8 + length + start, 8 + length + end);
    arrays[name] = { dtype: target, shape, values: decode(raw) };
  }
  return { arrays, metadata };
}

function isHeaderEntry(entry: unknown): entry is HeaderEntry {
  const { dtype, shape, data_offsets } = Object(entry) as Partial<HeaderEntry>;
  const areExtents = (x: unknown): x is number[] =>
    Array.isArray(x) && x.every((n) => Number.isSafeInteger(n) && n >= 0);
  return typeof dtype === "string" && areExtents(shape) &&
    areExtents(data_offsets) && data_offsets.length === 2;
}

/** Writes arrays as a safetensors file, wider elements first. */
export function writeSafetensors(
  arrays: Readonly<Record<string, HostArray>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(arrays).sort(([, a], [, b]) =>
    b.values.BYTES_PER_ELEMENT - a.values.BYTES_PER_ELEMENT
  );
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let size = 0;
  for (const [name, { dtype, shape, values }] of entries) {
    header[name] = {
      dtype: names[dtype],
      shape,
      data_offsets: [size, size + values.byteLength],
    };
    size += values.byteLength;
  }
  let text = JSON.stringify(header);
  const encoder = new TextEncoder();
  text += " ".repeat((8 - encoder.encode(text).length % 8) % 8);
  const head = encoder.encode(text);
  const bytes = new Uint8Array(8 + head.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  let at = 8 + head.length;
  for (const [, { values }] of entries) {
    bytes.set(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      at,
    );
    at += values.byteLength;
  }
  return bytes;
}
