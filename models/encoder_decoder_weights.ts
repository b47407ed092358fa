/**
 * An encoder–decoder's parameters: fresh ones, and to and from Hugging Face's
 * names for Marian.
 *
 * @example To Hugging Face's names and back
 * ```ts
 * import { encoderDecoderConfiguration, encoderDecoderFromHuggingFace, encoderDecoderToHuggingFace, initializeEncoderDecoder } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = encoderDecoderConfiguration({
 *   vocabulary: 7,
 *   width: 8,
 *   heads: 2,
 *   encoderLayers: 1,
 *   decoderLayers: 2,
 *   padding: 0,
 *   start: 0,
 *   end: 1,
 * });
 * const fresh = initializeEncoderDecoder(configuration, 0);
 * const arrays = await encoderDecoderToHuggingFace(configuration, fresh);
 * console.log(arrays["model.decoder.layers.1.encoder_attn.q_proj.weight"].shape); // [ 8, 8 ]
 * const parameters = encoderDecoderFromHuggingFace(configuration, arrays);
 * console.log(parameters.block.decoder.crossMemory.weight.shape); // [ 2, 8, 16 ]
 * ```
 *
 * @module
 */

import {
  normal,
  randomKey,
  scope,
  type Shape,
  type Tensor,
  uniform,
  zeros,
} from "../tensor/internal.ts";
import { activationFromHuggingFace } from "./activation.ts";
import type { DecoderLayerParameters } from "./decoder_layer.ts";
import {
  type EncoderDecoderConfiguration,
  encoderDecoderConfiguration,
  type EncoderDecoderParameters,
} from "./encoder_decoder.ts";
import {
  type DrawLayerWeight,
  freshNorm,
  initializeLayers,
  layerShapes,
  type PartShapes,
} from "./layer_initialization.ts";
import { ArrayWriter, NamedArrays } from "./named_arrays.ts";
import type { HostArray } from "./safetensors.ts";
import { type LayerNames, loadLayers, saveLayers } from "./stack_weights.ts";
import type { Affine } from "./sublayers.ts";

/** Shapes of one decoder layer's parameters. */
function decoderShapes(configuration: EncoderDecoderConfiguration): PartShapes {
  const { width } = configuration;
  return {
    ...layerShapes(configuration),
    crossNorm: { weight: [width], bias: [width] },
    crossQuery: { weight: [width, width], bias: [width] },
    crossMemory: { weight: [width, 2 * width], bias: [2 * width] },
    crossOutput: { weight: [width, width], bias: [width] },
  };
}

/** Maps that lie side by side in a part. */
const mapsOf: Readonly<Record<string, number>> = {
  attentionInput: 3,
  crossMemory: 2,
};

/**
 * Fresh parameters: weights uniform within ±√(6 / (in + out)) (Glorot & Bengio
 * 2010), for queries, keys and values each; embeddings normal with deviation
 * 1/√width; biases 0, normalizations 1 and 0. A pure function of configuration
 * and seed.
 */
export function initializeEncoderDecoder(
  configuration: EncoderDecoderConfiguration,
  seed: number,
): EncoderDecoderParameters {
  const { vocabulary, width, encoderLayers, decoderLayers, norm } =
    configuration;
  let stream = 0;
  const draw: DrawLayerWeight = (part, shape) => {
    const [, inner, outer] = shape;
    const bound = Math.sqrt(6 / (inner + outer / (mapsOf[part] ?? 1)));
    return uniform(shape, randomKey(seed, stream++), -bound, bound);
  };
  const tokens = normal(
    [vocabulary, width],
    randomKey(seed, stream++),
    0,
    1 / Math.sqrt(width),
  );
  return {
    open: { tokens },
    block: {
      encoder: initializeLayers(
        encoderLayers,
        layerShapes(configuration),
        draw,
      ),
      decoder: initializeLayers(
        decoderLayers,
        decoderShapes(configuration),
        draw,
      ) as DecoderLayerParameters,
    },
    close: {
      ...(norm === "pre" && {
        encoderNorm: freshNorm(width),
        decoderNorm: freshNorm(width),
      }),
      ...(configuration.logitsBias && { bias: zeros([vocabulary]) }),
    },
  };
}

const parts = {
  attentionNorm: "self_attn_layer_norm",
  attentionInput: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  attentionOutput: "self_attn.out_proj",
  mlpNorm: "final_layer_norm",
  mlpInput: "fc1",
  mlpOutput: "fc2",
};

/** Hugging Face's names of the parts of layers. */
const names: Record<"encoder" | "decoder", LayerNames> = {
  encoder: {
    prefix: (n) => `model.encoder.layers.${n}.`,
    parts,
    layout: "out-in",
  },
  decoder: {
    prefix: (n) => `model.decoder.layers.${n}.`,
    parts: {
      ...parts,
      crossNorm: "encoder_attn_layer_norm",
      crossQuery: "encoder_attn.q_proj",
      crossMemory: ["encoder_attn.k_proj", "encoder_attn.v_proj"],
      crossOutput: "encoder_attn.out_proj",
    },
    layout: "out-in",
  },
};

/** What files hold beside parameters: the tied embedding again, positions. */
const ignored = /(\.embed_(tokens|positions)|^lm_head)\.weight$/;

/**
 * Parameters from arrays under Hugging Face's names for Marian
 * (`model.shared.weight`, `model.encoder.layers.0.fc1.weight`, …).
 *
 * @throws {RangeError} If an array is missing, unexpected or of another shape.
 */
export function encoderDecoderFromHuggingFace(
  configuration: EncoderDecoderConfiguration,
  arrays: Readonly<Record<string, HostArray>>,
): EncoderDecoderParameters {
  const { vocabulary, width, encoderLayers, decoderLayers, norm, logitsBias } =
    configuration;
  const given = new NamedArrays("encoder–decoder", arrays, {
    rename: (name) => name,
    ignore: (name) => ignored.test(name),
  });
  return scope(() => {
    const open = {
      tokens: given.tensor("model.shared.weight", [vocabulary, width]),
    };
    const encoder = loadLayers(
      given,
      layerShapes(configuration),
      names.encoder,
      { first: 0, count: encoderLayers },
    );
    const decoder = loadLayers(
      given,
      decoderShapes(configuration),
      names.decoder,
      { first: 0, count: decoderLayers },
    ) as DecoderLayerParameters;
    const close = {
      ...(norm === "pre" && {
        encoderNorm: given.norm("model.encoder.layer_norm", width),
        decoderNorm: given.norm("model.decoder.layer_norm", width),
      }),
      ...(logitsBias && { bias: loadLogitsBias(given, vocabulary) }),
    };
    given.finish();
    return { open, block: { encoder, decoder }, close };
  });
}

function loadLogitsBias(given: NamedArrays, vocabulary: number): Tensor {
  const shape: Shape = [1, vocabulary];
  const bias = given.tensor("final_logits_bias", shape);
  return bias.view([vocabulary], [1], bias.offset);
}

/** The parameters under Hugging Face's names and in its layouts. */
export async function encoderDecoderToHuggingFace(
  configuration: EncoderDecoderConfiguration,
  { open, block, close }: EncoderDecoderParameters,
): Promise<Record<string, HostArray>> {
  const { vocabulary, encoderLayers, decoderLayers } = configuration;
  const writer = new ArrayWriter();
  await writer.tensor("model.shared.weight", open.tokens);
  await saveLayers(
    writer,
    layerShapes(configuration),
    names.encoder,
    { first: 0, count: encoderLayers },
    block.encoder,
  );
  await saveLayers(
    writer,
    decoderShapes(configuration),
    names.decoder,
    { first: 0, count: decoderLayers },
    block.decoder,
  );
  if (configuration.norm === "pre") {
    await writer.norm("model.encoder.layer_norm", close.encoderNorm as Affine);
    await writer.norm("model.decoder.layer_norm", close.decoderNorm as Affine);
  }
  if (configuration.logitsBias) {
    const bias = close.bias as Tensor;
    await writer.tensor("final_logits_bias", bias, [1, vocabulary]);
  }
  return writer.arrays;
}

/** The fields of Hugging Face's `config.json` that matter for a Marian. */
export interface HuggingFaceMarianConfiguration {
  /** Tokens. */
  readonly vocab_size: number;
  /** Longest sequence. */
  readonly max_position_embeddings: number;
  /** Width. */
  readonly d_model: number;
  /** Heads of the encoder. */
  readonly encoder_attention_heads: number;
  /** Heads of the decoder, as many. */
  readonly decoder_attention_heads: number;
  /** Width of the encoder's MLP. */
  readonly encoder_ffn_dim: number;
  /** Width of the decoder's MLP, as wide. */
  readonly decoder_ffn_dim: number;
  /** Layers of the encoder. */
  readonly encoder_layers: number;
  /** Layers of the decoder. */
  readonly decoder_layers: number;
  /** Of the MLP. */
  readonly activation_function: string;
  /** Whether embeddings are multiplied by √width; default false. */
  readonly scale_embedding?: boolean;
  /** Pre-LN; default false. */
  readonly normalize_before?: boolean;
  /** Added to variances; default 1e-5. */
  readonly layer_norm_eps?: number;
  /** Padding. */
  readonly pad_token_id: number;
  /** End of a sentence. */
  readonly eos_token_id: number;
  /** What targets begin with. */
  readonly decoder_start_token_id: number;
}

/**
 * Our configuration for Hugging Face's.
 *
 * @throws {RangeError} If encoder and decoder have other heads or MLPs, or the
 *   activation function is unknown.
 */
export function encoderDecoderConfigurationFromHuggingFace(
  given: HuggingFaceMarianConfiguration,
): EncoderDecoderConfiguration {
  for (const field of ["attention_heads", "ffn_dim"] as const) {
    const [encoder, decoder] = [
      given[`encoder_${field}`],
      given[`decoder_${field}`],
    ];
    if (encoder !== decoder) {
      throw new RangeError(
        `encoder–decoder: encoder_${field} ${encoder} and decoder_${field} ` +
          `${decoder} must be equal`,
      );
    }
  }
  return encoderDecoderConfiguration({
    vocabulary: given.vocab_size,
    context: given.max_position_embeddings,
    width: given.d_model,
    heads: given.encoder_attention_heads,
    hidden: given.encoder_ffn_dim,
    encoderLayers: given.encoder_layers,
    decoderLayers: given.decoder_layers,
    norm: given.normalize_before ? "pre" : "post",
    activation: activationFromHuggingFace(
      "encoder–decoder",
      "activation_function",
      given.activation_function,
    ),
    epsilon: given.layer_norm_eps ?? 1e-5,
    scaleEmbedding: given.scale_embedding ?? false,
    logitsBias: true,
    padding: given.pad_token_id,
    start: given.decoder_start_token_id,
    end: given.eos_token_id,
  });
}
