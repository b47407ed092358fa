/**
 * How tensors are printed.
 *
 * @module
 */

import type { Dtype, TypedArray } from "./dtype.ts";
import { type Shape, sizeOf } from "./shape.ts";

/** Longer axes are abbreviated to this many elements at either end. */
const edge = 3;
/** Tensors of at most this many elements are shown whole. */
const whole = 200;

function formatElement(value: number, dtype: Dtype): string {
  if (dtype === "bool") return value === 0 ? "false" : "true";
  if (dtype === "i32" || !Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  return magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)
    ? value.toExponential(4)
    : value.toFixed(4);
}

/** Nested brackets, columns aligned, long axes abbreviated. */
export function formatTensor(
  values: TypedArray,
  shape: Shape,
  dtype: Dtype,
): string {
  const abbreviate = sizeOf(shape) > whole;
  const shown = (extent: number): (number | undefined)[] =>
    abbreviate && extent > 2 * edge + 1
      ? [0, 1, 2, undefined, extent - 3, extent - 2, extent - 1]
      : Array.from({ length: extent }, (_, i) => i);
  const texts = new Map<number, string>();
  const collect = (axis: number, from: number, size: number): void => {
    if (axis === shape.length) {
      texts.set(from, formatElement(values[from], dtype));
      return;
    }
    const step = size / shape[axis];
    for (const i of shown(shape[axis])) {
      if (i !== undefined) collect(axis + 1, from + i * step, step);
    }
  };
  collect(0, 0, values.length);
  const width = Math.max(0, ...[...texts.values()].map((text) => text.length));
  const build = (axis: number, from: number, size: number): string => {
    if (axis === shape.length) return (texts.get(from) ?? "").padStart(width);
    const step = size / shape[axis];
    const parts = shown(shape[axis]).map((i) =>
      i === undefined ? "…" : build(axis + 1, from + i * step, step)
    );
    const separator = axis === shape.length - 1
      ? ", "
      : `,${"\n".repeat(shape.length - 1 - axis)}${" ".repeat(axis + 1)}`;
    return `[${parts.join(separator)}]`;
  };
  return build(0, 0, values.length);
}
