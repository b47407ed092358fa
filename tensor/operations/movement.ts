/**
 * Operations that move elements and compute nothing: views where strides can
 * express the result, copies elsewhere.
 *
 * @module
 */

import { apply, type Operation } from "../operation.ts";
import {
  broadcastShapes,
  broadcastStrides,
  contiguousStrides,
  formatShape,
  normalizeAxis,
  sameShape,
  type Shape,
  sizeOf,
} from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";

/** The memory of `x` seen with another shape, strides and offset. */
export interface ViewAttributes {
  /** New extents. */
  readonly shape: Shape;
  /** New strides, in elements. */
  readonly strides: Shape;
  /** New position of the first element. */
  readonly offset: number;
}

function viewOperation<A extends ViewAttributes>(name: string): Operation<A> {
  return {
    name,
    forward: ([x], { shape, strides, offset }) => [
      x.view(shape, strides, offset),
    ],
  };
}

/** Another handle on the same elements. */
export const aliasOperation: Operation<ViewAttributes> = viewOperation("alias");

/** A new tensor that shares the elements of `x`. */
export function alias(x: Tensor): Tensor {
  return apply(aliasOperation, [x], x)[0];
}

/** Copies into row-major order. */
export const contiguousOperation: Operation<null> = {
  name: "contiguous",
  forward: ([x]) => [x.device.copy(x)],
};

/** `x` itself if its elements lie in row-major order, otherwise a copy. */
export function contiguous(x: Tensor): Tensor {
  return x.contiguous ? x : copy(x);
}

/** `x` itself if neighbours along its last axis are adjacent, else a copy. */
export function lastAxisContiguous(x: Tensor): Tensor {
  const last = x.rank - 1;
  return x.strides[last] === 1 || x.shape[last] === 1 ? x : copy(x);
}

/** A row-major copy. */
export function copy(x: Tensor): Tensor {
  return apply(contiguousOperation, [x], null)[0];
}

/** Same elements in row-major order, other shape. */
export const reshapeOperation: Operation<ViewAttributes> = viewOperation(
  "reshape",
);

/**
 * The same elements, in row-major order, with another shape; one extent may be
 * −1 and is then computed. A view where strides allow it, otherwise a copy.
 *
 * @throws {RangeError} If the numbers of elements differ.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const target = completeShape(x, shape);
  if (sameShape(target, x.shape)) return x;
  const view = reshapedView(x, target);
  if (view === undefined) return reshape(copy(x), target);
  return apply(reshapeOperation, [x], view)[0];
}

/** The elements of `x` seen with another shape, where strides allow it. */
export function reshapedView(
  x: Tensor,
  shape: Shape,
): ViewAttributes | undefined {
  const strides = x.contiguous
    ? contiguousStrides(shape)
    : reshapeStrides(x.shape, x.strides, shape);
  return strides && { shape, strides, offset: x.offset };
}

function completeShape(x: Tensor, shape: Shape): number[] {
  const known = sizeOf(shape.filter((extent) => extent !== -1));
  const target = shape.map((extent) =>
    extent === -1 ? x.size / Math.max(1, known) : extent
  );
  if (
    sizeOf(target) !== x.size ||
    target.some((extent) => !Number.isInteger(extent) || extent < 0)
  ) {
    throw new RangeError(
      `reshape: ${formatShape(x.shape)} has ${x.size} elements, which don't ` +
        `fill ${formatShape(shape)}`,
    );
  }
  return target;
}

/** Strides that see the same elements as `target`, if there are any. */
function reshapeStrides(
  shape: Shape,
  strides: Shape,
  target: Shape,
): number[] | undefined {
  if (sizeOf(target) === 0) return contiguousStrides(target);
  const kept = shape.flatMap((extent, axis) => extent === 1 ? [] : [axis]);
  const result = new Array<number>(target.length).fill(1);
  let [from, to] = [0, 0];
  while (from < kept.length || to < target.length) {
    if (target[to] === 1) {
      to++;
      continue;
    }
    // The smallest groups of source and target axes with equally many elements.
    let [fromEnd, toEnd] = [from, to];
    let [fromSize, toSize] = [1, 1];
    do {
      if (fromSize <= toSize) fromSize *= shape[kept[fromEnd++]];
      else toSize *= target[toEnd++];
    } while (fromSize !== toSize);
    for (let i = from; i + 1 < fromEnd; i++) {
      const inner = kept[i + 1];
      if (strides[kept[i]] !== strides[inner] * shape[inner]) return undefined;
    }
    let stride = strides[kept[fromEnd - 1]];
    for (let axis = toEnd - 1; axis >= to; axis--) {
      result[axis] = stride;
      stride *= target[axis];
    }
    [from, to] = [fromEnd, toEnd];
  }
  return result;
}

/** What `transpose` does. */
export interface TransposeAttributes extends ViewAttributes {
  /** Axis of the input at each place of the output. */
  readonly axes: readonly number[];
}

/** Reorders axes. */
export const transposeOperation: Operation<TransposeAttributes> = viewOperation(
  "transpose",
);

/**
 * A view with the axes in another order: axis i of the result is axis
 * `axes[i]` of `x`. By default the last two axes change places.
 *
 * @throws {RangeError} If `axes` isn't a permutation.
 */
export function transpose(x: Tensor, axes?: readonly number[]): Tensor {
  const { rank } = x;
  const order = axes?.map((axis) => normalizeAxis("transpose", axis, rank)) ??
    swapLast(rank);
  if (order.length !== rank || new Set(order).size !== rank) {
    throw new RangeError(
      `transpose: ${formatShape(axes ?? [])} is no permutation of the ` +
        `${rank} axes of ${formatShape(x.shape)}`,
    );
  }
  return apply(transposeOperation, [x], {
    axes: order,
    shape: order.map((axis) => x.shape[axis]),
    strides: order.map((axis) => x.strides[axis]),
    offset: x.offset,
  })[0];
}

function swapLast(rank: number): number[] {
  if (rank < 2) {
    throw new RangeError(`transpose: a tensor of ${rank} axes has no last two`);
  }
  const order = Array.from({ length: rank }, (_, axis) => axis);
  return [...order.slice(0, -2), rank - 1, rank - 2];
}

/** Repeats axes of extent 1. */
export const expandOperation: Operation<ViewAttributes> = viewOperation(
  "expand",
);

/**
 * A view with a larger shape, by NumPy's broadcasting rules; nothing is copied.
 *
 * @throws {RangeError} If `x` doesn't broadcast to `shape`.
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const result = broadcastShapes("expand", [x.shape, [...shape]]);
  if (!sameShape(result, shape)) {
    throw new RangeError(
      `expand: ${formatShape(x.shape)} doesn't broadcast to ${
        formatShape(shape)
      }`,
    );
  }
  return apply(expandOperation, [x], {
    shape,
    strides: broadcastStrides(x.shape, x.strides, shape),
    offset: x.offset,
  })[0];
}

/** A range of an axis: start, stop (excluded) and step ≠ 0, as in Python. */
export type Range = readonly [start: number, stop: number, step?: number];

/** What `slice` sees, so that its backward can see the same. */
export interface SliceAttributes extends ViewAttributes {
  /** Start and step of each axis. */
  readonly ranges: readonly { readonly start: number; readonly step: number }[];
}

/** Takes ranges of axes. */
export const sliceOperation: Operation<SliceAttributes> = viewOperation(
  "slice",
);

/**
 * A view of a range of each axis; `undefined` and missing axes are taken whole.
 * Negative starts and stops count from the end; a negative step runs backward.
 *
 * @throws {RangeError} If there are more ranges than axes, or a step is 0.
 *
 * @example
 * ```ts
 * import { arange, device, slice } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * console.log(await slice(arange(0, 8), [[1, 7, 2]]).data()); // 1, 3, 5
 * ```
 */
export function slice(
  x: Tensor,
  ranges: readonly (Range | undefined)[],
): Tensor {
  if (ranges.length > x.rank) {
    throw new RangeError(
      `slice: ${ranges.length} ranges for the ${x.rank} axes of ${
        formatShape(x.shape)
      }`,
    );
  }
  const resolved = x.shape.map((extent, axis) =>
    resolveRange(ranges[axis] ?? [0, extent, 1], extent)
  );
  return apply(sliceOperation, [x], {
    ranges: resolved,
    ...sliceView(x, resolved),
  })[0];
}

/** The view of `x` that slicing by resolved ranges gives. */
function sliceView(
  x: Tensor,
  ranges: readonly { start: number; step: number; count: number }[],
): ViewAttributes {
  return {
    shape: ranges.map(({ count }) => count),
    strides: ranges.map(({ step }, axis) => step * x.strides[axis]),
    offset: ranges.reduce(
      (sum, { start, count }, axis) =>
        count > 0 ? sum + start * x.strides[axis] : sum,
      x.offset,
    ),
  };
}

function resolveRange(
  [start, stop, step = 1]: Range,
  extent: number,
): { start: number; step: number; count: number } {
  if (step === 0 || ![start, stop, step].every(Number.isInteger)) {
    throw new RangeError(
      `slice: range [${start}, ${stop}, ${step}] needs integers, step not 0`,
    );
  }
  const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
  const limit = (at: number): number =>
    Math.min(high, Math.max(low, at < 0 ? at + extent : at));
  const from = limit(start);
  // −1 as the stop of a backward range would mean the last element.
  const to = step < 0 && stop < -extent ? -1 : limit(stop);
  return {
    start: from,
    step,
    count: Math.max(0, Math.ceil((to - from) / step)),
  };
}

/** The element(s) at one position of an axis; the axis goes. */
export function select(x: Tensor, axis: number, position: number): Tensor {
  const at = normalizeAxis("select", axis, x.rank);
  const extent = x.shape[at];
  if (
    !Number.isInteger(position) || position < -extent || position >= extent
  ) {
    throw new RangeError(
      `select: position ${position} is outside axis ${axis} of ${
        formatShape(x.shape)
      }`,
    );
  }
  const start = position < 0 ? position + extent : position;
  const ranges = x.shape.map((_, i) =>
    i === at ? [start, start + 1] as const : undefined
  );
  return reshape(
    slice(x, ranges),
    x.shape.filter((_, i) => i !== at),
  );
}

/** A view with an axis of extent 1 put in at place `axis`. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis("unsqueeze", axis, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** A view without axis `axis`, which must have extent 1. */
export function squeeze(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis("squeeze", axis, x.rank);
  if (x.shape[at] !== 1) {
    throw new RangeError(
      `squeeze: axis ${axis} of ${formatShape(x.shape)} has extent ${
        x.shape[at]
      }, not 1`,
    );
  }
  return reshape(x, x.shape.filter((_, i) => i !== at));
}

/** A view with an axis in reverse order. */
export function flip(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis("flip", axis, x.rank);
  const ranges = x.shape.map((extent, i): Range | undefined =>
    i === at ? [extent - 1, -extent - 1, -1] : undefined
  );
  return slice(x, ranges);
}

/** What sliding windows see. */
export interface WindowsAttributes extends ViewAttributes {
  /** Extents of a window along the last two axes. */
  readonly size: readonly [number, number];
  /** Distance of windows. */
  readonly stride: number;
}

/** Overlapping windows of the last two axes, as a view. */
export const windowsOperation: Operation<WindowsAttributes> = viewOperation(
  "windows",
);

/** `[…, H, W]` → `[…, rows, columns, size[0], size[1]]`, a view. */
export function windows(
  x: Tensor,
  size: readonly [number, number],
  stride: number,
): Tensor {
  const counts = x.shape.slice(-2).map((extent, i) =>
    Math.floor((extent - size[i]) / stride) + 1
  );
  if (counts.some((count) => count < 1)) {
    throw new RangeError(
      `windows: ${formatShape(x.shape)} is smaller than a window of ${
        formatShape(size)
      }`,
    );
  }
  const last = x.strides.slice(-2);
  return apply(windowsOperation, [x], {
    size,
    stride,
    shape: [...x.shape.slice(0, -2), ...counts, ...size],
    strides: [
      ...x.strides.slice(0, -2),
      ...last.map((s) => s * stride),
      ...last,
    ],
    offset: x.offset,
  })[0];
}

/** What `concat` joins. */
export interface ConcatAttributes {
  /** The axis, from the front. */
  readonly axis: number;
}

/** The ranges of `axis` that parts of these extents take, one after another. */
export function partRanges(
  rank: number,
  axis: number,
  sizes: readonly number[],
): (Range | undefined)[][] {
  let start = 0;
  return sizes.map((size) => {
    const range: Range = [start, start + size];
    start += size;
    return Array.from(
      { length: rank },
      (_, i) => i === axis ? range : undefined,
    );
  });
}

/** A view of ranges of `x`, on nobody's tape. */
export function sliceUnobserved(
  x: Tensor,
  ranges: readonly (Range | undefined)[],
): Tensor {
  const resolved = x.shape.map((extent, axis) =>
    resolveRange(ranges[axis] ?? [0, extent, 1], extent)
  );
  const { shape, strides, offset } = sliceView(x, resolved);
  return x.view(shape, strides, offset);
}

/** Joins tensors along an axis. */
export const concatOperation: Operation<ConcatAttributes> = {
  name: "concat",
  forward: (parts, { axis }) => {
    const [{ device, dtype, rank }] = parts;
    const sizes = parts.map((part) => part.shape[axis]);
    const shape = parts[0].shape.with(axis, sizes.reduce((a, b) => a + b, 0));
    const out = empty(device, dtype, shape, "concat");
    partRanges(rank, axis, sizes).forEach((ranges, i) => {
      if (parts[i].size === 0) return;
      using target = sliceUnobserved(out, ranges);
      device.assign(target, parts[i]);
    });
    return [out];
  },
};

/**
 * Joins tensors along an axis; their other extents are equal.
 *
 * @throws {RangeError} If there are none, or shapes or dtypes differ.
 */
export function concat(parts: readonly Tensor[], axis = 0): Tensor {
  if (parts.length === 0) throw new RangeError("concat: needs a tensor");
  const [first] = parts;
  const at = normalizeAxis("concat", axis, first.rank);
  for (const part of parts) {
    if (
      part.dtype !== first.dtype || part.rank !== first.rank ||
      !sameShape(part.shape.with(at, 0), first.shape.with(at, 0))
    ) {
      throw new RangeError(
        `concat: ${formatShape(first.shape)} ${first.dtype} and ${
          formatShape(part.shape)
        } ${part.dtype} differ outside axis ${at}`,
      );
    }
  }
  return apply(concatOperation, parts, { axis: at })[0];
}

/** Joins tensors of one shape along a new axis. */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  return concat(parts.map((part) => unsqueeze(part, axis)), axis);
}

/** What `split` cuts. */
export interface SplitAttributes {
  /** The axis, from the front. */
  readonly axis: number;
  /** Extents of the parts. */
  readonly sizes: readonly number[];
}

/** Cuts an axis into views; its backward is one `concat`. */
export const splitOperation: Operation<SplitAttributes> = {
  name: "split",
  forward: ([x], { axis, sizes }) =>
    partRanges(x.rank, axis, sizes).map((ranges) => sliceUnobserved(x, ranges)),
};

/**
 * Cuts an axis into parts of the given extents, as views.
 *
 * @throws {RangeError} If the extents don't add up to the axis.
 */
export function split(
  x: Tensor,
  sizes: readonly number[],
  axis = 0,
): Tensor[] {
  const at = normalizeAxis("split", axis, x.rank);
  if (sizes.reduce((a, b) => a + b, 0) !== x.shape[at]) {
    throw new RangeError(
      `split: parts of ${formatShape(sizes)} don't make up axis ${axis} of ${
        formatShape(x.shape)
      }`,
    );
  }
  return apply(splitOperation, [x], { axis: at, sizes });
}

/** What `pad` adds. */
export interface PadAttributes {
  /** Elements added before and after each axis. */
  readonly widths: readonly (readonly [before: number, after: number])[];
  /** What they are. */
  readonly value: number;
}

/** Puts constant elements around a tensor. */
export const padOperation: Operation<PadAttributes> = {
  name: "pad",
  forward: ([x], { widths, value }) => {
    const shape = x.shape.map((extent, i) =>
      extent + widths[i][0] + widths[i][1]
    );
    const out = empty(x.device, x.dtype, shape, "pad");
    x.device.fill(out, value);
    using inside = sliceUnobserved(out, padRanges(x.shape, widths));
    x.device.assign(inside, x);
    return [out];
  },
};

/** Where the padded tensor lies inside the result. */
export function padRanges(
  shape: Shape,
  widths: PadAttributes["widths"],
): Range[] {
  return shape.map((extent, i) => [widths[i][0], widths[i][0] + extent]);
}

/**
 * Puts `value` around a tensor: `widths[i]` elements before and after axis i.
 *
 * @throws {RangeError} If a width is negative or there isn't one per axis.
 */
export function pad(
  x: Tensor,
  widths: PadAttributes["widths"],
  value = 0,
): Tensor {
  if (
    widths.length !== x.rank ||
    widths.flat().some((width) => !Number.isInteger(width) || width < 0)
  ) {
    throw new RangeError(
      `pad: widths ${JSON.stringify(widths)} need two integers ≥ 0 for each ` +
        `axis of ${formatShape(x.shape)}`,
    );
  }
  return apply(padOperation, [x], { widths, value })[0];
}
