/**
 * Layer normalization (Ba, Kiros and Hinton, 2016) of groups of rows.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { contiguousValues, valuesOf } from "./memory.ts";
import { sumOf } from "./scalar_functions.ts";

/** Reads element i of a group's vector, or the default where there is none. */
function vectorReader(
  view: View | undefined,
  missing: number,
): (group: number, i: number) => number {
  if (view === undefined) return () => missing;
  const values = valuesOf(view);
  const { offset, strides } = view;
  return (group, i) => values[offset + group * strides[0] + i * strides[1]];
}

/** See `Kernels.layerNorm`. */
export function layerNorm(
  x: View,
  weight: View | undefined,
  bias: View | undefined,
  epsilon: number,
  out: View,
  mean: View,
  inverseDeviation: View,
): void {
  const [groups, rows, n] = x.shape;
  const [values, result] = [contiguousValues(x), contiguousValues(out)];
  const means = contiguousValues(mean);
  const inverses = contiguousValues(inverseDeviation);
  const [weightAt, biasAt] = [vectorReader(weight, 1), vectorReader(bias, 0)];
  for (let row = 0; row < groups * rows; row++) {
    const group = Math.floor(row / rows);
    const start = row * n;
    const center = sumOf(n, (i) => values[start + i]) / n;
    const variance = sumOf(n, (i) => (values[start + i] - center) ** 2) / n;
    const inverse = 1 / Math.sqrt(variance + epsilon);
    means[row] = center;
    inverses[row] = inverse;
    for (let i = 0; i < n; i++) {
      const normalized = (values[start + i] - center) * inverse;
      result[start + i] = normalized * weightAt(group, i) + biasAt(group, i);
    }
  }
}

/**
 * See `Kernels.layerNormBackward`. With x̂ = (x − mean) · inverseDeviation and
 * g = dy · weight, over each row of n:
 * dx = inverseDeviation · (g − Σ g / n − x̂ · Σ g x̂ / n).
 */
export function layerNormBackward(
  x: View,
  weight: View | undefined,
  mean: View,
  inverseDeviation: View,
  dy: View,
  dx: View,
  dweight: View | undefined,
  dbias: View | undefined,
): void {
  const [groups, rows, n] = x.shape;
  const [values, gradient] = [contiguousValues(x), contiguousValues(dy)];
  const means = contiguousValues(mean);
  const inverses = contiguousValues(inverseDeviation);
  const weightAt = vectorReader(weight, 1);
  const result = contiguousValues(dx);
  const normalized = (row: number, i: number): number =>
    (values[row * n + i] - means[row]) * inverses[row];
  for (let row = 0; row < groups * rows; row++) {
    const group = Math.floor(row / rows);
    const weighted = (i: number): number =>
      gradient[row * n + i] * weightAt(group, i);
    const first = sumOf(n, weighted) / n;
    const second = sumOf(n, (i) => weighted(i) * normalized(row, i)) / n;
    for (let i = 0; i < n; i++) {
      result[row * n + i] = inverses[row] *
        (weighted(i) - first - normalized(row, i) * second);
    }
  }
  if (dweight) {
    sumRows(
      dweight,
      rows,
      (row, i) => gradient[row * n + i] * normalized(row, i),
    );
  }
  if (dbias) sumRows(dbias, rows, (row, i) => gradient[row * n + i]);
}

/** out[group, i] = Σ term(row, i) over the rows of the group. */
function sumRows(
  out: View,
  rows: number,
  term: (row: number, i: number) => number,
): void {
  const [groups, n] = out.shape;
  const result = contiguousValues(out);
  for (let group = 0; group < groups; group++) {
    for (let i = 0; i < n; i++) {
      result[group * n + i] = sumOf(
        rows,
        (row) => term(group * rows + row, i),
      );
    }
  }
}
