/**
 * Tagger: an encoder that gives every word of a sentence a class, such as its
 * part of speech.
 *
 * Each word is the sum of the embeddings of its features and a sinusoidal
 * position (`open`), then come layers in serial stacks and an ODE block, a final
 * normalization and a linear map (`close`). With one feature, the word itself,
 * it is the network for morphological classification of Layer-Parallel Training
 * for Transformers (arXiv 2601.09026); with hashed affixes too it knows
 * something of words it has never seen.
 *
 * @example
 * ```ts
 * import { initializeTagger, taggerConfiguration, taggerLogits } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = taggerConfiguration({
 *   features: 100,
 *   featuresPerWord: 2,
 *   classes: 5,
 *   width: 32,
 *   heads: 2,
 *   layers: 2,
 * });
 * const parameters = initializeTagger(configuration, 0);
 * const features = tensor([[[7, 81], [42, 60], [0, 0]]], { dtype: "i32" });
 * const keep = tensor([[true, true, false]]);
 * const logits = taggerLogits(configuration, parameters, { features, keep });
 * console.log(logits.shape); // [ 1, 3, 5 ]
 * ```
 *
 * @module
 */

import {
  add,
  crossEntropy,
  embedding,
  formatShape,
  linear,
  sum,
  type Tensor,
} from "../tensor/internal.ts";
import { dropoutOutside, dropoutSites } from "./frozen_dropout.ts";
import {
  freshLinear,
  freshNorm,
  initializeStacks,
  normalWeights,
  scaledResiduals,
} from "./layer_initialization.ts";
import {
  completeStacks,
  type StackCallOptions,
  type StackConfiguration,
  type StackOptions,
  type StackParameters,
  throughStacks,
} from "./layer_stacks.ts";
import { requireInteger, requireShape } from "./requirements.ts";
import { sinusoids } from "./sinusoidal_positions.ts";
import { type Affine, type LayerParameters, normalize } from "./sublayers.ts";

/** Shape and kind of a tagger. */
export interface TaggerConfiguration extends StackConfiguration {
  /** Rows of the table of features. */
  readonly features: number;
  /** Features of a word. */
  readonly featuresPerWord: number;
  /** Most words of a sentence. */
  readonly context: number;
  /** Number of classes. */
  readonly classes: number;
}

/** What must be said of a tagger; the rest has defaults. */
export type TaggerOptions =
  & Pick<TaggerConfiguration, "features" | "classes">
  & StackOptions
  & Partial<TaggerConfiguration>;

/**
 * Completes a configuration: one feature a word, context 128; the layers as
 * `completeStacks` does.
 *
 * @throws {RangeError} If a number is out of range, naming it.
 */
export function taggerConfiguration(
  options: TaggerOptions,
): TaggerConfiguration {
  const { features, featuresPerWord = 1, context = 128, classes } = options;
  const sizes = { features, featuresPerWord, context, classes };
  for (const [name, value] of Object.entries(sizes)) {
    requireInteger("tagger", name, value, 1);
  }
  return { ...sizes, ...completeStacks("tagger", options) };
}

/** Parameters of a tagger. */
export interface TaggerParameters extends StackParameters {
  /** For the type of trees. */
  readonly [name: string]:
    | LayerParameters
    | TaggerParameters["open"]
    | TaggerParameters["close"];
  /** Embeddings. */
  readonly open: {
    readonly [name: string]: Tensor;
    /** `[features, width]`. */
    readonly features: Tensor;
  };
  /** Head and, with pre-LN layers, `norm` of the final states. */
  readonly close: {
    readonly [name: string]: Affine;
    /** `[width, classes]`. */
    readonly head: Affine;
  };
}

/** What a tagger reads. */
export interface TaggerInputs {
  /** i32 `[B, T, F]`: the features of each word. */
  readonly features: Tensor;
  /** bool `[B, T]`: false at padding; default true. */
  readonly keep?: Tensor;
}

/**
 * Fresh parameters. Features are normal with deviation 0.1: rare ones, which
 * training seldom moves, then say little. Weights of layers are as GPT-2's (see
 * `scaledResiduals`), that of the head has deviation 0.02. A pure function of
 * configuration and seed.
 */
export function initializeTagger(
  configuration: TaggerConfiguration,
  seed: number,
): TaggerParameters {
  const { features, width, classes, norm } = configuration;
  const deviation = 0.02;
  const draw = normalWeights(seed, deviation);
  const open = { features: draw([features, width], 0.1 / deviation) };
  const layers = initializeStacks(
    configuration,
    scaledResiduals(configuration, draw),
  );
  const head = freshLinear(draw, width, classes);
  const close: TaggerParameters["close"] = norm === "pre"
    ? { norm: freshNorm(width), head }
    : { head };
  return { open, ...layers, close };
}

/**
 * Logits `[B, T, classes]` of the class of each word; those of padding mean
 * nothing.
 *
 * @throws {RangeError} If inputs don't fit each other or the configuration.
 */
export function taggerLogits(
  configuration: TaggerConfiguration,
  parameters: TaggerParameters,
  { features, keep }: TaggerInputs,
  options: StackCallOptions = {},
): Tensor {
  const { context, featuresPerWord, width, norm, epsilon } = configuration;
  const [batch, length, each] = features.shape;
  if (features.rank !== 3 || length > context || each !== featuresPerWord) {
    throw new RangeError(
      `tagger: features ${
        formatShape(features.shape)
      } must be [batch, words, ` +
        `${featuresPerWord}] with at most ${context} words; change them, or ` +
        `the configuration's featuresPerWord or context`,
    );
  }
  requireShape("tagger", "keep", keep, [batch, length]);
  const { open, close } = parameters;
  const words = sum(embedding(open.features, features), 2);
  const embedded = add(words, sinusoids(length, width, "interleaved"));
  const states = throughStacks(
    configuration,
    parameters,
    dropoutOutside(embedded, options.dropout, dropoutSites.embedding),
    { keep },
    options,
  );
  const last = norm === "pre" ? normalize(states, close.norm, epsilon) : states;
  return linear(last, close.head.weight, close.head.bias);
}

/**
 * Mean cross entropy in nats against labels i32 `[B, T]`; −100, as at padding,
 * doesn't count.
 */
export function taggerLoss(
  configuration: TaggerConfiguration,
  parameters: TaggerParameters,
  inputs: TaggerInputs,
  labels: Tensor,
  options: StackCallOptions = {},
): Tensor {
  return crossEntropy(
    taggerLogits(configuration, parameters, inputs, options),
    labels,
  );
}
