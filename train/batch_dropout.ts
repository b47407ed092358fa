/**
 * Dropout of a training batch.
 *
 * @module
 */

import type { FrozenDropout } from "../models/mod.ts";

/**
 * The dropout of a batch, the same whenever its layers are computed; none where
 * nothing is dropped.
 */
export function batchDropout(
  probability: number,
  seed: number,
  batch: number,
): FrozenDropout | undefined {
  return probability === 0 ? undefined : { probability, seed, batch };
}
