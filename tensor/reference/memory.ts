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
  /** Whose it is. */
  readonly owner: BufferOwner;
}

/** A device that has buffers. */
export interface BufferOwner {
  /** Once it is, its buffers can't be used. */
  closed: boolean;
}

/** @throws {Error} If the device was closed. */
function checkOpen(owner: BufferOwner): void {
  if (owner.closed) throw new Error("reference device: the device was closed");
}

/**
 * Fresh memory, all bits set: NaN to whoever reads what nobody wrote.
 *
 * @throws {RangeError} If `bytes` is no integer ≥ 0.
 * @throws {Error} If the device was closed.
 */
export function allocateBuffer(
  bytes: number,
  owner: BufferOwner,
): ReferenceBuffer {
  checkOpen(owner);
  if (!Number.isInteger(bytes) || bytes < 0) {
    throw new RangeError(`allocate: bytes is ${bytes}, not an integer ≥ 0`);
  }
  const values = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
  new Uint8Array(values).fill(0xff);
  return { bytes, values, owner };
}

/**
 * A whole buffer as elements of `dtype`.
 *
 * @throws {TypeError} If it is no buffer of a reference device, or was freed.
 * @throws {Error} If its device was closed.
 */
export function elementsOf(buffer: DeviceBuffer, dtype: Dtype): TypedArray {
  const { values, owner } = buffer as ReferenceBuffer;
  if (!(values instanceof ArrayBuffer)) {
    throw new TypeError(
      `reference device: a buffer of ${buffer.bytes} bytes belongs to another ` +
        `device; copy its values to this one`,
    );
  }
  checkOpen(owner);
  switch (dtype) {
    case "f16":
      throw new TypeError("reference device: there is no f16 here");
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
