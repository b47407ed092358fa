/**
 * Dropout that is the same whenever a layer is computed for a batch: in every
 * sweep, on every level, and in the backward pass. Only then has MGRIT a fixed
 * point (Layer-Parallel Training for Transformers, arXiv 2601.09026).
 *
 * @module
 */

import type { LayerContext } from "../mgrit/mod.ts";
import { type Dropout, dropout, type Tensor } from "../tensor/internal.ts";

/** Dropout that is the same whenever a layer is computed for a batch. */
export interface FrozenDropout {
  /** In [0, 1). */
  readonly probability: number;
  /** Seed of the run. */
  readonly seed: number;
  /** Number of the batch; another batch draws other masks. */
  readonly batch: number;
}

/** Places where dropout happens, as words of the random stream. */
export const dropoutSites = {
  embedding: 0,
  attentionProbabilities: 1,
  attentionOutput: 2,
  mlpOutput: 3,
  crossAttentionProbabilities: 4,
  crossAttentionOutput: 5,
  targetEmbedding: 6,
  head: 7,
} as const;

/** The key for one site of the given layers. */
export function siteDropout(
  { probability, seed, batch }: FrozenDropout,
  layers: readonly number[],
  site: number,
): Dropout {
  return {
    probability,
    key: { seed, streams: layers.map((layer) => [layer, batch, site]) },
  };
}

/** Which layers of the whole network drop what. */
export interface DropoutContext extends LayerContext {
  /** Absent in evaluation. */
  readonly dropout?: FrozenDropout;
  /** Index of the block's first layer in the whole network. */
  readonly firstLayer: number;
}

/** Dropout at one site of the layers that a call computes. */
export function dropoutAt(
  { dropout, layers, firstLayer }: DropoutContext,
  site: number,
): Dropout | undefined {
  return dropout &&
    siteDropout(dropout, layers.map((layer) => firstLayer + layer), site);
}

/** Drops numbers outside of layers: of embeddings, or before the head. */
export function dropoutOutside(
  x: Tensor,
  given: FrozenDropout | undefined,
  site: number,
): Tensor {
  if (given === undefined) return x;
  const { probability, key } = siteDropout(given, [0], site);
  return dropout(x, probability, key);
}
