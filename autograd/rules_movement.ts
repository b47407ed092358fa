/**
 * Rules of operations that move elements.
 *
 * @module
 */

import {
  add,
  aliasOperation,
  concat,
  concatOperation,
  contiguousOperation,
  expandOperation,
  flip,
  padOperation,
  padRanges,
  partRanges,
  reshape,
  reshapeOperation,
  slice,
  sliceOperation,
  splitOperation,
  sumTo,
  type Tensor,
  transpose,
  transposeOperation,
  type ViewAttributes,
  windowsOperation,
  zeros,
} from "../tensor/internal.ts";
import { type Applied, defineRule, type Rule } from "./rule.ts";

const nothing = (): Record<string, never> => ({});

/** A rule that needs nothing but the cotangent. */
function linearRule<A>(
  pullback: (cotangent: Tensor, applied: Applied<A>) => Tensor,
): Rule<A> {
  return {
    saves: nothing,
    pullback: (applied, [cotangent]) =>
      cotangent === undefined ? [] : [pullback(cotangent, applied)],
  };
}

/** Adds `x` into a window on `target`, on nobody's tape. */
function addInto(
  target: Tensor,
  window: ViewAttributes,
  x: Tensor,
): void {
  using view = target.view(window.shape, window.strides, window.offset);
  target.device.addInto(view, x);
}

defineRule(aliasOperation, linearRule((dy) => dy));
defineRule(contiguousOperation, linearRule((dy) => dy));
defineRule(
  reshapeOperation,
  linearRule((dy, { inputs }) => reshape(dy, inputs[0].shape)),
);
defineRule(
  transposeOperation,
  linearRule((dy, { attributes: { axes } }) =>
    transpose(dy, axes.map((_, axis) => axes.indexOf(axis)))
  ),
);
defineRule(
  expandOperation,
  linearRule((dy, { inputs }) => sumTo(dy, inputs[0].shape)),
);

defineRule(sliceOperation, {
  saves: nothing,
  // dx is dy where the slice was, 0 elsewhere.
  pullback: ({ inputs, attributes }, [dy]) =>
    dy === undefined
      ? []
      : [scatterSlice(dy, inputs[0].shape, attributes.ranges)],
  accumulate: ({ attributes: { ranges } }, dy, target) =>
    addInto(target, {
      shape: dy.shape,
      strides: ranges.map(({ step }, axis) => step * target.strides[axis]),
      offset: dy.size === 0 ? 0 : ranges.reduce(
        (sum, { start }, axis) => sum + start * target.strides[axis],
        target.offset,
      ),
    }, dy),
});

/**
 * The transpose of slicing, of operations that have rules: zeros between the
 * elements of each axis and around them.
 */
function scatterSlice(
  dy: Tensor,
  shape: readonly number[],
  ranges: readonly { readonly start: number; readonly step: number }[],
): Tensor {
  let result = dy;
  ranges.forEach(({ start, step }, axis) => {
    const count = dy.shape[axis];
    const stride = Math.abs(step);
    const ordered = step < 0 ? flip(result, axis) : result;
    const spread = stride === 1 ? ordered : spreadAxis(ordered, axis, stride);
    const extent = count === 0 ? 0 : (count - 1) * stride + 1;
    const first = step > 0 ? start : start + (count - 1) * step;
    const before = count === 0 ? 0 : first;
    result = concatZeros(
      slice(
        spread,
        spread.shape.map((_, i) =>
          i === axis ? [0, extent] as const : undefined
        ),
      ),
      axis,
      before,
      shape[axis] - before - extent,
    );
  });
  return result;
}

/** `stride − 1` zeros behind every position of an axis. */
function spreadAxis(x: Tensor, axis: number, stride: number): Tensor {
  const apart = reshape(x, x.shape.toSpliced(axis + 1, 0, 1));
  const padded = concatZeros(apart, axis + 1, 0, stride - 1);
  return reshape(padded, x.shape.with(axis, x.shape[axis] * stride));
}

function concatZeros(
  x: Tensor,
  axis: number,
  before: number,
  after: number,
): Tensor {
  const block = (extent: number): Tensor =>
    zeros(x.shape.with(axis, extent), { device: x.device, dtype: x.dtype });
  const parts = [x];
  if (before > 0) parts.unshift(block(before));
  if (after > 0) parts.push(block(after));
  return parts.length === 1 ? x : concat(parts, axis);
}

defineRule(windowsOperation, {
  saves: nothing,
  // Overlapping windows add up: one strided addition for each place in them.
  pullback: ({ inputs: [x], attributes }, [dy]) => {
    if (dy === undefined) return [];
    const { size: [h, w], stride } = attributes;
    const lead = x.rank - 2;
    const [rows, columns] = dy.shape.slice(lead, lead + 2);
    let total: Tensor | undefined;
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < w; j++) {
        const part = reshape(
          slice(dy, [
            ...new Array<undefined>(lead + 2).fill(undefined),
            [i, i + 1],
            [j, j + 1],
          ]),
          dy.shape.slice(0, -2),
        );
        const placed = scatterSlice(part, x.shape, [
          ...x.shape.slice(0, lead).map(() => ({ start: 0, step: 1 })),
          { start: i, step: stride },
          { start: j, step: stride },
        ]);
        total = total === undefined ? placed : add(total, placed);
      }
    }
    if (rows === 0 || columns === 0) return [];
    return [total];
  },
  accumulate: ({ inputs: [x], attributes }, dy, target) => {
    const { size: [h, w], stride } = attributes;
    const lead = x.rank - 2;
    const strides = target.strides;
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < w; j++) {
        using part = dy.view(
          dy.shape.slice(0, -2),
          dy.strides.slice(0, -2),
          dy.offset + i * dy.strides[lead + 2] + j * dy.strides[lead + 3],
        );
        addInto(target, {
          shape: part.shape,
          strides: [
            ...strides.slice(0, lead),
            strides[lead] * stride,
            strides[lead + 1] * stride,
          ],
          offset: target.offset + i * strides[lead] + j * strides[lead + 1],
        }, part);
      }
    }
  },
});

defineRule(concatOperation, {
  saves: nothing,
  pullback: ({ inputs, attributes: { axis }, wanted }, [dy]) =>
    dy === undefined
      ? []
      : partRanges(dy.rank, axis, inputs.map((x) => x.shape[axis])).map(
        (ranges, i) => wanted[i] ? slice(dy, ranges) : undefined,
      ),
});

defineRule(splitOperation, {
  saves: nothing,
  pullback: ({ outputs, attributes: { axis } }, cotangents) => [
    concat(
      cotangents.map((dy, i) =>
        dy ??
          zeros(outputs[i].shape, {
            device: outputs[i].device,
            dtype: outputs[i].dtype,
          })
      ),
      axis,
    ),
  ],
});

defineRule(
  padOperation,
  linearRule((dy, { inputs, attributes: { widths } }) =>
    slice(dy, padRanges(inputs[0].shape, widths))
  ),
);
