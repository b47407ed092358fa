/**
 * Loss scaling: where gradients are stored in 16 bits, the loss is multiplied by
 * a power of two on its way back, so that small gradients don't vanish
 * (Micikevicius et al. 2018, §3.2). The update divides by it again, which is
 * exact.
 *
 * @module
 */

import { mul, type Tree } from "../tensor/internal.ts";
import type { TrainingTask } from "./task.ts";

/** The factor of the loss, and how long it has been so. */
export interface LossScale {
  /** A power of two ≥ 1. */
  readonly factor: number;
  /** Steps done when it became so. */
  readonly since: number;
}

/** Steps that are taken with one factor before a larger one is tried. */
const patience = 2000;
/** Losses of 100 nats are still far from the range of f32. */
const largestFactor = 2 ** 24;

/** The scale of the next step, after so many: twice as large now and then. */
export function nextScale(scale: LossScale, step: number): LossScale {
  const { factor, since } = scale;
  return step - since >= patience && factor < largestFactor
    ? { factor: 2 * factor, since: step }
    : scale;
}

/**
 * Half the scale, after a step whose gradient isn't finite; undefined where it
 * is 1 already.
 */
export function smallerScale(
  { factor }: LossScale,
  step: number,
): LossScale | undefined {
  return factor > 1 ? { factor: factor / 2, since: step } : undefined;
}

/** The same task with its loss multiplied. */
export function scaledTask<P extends Tree>(
  task: TrainingTask<P>,
  factor: number,
): TrainingTask<P> {
  return factor === 1 ? task : {
    ...task,
    loss: (...batch) => mul(task.loss(...batch), factor),
  };
}
