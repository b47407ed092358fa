/**
 * GPT-2: a decoder-only transformer (Radford et al. 2019).
 *
 * Token and position embeddings (`open`), serial layers `before`, an ODE block of
 * `layers` layers, serial layers `after`, then a final normalization and the
 * head (`close`).
 *
 * @example
 * ```ts
 * import { gptConfiguration, gptLogits, initializeGpt } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = gptConfiguration({ vocabulary: 256, width: 32, heads: 2, layers: 2 });
 * const parameters = initializeGpt(configuration, 0);
 * const tokens = tensor([[72, 105]], { dtype: "i32" });
 * console.log(gptLogits(configuration, parameters, tokens).shape); // [ 1, 2, 256 ]
 * ```
 *
 * @module
 */

import {
  type Discretization,
  type OdeBlock,
  residualBlock,
  solve,
  type SolveOptions,
} from "../mgrit/mod.ts";
import {
  add,
  cast,
  crossEntropy,
  dropout,
  embedding,
  formatShape,
  type GeluApproximation,
  layerNorm,
  matmul,
  slice,
  type Tensor,
} from "../tensor/internal.ts";
import {
  type Affine,
  attentionBranch,
  dropoutSites,
  type FrozenDropout,
  type KeyValueCache,
  type LayerParameters,
  mlpBranch,
  siteDropout,
  type TransformerContext,
  withHalfWeights,
} from "./transformer.ts";

/** Shape and kind of a GPT. */
export interface GptConfiguration {
  /** Number of tokens. */
  readonly vocabulary: number;
  /** Longest sequence. */
  readonly context: number;
  /** Width of the states; a multiple of `heads`. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** Layers of the ODE block. */
  readonly layers: number;
  /** Serial buffer layers before the block, with h = 1. */
  readonly before: number;
  /** Serial buffer layers after the block, with h = 1. */
  readonly after: number;
  /** T of the block; `layers` makes h = 1. */
  readonly endTime: number;
  /** Where the step size stands. */
  readonly discretization: Discretization;
  /** The head is the transposed token embedding. */
  readonly tied: boolean;
  /** Which GELU. */
  readonly gelu: GeluApproximation;
  /** Added to variances. */
  readonly epsilon: number;
}

/** What must be said of a GPT; the rest has defaults. */
export type GptOptions =
  & Pick<GptConfiguration, "vocabulary" | "width" | "heads" | "layers">
  & Partial<GptConfiguration>;

/**
 * Completes a configuration: context 128, no buffer layers, h = 1, tied head,
 * tanh GELU, epsilon 1e-5.
 *
 * @throws {RangeError} If a number is out of range, naming it.
 */
export function gptConfiguration(options: GptOptions): GptConfiguration {
  const configuration: GptConfiguration = {
    context: 128,
    before: 0,
    after: 0,
    endTime: options.layers,
    discretization: "outer",
    tied: true,
    gelu: "tanh",
    epsilon: 1e-5,
    ...options,
  };
  for (
    const name of [
      "vocabulary",
      "context",
      "width",
      "heads",
      "layers",
    ] as const
  ) {
    const value = configuration[name];
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`GPT: ${name} ${value} must be an integer ≥ 1`);
    }
  }
  for (const name of ["before", "after"] as const) {
    const value = configuration[name];
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(`GPT: ${name} ${value} must be an integer ≥ 0`);
    }
  }
  const { width, heads, endTime } = configuration;
  if (width % heads !== 0) {
    throw new RangeError(
      `GPT: width ${width} must be a multiple of the ${heads} heads`,
    );
  }
  if (!(endTime > 0 && endTime < Infinity)) {
    throw new RangeError(`GPT: endTime ${endTime} must be positive`);
  }
  return configuration;
}

/** Parameters of a GPT. */
export interface GptParameters {
  /** For the type of trees. */
  readonly [name: string]:
    | LayerParameters
    | GptParameters["open"]
    | GptParameters["close"];
  /** Embeddings. */
  readonly open: {
    readonly [name: string]: Tensor;
    /** `[vocabulary, width]`. */
    readonly tokens: Tensor;
    /** `[context, width]`. */
    readonly positions: Tensor;
  };
  /** Stacked serial layers before the block, if there are any. */
  readonly before: LayerParameters;
  /** Stacked layers of the ODE block. */
  readonly block: LayerParameters;
  /** Stacked serial layers after the block, if there are any. */
  readonly after: LayerParameters;
  /** Final normalization and head. */
  readonly close: {
    readonly [name: string]: Affine | Tensor;
    /** Final normalization. */
    readonly norm: Affine;
  };
}

/** What changes from batch to batch and from solve to solve. */
export interface GptCallOptions extends SolveOptions<Tensor> {
  /** bool `[B, T]`: false at padding. */
  readonly keep?: Tensor;
  /** Absent in evaluation. */
  readonly dropout?: FrozenDropout;
  /**
   * `f16`: products and attention read and write 16-bit numbers, and sum in
   * f32; states, norms and parameters stay as they are (mixed precision,
   * Micikevicius et al. 2018). Default: all in the device's dtype.
   */
  readonly precision?: Precision;
}

/** How numbers between the parameters and the states are stored. */
export type Precision = "f32" | "f16";

/** The parts of the network that are stacks of layers, in order. */
export const gptStacks = ["before", "block", "after"] as const;

/** How many layers each stack has. */
export function stackLayers(
  { before, layers, after }: GptConfiguration,
): Record<typeof gptStacks[number], number> {
  return { before, block: layers, after };
}

/** The ODE block of one stack; buffer layers have h = 1. */
function blockOf(
  configuration: GptConfiguration,
  stack: typeof gptStacks[number],
): OdeBlock<Tensor, LayerParameters, TransformerContext> {
  const layers = stackLayers(configuration)[stack];
  return residualBlock({
    layers,
    endTime: stack === "block" ? configuration.endTime : layers,
    discretization: configuration.discretization,
    branches: [attentionBranch, mlpBranch],
  });
}

/** Hidden states `[B, T, width]` of tokens i32 `[B, T]`. */
export function gptStates(
  configuration: GptConfiguration,
  parameters: GptParameters,
  tokens: Tensor,
  options: GptCallOptions = {},
  cache?: KeyValueCache,
): Tensor {
  const start = cache?.length ?? 0;
  const length = tokens.shape[1];
  if (tokens.rank !== 2 || start + length > configuration.context) {
    throw new RangeError(
      `GPT: tokens ${formatShape(tokens.shape)} at position ${start} must be ` +
        `[batch, length] with at most ${configuration.context} positions`,
    );
  }
  const { open } = parameters;
  const positions = slice(open.positions, [[start, start + length]]);
  let x = add(embedding(open.tokens, tokens), positions);
  if (options.dropout !== undefined) {
    const { probability, key } = siteDropout(
      options.dropout,
      [0],
      dropoutSites.embedding,
    );
    x = dropout(x, probability, key);
  }
  let firstLayer = 0;
  for (const stack of gptStacks) {
    const layers = stackLayers(configuration)[stack];
    if (layers === 0) continue;
    const { heads, epsilon, gelu } = configuration;
    const context = {
      heads,
      epsilon,
      gelu,
      causal: true,
      keep: options.keep,
      dropout: options.dropout,
      firstLayer,
      cache,
    };
    const block = blockOf(configuration, stack);
    // Buffer layers stay serial: layers there change most in training.
    const { remat } = options;
    x = solve(
      block,
      x,
      options.precision === "f16"
        ? withHalfWeights(parameters[stack])
        : parameters[stack],
      context,
      stack === "block" ? options : { remat },
    );
    firstLayer += layers;
  }
  const { norm } = parameters.close;
  return layerNorm(x, norm.weight, norm.bias, configuration.epsilon);
}

/** Logits `[B, T, vocabulary]` of the token after each of `tokens` `[B, T]`. */
export function gptLogits(
  configuration: GptConfiguration,
  parameters: GptParameters,
  tokens: Tensor,
  options: GptCallOptions = {},
  cache?: KeyValueCache,
): Tensor {
  const states = gptStates(configuration, parameters, tokens, options, cache);
  const head = configuration.tied
    ? parameters.open.tokens
    : parameters.close.head as Tensor;
  const transposeB = configuration.tied;
  return options.precision === "f16"
    ? matmul(cast(states, "f16"), cast(head, "f16"), { transposeB })
    : matmul(states, head, { transposeB });
}

/**
 * Mean cross entropy in nats of the next tokens: `tokens` and `targets` are i32
 * `[B, T]`, targets shifted by one; targets of −100 don't count.
 */
export function gptLoss(
  configuration: GptConfiguration,
  parameters: GptParameters,
  tokens: Tensor,
  targets: Tensor,
  options: GptCallOptions = {},
): Tensor {
  const logits = gptLogits(configuration, parameters, tokens, options);
  return crossEntropy(logits, targets);
}
