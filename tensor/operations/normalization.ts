/**
 * Softmax and layer normalization.
 *
 * @module
 */

import { apply, type Operation } from "../operation.ts";
import { formatShape, normalizeAxis, sizeOf } from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import { moveToEnd } from "./indexing.ts";
import { contiguous, reshape, transpose } from "./movement.ts";

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

/** eˣ / Σ eˣ along an axis, without overflow. */
export function softmax(x: Tensor, axis = -1): Tensor {
  const at = normalizeAxis("softmax", axis, x.rank);
  if (at !== x.rank - 1) {
    const order = moveToEnd(x.rank, at);
    const back = order.map((_, i) => order.indexOf(i));
    return transpose(softmax(transpose(x, order)), back);
  }
  const rows = reshape(contiguous(x), [-1, x.shape[at]]);
  return reshape(apply(softmaxOperation, [rows], null)[0], x.shape);
}

/** What layer normalization adds to the variance, and which operands follow. */
export interface LayerNormAttributes {
  /** Keeps the division finite. */
  readonly epsilon: number;
  /** Weight and bias follow x. */
  readonly affine: boolean;
}

/**
 * Layer normalization of `[groups, rows, n]` with weight and bias
 * `[groups, n]`; outputs y, mean and 1/deviation `[groups, rows]`.
 */
export const layerNormOperation: Operation<LayerNormAttributes> = {
  name: "layerNorm",
  forward: ([x, weight, bias], { epsilon }) => {
    const [groups, rows] = x.shape;
    const out = empty(x.device, x.dtype, x.shape, "layerNorm");
    const mean = empty(x.device, x.dtype, [groups, rows], "layerNorm");
    const inverse = empty(x.device, x.dtype, [groups, rows], "layerNorm");
    x.device.backend.layerNorm(x, weight, bias, epsilon, out, mean, inverse);
    return [out, mean, inverse];
  },
};

/** dx, dweight, dbias; given x, mean, inverse deviation, dy and weight. */
export const layerNormBackwardOperation: Operation<LayerNormAttributes> = {
  name: "layerNormBackward",
  forward: ([x, mean, inverse, dy, weight], { affine }) => {
    const { device, dtype } = x;
    const dx = empty(device, dtype, x.shape, "layerNormBackward");
    const shape = [x.shape[0], x.shape[2]];
    const outputs = affine
      ? [
        dx,
        empty(device, dtype, shape, "layerNormBackward"),
        empty(device, dtype, shape, "layerNormBackward"),
      ]
      : [dx];
    device.backend.layerNormBackward(
      x,
      weight,
      mean,
      inverse,
      dy,
      dx,
      outputs[1],
      outputs[2],
    );
    return outputs;
  },
};

/**
 * Layer normalization over the last axis (Ba, Kiros & Hinton 2016):
 * (x − mean) / √(variance + epsilon) · weight + bias. Weight and bias are both
 * given or both absent: `[n]`, or a stack `[L, n]`, one for each slice of x's
 * leading axis.
 *
 * @throws {RangeError} If shapes don't fit or epsilon is negative.
 */
export function layerNorm(
  x: Tensor,
  weight?: Tensor,
  bias?: Tensor,
  epsilon = 1e-5,
): Tensor {
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
  const rows = sizeOf(x.shape.slice(0, -1)) / groups;
  const inputs = [reshape(contiguous(x), [groups, rows, n])];
  if (affine) {
    inputs.push(reshape(weight, [groups, n]), reshape(bias, [groups, n]));
  }
  const [out, ...saved] = apply(layerNormOperation, inputs, {
    epsilon,
    affine,
  });
  saved.forEach((tensor) => tensor.dispose());
  return reshape(out, x.shape);
}
