/**
 * Elementwise programs, mapped and reduced.
 *
 * @module
 */

import type { ReduceKind, View } from "../backend.ts";
import type { Elementwise } from "../expression.ts";
import {
  contiguousValues,
  positionsOf,
  valuesOf,
  viewPositions,
} from "./memory.ts";
import { interpret } from "./program.ts";
import { sumOf } from "./scalar_functions.ts";

/** See `Kernels.map`. */
export function map(
  program: Elementwise,
  inputs: readonly View[],
  outputs: readonly View[],
  scalars: readonly number[],
): void {
  const evaluate = interpret(program, scalars);
  const [read, readAt] = [inputs.map(valuesOf), inputs.map(viewPositions)];
  const [write, writeAt] = [outputs.map(valuesOf), outputs.map(viewPositions)];
  const x = new Float64Array(inputs.length);
  const y = new Float64Array(outputs.length);
  const size = writeAt[0].length;
  for (let i = 0; i < size; i++) {
    for (let n = 0; n < x.length; n++) x[n] = read[n][readAt[n][i]];
    evaluate(x, y);
    for (let n = 0; n < y.length; n++) write[n][writeAt[n][i]] = y[n];
  }
}

/** The largest or smallest of `count` terms; NaN if any is. */
function extremeOf(
  kind: "max" | "min",
  count: number,
  term: (index: number) => number,
): number {
  const choose = kind === "max" ? Math.max : Math.min;
  let result = kind === "max" ? -Infinity : Infinity;
  for (let i = 0; i < count; i++) result = choose(result, term(i));
  return result;
}

/** See `Kernels.reduce`. */
export function reduce(
  kind: ReduceKind,
  program: Elementwise,
  inputs: readonly View[],
  out: View,
  scalars: readonly number[],
): void {
  const evaluate = interpret(program, scalars);
  const values = inputs.map(valuesOf);
  const starts = inputs.map(({ strides, offset }) =>
    positionsOf(out.shape, strides, offset)
  );
  const combined = inputs[0].shape.map((extent, axis) =>
    out.shape[axis] === extent ? 1 : extent
  );
  const steps = inputs.map(({ strides }) => positionsOf(combined, strides, 0));
  const count = steps[0].length;
  const x = new Float64Array(inputs.length);
  const y = new Float64Array(1);
  const result = contiguousValues(out);
  for (let i = 0; i < result.length; i++) {
    const term = (j: number): number => {
      for (let n = 0; n < x.length; n++) {
        x[n] = values[n][starts[n][i] + steps[n][j]];
      }
      evaluate(x, y);
      return y[0];
    };
    result[i] = kind === "sum"
      ? sumOf(count, term)
      : extremeOf(kind, count, term);
  }
}
