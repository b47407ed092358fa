/**
 * Convolution as a matrix product over windows.
 *
 * @module
 */

import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { matmul } from "./matmul.ts";
import { pad, reshape, transpose, windows } from "./movement.ts";
import { assertReal } from "./operands.ts";

/** Options of `conv2d`. */
export interface Conv2dOptions {
  /** Distance of windows in both directions; default 1. */
  readonly stride?: number;
  /** Zeros around the image, in both directions; default 0. */
  readonly padding?: number;
}

/**
 * Two-dimensional convolution (cross-correlation, as in every deep learning
 * library): images `[B, C, H, W]`, weight `[O, C, h, w]`, bias `[O]` →
 * `[B, O, rows, columns]`.
 *
 * @throws {RangeError} If shapes don't fit or the image is too small.
 * @throws {TypeError} If an operand holds no real numbers.
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: Conv2dOptions = {},
): Tensor {
  const { stride = 1, padding = 0 } = options;
  assertReal("conv2d", x);
  assertReal("conv2d", weight);
  assertReal("conv2d", bias);
  if (
    x.rank !== 4 || weight.rank !== 4 || x.shape[1] !== weight.shape[1] ||
    (bias !== undefined && bias.size !== weight.shape[0])
  ) {
    throw new RangeError(
      `conv2d: images ${formatShape(x.shape)}, weight ${
        formatShape(weight.shape)
      }${bias === undefined ? "" : ` and bias ${formatShape(bias.shape)}`} ` +
        `don't fit; they must be [B, C, H, W], [O, C, h, w] and [O]`,
    );
  }
  if (!Number.isInteger(stride) || stride < 1) {
    throw new RangeError(`conv2d: stride ${stride} must be an integer ≥ 1`);
  }
  const [o, c, h, w] = weight.shape;
  const margin = [padding, padding] as const;
  const image = padding === 0 ? x : pad(x, [[0, 0], [0, 0], margin, margin]);
  const patches = windows(image, [h, w], stride); // [B, C, rows, columns, h, w]
  const [b, , rows, columns] = patches.shape;
  const columnsOf = reshape(
    transpose(patches, [0, 2, 3, 1, 4, 5]),
    [b * rows * columns, c * h * w],
  );
  const product = matmul(columnsOf, reshape(weight, [o, c * h * w]), {
    transposeB: true,
    bias,
  });
  return transpose(reshape(product, [b, rows, columns, o]), [0, 3, 1, 2]);
}
