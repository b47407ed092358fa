/**
 * The pre-LN transformer layer as two residual branches, and the post-LN layer
 * as a map.
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
 * const context = { ...options, activation: "gelu" } as const;
 * const states = normal([1, 3, 8], randomKey(1));
 * console.log(solve(block, states, parameters, context).shape); // [ 1, 3, 8 ]
 * ```
 *
 * @module
 */

import type { LayerContext } from "../mgrit/mod.ts";
import type { Tensor } from "../tensor/internal.ts";
import {
  attend,
  feedForward,
  type LayerParameters,
  normalize,
  type TransformerContext,
} from "./sublayers.ts";

/** A `Branch`: self-attention of normalized states, residual + factor · φ₁(x). */
export function attentionBranch(
  x: Tensor,
  parameters: LayerParameters,
  context: TransformerContext & LayerContext,
  residual: Tensor,
  factor: number,
): Tensor {
  const { attentionNorm } = parameters;
  const normalized = normalize(x, attentionNorm, context.epsilon);
  return attend(normalized, parameters, context, residual, factor);
}

/** A `Branch`: the MLP on normalized states, residual + factor · φ₂(x). */
export function mlpBranch(
  x: Tensor,
  parameters: LayerParameters,
  context: TransformerContext & LayerContext,
  residual: Tensor,
  factor: number,
): Tensor {
  const normalized = normalize(x, parameters.mlpNorm, context.epsilon);
  return feedForward(normalized, parameters, context, residual, factor);
}

/**
 * The layer of the first transformers (Vaswani et al. 2017) and of BERT: each
 * residual sum is normalized, norm(y + MLP(y)) of y = norm(x + attention(x)).
 */
export function postNormLayer(
  x: Tensor,
  parameters: LayerParameters,
  context: TransformerContext & LayerContext,
): Tensor {
  const { attentionNorm, mlpNorm } = parameters;
  const { epsilon } = context;
  const mixed = attend(x, parameters, context, x, 1);
  const y = normalize(mixed, attentionNorm, epsilon);
  const sum = feedForward(y, parameters, context, y, 1);
  return normalize(sum, mlpNorm, epsilon);
}
