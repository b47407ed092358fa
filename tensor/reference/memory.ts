/**
 * Memory of the reference device: array buffers and positions in them.
 *
 * @module
 */

import type { DeviceBuffer, View } from "../backend.ts";
import type { Dtype, TypedArray } from "../dtype.ts";
import { type Shape, sizeOf } from "../shape.ts";

/** A device buffer that is an array buffer; detached once it is freed. */
export interface ReferenceBuffer extends DeviceBuffer {
  /** The memory, a multiple of 8 bytes so that every dtype can view it. */
  readonly values: ArrayBuffer;
}

/** Fresh memory, all bits set: NaN to whoever reads what nobody wrote. */
export function allocateBuffer(bytes: number): ReferenceBuffer {
  const values = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
  new Uint8Array(values).fill(0xff);
  return { bytes, values };
}

/** A whole buffer as elements of `dtype`. */
export function elementsOf(buffer: DeviceBuffer, dtype: Dtype): TypedArray {
  const { values } = buffer as ReferenceBuffer;
  switch (dtype) {
    case "f32":
      return new Float32Array(values);
    case "f64":
      return new Float64Array(values);
    case "i32":
      return new Int32Array(values);
    case "bool":
      return new Uint8Array(values);
  }
}

/** The whole buffer below a view, as elements of the view's dtype. */
export function valuesOf(view: View): TypedArray {
  return elementsOf(view.buffer, view.dtype);
}

/** The elements of a contiguous view, from its first on. */
export function contiguousValues(view: View): TypedArray {
  const start = view.offset;
  return valuesOf(view).subarray(start, start + sizeOf(view.shape));
}

/** Where the elements of a strided window lie, in row-major order. */
export function positionsOf(
  shape: Shape,
  strides: Shape,
  offset: number,
): Int32Array {
  const positions = new Int32Array(sizeOf(shape));
  const counter = new Array<number>(shape.length).fill(0);
  let position = offset;
  for (let i = 0; i < positions.length; i++) {
    positions[i] = position;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      counter[axis]++;
      position += strides[axis];
      if (counter[axis] < shape[axis]) break;
      position -= counter[axis] * strides[axis];
      counter[axis] = 0;
    }
  }
  return positions;
}

/** Where the elements of a view lie, in row-major order. */
export function viewPositions(view: View): Int32Array {
  return positionsOf(view.shape, view.strides, view.offset);
}
