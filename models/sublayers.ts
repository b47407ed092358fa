/**
 * What transformer layers are made of, whatever their order: parameters, the
 * context of a call, attention and MLP without their normalizations.
 *
 * All functions take one layer's parameters or, with a leading axis everywhere,
 * a stack of layers.
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
import { activate, type Activation } from "./activation.ts";
import {
  dropoutAt,
  type DropoutContext,
  dropoutSites,
} from "./frozen_dropout.ts";

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
  /** Of attention: before it, or after its residual sum (post-LN). */
  readonly attentionNorm: Affine;
  /** Queries, keys and values side by side: `[width, 3 · width]`. */
  readonly attentionInput: Affine;
  /** `[width, width]`. */
  readonly attentionOutput: Affine;
  /** Of the MLP: before it, or after its residual sum (post-LN). */
  readonly mlpNorm: Affine;
  /** `[width, hidden]`. */
  readonly mlpInput: Affine;
  /** `[hidden, width]`. */
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

/** Keys and values of the positions so far, for generation. */
export interface KeyValueCache {
  /** Positions filled. */
  length: number;
  /** For each layer, keys and values `[B, H, S, D]`. */
  readonly layers: { readonly keys: Tensor; readonly values: Tensor }[];
}

/** What layers see beside state and parameters. */
export interface TransformerContext
  extends Omit<DropoutContext, keyof LayerContext> {
  /** Heads of attention. */
  readonly heads: number;
  /** Queries see no later keys. */
  readonly causal: boolean;
  /** Added to variances. */
  readonly epsilon: number;
  /** Of the MLP. */
  readonly activation: Activation;
  /** bool `[B, T]`: false at padding, which may not be attended. */
  readonly keep?: Tensor;
  /** Present in generation. */
  readonly cache?: KeyValueCache;
}

/** Layer normalization with an affine map. */
export function normalize(
  x: Tensor,
  { weight, bias }: Affine,
  epsilon: number,
): Tensor {
  return layerNorm(x, weight, bias, epsilon);
}

const combine = fuse(
  "residual",
  (residual, x, factor) => e.add(residual, e.mul(x, factor)),
);

/** residual + factor · dropout(x W + b), fused where there is no dropout. */
export function project(
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

/** residual + factor · self-attention of x, which is normalized already or not. */
export function attend(
  x: Tensor,
  { attentionInput, attentionOutput }: LayerParameters,
  context: TransformerContext & LayerContext,
  residual: Tensor,
  factor: number,
): Tensor {
  const packed = linear(x, attentionInput.weight, attentionInput.bias);
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
export function keepMask(
  keep: Tensor | undefined,
  x: Tensor,
): Tensor | undefined {
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
  context: TransformerContext & LayerContext,
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

/** residual + factor · MLP of x, which is normalized already or not. */
export function feedForward(
  x: Tensor,
  { mlpInput, mlpOutput }: LayerParameters,
  context: TransformerContext & LayerContext,
  residual: Tensor,
  factor: number,
): Tensor {
  const hidden = activate(
    linear(x, mlpInput.weight, mlpInput.bias),
    context.activation,
  );
  const drop = dropoutAt(context, dropoutSites.mlpOutput);
  return project(hidden, mlpOutput, residual, factor, drop);
}
