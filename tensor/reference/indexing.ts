/**
 * Selecting elements by index, and adding to them.
 *
 * @module
 */

import type { View } from "../backend.ts";
import {
  contiguousValues,
  positionsOf,
  valuesOf,
  viewPositions,
} from "./memory.ts";

function checkIndex(
  operation: string,
  index: number,
  position: number,
  extent: number,
): void {
  if (index >= 0 && index < extent) return;
  throw new RangeError(
    `${operation}: index ${index} at position ${position} is outside ` +
      `0 … ${extent - 1}`,
  );
}

/**
 * Calls `visit(selected, element)` for every element of `[outer, k, inner]` and
 * the element of `[outer, n, inner]` that it selects, in order of j < k.
 */
function forSelected(
  operation: string,
  [outer, n, inner]: readonly number[],
  index: View,
  visit: (selected: number, element: number) => void,
): void {
  const indices = contiguousValues(index);
  const k = indices.length;
  for (let j = 0; j < k; j++) checkIndex(operation, indices[j], j, n);
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < k; j++) {
      for (let i = 0; i < inner; i++) {
        visit((o * n + indices[j]) * inner + i, (o * k + j) * inner + i);
      }
    }
  }
}

/** See `Kernels.take`. */
export function take(x: View, index: View, out: View): void {
  const [values, result] = [contiguousValues(x), contiguousValues(out)];
  forSelected("take", x.shape, index, (selected, element) => {
    result[element] = values[selected];
  });
}

/** See `Kernels.takeBackward`. */
export function takeBackward(y: View, index: View, out: View): void {
  const [values, result] = [contiguousValues(y), contiguousValues(out)];
  forSelected("takeBackward", out.shape, index, (selected, element) => {
    result[selected] += values[element];
  });
}

/**
 * Positions in `view` of the elements that `index` selects along `axis`, in
 * row-major order of `index`.
 */
function gatheredPositions(
  operation: string,
  view: View,
  axis: number,
  index: View,
): Int32Array {
  const { shape, strides, offset } = view;
  const indices = valuesOf(index);
  const others = strides.map((stride, n) => n === axis ? 0 : stride);
  const positions = positionsOf(index.shape, others, offset);
  for (const [i, place] of viewPositions(index).entries()) {
    checkIndex(operation, indices[place], i, shape[axis]);
    positions[i] += indices[place] * strides[axis];
  }
  return positions;
}

/** See `Kernels.gather`. */
export function gather(x: View, axis: number, index: View, out: View): void {
  const [values, result] = [valuesOf(x), valuesOf(out)];
  const selected = gatheredPositions("gather", x, axis, index);
  for (const [i, place] of viewPositions(out).entries()) {
    result[place] = values[selected[i]];
  }
}

/** See `Kernels.gatherBackward`. */
export function gatherBackward(
  y: View,
  axis: number,
  index: View,
  out: View,
): void {
  const [values, result] = [valuesOf(y), valuesOf(out)];
  const selected = gatheredPositions("gatherBackward", out, axis, index);
  for (const [i, place] of viewPositions(y).entries()) {
    result[selected[i]] += values[place];
  }
}
