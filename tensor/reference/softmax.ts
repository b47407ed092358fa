/**
 * Softmax and cross entropy of rows.
 *
 * @module
 */

import type { CrossEntropyArguments, View } from "../backend.ts";
import type { TypedArray } from "../dtype.ts";
import { contiguousValues } from "./memory.ts";
import { sumOf } from "./scalar_functions.ts";

/** The rows of a contiguous view, as windows on it. */
function rowsOf(view: View): TypedArray[] {
  const [rows, width] = view.shape;
  const values = contiguousValues(view);
  return Array.from(
    { length: rows },
    (_, row) => values.subarray(row * width, (row + 1) * width),
  );
}

function largestOf(row: TypedArray): number {
  let largest = -Infinity;
  for (const x of row) largest = Math.max(largest, x);
  return largest;
}

/** See `Kernels.softmax`. */
export function softmax(x: View, out: View): void {
  const results = rowsOf(out);
  for (const [n, row] of rowsOf(x).entries()) {
    const largest = largestOf(row);
    const sum = sumOf(row.length, (i) => Math.exp(row[i] - largest));
    for (let i = 0; i < row.length; i++) {
      results[n][i] = Math.exp(row[i] - largest) / sum;
    }
  }
}

/** See `Kernels.softmaxBackward`. */
export function softmaxBackward(y: View, dy: View, dx: View): void {
  const [gradients, results] = [rowsOf(dy), rowsOf(dx)];
  for (const [n, row] of rowsOf(y).entries()) {
    const gradient = gradients[n];
    const mean = sumOf(row.length, (i) => row[i] * gradient[i]);
    for (let i = 0; i < row.length; i++) {
      results[n][i] = row[i] * (gradient[i] - mean);
    }
  }
}

function checkLabel(
  label: number,
  row: number,
  classes: number,
  ignoreIndex: number,
): void {
  if (label === ignoreIndex || (label >= 0 && label < classes)) return;
  throw new RangeError(
    `crossEntropy: label ${label} of row ${row} is outside ` +
      `0 … ${classes - 1} (ignoreIndex ${ignoreIndex})`,
  );
}

/** See `Kernels.crossEntropy`. */
export function crossEntropy(
  args: CrossEntropyArguments,
  loss: View,
  logSumExp: View,
): void {
  const { ignoreIndex, labelSmoothing } = args;
  const labels = contiguousValues(args.labels);
  const losses = contiguousValues(loss);
  const logSums = contiguousValues(logSumExp);
  for (const [n, row] of rowsOf(args.logits).entries()) {
    const label = labels[n];
    const classes = row.length;
    checkLabel(label, n, classes, ignoreIndex);
    const largest = largestOf(row);
    const logSum = Math.log(sumOf(classes, (i) => Math.exp(row[i] - largest)));
    logSums[n] = largest + logSum;
    // Taken relative to the largest logit, which cancels, and each part only
    // where it has a weight, since an infinite logit times 0 is NaN.
    let target = 0;
    if (labelSmoothing < 1) {
      target += (1 - labelSmoothing) * (row[label] - largest);
    }
    if (labelSmoothing > 0) {
      target += labelSmoothing / classes *
        sumOf(classes, (i) => row[i] - largest);
    }
    losses[n] = label === ignoreIndex ? 0 : logSum - target;
  }
}

/** See `Kernels.crossEntropyBackward`. */
export function crossEntropyBackward(
  args: CrossEntropyArguments,
  logSumExp: View,
  dloss: View,
  dlogits: View,
): void {
  const { ignoreIndex, labelSmoothing } = args;
  const labels = contiguousValues(args.labels);
  const logSums = contiguousValues(logSumExp);
  const gradients = contiguousValues(dloss);
  const results = rowsOf(dlogits);
  for (const [n, row] of rowsOf(args.logits).entries()) {
    const label = labels[n];
    for (let i = 0; i < row.length; i++) {
      const target = labelSmoothing / row.length +
        (i === label ? 1 - labelSmoothing : 0);
      results[n][i] = label === ignoreIndex
        ? 0
        : gradients[n] * (Math.exp(row[i] - logSums[n]) - target);
    }
  }
}
