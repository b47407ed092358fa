/**
 * Clipping of gradients by their global norm.
 *
 * @example
 * ```ts
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 * import { clipByGlobalNorm, sgd } from "@layerbraid/layerbraid/train";
 *
 * await device("reference");
 * const optimizer = sgd({ learningRate: 1 });
 * const old = { x: tensor([1, 1]) };
 * const gradients = { x: tensor([3, 4]) };
 * const { norm, scale } = clipByGlobalNorm(gradients, 1);
 * const state = optimizer.init(old);
 * const { parameters } = optimizer.update(old, gradients, state, { scale });
 * console.log(await norm.item(), await parameters.x.data()); // 5 [ 0.4, 0.2 ]
 * ```
 *
 * @module
 */

import {
  contiguousStrides,
  empty,
  type Expression,
  expression as e,
  leaves,
  mapTensors,
  reduceTensors,
  reshape,
  scope,
  type Tensor,
  type Tree,
  unobserved,
} from "../tensor/internal.ts";
import { requireNumber } from "./optimizer_options.ts";

/** What {@linkcode clipByGlobalNorm} finds. */
export interface Clipping {
  /** The norm before clipping, of shape []; on the host where possible. */
  readonly norm: Tensor;
  /** The factor of all gradients, of shape []; for `update`. */
  readonly scale: Tensor;
}

const square = e.elementwise("global norm", ["float"], ([x]) => [e.mul(x, x)]);
const total = e.elementwise("global norm", ["float"], ([x]) => [x]);
const root = e.elementwise("global norm", ["float"], ([x]) => [e.sqrt(x)]);
const factor = e.elementwise(
  "clipByGlobalNorm",
  ["float"],
  ([norm], [maximum]) => [clippingFactor(norm, maximum)],
  1,
);

/** min(1, maximum / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it. */
export function clippingFactor(
  norm: Expression,
  maximum: Expression,
): Expression {
  return e.min(1, e.div(maximum, e.add(norm, 1e-6)));
}

/**
 * The Euclidean norm of all elements of a tree together, of shape []. Leaves
 * are summed in their order, so equal trees have equal norms, bit for bit.
 *
 * @throws {RangeError} If the tree has no tensors.
 */
export function globalNorm(tree: Tree): Tensor {
  const tensors = leaves(tree);
  if (tensors.length === 0) {
    throw new RangeError("globalNorm: the tree has no tensors");
  }
  return scope(() =>
    unobserved(() => {
      const [{ device }] = tensors;
      const parts = empty(
        device,
        device.floatDtype,
        [tensors.length],
        "globalNorm",
      );
      tensors.forEach((x, offset) => {
        const shape = x.shape.map(() => 1);
        const strides = contiguousStrides(shape);
        const part = parts.view(shape, strides, offset);
        device.backend.reduce("sum", square, [x], part, []);
      });
      const sum = reduceTensors("sum", total, [parts], [0]);
      return mapTensors(root, [reshape(sum, [])]);
    })
  );
}

/**
 * How much gradients must shrink for their global norm to be at most `maximum`,
 * as torch.nn.utils.clip_grad_norm_ has it: min(1, maximum / (norm + 1e-6)).
 * The gradients stay as they are: `update` multiplies them on its way, so
 * clipping reads them once more and writes nothing.
 *
 * @throws {RangeError} If `maximum` isn't a finite number > 0.
 */
export function clipByGlobalNorm(gradients: Tree, maximum: number): Clipping {
  requireNumber(
    "clipByGlobalNorm",
    "maximum",
    maximum,
    "a finite number > 0",
  );
  const norm = globalNorm(gradients);
  const scale = unobserved(() => mapTensors(factor, [norm], [maximum]));
  // At rest on the host, a norm that nobody looks at costs the device nothing.
  return { norm: norm.rest(), scale };
}
