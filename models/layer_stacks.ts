/**
 * What all networks of one sequence share: layers in three stacks, serial buffer
 * layers `before`, an ODE block of `layers` layers, and serial layers `after`.
 *
 * Buffer layers have h = 1 and are never solved by multigrid: layers at the ends
 * change most in training (Layer-Parallel Training for Transformers, arXiv
 * 2601.09026, appendix B). In files, layers have their index in the whole
 * network, so weights travel between networks that split them in another way.
 *
 * @module
 */

import {
  type Discretization,
  layerMapBlock,
  type OdeBlock,
  residualBlock,
  solve,
  type SolveOptions,
} from "../mgrit/mod.ts";
import {
  concat,
  copy,
  mapTree,
  scope,
  slice,
  type Tensor,
} from "../tensor/internal.ts";
import { type Activation, activations } from "./activation.ts";
import type { FrozenDropout } from "./frozen_dropout.ts";
import { requireInteger, requireOneOf } from "./requirements.ts";
import {
  type KeyValueCache,
  type LayerParameters,
  type TransformerContext,
  withHalfWeights,
} from "./sublayers.ts";
import { attentionBranch, mlpBranch, postNormLayer } from "./transformer.ts";

/**
 * Where a layer normalizes: `pre`, the input of attention and of MLP (and the
 * network its final states), or `post`, each residual sum.
 */
export type NormPlace = "pre" | "post";

/** Shape and kind of the layers of a network. */
export interface StackConfiguration {
  /** Width of the states; a multiple of `heads`. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** Width of the MLP. */
  readonly hidden: number;
  /** Layers of the ODE block. */
  readonly layers: number;
  /** Serial buffer layers before the block, with h = 1. */
  readonly before: number;
  /** Serial buffer layers after the block, with h = 1. */
  readonly after: number;
  /** T of the block; `layers` makes h = 1. */
  readonly endTime: number;
  /** Where the step size stands in pre-LN layers. */
  readonly discretization: Discretization;
  /** Where layers normalize. */
  readonly norm: NormPlace;
  /** Of the MLP. */
  readonly activation: Activation;
  /** Added to variances. */
  readonly epsilon: number;
}

/** What must be said of layers; the rest has defaults. */
export type StackOptions =
  & Pick<StackConfiguration, "width" | "heads" | "layers">
  & Partial<StackConfiguration>;

/**
 * Completes a configuration: MLP four times as wide as the states, no buffer
 * layers, h = 1, pre-LN, exact GELU, epsilon 1e-12.
 *
 * @param network For messages.
 * @throws {RangeError} If a number is out of range, naming it.
 */
export function completeStacks(
  network: string,
  options: StackOptions,
): StackConfiguration {
  const configuration: StackConfiguration = {
    width: options.width,
    heads: options.heads,
    layers: options.layers,
    hidden: options.hidden ?? 4 * options.width,
    before: options.before ?? 0,
    after: options.after ?? 0,
    endTime: options.endTime ?? options.layers,
    discretization: options.discretization ?? "outer",
    norm: options.norm ?? "pre",
    activation: options.activation ?? "gelu",
    epsilon: options.epsilon ?? 1e-12,
  };
  requireStacks(network, configuration);
  return configuration;
}

/** What layers are, however many there are. */
export type LayerKind = Omit<
  StackConfiguration,
  "layers" | "before" | "after"
>;

/**
 * Checks the numbers and words of a configuration but for those of layers.
 *
 * @throws {RangeError} If one is out of range, naming it.
 */
export function requireLayerKind(network: string, kind: LayerKind): void {
  const { width, heads, endTime, epsilon, norm, discretization } = kind;
  for (const name of ["width", "heads", "hidden"] as const) {
    requireInteger(network, name, kind[name], 1);
  }
  if (width % heads !== 0) {
    throw new RangeError(
      `${network}: width ${width} must be a multiple of the ${heads} heads`,
    );
  }
  if (!(endTime > 0 && endTime < Infinity)) {
    throw new RangeError(`${network}: endTime ${endTime} must be positive`);
  }
  if (!(epsilon >= 0 && epsilon < Infinity)) {
    throw new RangeError(
      `${network}: epsilon ${epsilon} must be a number ≥ 0`,
    );
  }
  requireOneOf(network, "activation", kind.activation, activations);
  requireOneOf(network, "norm", norm, ["pre", "post"]);
  requireOneOf(network, "discretization", discretization, ["outer", "split"]);
  if (norm === "post" && discretization === "split") {
    throw new RangeError(
      `${network}: discretization "split" needs pre-LN layers; post-LN layers ` +
        `are steps as a whole, so use "outer"`,
    );
  }
}

/**
 * Checks the numbers and words of a configuration.
 *
 * @throws {RangeError} If one is out of range, naming it.
 */
export function requireStacks(
  network: string,
  configuration: StackConfiguration,
): void {
  const { layers, before, after } = configuration;
  requireInteger(network, "layers", layers, 1);
  requireInteger(network, "before", before, 0);
  requireInteger(network, "after", after, 0);
  requireLayerKind(network, configuration);
}

/** The stacks of layers of a network, in order. */
export const stackNames = ["before", "block", "after"] as const;

/** One of the stacks. */
export type StackName = typeof stackNames[number];

/** How many layers each stack has. */
export function stackLayers(
  { before, layers, after }: LayerSplit,
): Record<StackName, number> {
  return { before, block: layers, after };
}

/** Parameters of the layers; a stack without layers has none. */
export interface StackParameters {
  /** Stacked serial layers before the block. */
  readonly before: LayerParameters;
  /** Stacked layers of the ODE block. */
  readonly block: LayerParameters;
  /** Stacked serial layers after the block. */
  readonly after: LayerParameters;
}

/** How numbers between the parameters and the states are stored. */
export type Precision = "f32" | "f16";

/** What changes from batch to batch and from solve to solve. */
export interface StackCallOptions extends SolveOptions<Tensor> {
  /** Absent in evaluation. */
  readonly dropout?: FrozenDropout;
  /**
   * `f16`: products and attention read and write 16-bit numbers, and sum in
   * f32; states, norms and parameters stay as they are (mixed precision,
   * Micikevicius et al. 2018). Default: all in the device's dtype.
   */
  readonly precision?: Precision;
}

/** What the layers attend. */
export interface AttentionScope {
  /** bool `[B, T]`: false at padding, which may not be attended. */
  readonly keep?: Tensor;
  /** Queries see no later keys; default false. */
  readonly causal?: boolean;
  /** Keys and values so far, in generation. */
  readonly cache?: KeyValueCache;
}

/** The ODE block of one stack. */
function blockOf(
  configuration: StackConfiguration,
  stack: StackName,
): OdeBlock<Tensor, LayerParameters, TransformerContext> {
  const layers = stackLayers(configuration)[stack];
  const endTime = stack === "block" ? configuration.endTime : layers;
  return configuration.norm === "post"
    ? layerMapBlock({ layers, endTime, map: postNormLayer })
    : residualBlock({
      layers,
      endTime,
      discretization: configuration.discretization,
      branches: [attentionBranch, mlpBranch],
    });
}

/** Takes states `[B, T, width]` through all layers. */
export function throughStacks(
  configuration: StackConfiguration,
  parameters: StackParameters,
  x: Tensor,
  { keep, causal = false, cache }: AttentionScope,
  options: StackCallOptions,
): Tensor {
  const { heads, epsilon, activation } = configuration;
  const { dropout, remat, precision } = options;
  const context = { heads, epsilon, activation, causal, keep, dropout, cache };
  let firstLayer = 0;
  for (const stack of stackNames) {
    const layers = stackLayers(configuration)[stack];
    if (layers === 0) continue;
    x = solve(
      blockOf(configuration, stack),
      x,
      precision === "f16"
        ? withHalfWeights(parameters[stack])
        : parameters[stack],
      { ...context, firstLayer },
      stack === "block" ? options : { remat },
    );
    firstLayer += layers;
  }
  return x;
}

/** How the layers of a network are split into stacks. */
export type LayerSplit = Pick<
  StackConfiguration,
  "before" | "layers" | "after"
>;

/**
 * A configuration with the same number of all layers and the same h in the block,
 * but other buffer layers. Where h is 1, it is the same network.
 *
 * @throws {RangeError} If the block would have no layers.
 */
export function splitLayers<
  C extends LayerSplit & Pick<StackConfiguration, "endTime">,
>(
  configuration: C,
  { before, after }: Omit<LayerSplit, "layers">,
): C {
  const given = configuration;
  requireInteger("splitLayers", "before", before, 0);
  requireInteger("splitLayers", "after", after, 0);
  const total = given.before + given.layers + given.after;
  const layers = total - before - after;
  if (layers < 1) {
    throw new RangeError(
      `splitLayers: ${before} + ${after} buffer layers leave none of ${total} ` +
        `for the block`,
    );
  }
  const endTime = given.endTime / given.layers * layers;
  return { ...given, before, layers, after, endTime };
}

/**
 * The same layers, in order, split in another way: parameters of 0 + 8 + 0
 * layers for a network of 2 + 4 + 2, say.
 *
 * @throws {RangeError} If the number of all layers differs.
 */
export function dealLayers(
  parameters: StackParameters,
  split: LayerSplit,
): StackParameters {
  const counts = stackLayers(split);
  const given = stackNames.map((name) => parameters[name])
    .filter((stack) => layersIn(stack) > 0);
  const total = given.reduce((sum, stack) => sum + layersIn(stack), 0);
  const wanted = stackNames.reduce((sum, name) => sum + counts[name], 0);
  if (total !== wanted) {
    throw new RangeError(
      `dealLayers: ${total} layers can't be split into ${counts.before} + ` +
        `${counts.block} + ${counts.after}; the sum must stay the same`,
    );
  }
  return scope(() => {
    const [first, ...others] = given;
    const all = mapTree((...parts) => concat(parts), first, ...others);
    let start = 0;
    const deal = (count: number): LayerParameters => {
      if (count === 0) return {} as LayerParameters;
      const range = [start, start += count] as const;
      return mapTree((leaf) => copy(slice(leaf, [range])), all);
    };
    const before = deal(counts.before);
    const block = deal(counts.block);
    return { before, block, after: deal(counts.after) };
  });
}

function layersIn(stack: LayerParameters): number {
  return stack.attentionNorm?.weight.shape[0] ?? 0;
}
