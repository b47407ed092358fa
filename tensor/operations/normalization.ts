/**
 * Softmax and layer normalization.
 *
 * @module
 */

import { apply, type Operation } from "../operation.ts";
import type { View } from "../backend.ts";
import {
  contiguousStrides,
  formatShape,
  normalizeAxis,
  type Shape,
  sizeOf,
} from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import { moveToEnd } from "./indexing.ts";
import {
  contiguous,
  lastAxisContiguous,
  reshape,
  transpose,
} from "./movement.ts";
import { assertReal } from "./operands.ts";

/** Softmax of rows `[rows, n]`. */
export const softmaxOperation: Operation<null> = {
  name: "softmax",
  forward: ([x]) => {
    const out = empty(x.device, x.dtype, x.shape, "softmax");
    x.device.backend.softmax(x, out);
    return [out];
  },
};

/** y (dy − Σ y dy) of rows; given y, dy. */
export const softmaxBackwardOperation: Operation<null> = {
  name: "softmaxBackward",
  forward: ([y, dy]) => {
    const dx = empty(y.device, y.dtype, y.shape, "softmaxBackward");
    y.device.backend.softmaxBackward(y, dy, dx);
    return [dx];
  },
};

/**
 * eˣ / Σ eˣ along an axis, without overflow.
 *
 * @throws {TypeError} If x holds no real numbers.
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  assertReal("softmax", x);
  const at = normalizeAxis("softmax", axis, x.rank);
  if (at !== x.rank - 1) {
    const order = moveToEnd(x.rank, at);
    const back = order.map((_, i) => order.indexOf(i));
    return transpose(softmax(transpose(x, order)), back);
  }
  const rows = reshape(contiguous(x), [-1, x.shape[at]]);
  return reshape(apply(softmaxOperation, [rows], null)[0], x.shape);
}

/** What layer normalization adds to the variance. */
export interface LayerNormAttributes {
  /** Keeps the division finite. */
  readonly epsilon: number;
}

/** A contiguous tensor as `[groups, rows, n]`, for kernels. */
function asRows(x: Tensor, groups: number): View {
  const n = x.shape[x.rank - 1];
  return asShape(x, [groups, x.size / (groups * n), n]);
}

function asShape({ buffer, dtype, offset }: Tensor, shape: Shape): View {
  return { buffer, dtype, offset, shape, strides: contiguousStrides(shape) };
}

/** Weight or bias `[n]` or `[groups, n]` as the latter. */
function asGroups(x: Tensor | undefined): View | undefined {
  if (x === undefined || x.rank === 2) return x;
  const { buffer, dtype, offset, shape } = x;
  return { buffer, dtype, offset, shape: [1, ...shape], strides: [0, 1] };
}

/** How many groups of rows have a weight and bias of their own. */
function groupsOf(weight: Tensor | undefined): number {
  return weight?.rank === 2 ? weight.shape[0] : 1;
}

/**
 * Layer normalization of x with weight and bias `[n]` or `[L, n]`; outputs y,
 * and mean and 1/deviation of the rows.
 */
export const layerNormOperation: Operation<LayerNormAttributes> = {
  name: "layerNorm",
  forward: ([x, weight, bias], { epsilon }) => {
    const { device, dtype, shape } = x;
    const groups = groupsOf(weight);
    const rows = [groups, sizeOf(shape.slice(0, -1)) / groups];
    const out = empty(device, dtype, shape, "layerNorm");
    const { floatDtype } = device;
    const mean = empty(device, floatDtype, rows, "layerNorm");
    const inverse = empty(device, floatDtype, rows, "layerNorm");
    device.backend.layerNorm(
      asRows(x, groups),
      asGroups(weight),
      asGroups(bias),
      epsilon,
      asRows(out, groups),
      mean,
      inverse,
    );
    return [out, mean, inverse];
  },
};

/** Where the gradients of a layer normalization go. */
export interface LayerNormBackwardAttributes {
  /**
   * For those of x, weight and bias: tensors of their shapes, which are then
   * outputs where they are contiguous.
   */
  readonly places: readonly (Tensor | undefined)[];
}

/** dx, dweight, dbias; given x, mean, inverse deviation, dy and weight. */
export const layerNormBackwardOperation: Operation<
  LayerNormBackwardAttributes
> = {
  name: "layerNormBackward",
  forward: ([x, mean, inverse, dy, weight], { places }) => {
    const { device, dtype, shape } = x;
    const groups = groupsOf(weight);
    const output = (i: number, extents: Shape): Tensor => {
      const place = places[i];
      return place?.contiguous
        ? place
        : empty(device, dtype, extents, "layerNormBackward");
    };
    const dx = output(0, shape);
    const affine = weight && [output(1, weight.shape), output(2, weight.shape)];
    device.backend.layerNormBackward(
      asRows(x, groups),
      asGroups(weight),
      mean,
      inverse,
      asRows(dy, groups),
      asRows(dx, groups),
      asGroups(affine?.[0]),
      asGroups(affine?.[1]),
    );
    return [dx, ...affine ?? []];
  },
};

/**
 * Layer normalization over the last axis (Ba, Kiros & Hinton 2016):
 * (x − mean) / √(variance + epsilon) · weight + bias. Weight and bias are both
 * given or both absent: `[n]`, or a stack `[L, n]`, one for each slice of x's
 * leading axis.
 *
 * @throws {RangeError} If shapes don't fit or epsilon is negative.
 * @throws {TypeError} If an operand holds no real numbers.
 */
export function layerNorm(
  x: Tensor,
  weight?: Tensor,
  bias?: Tensor,
  epsilon = 1e-5,
): Tensor {
  assertReal("layerNorm", x);
  assertReal("layerNorm", weight);
  assertReal("layerNorm", bias);
  if (!(epsilon >= 0)) {
    throw new RangeError(`layerNorm: epsilon ${epsilon} must not be negative`);
  }
  const n = x.shape[x.rank - 1];
  const affine = weight !== undefined && bias !== undefined;
  const stacked = affine && weight.rank === 2;
  const groups = stacked ? weight.shape[0] : 1;
  if (
    x.rank === 0 || (weight === undefined) !== (bias === undefined) ||
    (affine && (weight.shape[weight.rank - 1] !== n || weight.rank > 2 ||
      bias.size !== weight.size)) ||
    (stacked && x.shape[0] !== groups)
  ) {
    throw new RangeError(
      `layerNorm: weight ${weight && formatShape(weight.shape)} and bias ${
        bias && formatShape(bias.shape)
      } don't fit x ${formatShape(x.shape)}; they must be [${n}], or ` +
        `[${x.shape[0]}, ${n}] for a stack`,
    );
  }
  const inputs = [contiguous(x)];
  if (affine) inputs.push(...[weight, bias].map(lastAxisContiguous));
  const [out, ...saved] = apply(layerNormOperation, inputs, { epsilon });
  saved.forEach((tensor) => tensor.dispose());
  return out;
}
