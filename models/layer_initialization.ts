/**
 * Fresh parameters of layers.
 *
 * @module
 */

import {
  mul,
  normal,
  ones,
  randomKey,
  scope,
  type Shape,
  type Tensor,
  tensor,
  zeros,
} from "../tensor/internal.ts";
import {
  type StackConfiguration,
  stackLayers,
  type StackParameters,
} from "./layer_stacks.ts";
import type { Affine, LayerParameters } from "./sublayers.ts";

/** Shapes of the parts of a layer. */
export type PartShapes = Readonly<
  Record<string, { readonly weight: Shape; readonly bias: Shape }>
>;

/** Shapes of one layer's parameters. */
export function layerShapes(
  { width, hidden }: Pick<StackConfiguration, "width" | "hidden">,
): PartShapes {
  return {
    attentionNorm: { weight: [width], bias: [width] },
    attentionInput: { weight: [width, 3 * width], bias: [3 * width] },
    attentionOutput: { weight: [width, width], bias: [width] },
    mlpNorm: { weight: [width], bias: [width] },
    mlpInput: { weight: [width, hidden], bias: [hidden] },
    mlpOutput: { weight: [hidden, width], bias: [width] },
  };
}

/** Weight 1, bias 0. */
export function freshNorm(...shape: Shape): Affine {
  return { weight: ones(shape), bias: zeros(shape) };
}

/** Draws weights of a shape, times a scale; default 1. */
export type DrawWeight = (shape: Shape, scale?: number) => Tensor;

/**
 * Normal weights, each draw from a stream of its own: the n-th draw is a pure
 * function of seed, n and shape. BERT's and GPT-2's have deviation 0.02.
 */
export function normalWeights(seed: number, deviation = 0.02): DrawWeight {
  let stream = 0;
  return (shape, scale = 1) =>
    normal(shape, randomKey(seed, stream++), 0, deviation * scale);
}

/** A linear layer with drawn weights and bias 0. */
export function freshLinear(
  draw: DrawWeight,
  inner: number,
  outer: number,
): Affine {
  return { weight: draw([inner, outer]), bias: zeros([outer]) };
}

/** Draws the weights `[layers, in, out]` of a linear map of a layer. */
export type DrawLayerWeight = (part: string, shape: Shape) => Tensor;

/** Fresh layers: biases 0, normalizations 1 and 0, weights as drawn. */
export function initializeLayers(
  count: number,
  shapes: PartShapes,
  draw: DrawLayerWeight,
): LayerParameters {
  if (count === 0) return {} as LayerParameters;
  return Object.fromEntries(
    Object.entries(shapes).map(([part, { weight, bias }]) => [
      part,
      part.endsWith("Norm") ? freshNorm(count, ...weight) : {
        weight: draw(part, [count, ...weight]),
        bias: zeros([count, ...bias]),
      },
    ]),
  ) as unknown as LayerParameters;
}

/** Fresh layers for all stacks. */
export function initializeStacks(
  configuration: StackConfiguration,
  draw: DrawLayerWeight,
): StackParameters {
  const { before, block, after } = stackLayers(configuration);
  const shapes = layerShapes(configuration);
  return {
    before: initializeLayers(before, shapes, draw),
    block: initializeLayers(block, shapes, draw),
    after: initializeLayers(after, shapes, draw),
  };
}

function depth({ before, layers, after }: StackConfiguration): number {
  return before + layers + after;
}

/**
 * GPT-2's (Radford et al. 2019): the 2 L projections onto the residual stream
 * are divided by √(2 L), so that its variance doesn't grow with the depth.
 */
export function scaledResiduals(
  configuration: StackConfiguration,
  draw: DrawWeight,
): DrawLayerWeight {
  const residual = 1 / Math.sqrt(2 * depth(configuration));
  return (part, shape) => draw(shape, part.endsWith("Output") ? residual : 1);
}

/**
 * Weights of the MLP and of attention's values and output times √(ln 2L), those
 * of queries and keys as they are: the factor of Layer-Parallel Training for
 * Transformers (arXiv 2601.09026) for BERT, which is that of Foundation
 * Transformers (Wang et al. 2022, arXiv 2210.06423) for encoders. It enlarges
 * them, by 1.8 with 12 layers, so that the branches of a deep network go on
 * changing its states.
 */
export function scaledBranches(
  configuration: StackConfiguration,
  draw: DrawWeight,
): DrawLayerWeight {
  const { width } = configuration;
  const gain = Math.sqrt(Math.log(2 * depth(configuration)));
  return (part, shape) => {
    if (part !== "attentionInput") return draw(shape, gain);
    const gains = Array.from(
      { length: 3 * width },
      (_, column) => column < 2 * width ? 1 : gain,
    );
    return scope(() => mul(draw(shape), tensor(gains)));
  };
}
