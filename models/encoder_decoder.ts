/**
 * Encoder–decoder transformers for translation (Vaswani et al. 2017): what
 * Marian's networks are, and Layer-Parallel Training for Transformers (arXiv
 * 2601.09026, §1.3) solves as one chain.
 *
 * Encoder and decoder are two sections of one ODE block, whose state is
 * `{ encoder: X, decoder: Y }`: the encoder's layers change X and hand Y on, the
 * decoder's change Y and hand X on, which their cross-attention sees.
 *
 * @example The loss of a fresh network
 * ```ts
 * import { encoderDecoderConfiguration, encoderDecoderLoss, initializeEncoderDecoder } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = encoderDecoderConfiguration({
 *   vocabulary: 7,
 *   context: 8,
 *   width: 8,
 *   heads: 2,
 *   encoderLayers: 2,
 *   decoderLayers: 2,
 *   padding: 0,
 *   start: 0,
 *   end: 1,
 * });
 * const parameters = initializeEncoderDecoder(configuration, 0);
 * const source = tensor([[5, 6, 1]], { dtype: "i32" });
 * const target = tensor([[0, 3]], { dtype: "i32" });
 * const labels = tensor([[3, 1]], { dtype: "i32" });
 * const loss = encoderDecoderLoss(configuration, parameters, { source, target }, labels);
 * console.log(loss.shape); // []
 * ```
 *
 * @module
 */

import { stopGradient } from "../autograd/mod.ts";
import { solve, type SolveOptions } from "../mgrit/mod.ts";
import {
  add,
  crossEntropy,
  embedding,
  expand,
  fuse,
  mapTree,
  matmul,
  slice,
  type Tensor,
} from "../tensor/internal.ts";
import * as e from "../tensor/expression.ts";
import type { Activation } from "./activation.ts";
import type { DecoderLayerParameters } from "./decoder_layer.ts";
import {
  encoderDecoderBlock,
  type EncoderDecoderLayers,
  type EncoderDecoderState,
  type LayersConfiguration,
} from "./encoder_decoder_block.ts";
import {
  dropoutOutside,
  dropoutSites,
  type FrozenDropout,
} from "./frozen_dropout.ts";
import { requireLayerKind } from "./layer_stacks.ts";
import { requireInteger, requireShape, requireTokens } from "./requirements.ts";
import { sinusoids } from "./sinusoidal_positions.ts";
import { type Affine, normalize } from "./sublayers.ts";

/** Shape and kind of an encoder–decoder. */
export interface EncoderDecoderConfiguration extends LayersConfiguration {
  /** Number of tokens, those of both languages together. */
  readonly vocabulary: number;
  /** Longest source and longest target. */
  readonly context: number;
  /** Width of the states; a multiple of `heads`. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** Width of the MLP. */
  readonly hidden: number;
  /** Of the MLP. */
  readonly activation: Activation;
  /** Added to variances. */
  readonly epsilon: number;
  /** Whether embeddings are multiplied by √width. */
  readonly scaleEmbedding: boolean;
  /** Whether the head has a constant bias, which isn't trained. */
  readonly logitsBias: boolean;
  /** The token that fills shorter sentences up; never translated into. */
  readonly padding: number;
  /** The token that targets begin with. */
  readonly start: number;
  /** The token that ends a translation. */
  readonly end: number;
}

/** What must be said of an encoder–decoder; the rest has defaults. */
export type EncoderDecoderOptions =
  & Pick<
    EncoderDecoderConfiguration,
    | "vocabulary"
    | "width"
    | "heads"
    | "encoderLayers"
    | "decoderLayers"
    | "padding"
    | "start"
    | "end"
  >
  & Partial<EncoderDecoderConfiguration>;

const network = "encoder–decoder";

/**
 * Completes a configuration: context 128, an MLP four times as wide as the
 * states, h = 1, pre-LN, ReLU, epsilon 1e-5, scaled embeddings, no bias of the
 * head.
 *
 * @throws {RangeError} If a number is out of range, naming it.
 */
export function encoderDecoderConfiguration(
  options: EncoderDecoderOptions,
): EncoderDecoderConfiguration {
  const configuration: EncoderDecoderConfiguration = {
    context: 128,
    hidden: 4 * options.width,
    endTime: options.encoderLayers + options.decoderLayers,
    discretization: "outer",
    norm: "pre",
    activation: "relu",
    epsilon: 1e-5,
    scaleEmbedding: true,
    logitsBias: false,
    ...options,
  };
  requireConfiguration(configuration);
  return configuration;
}

function requireConfiguration(
  configuration: EncoderDecoderConfiguration,
): void {
  for (
    const name of [
      "vocabulary",
      "context",
      "encoderLayers",
      "decoderLayers",
    ] as const
  ) requireInteger(network, name, configuration[name], 1);
  requireLayerKind(network, configuration);
  const { vocabulary } = configuration;
  const fail = (message: string): never => {
    throw new RangeError(`${network}: ${message}`);
  };
  for (const name of ["padding", "start", "end"] as const) {
    const token = configuration[name];
    requireInteger(network, name, token, 0);
    if (token >= vocabulary) {
      fail(`${name} ${token} is no token of the vocabulary of ${vocabulary}`);
    }
  }
  if (configuration.end === configuration.padding) {
    fail(`end and padding must be two tokens, not both ${configuration.end}`);
  }
}

/** Parameters of an encoder–decoder. */
export interface EncoderDecoderParameters {
  /** For the type of trees. */
  readonly [name: string]:
    | EncoderDecoderLayers
    | EncoderDecoderParameters["open"]
    | EncoderDecoderParameters["close"];
  /** The embedding of source, target and head. */
  readonly open: {
    readonly [name: string]: Tensor;
    /** `[vocabulary, width]`. */
    readonly tokens: Tensor;
  };
  /** The ODE block. */
  readonly block: EncoderDecoderLayers;
  /**
   * Final normalizations `encoderNorm` and `decoderNorm` of pre-LN networks, and
   * the head's `bias` `[vocabulary]` where the configuration has one.
   */
  readonly close: { readonly [name: string]: Affine | Tensor };
}

/** A batch of sentences. */
export interface EncoderDecoderInputs {
  /** i32 `[B, S]`. */
  readonly source: Tensor;
  /** bool `[B, S]`: false at padding; default: there is none. */
  readonly sourceKeep?: Tensor;
  /** i32 `[B, T]`: the start token, then what was translated so far. */
  readonly target: Tensor;
  /**
   * bool `[B, T]`: false at padding. Not needed where padding comes last:
   * positions before don't see it, and its own labels don't count.
   */
  readonly targetKeep?: Tensor;
}

/** What changes from batch to batch and from solve to solve. */
export interface EncoderDecoderCallOptions
  extends SolveOptions<EncoderDecoderState> {
  /** Absent in evaluation. */
  readonly dropout?: FrozenDropout;
}

/** The decoder's parameters as its layers see them. */
export function solvedDecoder(
  { decoderLayers }: EncoderDecoderConfiguration,
  { block: { decoder }, close }: EncoderDecoderParameters,
): DecoderLayerParameters {
  const { encoderNorm } = close;
  if (encoderNorm === undefined) return decoder;
  // Every layer normalizes the states that the encoder ended with.
  const memoryNorm = mapTree(
    (leaf) => expand(leaf, [decoderLayers, ...leaf.shape]),
    encoderNorm as Affine,
  );
  return { ...decoder, memoryNorm };
}

const scaleAndAdd = fuse(
  "embed",
  (x, positions, scale) => e.add(e.mul(x, scale), positions),
);

/** Embedded tokens i32 `[B, T]`, the first of them at position `start`. */
export function embedTokens(
  configuration: EncoderDecoderConfiguration,
  { open }: EncoderDecoderParameters,
  tokens: Tensor,
  start = 0,
): Tensor {
  requireTokens(network, tokens, configuration.context, start);
  const { width, scaleEmbedding } = configuration;
  const end = start + tokens.shape[1];
  const positions = slice(sinusoids(end, width, "halves"), [[start, end]]);
  const x = embedding(open.tokens, tokens);
  return scaleEmbedding
    ? scaleAndAdd(x, positions, Math.sqrt(width))
    : add(x, positions);
}

/** Logits `[…, vocabulary]` of the decoder's last states `[…, width]`. */
export function decoderLogits(
  configuration: EncoderDecoderConfiguration,
  { open, close }: EncoderDecoderParameters,
  states: Tensor,
): Tensor {
  const { decoderNorm, bias } = close;
  const y = decoderNorm === undefined
    ? states
    : normalize(states, decoderNorm as Affine, configuration.epsilon);
  const logits = matmul(y, open.tokens, { transposeB: true });
  return bias === undefined
    ? logits
    : add(logits, stopGradient(bias as Tensor));
}

/**
 * Logits `[B, T, vocabulary]` of the token after each of the target's.
 *
 * @throws {RangeError} If shapes don't fit, or a sentence is longer than the
 *   context.
 */
export function encoderDecoderLogits(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  inputs: EncoderDecoderInputs,
  { dropout, ...options }: EncoderDecoderCallOptions = {},
): Tensor {
  const { source, sourceKeep, target, targetKeep } = inputs;
  const { heads, epsilon, activation } = configuration;
  const embedded = (tokens: Tensor, site: number): Tensor =>
    dropoutOutside(
      embedTokens(configuration, parameters, tokens),
      dropout,
      site,
    );
  const first = {
    encoder: embedded(source, dropoutSites.embedding),
    decoder: embedded(target, dropoutSites.targetEmbedding),
  };
  requireShape(network, "target", target, [source.shape[0], target.shape[1]]);
  requireShape(network, "sourceKeep", sourceKeep, source.shape);
  requireShape(network, "targetKeep", targetKeep, target.shape);
  const { decoder } = solve(
    encoderDecoderBlock(configuration),
    first,
    {
      encoder: parameters.block.encoder,
      decoder: solvedDecoder(configuration, parameters),
    },
    {
      heads,
      epsilon,
      activation,
      sourceKeep,
      targetKeep,
      dropout,
      firstLayer: 0,
    },
    options,
  );
  return decoderLogits(configuration, parameters, decoder);
}

/** What the loss counts, and how sharply. */
export interface EncoderDecoderLossOptions extends EncoderDecoderCallOptions {
  /** e in [0, 1]: e / vocabulary on every token, 1 − e more on the label. */
  readonly labelSmoothing?: number;
}

/**
 * Mean cross entropy in nats of the labels i32 `[B, T]`: the target without its
 * start token, then the end token. Labels of −100 don't count: put them at
 * padding.
 */
export function encoderDecoderLoss(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  inputs: EncoderDecoderInputs,
  labels: Tensor,
  { labelSmoothing, ...options }: EncoderDecoderLossOptions = {},
): Tensor {
  return crossEntropy(
    encoderDecoderLogits(configuration, parameters, inputs, options),
    labels,
    { labelSmoothing },
  );
}
