/**
 * A BERT encoder with another head, for fine-tuning: a class or a number for a
 * sequence, or a class for every token.
 *
 * @example From a pre-trained encoder, with its layers split in another way
 * ```ts
 * import { bertConfiguration, classifierFromBert, classifierLogits, initializeBert } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const shape = { vocabulary: 30, width: 32, heads: 2 };
 * const pretrained = initializeBert(bertConfiguration({ ...shape, layers: 4 }), 0);
 * const configuration = {
 *   ...bertConfiguration({ ...shape, before: 1, layers: 2, after: 1 }),
 *   head: { kind: "classes", outputs: 3 },
 * } as const;
 * const parameters = classifierFromBert(configuration, pretrained, 1);
 * const tokens = tensor([[2, 17, 3]], { dtype: "i32" });
 * console.log(classifierLogits(configuration, parameters, { tokens }).shape); // [ 1, 3 ]
 * ```
 *
 * @module
 */

import {
  copy,
  crossEntropy,
  linear,
  mapTree,
  meanSquaredError,
  reshape,
  scope,
  select,
  type Shape,
  tanh,
  type Tensor,
} from "../tensor/internal.ts";
import {
  type BertConfiguration,
  type BertEmbeddings,
  type BertInputs,
  bertStates,
  type EncoderParameters,
} from "./bert.ts";
import {
  encoderArrays,
  initializeEncoder,
  loadEncoder,
  saveEncoder,
} from "./bert_weights.ts";
import { dropoutOutside, dropoutSites } from "./frozen_dropout.ts";
import {
  type DrawWeight,
  freshLinear,
  layerShapes,
  normalWeights,
} from "./layer_initialization.ts";
import { dealLayers, type StackCallOptions } from "./layer_stacks.ts";
import { ArrayWriter } from "./named_arrays.ts";
import { requireInteger, requireOneOf, requireShape } from "./requirements.ts";
import type { HostArray } from "./safetensors.ts";
import type { Affine, LayerParameters } from "./sublayers.ts";

/** What a head says. */
export interface HeadConfiguration {
  /**
   * `classes`: one of `outputs` classes for a sequence; `number`: `outputs`
   * real numbers for a sequence; `tokens`: one of `outputs` classes for each
   * token.
   */
  readonly kind: "classes" | "number" | "tokens";
  /** How many classes or numbers. */
  readonly outputs: number;
}

/** An encoder and its head. */
export interface ClassifierConfiguration extends BertConfiguration {
  /** What comes after the encoder. */
  readonly head: HeadConfiguration;
}

/**
 * An encoder's configuration with a head.
 *
 * @throws {RangeError} If the kind isn't known or outputs isn't an integer ≥ 1.
 */
export function classifierConfiguration(
  encoder: BertConfiguration,
  head: HeadConfiguration,
): ClassifierConfiguration {
  requireOneOf("classifier", "kind", head.kind, [
    "classes",
    "number",
    "tokens",
  ]);
  requireInteger("classifier", "outputs", head.outputs, 1);
  return { ...encoder, head };
}

/** Parameters of an encoder with a head. */
export interface ClassifierParameters extends EncoderParameters {
  /** For the type of trees. */
  readonly [name: string]:
    | LayerParameters
    | BertEmbeddings
    | ClassifierParameters["close"];
  /**
   * Head; for whole sequences also `pooler` `[width, width]`, a dense layer on
   * the first token's state, and with pre-LN layers `norm` of the final states.
   */
  readonly close: {
    readonly [name: string]: Affine;
    /** `[width, outputs]`. */
    readonly head: Affine;
  };
}

/** Pooler and head; those that are there already are kept. */
function initializeHead(
  { width, head }: ClassifierConfiguration,
  draw: DrawWeight,
): ClassifierParameters["close"] {
  const fresh = { head: freshLinear(draw, width, head.outputs) };
  return head.kind === "tokens"
    ? fresh
    : { pooler: freshLinear(draw, width, width), ...fresh };
}

/** Fresh parameters, as `initializeBert` draws them. */
export function initializeClassifier(
  configuration: ClassifierConfiguration,
  seed: number,
): ClassifierParameters {
  const draw = normalWeights(seed);
  const { close, ...encoder } = initializeEncoder(configuration, draw);
  const head = initializeHead(configuration, draw);
  return { ...encoder, close: { ...close as Record<string, Affine>, ...head } };
}

/**
 * A classifier with the encoder of a pre-trained BERT (copied) and a fresh head,
 * normal with deviation 0.02. The encoder's layers may be split into stacks in
 * another way: they have their order in the whole network.
 *
 * @throws {RangeError} If the encoder has another number of layers, or
 *   parameters of another shape.
 */
export function classifierFromBert(
  configuration: ClassifierConfiguration,
  pretrained: EncoderParameters,
  seed: number,
): ClassifierParameters {
  requireEncoder(configuration, pretrained);
  return scope(() => {
    const open = mapTree(copy, pretrained.open) as BertEmbeddings;
    const layers = dealLayers(pretrained, configuration);
    const close = initializeHead(configuration, normalWeights(seed));
    if (configuration.norm === "post") return { open, ...layers, close };
    const norm = mapTree(copy, pretrained.close.norm as Affine);
    return { open, ...layers, close: { norm, ...close } };
  });
}

/** @throws {RangeError} If an encoder isn't of the configuration's shape. */
function requireEncoder(
  configuration: ClassifierConfiguration,
  { open, block, close }: EncoderParameters,
): void {
  const { vocabulary, context, segments, width, norm } = configuration;
  const check = (name: string, x: Tensor, shape: Shape): void =>
    requireShape("classifier", `the encoder's ${name}`, x, shape);
  check("open.tokens", open.tokens, [vocabulary, width]);
  check("open.positions", open.positions, [context, width]);
  check("open.segments", open.segments, [segments, width]);
  for (const [part, shapes] of Object.entries(layerShapes(configuration))) {
    const { weight } = block[part];
    check(`block.${part}.weight`, weight, [
      weight.shape[0],
      ...shapes.weight,
    ]);
  }
  const given = close.norm === undefined ? "post" : "pre";
  if (given !== norm) {
    throw new RangeError(
      `classifier: the encoder has ${given}-LN layers, the configuration ` +
        `${norm}-LN ones`,
    );
  }
}

/**
 * Logits `[B, outputs]`, or `[B, T, outputs]` for `tokens`; the numbers
 * themselves for `number`.
 *
 * @throws {RangeError} If inputs don't fit each other or the configuration.
 */
export function classifierLogits(
  configuration: ClassifierConfiguration,
  parameters: ClassifierParameters,
  inputs: BertInputs,
  options: StackCallOptions = {},
): Tensor {
  const { pooler, head: { weight, bias } } = parameters.close;
  const states = bertStates(configuration, parameters, inputs, options);
  const features = configuration.head.kind === "tokens"
    ? states
    : tanh(linear(select(states, 1, 0), pooler.weight, pooler.bias));
  const dropped = dropoutOutside(features, options.dropout, dropoutSites.head);
  return linear(dropped, weight, bias);
}

/**
 * Mean cross entropy in nats against labels i32 `[B]` or, for `tokens`, `[B, T]`
 * where −100 doesn't count; for `number` the mean squared error against real
 * numbers `[B]` or `[B, outputs]`.
 */
export function classifierLoss(
  configuration: ClassifierConfiguration,
  parameters: ClassifierParameters,
  inputs: BertInputs,
  labels: Tensor,
  options: StackCallOptions = {},
): Tensor {
  const logits = classifierLogits(configuration, parameters, inputs, options);
  return configuration.head.kind === "number"
    ? meanSquaredError(logits, reshape(labels, logits.shape))
    : crossEntropy(logits, labels);
}

/**
 * Parameters from arrays under the names of Hugging Face's
 * `BertForSequenceClassification` or `BertForTokenClassification`.
 *
 * A file of another head, `BertForMaskedLM` or `BertModel`, gives the encoder
 * (and the pooler, if it has one); what is missing of the head is drawn from
 * `seed`.
 *
 * @throws {RangeError} If an array is missing, unexpected or of another shape.
 */
export function classifierFromHuggingFace(
  configuration: ClassifierConfiguration,
  arrays: Readonly<Record<string, HostArray>>,
  seed: number,
): ClassifierParameters {
  const { width, head: { kind, outputs } } = configuration;
  const given = encoderArrays(
    "classifier",
    arrays,
    (name) =>
      name.startsWith("cls.") ||
      kind === "tokens" && name.startsWith("bert.pooler."),
  );
  return scope(() => {
    const { close, ...encoder } = loadEncoder(given, configuration);
    const head: Record<string, Affine> = {
      ...close as Record<string, Affine>,
      ...initializeHead(configuration, normalWeights(seed)),
    };
    if (given.has("bert.pooler.dense.weight")) {
      head.pooler = given.linear("bert.pooler.dense", width, width);
    }
    if (given.has("classifier.weight")) {
      head.head = given.linear("classifier", width, outputs);
    }
    given.finish();
    return { ...encoder, close: head as ClassifierParameters["close"] };
  });
}

/** The parameters under Hugging Face's names and in its layouts. */
export async function classifierToHuggingFace(
  configuration: ClassifierConfiguration,
  parameters: ClassifierParameters,
): Promise<Record<string, HostArray>> {
  const writer = new ArrayWriter();
  await saveEncoder(writer, configuration, parameters);
  const { pooler, head } = parameters.close;
  if (pooler !== undefined) await writer.linear("bert.pooler.dense", pooler);
  await writer.linear("classifier", head);
  return writer.arrays;
}
