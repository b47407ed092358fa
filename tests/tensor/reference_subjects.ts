/**
 * Views on the reference device, and comparisons, for its tests.
 *
 * @module
 */

import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Backend, RandomKey, View } from "../../tensor/backend.ts";
import {
  bytesPerElement,
  type Dtype,
  type TypedArray,
  typedArray,
} from "../../tensor/dtype.ts";
import * as e from "../../tensor/expression.ts";
import { randomUnit } from "../../tensor/philox.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import { contiguousStrides, type Shape, sizeOf } from "../../tensor/shape.ts";

/** The device under test. */
export const device = createReferenceBackend({ dtype: "f64" });

export function tensor(
  values: ArrayLike<number>,
  shape: Shape = [values.length],
  dtype: Dtype = "f64",
  on: Backend = device,
): View {
  const host = typedArray(dtype, values.length);
  host.set(values);
  const buffer = on.allocate(host.length * bytesPerElement[dtype]);
  on.write(buffer, host, 0);
  return { buffer, dtype, shape, strides: contiguousStrides(shape), offset: 0 };
}

export function empty(
  shape: Shape,
  dtype: Dtype = "f64",
  on: Backend = device,
): View {
  const buffer = on.allocate(sizeOf(shape) * bytesPerElement[dtype]);
  return { buffer, dtype, shape, strides: contiguousStrides(shape), offset: 0 };
}

export function zeros(shape: Shape, dtype: Dtype = "f64"): View {
  return tensor(new Array<number>(sizeOf(shape)).fill(0), shape, dtype);
}

/** The elements of a contiguous view. */
export function read(view: View, on: Backend = device): number[] {
  const { buffer, dtype, offset, shape } = view;
  return [...on.read(buffer, dtype, offset, sizeOf(shape)) as TypedArray];
}

export function assertClose(
  actual: number[],
  expected: number[],
  tolerance = 1e-14,
): void {
  assertEquals(actual.length, expected.length);
  actual.forEach((x, i) => {
    if (Number.isFinite(expected[i])) {
      assertAlmostEquals(x, expected[i], tolerance);
    } else assertEquals(x, expected[i]);
  });
}

/** Numbers without pattern in −1 … 1. */
export function noise(size: number, stream: number): number[] {
  const key: RandomKey = { seed: 1, streams: [[0, 0, stream]] };
  return Array.from({ length: size }, (_, i) => 2 * randomUnit(key, 0, i) - 1);
}

/** Checks a gradient of Σ out · dout by central differences. */
export function assertGradient(
  input: View,
  gradient: View,
  dout: number[],
  forward: () => number[],
): void {
  const values = read(input);
  const step = 1e-5;
  const objective = (i: number, x: number): number => {
    device.write(input.buffer, Float64Array.of(x), i);
    const result = forward().reduce((sum, y, n) => sum + y * dout[n], 0);
    device.write(input.buffer, Float64Array.of(values[i]), i);
    return result;
  };
  const expected = values.map((x, i) =>
    (objective(i, x + step) - objective(i, x - step)) / (2 * step)
  );
  assertClose(read(gradient), expected, 1e-8);
}

export function apply(
  build: (x: e.Expression) => e.Expression,
  values: number[],
  type: e.ValueType = "float",
): number[] {
  const program = e.elementwise("test", [type], ([x]) => [build(x)]);
  const dtypes = { float: "f64", int: "i32", bool: "bool" } as const;
  const out = empty([values.length], dtypes[program.outputs[0].type]);
  device.map(program, [tensor(values, undefined, dtypes[type])], [out], []);
  return read(out);
}
