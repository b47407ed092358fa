/**
 * How the operands that tests make lie in their buffers.
 *
 * @module
 */

import { contiguousStrides, sizeOf } from "../../tensor/shape.ts";

/** How a tensor lies in its buffer. */
export interface Layout {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A layout that is contiguous and begins at 0, but for what it says. */
export type LooseLayout = Pick<Layout, "shape"> & Partial<Layout>;

/** Fills in what a layout doesn't say. */
export function layoutOf({ shape, strides, offset = 0 }: LooseLayout): Layout {
  return { shape, strides: strides ?? contiguousStrides(shape), offset };
}

/** A contiguous layout. */
export function contiguous(shape: readonly number[]): Layout {
  return layoutOf({ shape });
}

/** A layout whose last two axes are swapped in memory. */
export function transposed(shape: readonly number[]): Layout {
  const swapped = [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];
  const strides = contiguousStrides(swapped);
  return layoutOf({
    shape,
    strides: [...strides.slice(0, -2), strides.at(-1)!, strides.at(-2)!],
  });
}

/** Elements that a layout spans, from the start of the buffer. */
export function lengthOf({ shape, strides, offset }: Layout): number {
  return shape.reduce(
    (reach, extent, axis) => reach + Math.max(0, (extent - 1) * strides[axis]),
    offset,
  ) + 1;
}

/** Where the elements lie in their buffer, in row-major order. */
export function placesOf({ shape, strides, offset }: Layout): number[] {
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    let at = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (i % shape[axis]) * strides[axis];
      i = Math.floor(i / shape[axis]);
    }
    return at;
  });
}

const square = { shape: [3, 2, 9, 9] };

/** Left and right factors, and maybe a bias, with batches of all kinds. */
export const batches: readonly (readonly [
  left: LooseLayout,
  right: LooseLayout,
  bias?: LooseLayout,
])[] = [
  [{ shape: [4, 5, 6] }, { shape: [4, 6, 7] }],
  [{ shape: [2, 3, 5, 6] }, {
    shape: [2, 3, 6, 7],
    strides: [0, 0, 7, 1],
  }],
  [{ shape: [3, 2, 5, 6], strides: [0, 30, 6, 1] }, {
    shape: [3, 2, 6, 32],
    strides: [192, 0, 32, 1],
  }],
  [{ shape: [2, 3, 1, 8] }, {
    shape: [2, 3, 8, 4],
    strides: [0, 0, 4, 1],
  }],
  [{ shape: [2, 4, 17, 16], strides: [3264, 16, 192, 1], offset: 64 }, {
    shape: [2, 4, 16, 17],
    strides: [3264, 16, 1, 192],
  }],
  [square, transposed(square.shape), square],
  [{ shape: [2, 210, 40] }, { shape: [2, 40, 33] }, {
    shape: [2, 210, 33],
    strides: [0, 0, 1],
  }],
  [{ shape: [2, 3, 2, 2, 5, 4], strides: [40, 0, 20, 0, 4, 1] }, {
    shape: [2, 3, 2, 2, 4, 4],
    strides: [0, 32, 0, 16, 4, 1],
  }],
];
