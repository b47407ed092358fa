/**
 * Values as the host holds them, and as the GPU does.
 *
 * @module
 */

import { type Dtype, type TypedArray, typedArray } from "../dtype.ts";

/** Nearest number of 16 bits, halves to even, as its bits. */
export function halfBits(value: number): number {
  float[0] = value;
  const bits = word[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // beyond the largest
  if (magnitude < 0x38800000) {
    // Subnormal: multiples of 2⁻²⁴; adding 0.5 rounds to them in f32.
    float[0] = Math.abs(value);
    float[0] += 0.5;
    return sign | (word[0] - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** The number that 16 bits stand for. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/**
 * Bytes for a buffer of `dtype`, a multiple of 4: an odd number of halves gets
 * another one, 0.
 */
export function toDevice(
  values: TypedArray,
  dtype: Dtype,
): Uint8Array<ArrayBuffer> {
  if (dtype === "f16") {
    const stored = new Uint16Array(values.length + values.length % 2);
    values.forEach((value, i) => stored[i] = halfBits(value));
    return new Uint8Array(stored.buffer);
  }
  const stored = dtype === "bool"
    ? Uint32Array.from(values)
    : dtype === "i32"
    ? Int32Array.from(values)
    : Float32Array.from(values);
  return new Uint8Array(stored.buffer);
}

/** Values out of the bytes of a buffer of `dtype`. */
export function fromDevice(
  bytes: ArrayBuffer,
  dtype: Dtype,
  first: number,
  length: number,
): TypedArray {
  const result = typedArray(dtype, length);
  if (dtype === "f16") {
    const halves = new Uint16Array(bytes, first * 2, length);
    for (let i = 0; i < length; i++) result[i] = halfValue(halves[i]);
  } else {
    const View = dtype === "i32"
      ? Int32Array
      : dtype === "bool"
      ? Uint32Array
      : Float32Array;
    result.set(new View(bytes, first * 4, length));
  }
  return result;
}
