/**
 * Errors about indices: kernels only tell that there is one, the message is
 * made here by looking for it.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { sizeOf } from "../shape.ts";
import type { Runtime } from "./runtime.ts";

/** The elements of an i32 view in row-major order. */
export function valuesOf(runtime: Runtime, view: View): Int32Array {
  const { shape, strides } = view;
  let [lowest, highest] = [0, 0];
  for (const [axis, extent] of shape.entries()) {
    const reach = (extent - 1) * strides[axis];
    if (reach < 0) lowest += reach;
    else highest += reach;
  }
  const source = new Int32Array(
    runtime.memory.buffer,
    runtime.address(view) + 4 * lowest,
    highest - lowest + 1,
  );
  return Int32Array.from({ length: sizeOf(shape) }, (_, i) => {
    let [rest, position] = [i, -lowest];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return source[position];
  });
}

/** The error for the first index outside 0 … extent − 1. */
export function indexError(
  runtime: Runtime,
  operation: string,
  index: View,
  extent: number,
): RangeError {
  const values = valuesOf(runtime, index);
  const position = values.findIndex((i) => i < 0 || i >= extent);
  return new RangeError(
    `${operation}: index ${values[position]} at position ${position} ` +
      `is outside 0 … ${extent - 1}`,
  );
}
