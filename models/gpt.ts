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

import type { Discretization } from "../mgrit/mod.ts";
import {
  add,
  cast,
  crossEntropy,
  embedding,
  type GeluApproximation,
  matmul,
  slice,
  type Tensor,
} from "../tensor/internal.ts";
import { dropoutOutside, dropoutSites } from "./frozen_dropout.ts";
import {
  requireStacks,
  type StackCallOptions,
  type StackConfiguration,
  type StackParameters,
  throughStacks,
} from "./layer_stacks.ts";
import { requireInteger, requireTokens } from "./requirements.ts";
import {
  type Affine,
  type KeyValueCache,
  type LayerParameters,
  normalize,
} from "./sublayers.ts";

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
  requireInteger("GPT", "vocabulary", configuration.vocabulary, 1);
  requireInteger("GPT", "context", configuration.context, 1);
  requireStacks("GPT", gptStacks(configuration));
  return configuration;
}

/** The layers of a GPT: pre-LN, with an MLP four times as wide as the states. */
export function gptStacks(
  { gelu, ...configuration }: GptConfiguration,
): StackConfiguration {
  return {
    ...configuration,
    hidden: 4 * configuration.width,
    norm: "pre",
    activation: gelu === "none" ? "gelu" : "gelu-tanh",
  };
}

/** Parameters of a GPT. */
export interface GptParameters extends StackParameters {
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
  /** Final normalization and head. */
  readonly close: {
    readonly [name: string]: Affine | Tensor;
    /** Final normalization. */
    readonly norm: Affine;
  };
}

/** What changes from batch to batch and from solve to solve. */
export interface GptCallOptions extends StackCallOptions {
  /** bool `[B, T]`: false at padding. */
  readonly keep?: Tensor;
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
  requireTokens("GPT", tokens, configuration.context, start);
  const { open, close } = parameters;
  const range = [start, start + tokens.shape[1]] as const;
  const embedded = add(
    embedding(open.tokens, tokens),
    slice(open.positions, [range]),
  );
  const x = throughStacks(
    gptStacks(configuration),
    parameters,
    dropoutOutside(embedded, options.dropout, dropoutSites.embedding),
    { keep: options.keep, causal: true, cache },
    options,
  );
  return normalize(x, close.norm, configuration.epsilon);
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
