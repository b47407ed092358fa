/**
 * Running sums and largest elements along one axis. NaN counts as largest, as
 * in PyTorch.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { contiguousValues } from "./memory.ts";

/** See `Kernels.cumsum`. */
export function cumsum(x: View, out: View, reverse: boolean): void {
  const [outer, n, inner] = x.shape;
  const [values, result] = [contiguousValues(x), contiguousValues(out)];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let sum = 0;
      for (let step = 0; step < n; step++) {
        const j = reverse ? n - 1 - step : step;
        const position = (o * n + j) * inner + i;
        sum += values[position];
        result[position] = sum;
      }
    }
  }
}

/** Whether a comes before b among the largest; equal numbers, NaNs too, don't. */
function isLarger(a: number, b: number): boolean {
  return a > b || (Number.isNaN(a) && !Number.isNaN(b));
}

/** See `Kernels.argmax`. */
export function argmax(x: View, out: View): void {
  const [outer, n, inner] = x.shape;
  const [values, result] = [contiguousValues(x), contiguousValues(out)];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (j: number): number => values[(o * n + j) * inner + i];
      let best = 0;
      for (let j = 1; j < n; j++) {
        if (isLarger(at(j), at(best))) best = j;
      }
      result[o * inner + i] = best;
    }
  }
}

/** See `Kernels.topk`. */
export function topk(x: View, values: View, indices: View): void {
  const [rows, n] = x.shape;
  const k = values.shape[1];
  const source = contiguousValues(x);
  const [best, places] = [contiguousValues(values), contiguousValues(indices)];
  for (let row = 0; row < rows; row++) {
    const order = Array.from({ length: n }, (_, i) => i);
    const at = (i: number): number => source[row * n + i];
    order.sort((a, b) =>
      Number(isLarger(at(b), at(a))) - Number(isLarger(at(a), at(b))) || a - b
    );
    for (let j = 0; j < k; j++) {
      best[row * k + j] = at(order[j]);
      places[row * k + j] = order[j];
    }
  }
}
