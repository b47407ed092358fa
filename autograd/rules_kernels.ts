/**
 * Rules of matrix products, indexing and fused kernels.
 *
 * Where a fused backward kernel exists it is used, unless an outer tape
 * watches: then the rule is made of operations that have rules themselves, if
 * that is possible.
 *
 * @module
 */

import {
  add,
  apply,
  argmaxOperation,
  attentionBackwardOperation,
  attentionOperation,
  contiguous,
  crossEntropyBackwardOperation,
  crossEntropyOperation,
  cumsum,
  cumsumOperation,
  dropout,
  dropoutOperation,
  gather,
  gatherOperation,
  lastAxisContiguous,
  layerNormBackwardOperation,
  layerNormOperation,
  matmulOperation,
  mul,
  observed,
  type Operation,
  packedAttentionBackwardOperation,
  packedAttentionOperation,
  reshape,
  rsqrt,
  softmaxBackwardOperation,
  softmaxOperation,
  sub,
  sum,
  sumTo,
  take,
  takeOperation,
  type Tensor,
  topkOperation,
  variance,
  zeros,
} from "../tensor/internal.ts";
import { productIn, sumIn } from "./places.ts";
import { defineConstant, defineRule } from "./rule.ts";

defineConstant(argmaxOperation);
defineConstant(topkOperation);

/** y = r + α(a b + c): da = α dy bᵀ, db = α aᵀ dy, dc = α Σ dy, dr = dy. */
defineRule(matmulOperation, {
  saves: (_, wanted) => ({ inputs: [wanted[1], wanted[0]] }),
  pullback: ({ inputs, attributes, wanted }, [dy], places) => {
    if (dy === undefined) return [];
    const [a, b, c] = inputs;
    const { alpha, bias, residual } = attributes;
    const results = [
      wanted[0]
        ? productIn(places[0], dy, b, { transposeB: true, alpha }, a.shape)
        : undefined,
      wanted[1]
        ? productIn(places[1], a, dy, { transposeA: true, alpha }, b.shape)
        : undefined,
    ];
    if (bias) {
      results.push(
        wanted[2] ? sumIn(places[2], dy, alpha, c.shape) : undefined,
      );
    }
    if (residual) results.push(dy);
    return results;
  },
});

/** Adds into picked slices, in place; see `Kernels.takeBackward`. */
const takeBackwardOperation: Operation<{ readonly shape: readonly number[] }> =
  {
    name: "takeBackward",
    forward: ([dy, index], { shape }) => {
      const out = zeros(shape, { device: dy.device, dtype: dy.dtype });
      dy.device.backend.takeBackward(dy, index, out);
      return [out];
    },
  };

defineRule(takeOperation, {
  saves: () => ({ inputs: [false, true] }),
  pullback: ({ inputs: [x, index] }, [dy]) =>
    dy === undefined ? [] : [
      apply(takeBackwardOperation, [contiguous(dy), index], {
        shape: x.shape,
      })[0],
    ],
  accumulate: ({ inputs: [, index] }, dy, target) =>
    dy.device.backend.takeBackward(contiguous(dy), index, target),
});

defineRule(takeBackwardOperation, {
  saves: () => ({ inputs: [false, true] }),
  pullback: ({ inputs: [, index] }, [dy]) =>
    dy === undefined ? [] : [take(dy, index, 1)],
});

/** Adds into picked elements; see `Kernels.gatherBackward`. */
const gatherBackwardOperation: Operation<
  { readonly shape: readonly number[]; readonly axis: number }
> = {
  name: "gatherBackward",
  forward: ([dy, index], { shape, axis }) => {
    const out = zeros(shape, { device: dy.device, dtype: dy.dtype });
    dy.device.backend.gatherBackward(dy, axis, index, out);
    return [out];
  },
};

defineRule(gatherOperation, {
  saves: () => ({ inputs: [false, true] }),
  pullback: ({ inputs: [x, index], attributes: { axis } }, [dy]) =>
    dy === undefined ? [] : [
      apply(gatherBackwardOperation, [dy, index], {
        shape: x.shape,
        axis,
      })[0],
    ],
  accumulate: ({ inputs: [, index], attributes: { axis } }, dy, target) =>
    dy.device.backend.gatherBackward(dy, axis, index, target),
});

defineRule(gatherBackwardOperation, {
  saves: () => ({ inputs: [false, true] }),
  pullback: ({ inputs: [, index], attributes: { axis } }, [dy]) =>
    dy === undefined ? [] : [gather(dy, index, axis)],
});

defineRule(cumsumOperation, {
  saves: () => ({}),
  // dx_i = Σ_{j ≥ i} dy_j
  pullback: ({ attributes: { reverse } }, [dy]) =>
    dy === undefined ? [] : [cumsum(dy, 1, !reverse)],
});

defineRule(softmaxOperation, {
  saves: () => ({ outputs: [true] }),
  // dx = y (dy − Σ y dy)
  pullback: ({ outputs: [y] }, [dy]) => {
    if (dy === undefined) return [];
    if (!observed()) {
      return apply(softmaxBackwardOperation, [y, contiguous(dy)], null);
    }
    return [mul(y, sub(dy, sum(mul(y, dy), -1, { keepdims: true })))];
  },
});

defineRule(layerNormOperation, {
  saves: (_, wanted) => ({
    inputs: [true, wanted.length > 1],
    outputs: [false, true, true],
  }),
  pullback: ({ inputs, outputs, attributes }, [dy], places) => {
    if (dy === undefined) return [];
    const [x, weight] = inputs;
    const [, mean, inverse] = outputs;
    if (observed()) return layerNormPullback(x, weight, attributes.epsilon, dy);
    const operands = [x, mean, inverse, contiguous(dy)];
    if (weight !== undefined) operands.push(weight);
    return apply(layerNormBackwardOperation, operands, { places });
  },
});

/**
 * The same with operations that have rules: with z = (x − μ)/σ recomputed,
 * g = w dy, dx = (g − mean g − z mean(z g))/σ, dw = Σ z dy, db = Σ dy.
 */
function layerNormPullback(
  x: Tensor,
  weight: Tensor | undefined,
  epsilon: number,
  dy: Tensor,
): (Tensor | undefined)[] {
  const n = x.shape[x.rank - 1];
  const keep = { keepdims: true };
  const average = (y: Tensor): Tensor => mul(sum(y, -1, keep), 1 / n);
  const inverse = rsqrt(add(variance(x, -1, keep), epsilon));
  const z = mul(sub(x, average(x)), inverse);
  // A stack's weight [L, n] stands over the rows of each layer: [L, 1, …, n].
  const w = weight?.rank === 2
    ? reshape(weight, [weight.shape[0], ...x.shape.slice(1, -1).fill(1), n])
    : weight;
  const g = w === undefined ? dy : mul(dy, w);
  const dx = mul(
    sub(sub(g, average(g)), mul(z, average(mul(z, g)))),
    inverse,
  );
  if (weight === undefined || w === undefined) return [dx];
  return [
    dx,
    reshape(sumTo(mul(z, dy), w.shape), weight.shape),
    reshape(sumTo(dy, w.shape), weight.shape),
  ];
}

defineRule(crossEntropyOperation, {
  saves: () => ({ inputs: [true, true], outputs: [false, true] }),
  pullback: ({ inputs: [logits, labels], outputs, attributes }, [dloss]) =>
    dloss === undefined ? [] : apply(crossEntropyBackwardOperation, [
      logits,
      labels,
      outputs[1],
      contiguous(dloss),
    ], attributes),
});

defineRule(attentionOperation, {
  saves: ({ keep, bias }) => ({
    inputs: [true, true, true, keep || bias, keep && bias],
    outputs: [true, true],
  }),
  pullback: ({ inputs, outputs, attributes }, [dout]) =>
    dout === undefined ? [] : apply(attentionBackwardOperation, [
      ...inputs,
      ...outputs,
      lastAxisContiguous(dout),
    ], attributes),
});

defineRule(packedAttentionOperation, {
  saves: ({ keep, bias }) => ({
    inputs: [true, keep || bias, keep && bias],
    outputs: [true, true],
  }),
  pullback: ({ inputs, outputs, attributes }, [dout]) =>
    dout === undefined ? [] : apply(packedAttentionBackwardOperation, [
      ...inputs,
      ...outputs,
      contiguous(dout),
    ], attributes),
});

/** Linear in x: the same mask and factor go over the cotangent. */
defineRule(dropoutOperation, {
  saves: () => ({}),
  pullback: ({ attributes: { probability, key } }, [dy]) =>
    dy === undefined ? [] : [dropout(dy, probability, key)],
});
