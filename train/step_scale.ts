/**
 * The factor of a step's gradient, which also says whether the step is taken:
 * decided on the device, before anybody has read a number.
 *
 * @module
 */

import {
  type Elementwise,
  type Expression,
  expression as e,
  mapTensors,
  scope,
  type Tensor,
  unobserved,
} from "../tensor/internal.ts";
import { clippingFactor } from "./gradient_clipping.ts";

/** What the factor of a gradient depends on; all are of one element. */
export interface ScaleOf {
  /** The norm of the gradient. */
  readonly norm: Tensor;
  /** The losses of the step's batches. */
  readonly losses: readonly Tensor[];
  /** The factor of the step before: after a step that wasn't taken, none is. */
  readonly before: Tensor;
  /** What losses and gradient are multiplied by. */
  readonly lossScale: number;
  /** Largest norm of the gradient; undefined: no limit. */
  readonly clipNorm: number | undefined;
}

/** What `update` takes for a step that must not be taken. */
const skipped = -1;

/** Largest real number of a device, so that a test of finiteness needs no NaN. */
const largest = { f32: (2 - 2 ** -23) * 2 ** 127, f64: Number.MAX_VALUE };

/**
 * The factor of a step's gradient: what clips it, 1 without clipping, divided by
 * the scale of the loss; negative if the loss or the norm isn't finite, or if the
 * step before wasn't taken.
 */
export function stepScale(
  { norm, losses: [first, ...others], before, lossScale, clipNorm }: ScaleOf,
): Tensor {
  const limit = largest[norm.device.floatDtype];
  const numbers = [limit, 1 / lossScale];
  return scope(() =>
    unobserved(() => {
      const scale = clipNorm === undefined
        ? mapTensors(unclipped, [before, first, norm], numbers)
        : mapTensors(clipped, [before, first, norm], [...numbers, clipNorm]);
      return others.reduce(
        (scale, loss) => mapTensors(furtherLoss, [scale, loss], [limit]),
        scale,
      );
    })
  );
}

const unclipped = scaleProgram(2, (_, [inverse]) => inverse);
const clipped = scaleProgram(
  3,
  (norm, [inverse, maximum]) =>
    e.mul(inverse, clippingFactor(e.mul(inverse, norm), maximum)),
);

function scaleProgram(
  scalars: number,
  factor: (norm: Expression, scalars: Expression[]) => Expression,
): Elementwise {
  return e.elementwise(
    "step scale",
    ["float", "float", "float"],
    ([before, loss, norm], [limit, ...others]) => [
      e.select(
        e.and(
          e.lessEqual(0, before),
          e.and(isFinite(loss, limit), isFinite(norm, limit)),
        ),
        factor(norm, others),
        skipped,
      ),
    ],
    scalars,
  );
}

const furtherLoss: Elementwise = e.elementwise(
  "step scale",
  ["float", "float"],
  ([scale, loss], [limit]) => [
    e.select(isFinite(loss, limit), scale, skipped),
  ],
  1,
);

// Shading languages may take NaN ≠ NaN for false, but NaN is below no number.
function isFinite(x: Expression, limit: Expression): Expression {
  return e.lessEqual(e.abs(x), limit);
}
