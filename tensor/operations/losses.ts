/**
 * Loss functions on logits.
 *
 * @module
 */

import { apply, type Operation } from "../operation.ts";
import { formatShape, sameShape } from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import { div } from "./elementwise.ts";
import * as e from "../expression.ts";
import { contiguous, reshape } from "./movement.ts";
import { assertReal } from "./operands.ts";
import { reduceTensors, sum } from "./reductions.ts";

/** Which labels count, and how sharply. */
export interface CrossEntropyAttributes {
  /** Rows with this label have loss 0. */
  readonly ignoreIndex: number;
  /** Share of the target that is spread over all classes. */
  readonly labelSmoothing: number;
}

/** Loss and logSumExp `[rows]` of logits `[rows, classes]`, labels `[rows]`. */
export const crossEntropyOperation: Operation<CrossEntropyAttributes> = {
  name: "crossEntropy",
  forward: ([logits, labels], attributes) => {
    const { device } = logits;
    const { floatDtype } = device;
    const loss = empty(device, floatDtype, labels.shape, "crossEntropy");
    const logSumExp = empty(device, floatDtype, labels.shape, "crossEntropy");
    const args = { logits, labels, ...attributes };
    device.backend.crossEntropy(args, loss, logSumExp);
    return [loss, logSumExp];
  },
};

/** dlogits; given logits, labels, logSumExp and dloss. */
export const crossEntropyBackwardOperation: Operation<CrossEntropyAttributes> =
  {
    name: "crossEntropyBackward",
    forward: ([logits, labels, logSumExp, dloss], attributes) => {
      const { device, dtype, shape } = logits;
      const dlogits = empty(device, dtype, shape, "crossEntropyBackward");
      const args = { logits, labels, ...attributes };
      device.backend.crossEntropyBackward(args, logSumExp, dloss, dlogits);
      return [dlogits];
    },
  };

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** Rows with this label count for nothing; default −100. */
  readonly ignoreIndex?: number;
  /** e in [0, 1]: e / classes on every class, 1 − e more on the label. */
  readonly labelSmoothing?: number;
  /** Mean over counted rows (default), sum, or one loss per row. */
  readonly reduction?: "mean" | "sum" | "none";
}

const counts = e.elementwise(
  "crossEntropy",
  ["int"],
  ([label], [ignored]) => [
    e.select(e.equal(label, e.toInt(ignored)), e.constant(0), 1),
  ],
  1,
);

/**
 * Cross entropy in nats of logits `[…, classes]` against i32 labels `[…]`:
 * −Σ target · log softmax(logits).
 *
 * @throws {RangeError} If shapes don't fit or a label is no class.
 * @throws {TypeError} If logits hold no real numbers or labels aren't i32.
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const { ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } =
    options;
  assertReal("crossEntropy", logits);
  if (!sameShape(logits.shape.slice(0, -1), labels.shape)) {
    throw new RangeError(
      `crossEntropy: logits ${formatShape(logits.shape)} need labels ${
        formatShape(logits.shape.slice(0, -1))
      }, not ${formatShape(labels.shape)}`,
    );
  }
  if (labels.dtype !== "i32") {
    throw new TypeError(
      `crossEntropy: labels must be i32 classes, not ${labels.dtype} ` +
        `${formatShape(labels.shape)}; use cast(labels, "int")`,
    );
  }
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new RangeError(
      `crossEntropy: labelSmoothing ${labelSmoothing} must be in [0, 1]`,
    );
  }
  const classes = logits.shape[logits.rank - 1];
  const flatLabels = reshape(contiguous(labels), [labels.size]);
  const [loss, logSumExp] = apply(crossEntropyOperation, [
    reshape(contiguous(logits), [labels.size, classes]),
    flatLabels,
  ], { ignoreIndex, labelSmoothing });
  logSumExp.dispose();
  if (reduction === "none") return reshape(loss, labels.shape);
  const total = sum(loss);
  if (reduction === "sum") return total;
  const counted = reduceTensors("sum", counts, [flatLabels], [0], [
    ignoreIndex,
  ]);
  return div(total, reshape(counted, []));
}
