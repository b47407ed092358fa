/**
 * Scaled dot-product attention (Vaswani et al. 2017) and its gradient from the
 * saved logSumExp (Dao et al. 2022, FlashAttention, appendix B.2).
 *
 * A query that may attend nothing has output 0, logSumExp −∞ and gradient 0.
 *
 * @module
 */

import type { AttentionArguments, View } from "../backend.ts";
import type { TypedArray } from "../dtype.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import { contiguousValues, valuesOf, viewPositions } from "./memory.ts";
import { dropoutFactor } from "./random.ts";
import { sumOf } from "./scalar_functions.ts";

/** A tensor of four axes. */
interface Tensor4 {
  readonly view: View;
  readonly values: TypedArray;
}

function tensor4(view: View): Tensor4 {
  return { view, values: valuesOf(view) };
}

function at(
  { view: { offset, strides } }: Tensor4,
  b: number,
  h: number,
  t: number,
  i: number,
): number {
  return offset + b * strides[0] + h * strides[1] + t * strides[2] +
    i * strides[3];
}

function dot(
  x: Tensor4,
  y: Tensor4,
  b: number,
  h: number,
  t: number,
  s: number,
): number {
  const [depth, left, right] = [
    x.view.shape[3],
    at(x, b, h, t, 0),
    at(y, b, h, s, 0),
  ];
  let sum = 0;
  for (let i = 0; i < depth; i++) {
    sum += x.values[left + i] * y.values[right + i];
  }
  return sum;
}

/** x[b, h, t] += factor · y[b, h, s], of vectors along the last axis. */
function addScaled(
  x: Tensor4,
  t: number,
  factor: number,
  y: Tensor4,
  s: number,
  b: number,
  h: number,
): void {
  const [depth, to, from] = [
    x.view.shape[3],
    at(x, b, h, t, 0),
    at(y, b, h, s, 0),
  ];
  for (let i = 0; i < depth; i++) {
    x.values[to + i] += factor * y.values[from + i];
  }
}

/** Zeros of a view's shape that gather a gradient in double precision. */
function accumulator(view: View): Tensor4 {
  const { shape } = view;
  return {
    view: { ...view, strides: contiguousStrides(shape), offset: 0 },
    values: new Float64Array(sizeOf(shape)),
  };
}

function store({ values }: Tensor4, view: View): void {
  const [result, positions] = [valuesOf(view), viewPositions(view)];
  for (let i = 0; i < values.length; i++) result[positions[i]] = values[i];
}

/** One score, (b, h, t, s); −∞ where query t may not attend key s. */
function scoreFunction(
  args: AttentionArguments,
): (b: number, h: number, t: number, s: number) => number {
  const [query, key] = [tensor4(args.query), tensor4(args.key)];
  const keep = args.keep && tensor4(args.keep);
  const bias = args.bias && tensor4(args.bias);
  const ahead = args.key.shape[2] - args.query.shape[2];
  return (b, h, t, s) => {
    if (args.causal && s > t + ahead) return -Infinity;
    if (keep && keep.values[at(keep, b, h, t, s)] === 0) return -Infinity;
    const score = args.scale * dot(query, key, b, h, t, s);
    return bias ? score + bias.values[at(bias, b, h, t, s)] : score;
  };
}

/** What dropout multiplies probability (b, h, t, s) with. */
function dropoutFunction(
  { query, key, dropout }: AttentionArguments,
): (b: number, h: number, t: number, s: number) => number {
  if (dropout === undefined) return () => 1;
  const [B, H, T] = query.shape;
  const S = key.shape[2];
  return (b, h, t, s) =>
    dropoutFactor(dropout, B * H * T * S, ((b * H + h) * T + t) * S + s);
}

/** See `Kernels.attention`. */
export function attention(
  args: AttentionArguments,
  out: View,
  logSumExp: View,
): void {
  const [B, H, T, D] = args.query.shape;
  const S = args.key.shape[2];
  const [score, factor] = [scoreFunction(args), dropoutFunction(args)];
  const [value, result] = [tensor4(args.value), tensor4(out)];
  const logSums = contiguousValues(logSumExp);
  const scores = new Float64Array(S);
  const weights = new Float64Array(S);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let t = 0; t < T; t++) {
        let largest = -Infinity;
        for (let s = 0; s < S; s++) {
          scores[s] = score(b, h, t, s);
          largest = Math.max(largest, scores[s]);
        }
        const nothing = largest === -Infinity;
        const sum = sumOf(S, (s) => Math.exp(scores[s] - largest));
        for (let s = 0; s < S; s++) {
          weights[s] = nothing
            ? 0
            : factor(b, h, t, s) * Math.exp(scores[s] - largest) / sum;
        }
        logSums[(b * H + h) * T + t] = nothing
          ? -Infinity
          : largest + Math.log(sum);
        for (let i = 0; i < D; i++) {
          result.values[at(result, b, h, t, i)] = sumOf(
            S,
            (s) => weights[s] * value.values[at(value, b, h, s, i)],
          );
        }
      }
    }
  }
}

/**
 * See `Kernels.attentionBackward`. With probabilities p, dropout factors f and
 * dp = f · dout vᵀ, the scores have gradient p · (dp − dout · out).
 */
export function attentionBackward(
  args: AttentionArguments,
  out: View,
  logSumExp: View,
  dout: View,
  dquery: View,
  dkey: View,
  dvalue: View,
): void {
  const [B, H, T] = args.query.shape;
  const S = args.key.shape[2];
  const [score, factor] = [scoreFunction(args), dropoutFunction(args)];
  const [query, key, value] = [args.query, args.key, args.value].map(tensor4);
  const [output, gradient] = [tensor4(out), tensor4(dout)];
  const logSums = contiguousValues(logSumExp);
  const [sumQuery, sumKey, sumValue] = [dquery, dkey, dvalue].map(accumulator);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let t = 0; t < T; t++) {
        const logSum = logSums[(b * H + h) * T + t];
        if (logSum === -Infinity) continue;
        const mean = dot(gradient, output, b, h, t, t);
        for (let s = 0; s < S; s++) {
          const probability = Math.exp(score(b, h, t, s) - logSum);
          const kept = factor(b, h, t, s);
          const dprobability = kept * dot(gradient, value, b, h, t, s);
          const dscore = args.scale * probability * (dprobability - mean);
          addScaled(sumValue, s, kept * probability, gradient, t, b, h);
          addScaled(sumQuery, t, dscore, key, s, b, h);
          addScaled(sumKey, s, dscore, query, t, b, h);
        }
      }
    }
  }
  store(sumQuery, dquery);
  store(sumKey, dkey);
  store(sumValue, dvalue);
}
