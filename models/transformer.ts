/**
 * The pre-LN transformer layer as two residual branches.
 *
 * φ₁ = attention ∘ norm, φ₂ = MLP ∘ norm, as in §1.1–1.2 of Layer-Parallel
 * Training for Transformers (arXiv 2601.09026). All functions take one layer's
 * parameters or, with a leading axis everywhere, a stack of layers.
 *
 * @example Layers as an ODE block
 * ```ts
 * import { residualBlock, solve } from "@layerbraid/layerbraid/mgrit";
 * import { attentionBranch, gptConfiguration, initializeGpt, mlpBranch } from "@layerbraid/layerbraid/models";
 * import { device, normal, randomKey } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const shape = { vocabulary: 5, context: 3, width: 8, heads: 2, layers: 4 };
 * const { block: parameters } = initializeGpt(gptConfiguration(shape), 0);
 * const block = residualBlock({
 *   layers: 4,
 *   endTime: 4,
 *   branches: [attentionBranch, mlpBranch],
 *   discretization: "outer",
 * });
 * const options = { heads: 2, causal: true, epsilon: 1e-5, firstLayer: 0 };
 * const context = { ...options, gelu: "tanh" } as const;
 * const states = normal([1, 3, 8], randomKey(1));
 * console.log(solve(block, states, parameters, context).shape); // [ 1, 3, 8 ]
 * ```
 *
 * @module
 */

import type { LayerContext } from "../mgrit/mod.ts";
import {
  attention,
  cast,
  contiguous,
  type Dropout,
  dropout,
  expand,
  fuse,
  gelu,
  type GeluApproximation,
  layerNorm,
  linear,
  reshape,
  selfAttention,
  slice,
  split,
  type Tensor,
  transpose,
} from "../tensor/internal.ts";
import * as e from "../tensor/expression.ts";

/** Weight and bias of a layer normalization or a linear layer. */
export interface Affine {
  /** For the type of trees. */
  readonly [name: string]: Tensor;
  /** `[in, out]` of a linear layer, `[width]` of a normalization. */
  readonly weight: Tensor;
  /** `[out]`, `[width]`. */
  readonly bias: Tensor;
}

/** Parameters of one layer, or of a stack with a leading axis. */
export interface LayerParameters {
  /** For the type of trees. */
  readonly [name: string]: Affine;
  /** Before attention. */
  readonly attentionNorm: Affine;
  /** Queries, keys and values side by side: `[width, 3 · width]`. */
  readonly attentionInput: Affine;
  /** `[width, width]`. */
  readonly attentionOutput: Affine;
  /** Before the MLP. */
  readonly mlpNorm: Affine;
  /** `[width, 4 · width]`. */
  readonly mlpInput: Affine;
  /** `[4 · width, width]`. */
  readonly mlpOutput: Affine;
}

/** The same layers, their linear maps' weights stored in 16 bits. */
export function withHalfWeights(parameters: LayerParameters): LayerParameters {
  const half = ({ weight, bias }: Affine): Affine => ({
    weight: cast(weight, "f16"),
    bias,
  });
  return {
    ...parameters,
    attentionInput: half(parameters.attentionInput),
    attentionOutput: half(parameters.attentionOutput),
    mlpInput: half(parameters.mlpInput),
    mlpOutput: half(parameters.mlpOutput),
  };
}

/** Dropout that is the same whenever a layer is computed for a batch. */
export interface FrozenDropout {
  /** In [0, 1). */
  readonly probability: number;
  /** Seed of the run. */
  readonly seed: number;
  /** Number of the batch; another batch draws other masks. */
  readonly batch: number;
}

/** Keys and values of the positions so far, for generation. */
export interface KeyValueCache {
  /** Positions filled. */
  length: number;
  /** For each layer, keys and values `[B, H, S, D]`. */
  readonly layers: { readonly keys: Tensor; readonly values: Tensor }[];
}

/** What layers see beside state and parameters. */
export interface TransformerContext {
  /** Heads of attention. */
  readonly heads: number;
  /** Queries see no later keys. */
  readonly causal: boolean;
  /** Added to variances. */
  readonly epsilon: number;
  /** Which GELU. */
  readonly gelu: GeluApproximation;
  /** bool `[B, T]`: false at padding, which may not be attended. */
  readonly keep?: Tensor;
  /** Absent in evaluation. */
  readonly dropout?: FrozenDropout;
  /** Index of the block's first layer in the whole network. */
  readonly firstLayer: number;
  /** Present in generation. */
  readonly cache?: KeyValueCache;
}

type Context = TransformerContext & LayerContext;

/** Places where dropout happens, as words of the random stream. */
export const dropoutSites = {
  embedding: 0,
  attentionProbabilities: 1,
  attentionOutput: 2,
  mlpOutput: 3,
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

function dropoutAt(context: Context, site: number): Dropout | undefined {
  return context.dropout && siteDropout(
    context.dropout,
    context.layers.map((layer) => context.firstLayer + layer),
    site,
  );
}

const combine = fuse(
  "residual",
  (residual, x, factor) => e.add(residual, e.mul(x, factor)),
);

/** residual + factor · dropout(x W + b), fused where there is no dropout. */
function project(
  x: Tensor,
  { weight, bias }: Affine,
  residual: Tensor,
  factor: number,
  drop: Dropout | undefined,
): Tensor {
  if (drop === undefined || drop.probability === 0) {
    return linear(x, weight, bias, { residual, alpha: factor });
  }
  const dropped = dropout(
    linear(x, weight, bias),
    drop.probability,
    drop.key,
  );
  return combine(residual, dropped, factor);
}

/** A `Branch`: self-attention of normalized states, residual + factor · φ₁(x). */
export function attentionBranch(
  x: Tensor,
  parameters: LayerParameters,
  context: TransformerContext & LayerContext,
  residual: Tensor,
  factor: number,
): Tensor {
  const { attentionNorm: norm, attentionInput, attentionOutput } = parameters;
  const normalized = layerNorm(x, norm.weight, norm.bias, context.epsilon);
  const packed = linear(normalized, attentionInput.weight, attentionInput.bias);
  const mixed = context.cache === undefined
    ? selfAttention(packed, context.heads, {
      causal: context.causal,
      keep: keepMask(context.keep, x),
      dropout: dropoutAt(context, dropoutSites.attentionProbabilities),
    })
    : cachedAttention(packed, context, context.cache);
  const drop = dropoutAt(context, dropoutSites.attentionOutput);
  return project(mixed, attentionOutput, residual, factor, drop);
}

/** `[B, T]` as `[batch, 1, 1, T]`, repeated for every layer of a stack. */
function keepMask(keep: Tensor | undefined, x: Tensor): Tensor | undefined {
  if (keep === undefined) return undefined;
  const [batch, length] = keep.shape;
  const mask = reshape(keep, [batch, 1, 1, length]);
  if (x.rank < 4) return mask;
  const layers = x.shape[0];
  return reshape(
    contiguous(expand(mask, [layers, batch, 1, 1, length])),
    [layers * batch, 1, 1, length],
  );
}

/** Attention of new positions over all positions so far. */
function cachedAttention(
  packed: Tensor,
  context: Context,
  cache: KeyValueCache,
): Tensor {
  const { heads, firstLayer, layers: [layer] } = context;
  const [batch, length, width] = packed.shape;
  const size = width / 3 / heads;
  const [query, key, value] = split(
    reshape(packed, [batch, length, 3, heads, size]),
    [1, 1, 1],
    2,
  ).map((part) =>
    transpose(reshape(part, [batch, length, heads, size]), [0, 2, 1, 3])
  );
  const { keys, values } = cache.layers[firstLayer + layer];
  const end = cache.length + length;
  const recent = [undefined, undefined, [cache.length, end] as const];
  keys.device.assign(slice(keys, recent), key);
  values.device.assign(slice(values, recent), value);
  const all = [undefined, undefined, [0, end] as const];
  const mixed = attention(query, slice(keys, all), slice(values, all), {
    causal: true,
  });
  return reshape(transpose(mixed, [0, 2, 1, 3]), [batch, length, width / 3]);
}

/** A `Branch`: the MLP on normalized states, residual + factor · φ₂(x). */
export function mlpBranch(
  x: Tensor,
  { mlpNorm: norm, mlpInput, mlpOutput }: LayerParameters,
  context: TransformerContext & LayerContext,
  residual: Tensor,
  factor: number,
): Tensor {
  const normalized = layerNorm(x, norm.weight, norm.bias, context.epsilon);
  const hidden = gelu(
    linear(normalized, mlpInput.weight, mlpInput.bias),
    context.gelu,
  );
  const drop = dropoutAt(context, dropoutSites.mlpOutput);
  return project(hidden, mlpOutput, residual, factor, drop);
}
