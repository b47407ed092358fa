/**
 * Scaled dot-product attention (Vaswani et al. 2017) as one fused kernel.
 *
 * @module
 */

import type { AttentionArguments, Dropout, View } from "../backend.ts";
import { apply, type Operation } from "../operation.ts";
import { formatShape, type Shape } from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import { broadcastView } from "./elementwise.ts";
import { contiguous, lastAxisContiguous, reshape } from "./movement.ts";
import { assertMask, assertReal } from "./operands.ts";

/** What shapes the scores; keep and bias follow query, key and value. */
export interface AttentionAttributes {
  /** Query t sees keys 0 … t + (S − T) only. */
  readonly causal: boolean;
  /** Factor of the scores. */
  readonly scale: number;
  /** A bool mask follows the values. */
  readonly keep: boolean;
  /** An additive bias follows the values (and the mask). */
  readonly bias: boolean;
  /** Dropout of the probabilities. */
  readonly dropout: Dropout | undefined;
}

function kernelArguments(
  inputs: readonly View[],
  { causal, scale, keep, bias, dropout }: AttentionAttributes,
): AttentionArguments {
  const [query, key, value] = inputs;
  const [b, h, t] = query.shape;
  const scores = [b, h, t, key.shape[2]];
  return {
    query,
    key,
    value,
    keep: keep ? broadcastView(inputs[3], scores) : undefined,
    bias: bias ? broadcastView(inputs[keep ? 4 : 3], scores) : undefined,
    causal,
    scale,
    dropout,
  };
}

/** `[B, H, T, D]` in memory as `[B, T, H, D]`: merging heads copies nothing. */
function emptyHeads(like: Tensor, shape: Shape, origin: string): Tensor {
  const [b, h, t, d] = shape;
  const memory = empty(like.device, like.dtype, [b, t, h, d], origin);
  const view = memory.view(shape, [t * h * d, d, h * d, 1], 0);
  memory.dispose();
  return view;
}

/** Attention of query, key, value; outputs `[B, H, T, D]` and logSumExp. */
export const attentionOperation: Operation<AttentionAttributes> = {
  name: "attention",
  forward: (inputs, attributes) => {
    const [query, , value] = inputs;
    const [b, h, t] = query.shape;
    const out = emptyHeads(query, [b, h, t, value.shape[3]], "attention");
    const { device } = query;
    const logSumExp = empty(device, device.floatDtype, [b, h, t], "attention");
    query.device.backend.attention(
      kernelArguments(inputs, attributes),
      out,
      logSumExp,
    );
    return [out, logSumExp];
  },
};

/** dquery, dkey, dvalue; given the inputs, out, logSumExp and dout. */
export const attentionBackwardOperation: Operation<AttentionAttributes> = {
  name: "attentionBackward",
  forward: (inputs, attributes) => {
    const [query, key, value] = inputs;
    const [out, logSumExp, dout] = inputs.slice(-3);
    const gradients = [query, key, value].map((x) =>
      emptyHeads(x, x.shape, "attentionBackward")
    );
    const [dquery, dkey, dvalue] = gradients;
    query.device.backend.attentionBackward(
      kernelArguments(inputs, attributes),
      out,
      logSumExp,
      dout,
      dquery,
      dkey,
      dvalue,
    );
    return gradients;
  },
};

/** Options of attention. */
export interface AttentionOptions {
  /**
   * Query t of T sees keys 0 … t + (S − T) of S only, so that queries are the
   * last T of S positions; default false.
   */
  readonly causal?: boolean;
  /** Factor of the scores; default 1/√D. */
  readonly scale?: number;
  /** bool, broadcasts to `[B, H, T, S]`; false may not be attended. */
  readonly keep?: Tensor;
  /** Added to the scores, broadcasts to `[B, H, T, S]`; has no gradient. */
  readonly bias?: Tensor;
  /** Dropout of the probabilities. */
  readonly dropout?: Dropout;
}

/**
 * softmax(scale · q kᵀ + bias, where kept) v for queries `[B, H, T, D]` and keys
 * and values `[B, H, S, D]` → `[B, H, T, D]`. The T × S scores of all heads
 * are never stored. A query that may attend nothing yields 0.
 *
 * @throws {RangeError} If shapes don't fit.
 * @throws {TypeError} If keep isn't bool, or another operand holds no real
 *   numbers.
 */
export function attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  assertReal("attention", query);
  assertReal("attention", key);
  assertReal("attention", value);
  assertReal("attention", options.bias);
  assertMask("attention", options.keep);
  const [b, h, t, d] = query.shape;
  const s = key.shape[2];
  const fits = query.rank === 4 && key.rank === 4 && value.rank === 4 &&
    [key, value].every((x) =>
      x.shape[0] === b && x.shape[1] === h && x.shape[2] === s
    ) && key.shape[3] === d && value.shape[3] === d;
  if (!fits) {
    throw new RangeError(
      `attention: query ${formatShape(query.shape)}, key ${
        formatShape(key.shape)
      } and value ${formatShape(value.shape)} don't fit; they must be ` +
        `[B, H, T, D], [B, H, S, D] and [B, H, S, D]`,
    );
  }
  const { causal = false, keep, bias, dropout } = options;
  if (causal && t > s) {
    throw new RangeError(
      `attention: ${t} causal queries need at least as many keys, not ${s}`,
    );
  }
  const inputs = [query, key, value].map(lastAxisContiguous);
  if (keep !== undefined) inputs.push(keep);
  if (bias !== undefined) inputs.push(bias);
  const [out, logSumExp] = apply(attentionOperation, inputs, {
    causal,
    scale: options.scale ?? 1 / Math.sqrt(d),
    keep: keep !== undefined,
    bias: bias !== undefined,
    dropout: dropout && dropout.probability > 0 ? dropout : undefined,
  });
  logSumExp.dispose();
  return out;
}

/** Attention over queries, keys and values in one tensor. */
export interface PackedAttentionAttributes extends AttentionAttributes {
  /** Number of heads. */
  readonly heads: number;
}

/** `[B, T, 3 · H · D]` as query, key and value `[B, H, T, D]`. */
function unpack(packed: Tensor, heads: number): View[] {
  const size = packed.shape[2] / 3;
  return [0, 1, 2].map((part) => headsOf(packed, heads, part * size, size));
}

/** The columns `from` … `from + size` − 1 of `[B, T, …]` as `[B, H, T, D]`. */
function headsOf(
  { buffer, dtype, shape: [b, t], strides: [sb, st], offset }: Tensor,
  heads: number,
  from: number,
  size: number,
): View {
  const d = size / heads;
  return {
    buffer,
    dtype,
    shape: [b, heads, t, d],
    strides: [sb, d, st, 1],
    offset: offset + from,
  };
}

/** As `attention`, on `[B, T, 3 · H · D]`; outputs `[B, T, H · D]` and logSumExp. */
export const packedAttentionOperation: Operation<PackedAttentionAttributes> = {
  name: "selfAttention",
  forward: ([packed, ...masks], attributes) => {
    const { device, dtype, shape: [b, t, width] } = packed;
    const { heads } = attributes;
    const out = empty(device, dtype, [b, t, width / 3], "selfAttention");
    const logSumExp = empty(
      device,
      device.floatDtype,
      [b, heads, t],
      "selfAttention",
    );
    device.backend.attention(
      kernelArguments([...unpack(packed, heads), ...masks], attributes),
      headsOf(out, heads, 0, width / 3),
      logSumExp,
    );
    return [out, logSumExp];
  },
};

/** dpacked; given packed, masks, out, logSumExp and dout (merged heads). */
export const packedAttentionBackwardOperation: Operation<
  PackedAttentionAttributes
> = {
  name: "selfAttentionBackward",
  forward: (inputs, attributes) => {
    const [packed, ...rest] = inputs;
    const masks = rest.slice(0, -3);
    const [out, logSumExp, dout] = rest.slice(-3);
    const { device, dtype, shape } = packed;
    const { heads } = attributes;
    const dpacked = empty(device, dtype, shape, "selfAttentionBackward");
    const [dquery, dkey, dvalue] = unpack(dpacked, heads);
    device.backend.attentionBackward(
      kernelArguments([...unpack(packed, heads), ...masks], attributes),
      headsOf(out, heads, 0, out.shape[2]),
      logSumExp,
      headsOf(dout, heads, 0, dout.shape[2]),
      dquery,
      dkey,
      dvalue,
    );
    return [dpacked];
  },
};

/**
 * Self-attention on queries, keys and values side by side in one tensor
 * `[…, T, 3 · H · D]` → `[…, T, H · D]`, as one fused projection makes them; heads are read
 * and written in place. Leading axes are batch axes.
 *
 * @throws {RangeError} If the width isn't a multiple of 3 · heads.
 * @throws {TypeError} If keep isn't bool, or another operand holds no real
 *   numbers.
 */
export function selfAttention(
  packed: Tensor,
  heads: number,
  options: AttentionOptions = {},
): Tensor {
  assertReal("selfAttention", packed);
  assertReal("selfAttention", options.bias);
  assertMask("selfAttention", options.keep);
  const [t, width] = packed.shape.slice(-2);
  if (packed.rank < 3 || width % (3 * heads) !== 0) {
    throw new RangeError(
      `selfAttention: ${formatShape(packed.shape)} must be [batch, T, width] ` +
        `with width a multiple of 3 · ${heads} heads`,
    );
  }
  const { causal = false, keep, bias, dropout } = options;
  const inputs = [reshapeBatch(packed, t, width)];
  if (keep !== undefined) inputs.push(keep);
  if (bias !== undefined) inputs.push(bias);
  const [out, logSumExp] = apply(packedAttentionOperation, inputs, {
    heads,
    causal,
    scale: options.scale ?? 1 / Math.sqrt(width / 3 / heads),
    keep: keep !== undefined,
    bias: bias !== undefined,
    dropout: dropout && dropout.probability > 0 ? dropout : undefined,
  });
  logSumExp.dispose();
  return reshape(out, [...packed.shape.slice(0, -1), width / 3]);
}

function reshapeBatch(packed: Tensor, t: number, width: number): Tensor {
  return reshape(contiguous(packed), [packed.size / (t * width), t, width]);
}
