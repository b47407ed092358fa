/**
 * Layers of a decoder that attends an encoder's states: self-attention,
 * cross-attention, MLP, as in §1.3 of Layer-Parallel Training for Transformers
 * (arXiv 2601.09026): with φ₁, φ₃ and φ₂ the three branches and X the encoder's
 * states,
 *
 *     Ȳ = φ₁(Y) + φ₃(Y + φ₁(Y), X),    F(Y) = Ȳ + φ₂(Y + Ȳ).
 *
 * All functions take one layer's parameters or, with a leading axis everywhere,
 * a stack of layers.
 *
 * @module
 */

import type { LayerContext } from "../mgrit/mod.ts";
import {
  attention,
  contiguous,
  linear,
  reshape,
  select,
  type Tensor,
  transpose,
} from "../tensor/internal.ts";
import { dropoutAt, dropoutSites } from "./frozen_dropout.ts";
import {
  type Affine,
  attend,
  feedForward,
  keepMask,
  type LayerParameters,
  normalize,
  project,
  type TransformerContext,
} from "./sublayers.ts";

/**
 * Parameters of one decoder layer, or of a stack with a leading axis. Layers may
 * have one part more, `memoryNorm`: a normalization of the encoder's states.
 */
export interface DecoderLayerParameters extends LayerParameters {
  /** Of cross-attention: before it, or after its residual sum (post-LN). */
  readonly crossNorm: Affine;
  /** Queries, of the decoder's states: `[width, width]`. */
  readonly crossQuery: Affine;
  /** Keys and values of the encoder's states, side by side: `[width, 2 · width]`. */
  readonly crossMemory: Affine;
  /** `[width, width]`. */
  readonly crossOutput: Affine;
}

/** Keys and values of the encoder's states, `[B, H, S, D]`. */
export interface MemoryKeys {
  /** What queries are compared with. */
  readonly keys: Tensor;
  /** What they get. */
  readonly values: Tensor;
}

/** What decoder layers see beside their state and parameters. */
export interface DecoderContext extends TransformerContext {
  /**
   * The encoder's states `[B, S, width]`, or in search what each layer makes of
   * them.
   */
  readonly memory: Tensor | readonly MemoryKeys[];
  /** bool `[B, S]`: false at padding of the source. */
  readonly memoryKeep?: Tensor;
}

type Context = DecoderContext & LayerContext;

/** `[…, T, H · D]` as `[batch, H, T', D]`: all rows, whatever axes they had. */
function headsOf(x: Tensor, batch: number, heads: number): Tensor {
  const width = x.shape[x.rank - 1];
  const rows = x.size / batch / width;
  return transpose(
    reshape(contiguous(x), [batch, rows, heads, width / heads]),
    [0, 2, 1, 3],
  );
}

/** What a layer's cross-attention makes of the encoder's states. */
export function memoryKeys(
  memory: Tensor,
  { crossMemory, ...others }: DecoderLayerParameters,
  { heads, epsilon }: Pick<TransformerContext, "heads" | "epsilon">,
): MemoryKeys {
  const memoryNorm: Affine | undefined = others.memoryNorm;
  const states = memoryNorm === undefined
    ? memory
    : normalize(memory, memoryNorm, epsilon);
  const packed = linear(states, crossMemory.weight, crossMemory.bias);
  const [length, width] = packed.shape.slice(-2);
  const parts = reshape(packed, [
    packed.size / (length * width),
    length,
    2,
    heads,
    width / 2 / heads,
  ]);
  const [keys, values] = [0, 1].map((part) =>
    transpose(select(parts, 2, part), [0, 2, 1, 3])
  );
  return { keys, values };
}

/** residual + factor · cross-attention of x, which is normalized already or not. */
function attendMemory(
  x: Tensor,
  parameters: DecoderLayerParameters,
  context: Context,
  residual: Tensor,
  factor: number,
): Tensor {
  const { crossQuery, crossOutput } = parameters;
  const { memory, memoryKeep, heads, layers: [layer] } = context;
  const { keys, values } = Array.isArray(memory)
    ? (memory as readonly MemoryKeys[])[layer]
    : memoryKeys(memory as Tensor, parameters, context);
  const query = linear(x, crossQuery.weight, crossQuery.bias);
  const mixed = attention(headsOf(query, keys.shape[0], heads), keys, values, {
    keep: keepMask(memoryKeep, x),
    dropout: dropoutAt(context, dropoutSites.crossAttentionProbabilities),
  });
  const merged = reshape(transpose(mixed, [0, 2, 1, 3]), x.shape);
  const drop = dropoutAt(context, dropoutSites.crossAttentionOutput);
  return project(merged, crossOutput, residual, factor, drop);
}

/** A `Branch`: cross-attention of normalized states, residual + factor · φ₃(x). */
export function crossAttentionBranch(
  x: Tensor,
  parameters: DecoderLayerParameters,
  context: DecoderContext & LayerContext,
  residual: Tensor,
  factor: number,
): Tensor {
  const normalized = normalize(x, parameters.crossNorm, context.epsilon);
  return attendMemory(normalized, parameters, context, residual, factor);
}

/**
 * The decoder layer of the first transformers (Vaswani et al. 2017) and of
 * Marian: each of the three residual sums is normalized.
 */
export function postNormDecoderLayer(
  x: Tensor,
  parameters: DecoderLayerParameters,
  context: DecoderContext & LayerContext,
): Tensor {
  const { attentionNorm, crossNorm, mlpNorm } = parameters;
  const { epsilon } = context;
  const mixed = attend(x, parameters, context, x, 1);
  const y = normalize(mixed, attentionNorm, epsilon);
  const crossed = attendMemory(y, parameters, context, y, 1);
  const z = normalize(crossed, crossNorm, epsilon);
  const sum = feedForward(z, parameters, context, z, 1);
  return normalize(sum, mlpNorm, epsilon);
}
