/**
 * BERT: an encoder that predicts masked tokens (Devlin et al. 2019).
 *
 * Token, position and segment embeddings and their normalization (`open`), serial
 * layers `before`, an ODE block of `layers` layers, serial layers `after`, then
 * a dense layer, a normalization and the head (`close`). Layers are pre-LN, with
 * a final normalization, as in Layer-Parallel Training for Transformers (arXiv
 * 2601.09026), or post-LN, as published.
 *
 * @example
 * ```ts
 * import { bertConfiguration, bertLogits, initializeBert } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = bertConfiguration({ vocabulary: 30, width: 32, heads: 2, layers: 2 });
 * const parameters = initializeBert(configuration, 0);
 * const tokens = tensor([[2, 17, 3, 0]], { dtype: "i32" });
 * const keep = tensor([[true, true, true, false]]);
 * console.log(bertLogits(configuration, parameters, { tokens, keep }).shape); // [ 1, 4, 30 ]
 * ```
 *
 * @module
 */

import {
  add,
  arange,
  crossEntropy,
  embedding,
  formatShape,
  fuse,
  linear,
  reshape,
  slice,
  take,
  type Tensor,
} from "../tensor/internal.ts";
import * as e from "../tensor/expression.ts";
import { activate } from "./activation.ts";
import { dropoutOutside, dropoutSites } from "./frozen_dropout.ts";
import {
  completeStacks,
  type StackCallOptions,
  type StackConfiguration,
  type StackOptions,
  type StackParameters,
  throughStacks,
} from "./layer_stacks.ts";
import { requireInteger, requireShape, requireTokens } from "./requirements.ts";
import { type Affine, normalize } from "./sublayers.ts";
import { tokenLogits } from "./token_logits.ts";

/** Shape and kind of a BERT. */
export interface BertConfiguration extends StackConfiguration {
  /** Number of tokens. */
  readonly vocabulary: number;
  /** Longest sequence. */
  readonly context: number;
  /** Kinds of segments. */
  readonly segments: number;
  /** The head is the transposed token embedding. */
  readonly tied: boolean;
}

/** What must be said of a BERT; the rest has defaults. */
export type BertOptions =
  & Pick<BertConfiguration, "vocabulary">
  & StackOptions
  & Partial<BertConfiguration>;

/**
 * Completes a configuration: context 128, two segments, tied head; the layers as
 * `completeStacks` does, pre-LN with exact GELU.
 *
 * @throws {RangeError} If a number is out of range, naming it.
 */
export function bertConfiguration(options: BertOptions): BertConfiguration {
  const { vocabulary, context = 128, segments = 2, tied = true } = options;
  requireInteger("BERT", "vocabulary", vocabulary, 1);
  requireInteger("BERT", "context", context, 1);
  requireInteger("BERT", "segments", segments, 1);
  const stacks = completeStacks("BERT", options);
  return { vocabulary, context, segments, tied, ...stacks };
}

/** Embeddings of a BERT. */
export interface BertEmbeddings {
  /** For the type of trees. */
  readonly [name: string]: Tensor | Affine;
  /** `[vocabulary, width]`. */
  readonly tokens: Tensor;
  /** `[context, width]`. */
  readonly positions: Tensor;
  /** `[segments, width]`. */
  readonly segments: Tensor;
  /** Of the sum of the three. */
  readonly norm: Affine;
}

/** Parameters of an encoder, whatever its head. */
export interface EncoderParameters extends StackParameters {
  /** Embeddings. */
  readonly open: BertEmbeddings;
  /** With pre-LN layers, `norm` is that of the final states. */
  readonly close: { readonly [name: string]: Affine | Tensor };
}

/** Parameters of a BERT. */
export interface BertParameters extends EncoderParameters {
  /** For the type of trees. */
  readonly [name: string]:
    | BertEmbeddings
    | BertParameters["block"]
    | BertParameters["close"];
  /**
   * The head for tokens; `head` `[width, vocabulary]` if it isn't tied, and
   * `norm` of the final states with pre-LN layers.
   */
  readonly close: {
    readonly [name: string]: Affine | Tensor;
    /** `[width, width]`. */
    readonly transform: Affine;
    /** Of what the transform and the activation make. */
    readonly transformNorm: Affine;
    /** `[vocabulary]`. */
    readonly bias: Tensor;
  };
}

/** What an encoder reads. */
export interface BertInputs {
  /** i32 `[B, T]`. */
  readonly tokens: Tensor;
  /** i32 `[B, T]`: which segment a token is of; default 0. */
  readonly segments?: Tensor;
  /** bool `[B, T]`: false at padding; default true. */
  readonly keep?: Tensor;
}

/** Tokens that are to be predicted. */
export interface BertTargets {
  /** i32 `[B, M]`: their places in the sequences. */
  readonly positions: Tensor;
  /** i32 `[B, M]`: what they are; −100 doesn't count. */
  readonly labels: Tensor;
}

/**
 * Final states `[B, T, width]` of an encoder; those of padding mean nothing.
 *
 * @throws {RangeError} If inputs don't fit each other or the configuration.
 */
export function bertStates(
  configuration: BertConfiguration,
  parameters: EncoderParameters,
  { tokens, segments, keep }: BertInputs,
  options: StackCallOptions = {},
): Tensor {
  requireTokens("BERT", tokens, configuration.context);
  requireShape("BERT", "segments", segments, tokens.shape);
  requireShape("BERT", "keep", keep, tokens.shape);
  const { epsilon } = configuration;
  const { open, close } = parameters;
  const places = add(
    slice(open.positions, [[0, tokens.shape[1]]]),
    segments === undefined
      ? slice(open.segments, [[0, 1]])
      : embedding(open.segments, segments),
  );
  const sum = add(embedding(open.tokens, tokens), places);
  const embedded = normalize(sum, open.norm, epsilon);
  const states = throughStacks(
    configuration,
    parameters,
    dropoutOutside(embedded, options.dropout, dropoutSites.embedding),
    { keep },
    options,
  );
  return configuration.norm === "pre"
    ? normalize(states, close.norm as Affine, epsilon)
    : states;
}

/** Logits `[…, vocabulary]` of states `[…, width]`. */
function predictTokens(
  configuration: BertConfiguration,
  { open, close }: BertParameters,
  states: Tensor,
  { precision }: StackCallOptions,
): Tensor {
  const { transform: { weight, bias }, transformNorm } = close;
  const { activation, epsilon } = configuration;
  const hidden = activate(linear(states, weight, bias), activation);
  return tokenLogits(
    normalize(hidden, transformNorm, epsilon),
    {
      tokens: open.tokens,
      head: close.head as Tensor | undefined,
      bias: close.bias,
    },
    precision,
  );
}

/** Logits `[B, T, vocabulary]` of the token at each place. */
export function bertLogits(
  configuration: BertConfiguration,
  parameters: BertParameters,
  inputs: BertInputs,
  options: StackCallOptions = {},
): Tensor {
  const states = bertStates(configuration, parameters, inputs, options);
  return predictTokens(configuration, parameters, states, options);
}

/** Logits `[B, M, vocabulary]` at `positions` i32 `[B, M]` only. */
export function bertMaskedLogits(
  configuration: BertConfiguration,
  parameters: BertParameters,
  inputs: BertInputs,
  positions: Tensor,
  options: StackCallOptions = {},
): Tensor {
  const states = bertStates(configuration, parameters, inputs, options);
  const picked = statesAt(states, positions);
  return predictTokens(configuration, parameters, picked, options);
}

// A place outside of its sequence isn't one in the next: no row is −1.
const rowOfPlace = fuse(
  "masked position",
  (place, start, length) =>
    e.select(
      e.and(e.lessEqual(0, place), e.less(place, length)),
      e.add(place, start),
      e.constant(-1, "int"),
    ),
);

/** `[B, M, width]` of `[B, T, width]`: each sequence at its own places. */
function statesAt(states: Tensor, positions: Tensor): Tensor {
  const [batch, length, width] = states.shape;
  if (positions.rank !== 2 || positions.shape[0] !== batch) {
    throw new RangeError(
      `BERT: positions ${
        formatShape(positions.shape)
      } must be [${batch}, M], ` +
        `a row for each sequence`,
    );
  }
  const starts = arange(0, batch * length, length);
  const rows = rowOfPlace(positions, reshape(starts, [batch, 1]), length);
  return take(reshape(states, [batch * length, width]), rows);
}

/** Mean cross entropy in nats of the masked tokens. */
export function bertMaskedLoss(
  configuration: BertConfiguration,
  parameters: BertParameters,
  inputs: BertInputs,
  { positions, labels }: BertTargets,
  options: StackCallOptions = {},
): Tensor {
  const logits = bertMaskedLogits(
    configuration,
    parameters,
    inputs,
    positions,
    options,
  );
  return crossEntropy(logits, labels);
}
