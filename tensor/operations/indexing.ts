/**
 * Operations that pick elements by index, and order them.
 *
 * @module
 */

import { apply, type Operation } from "../operation.ts";
import { formatShape, normalizeAxis, type Shape, sizeOf } from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import { contiguous, reshape, transpose } from "./movement.ts";
import { assertNumbers } from "./operands.ts";

/** The axis that an operation works along. */
export interface AxisAttributes {
  /** Counted from the front. */
  readonly axis: number;
}

/** `[outer, n, inner]`: a shape around one of its axes. */
export function aroundAxis(shape: Shape, axis: number): number[] {
  return [
    sizeOf(shape.slice(0, axis)),
    shape[axis],
    sizeOf(shape.slice(axis + 1)),
  ];
}

function assertIndices(operation: string, index: Tensor): void {
  if (index.dtype !== "i32") {
    throw new TypeError(
      `${operation}: indices must be i32, not ${index.dtype} ` +
        `${formatShape(index.shape)}; use cast(index, "int")`,
    );
  }
}

/** Picks slices of an axis: `[outer, n, inner]`, `[k]` → `[outer, k, inner]`. */
export const takeOperation: Operation<null> = {
  name: "take",
  forward: ([x, index]) => {
    const [outer, , inner] = x.shape;
    const out = empty(x.device, x.dtype, [outer, index.size, inner], "take");
    x.device.backend.take(x, index, out);
    return [out];
  },
};

/**
 * The slices of `axis` at the given positions; the axes of `index` replace it.
 * As `torch.index_select` and `jnp.take`.
 *
 * @throws {RangeError} If an index is outside the axis.
 */
export function take(x: Tensor, index: Tensor, axis = 0): Tensor {
  assertIndices("take", index);
  const at = normalizeAxis("take", axis, x.rank);
  const taken = apply(takeOperation, [
    reshape(contiguous(x), aroundAxis(x.shape, at)),
    reshape(contiguous(index), [index.size]),
  ], null)[0];
  return reshape(taken, [
    ...x.shape.slice(0, at),
    ...index.shape,
    ...x.shape.slice(at + 1),
  ]);
}

/** Rows of `weight` `[n, d]` for ids of any shape: `[…]` → `[…, d]`. */
export function embedding(weight: Tensor, ids: Tensor): Tensor {
  if (weight.rank !== 2) {
    throw new RangeError(
      `embedding: weight must be [rows, width], not ${
        formatShape(weight.shape)
      }`,
    );
  }
  return take(weight, ids);
}

/** torch.gather. */
export const gatherOperation: Operation<AxisAttributes> = {
  name: "gather",
  forward: ([x, index], { axis }) => {
    const out = empty(x.device, x.dtype, index.shape, "gather");
    x.device.backend.gather(x, axis, index, out);
    return [out];
  },
};

/**
 * Elements of `x` at the positions `index` along `axis` and at their own
 * positions along the others, as `torch.gather`. The result has index's shape.
 *
 * @throws {RangeError} If ranks differ, index is longer than x along another
 *   axis, or an index is outside the axis.
 */
export function gather(x: Tensor, index: Tensor, axis: number): Tensor {
  assertIndices("gather", index);
  const at = normalizeAxis("gather", axis, x.rank);
  if (
    index.rank !== x.rank ||
    index.shape.some((extent, i) => i !== at && extent > x.shape[i])
  ) {
    throw new RangeError(
      `gather: index ${formatShape(index.shape)} doesn't fit ${
        formatShape(x.shape)
      } along axis ${axis}`,
    );
  }
  return apply(gatherOperation, [x, index], { axis: at })[0];
}

/** What a running sum runs over. */
export interface CumsumAttributes {
  /** From the last element to the first. */
  readonly reverse: boolean;
}

/** Running sums over the middle axis of `[outer, n, inner]`. */
export const cumsumOperation: Operation<CumsumAttributes> = {
  name: "cumsum",
  forward: ([x], { reverse }) => {
    const out = empty(x.device, x.dtype, x.shape, "cumsum");
    x.device.backend.cumsum(x, out, reverse);
    return [out];
  },
};

/**
 * Running sums along an axis, from the front or, with `reverse`, the back.
 *
 * @throws {TypeError} If x is bool.
 */
export function cumsum(x: Tensor, axis: number, reverse = false): Tensor {
  assertNumbers("cumsum", x);
  const at = normalizeAxis("cumsum", axis, x.rank);
  const merged = reshape(contiguous(x), aroundAxis(x.shape, at));
  return reshape(apply(cumsumOperation, [merged], { reverse })[0], x.shape);
}

/** Position of the largest element along the middle axis. */
export const argmaxOperation: Operation<null> = {
  name: "argmax",
  forward: ([x]) => {
    const [outer, , inner] = x.shape;
    const out = empty(x.device, "i32", [outer, inner], "argmax");
    x.device.backend.argmax(x, out);
    return [out];
  },
};

/**
 * First position of the largest element along an axis, i32; no gradient.
 *
 * @throws {RangeError} If the axis is empty.
 * @throws {TypeError} If x is bool.
 */
export function argmax(x: Tensor, axis = -1): Tensor {
  assertNumbers("argmax", x);
  const at = normalizeAxis("argmax", axis, x.rank);
  if (x.shape[at] === 0) {
    throw new RangeError(
      `argmax: axis ${axis} of ${formatShape(x.shape)} is empty`,
    );
  }
  const merged = reshape(contiguous(x), aroundAxis(x.shape, at));
  const positions = apply(argmaxOperation, [merged], null)[0];
  return reshape(positions, x.shape.filter((_, i) => i !== at));
}

/** How many elements `topk` finds. */
export interface TopkAttributes {
  /** 1 … row length. */
  readonly k: number;
}

/** The largest elements of rows `[rows, n]` and their positions. */
export const topkOperation: Operation<TopkAttributes> = {
  name: "topk",
  forward: ([x], { k }) => {
    const shape = [x.shape[0], k];
    const values = empty(x.device, x.dtype, shape, "topk");
    const indices = empty(x.device, "i32", shape, "topk");
    x.device.backend.topk(x, values, indices);
    return [values, indices];
  },
};

/**
 * The k largest elements along an axis, descending, and their positions (i32);
 * among equals the first comes first. No gradient.
 *
 * @throws {RangeError} If k isn't in 1 … extent of the axis.
 * @throws {TypeError} If x is bool.
 */
export function topk(
  x: Tensor,
  k: number,
  axis = -1,
): { values: Tensor; indices: Tensor } {
  assertNumbers("topk", x);
  const at = normalizeAxis("topk", axis, x.rank);
  if (!Number.isInteger(k) || k < 1 || k > x.shape[at]) {
    throw new RangeError(
      `topk: k = ${k} must be an integer in 1 … ${x.shape[at]}, the extent ` +
        `of axis ${axis} of ${formatShape(x.shape)}`,
    );
  }
  const order = moveToEnd(x.rank, at);
  const moved = at === x.rank - 1 ? x : transpose(x, order);
  const rows = reshape(contiguous(moved), [-1, x.shape[at]]);
  const [values, indices] = apply(topkOperation, [rows], { k });
  const back = (y: Tensor): Tensor => {
    const full = reshape(y, [...moved.shape.slice(0, -1), k]);
    return at === x.rank - 1
      ? full
      : transpose(full, order.map((_, axis) => order.indexOf(axis)));
  };
  return { values: back(values), indices: back(indices) };
}

/** The permutation of axes that makes `axis` the last. */
export function moveToEnd(rank: number, axis: number): number[] {
  const others = Array.from({ length: rank }, (_, i) => i).filter((i) =>
    i !== axis
  );
  return [...others, axis];
}
