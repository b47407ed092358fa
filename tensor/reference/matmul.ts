/**
 * Batched matrix products.
 *
 * @module
 */

import type { MatmulArguments, View } from "../backend.ts";
import { positionsOf, valuesOf } from "./memory.ts";

/** A function that reads element (row, column) of matrix `batch`. */
function matrixReader(
  view: View,
): (batch: number, row: number, column: number) => number {
  const values = valuesOf(view);
  const starts = matrixStarts(view);
  const [rowStride, columnStride] = view.strides.slice(-2);
  return (batch, row, column) =>
    values[starts[batch] + row * rowStride + column * columnStride];
}

/** Where the matrices of a batch begin. */
function matrixStarts({ shape, strides, offset }: View): Int32Array {
  return positionsOf(shape.slice(0, -2), strides.slice(0, -2), offset);
}

/** See `Kernels.matmul`. */
export function matmul(args: MatmulArguments): void {
  const { a, b, out, alpha } = args;
  const [aValues, bValues] = [valuesOf(a), valuesOf(b)];
  const [aStarts, bStarts] = [matrixStarts(a), matrixStarts(b)];
  const [aRow, aStep] = a.strides.slice(-2);
  const [bStep, bColumn] = b.strides.slice(-2);
  const bias = args.bias && matrixReader(args.bias);
  const residual = args.residual && matrixReader(args.residual);
  const result = valuesOf(out);
  const starts = matrixStarts(out);
  const [outRow, outColumn] = out.strides.slice(-2);
  const [rows, columns] = out.shape.slice(-2);
  const inner = a.shape[a.shape.length - 1];
  for (let batch = 0; batch < starts.length; batch++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = bias ? bias(batch, row, column) : 0;
        let left = aStarts[batch] + row * aRow;
        let right = bStarts[batch] + column * bColumn;
        for (let k = 0; k < inner; k++) {
          sum += aValues[left] * bValues[right];
          left += aStep;
          right += bStep;
        }
        const rest = residual ? residual(batch, row, column) : 0;
        result[starts[batch] + row * outRow + column * outColumn] = rest +
          alpha * sum;
      }
    }
  }
}
