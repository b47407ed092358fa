/**
 * How views lie in the memory of a GPU.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { Dtype } from "../dtype.ts";

/** Bytes of one element in a buffer of this device. */
export const gpuBytesPerElement: Readonly<Record<Dtype, number>> = {
  f16: 2,
  f32: 4,
  f64: 4,
  i32: 4,
  // WGSL has no bytes, and neighbours in one word could not be written apart.
  bool: 4,
};

/** The elements [from, to) that a view touches. */
export function touchedRange(
  { shape, strides, offset }: View,
): [from: number, to: number] {
  let [first, last] = [offset, offset];
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 0) return [offset, offset];
    const reach = (shape[axis] - 1) * strides[axis];
    if (reach < 0) first += reach;
    else last += reach;
  }
  return [first, last + 1];
}

/**
 * Whether four neighbours along the last axis can be accessed at once: offset
 * and outer strides are multiples of 4, so is the last extent, and the last
 * stride is 1.
 */
export function aligned4({ shape, strides, offset }: View): boolean {
  const last = shape.length - 1;
  if (last < 0 || offset % 4 !== 0) return false;
  if (strides[last] !== 1 || shape[last] % 4 !== 0) return false;
  for (let axis = 0; axis < last; axis++) {
    if (strides[axis] % 4 !== 0) return false;
  }
  return true;
}
