/**
 * BERT's parameters: fresh ones, and to and from Hugging Face's names.
 *
 * @example To Hugging Face's names and back
 * ```ts
 * import { bertConfiguration, bertFromHuggingFace, bertToHuggingFace, initializeBert } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const shape = { vocabulary: 5, context: 3, width: 8, heads: 2, layers: 1 };
 * const configuration = bertConfiguration({ ...shape, norm: "post" });
 * const fresh = initializeBert(configuration, 0);
 * const arrays = await bertToHuggingFace(configuration, fresh);
 * console.log(arrays["bert.encoder.layer.0.intermediate.dense.weight"].shape); // [ 32, 8 ]
 * const parameters = bertFromHuggingFace(configuration, arrays);
 * console.log(parameters.block.mlpInput.weight.shape); // [ 1, 8, 32 ]
 * ```
 *
 * @module
 */

import { scope, type Tensor, zeros } from "../tensor/internal.ts";
import { activationFromHuggingFace } from "./activation.ts";
import {
  type BertConfiguration,
  bertConfiguration,
  type BertParameters,
  type EncoderParameters,
} from "./bert.ts";
import {
  type DrawWeight,
  freshLinear,
  freshNorm,
  initializeStacks,
  normalWeights,
  scaledBranches,
} from "./layer_initialization.ts";
import type { NormPlace } from "./layer_stacks.ts";
import { ArrayWriter, NamedArrays } from "./named_arrays.ts";
import type { HostArray } from "./safetensors.ts";
import { type LayerNames, loadStacks, saveStacks } from "./stack_weights.ts";
import type { Affine } from "./sublayers.ts";

/**
 * Hugging Face's names of the parts of a layer: those of `BertModel`, or with
 * pre-LN those of `RobertaPreLayerNormModel`.
 */
function layerNames(norm: NormPlace): LayerNames {
  return {
    prefix: (n) => `bert.encoder.layer.${n}.`,
    parts: {
      attentionNorm: norm === "pre"
        ? "attention.LayerNorm"
        : "attention.output.LayerNorm",
      attentionInput: ["query", "key", "value"].map((name) =>
        `attention.self.${name}`
      ),
      attentionOutput: "attention.output.dense",
      mlpNorm: norm === "pre" ? "intermediate.LayerNorm" : "output.LayerNorm",
      mlpInput: "intermediate.dense",
      mlpOutput: "output.dense",
    },
    layout: "out-in",
  };
}

/** Fresh embeddings and layers, and the final norm of pre-LN layers. */
export function initializeEncoder(
  configuration: BertConfiguration,
  draw: DrawWeight,
): EncoderParameters {
  const { vocabulary, context, segments, width, norm } = configuration;
  const open = {
    tokens: draw([vocabulary, width]),
    positions: draw([context, width]),
    segments: draw([segments, width]),
    norm: freshNorm(width),
  };
  const layers = initializeStacks(
    configuration,
    norm === "pre"
      ? scaledBranches(configuration, draw)
      : (_part, shape) => draw(shape),
  );
  const close: EncoderParameters["close"] = norm === "pre"
    ? { norm: freshNorm(width) }
    : {};
  return { open, ...layers, close };
}

/**
 * Fresh parameters: weights normal with deviation 0.02, as BERT's, with pre-LN
 * layers those of MLP, values and attention output times √(ln 2L), see
 * `scaledBranches`. Biases 0, normalizations 1 and 0. A pure function of
 * configuration and seed.
 */
export function initializeBert(
  configuration: BertConfiguration,
  seed: number,
): BertParameters {
  const { vocabulary, width, tied } = configuration;
  const draw = normalWeights(seed);
  const { close, ...encoder } = initializeEncoder(configuration, draw);
  const tokenHead = {
    transform: freshLinear(draw, width, width),
    transformNorm: freshNorm(width),
    bias: zeros([vocabulary]),
  };
  const head: Readonly<Record<string, Tensor>> = tied
    ? {}
    : { head: draw([width, vocabulary]) };
  return { ...encoder, close: { ...close, ...tokenHead, ...head } };
}

/** Hugging Face's arrays of a network that has an encoder. */
export function encoderArrays(
  network: string,
  arrays: Readonly<Record<string, HostArray>>,
  ignore: (name: string) => boolean,
): NamedArrays {
  return new NamedArrays(network, arrays, {
    rename: (name) =>
      name
        .replace(/^(embeddings|encoder|pooler|LayerNorm)\./, "bert.$1.")
        .replace(/(LayerNorm|layer_norm)\.gamma$/, "$1.weight")
        .replace(/(LayerNorm|layer_norm)\.beta$/, "$1.bias"),
    ignore: (name) => name === "bert.embeddings.position_ids" || ignore(name),
  });
}

/** Takes embeddings, layers and the final norm. */
export function loadEncoder(
  given: NamedArrays,
  configuration: BertConfiguration,
): EncoderParameters {
  const { vocabulary, context, segments, width, norm } = configuration;
  const prefix = "bert.embeddings";
  const open = {
    tokens: given.tensor(`${prefix}.word_embeddings.weight`, [
      vocabulary,
      width,
    ]),
    positions: given.tensor(`${prefix}.position_embeddings.weight`, [
      context,
      width,
    ]),
    segments: given.tensor(`${prefix}.token_type_embeddings.weight`, [
      segments,
      width,
    ]),
    norm: given.norm(`${prefix}.LayerNorm`, width),
  };
  const layers = loadStacks(given, configuration, layerNames(norm));
  const close: EncoderParameters["close"] = norm === "pre"
    ? { norm: given.norm("bert.LayerNorm", width) }
    : {};
  return { open, ...layers, close };
}

/** Puts embeddings, layers and the final norm. */
export async function saveEncoder(
  writer: ArrayWriter,
  configuration: BertConfiguration,
  parameters: EncoderParameters,
): Promise<void> {
  const { open, close } = parameters;
  const prefix = "bert.embeddings";
  await writer.tensor(`${prefix}.word_embeddings.weight`, open.tokens);
  await writer.tensor(`${prefix}.position_embeddings.weight`, open.positions);
  await writer.tensor(`${prefix}.token_type_embeddings.weight`, open.segments);
  await writer.norm(`${prefix}.LayerNorm`, open.norm);
  const names = layerNames(configuration.norm);
  await saveStacks(writer, configuration, names, parameters);
  if (configuration.norm === "pre") {
    await writer.norm("bert.LayerNorm", close.norm as Affine);
  }
}

/** What files of BERT hold beside a `BertForMaskedLM`'s parameters. */
const unneeded =
  /^(bert\.pooler|cls\.seq_relationship)\.|^cls\.predictions\.decoder\.bias$/;
const headName = "cls.predictions.decoder.weight";

/**
 * Parameters from arrays under the names of Hugging Face's `BertForMaskedLM`.
 * Pre-LN layers have the names of `RobertaPreLayerNormModel`, after `bert.`;
 * their final norm is `bert.LayerNorm`. The pooler and the head for the next
 * sentence, which files of `BertForPreTraining` hold too, are left out.
 *
 * @throws {RangeError} If an array is missing, unexpected or of another shape.
 */
export function bertFromHuggingFace(
  configuration: BertConfiguration,
  arrays: Readonly<Record<string, HostArray>>,
): BertParameters {
  const { vocabulary, width, tied } = configuration;
  const given = encoderArrays(
    "BERT",
    arrays,
    // A tied head may be stored twice.
    (name) => unneeded.test(name) || tied && name === headName,
  );
  return scope(() => {
    const { close, ...encoder } = loadEncoder(given, configuration);
    const prefix = "cls.predictions";
    const tokenHead = {
      transform: given.linear(`${prefix}.transform.dense`, width, width),
      transformNorm: given.norm(`${prefix}.transform.LayerNorm`, width),
      bias: given.tensor(`${prefix}.bias`, [vocabulary]),
    };
    const head: Readonly<Record<string, Tensor>> = tied
      ? {}
      : { head: given.matrix(headName, [width, vocabulary]) };
    given.finish();
    return { ...encoder, close: { ...close, ...tokenHead, ...head } };
  });
}

/** The parameters under Hugging Face's names and in its layouts. */
export async function bertToHuggingFace(
  configuration: BertConfiguration,
  parameters: BertParameters,
): Promise<Record<string, HostArray>> {
  const writer = new ArrayWriter();
  await saveEncoder(writer, configuration, parameters);
  const { transform, transformNorm, bias, head } = parameters.close;
  const prefix = "cls.predictions";
  await writer.linear(`${prefix}.transform.dense`, transform);
  await writer.norm(`${prefix}.transform.LayerNorm`, transformNorm);
  await writer.tensor(`${prefix}.bias`, bias);
  if (head !== undefined) await writer.matrix(headName, head as Tensor);
  return writer.arrays;
}

/** The fields of Hugging Face's `config.json` that matter for a BERT. */
export interface HuggingFaceBertConfiguration {
  /** Tokens. */
  readonly vocab_size: number;
  /** Longest sequence. */
  readonly max_position_embeddings: number;
  /** Kinds of segments. */
  readonly type_vocab_size: number;
  /** Width. */
  readonly hidden_size: number;
  /** Heads. */
  readonly num_attention_heads: number;
  /** Layers. */
  readonly num_hidden_layers: number;
  /** Width of the MLP. */
  readonly intermediate_size: number;
  /** Added to variances. */
  readonly layer_norm_eps: number;
  /** Of the MLP: `gelu`, … */
  readonly hidden_act: string;
  /** Only `absolute`, the default, is known. */
  readonly position_embedding_type?: string;
  /** The head is the transposed embedding; default true. */
  readonly tie_word_embeddings?: boolean;
}

/**
 * Our configuration for Hugging Face's: post-LN, all layers in the block.
 *
 * @throws {RangeError} If its activation or its positions aren't known.
 */
export function bertConfigurationFromHuggingFace(
  given: HuggingFaceBertConfiguration,
): BertConfiguration {
  const { position_embedding_type: positions = "absolute" } = given;
  if (positions !== "absolute") {
    throw new RangeError(
      `BERT: position_embedding_type "${positions}" isn't absolute`,
    );
  }
  return bertConfiguration({
    vocabulary: given.vocab_size,
    context: given.max_position_embeddings,
    segments: given.type_vocab_size,
    width: given.hidden_size,
    heads: given.num_attention_heads,
    layers: given.num_hidden_layers,
    hidden: given.intermediate_size,
    epsilon: given.layer_norm_eps,
    activation: activationFromHuggingFace(
      "BERT",
      "hidden_act",
      given.hidden_act,
    ),
    norm: "post",
    tied: given.tie_word_embeddings ?? true,
  });
}
