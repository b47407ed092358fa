/**
 * GPT-2's parameters: fresh ones, and to and from Hugging Face's names.
 *
 * @example To Hugging Face's names and back
 * ```ts
 * import { gptConfiguration, gptFromHuggingFace, gptToHuggingFace, initializeGpt } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const shape = { vocabulary: 5, context: 3, width: 8, heads: 2, layers: 1 };
 * const configuration = gptConfiguration(shape);
 * const fresh = initializeGpt(configuration, 0);
 * const arrays = await gptToHuggingFace(configuration, fresh);
 * console.log(arrays["h.0.attn.c_attn.weight"].shape); // [ 8, 24 ]
 * const parameters = gptFromHuggingFace(configuration, arrays);
 * console.log(parameters.block.attentionInput.weight.shape); // [ 1, 8, 24 ]
 * ```
 *
 * @module
 */

import { activationFromHuggingFace } from "./activation.ts";
import { scope, type Tensor } from "../tensor/internal.ts";
import {
  type GptConfiguration,
  gptConfiguration,
  type GptParameters,
  gptStacks,
} from "./gpt.ts";
import {
  freshNorm,
  initializeStacks,
  normalWeights,
  scaledResiduals,
} from "./layer_initialization.ts";
import { ArrayWriter, NamedArrays } from "./named_arrays.ts";
import type { HostArray } from "./safetensors.ts";
import { type LayerNames, loadStacks, saveStacks } from "./stack_weights.ts";

/** Hugging Face's names of the parts of a layer. */
const layerNames: LayerNames = {
  prefix: (n) => `h.${n}.`,
  parts: {
    attentionNorm: "ln_1",
    attentionInput: "attn.c_attn",
    attentionOutput: "attn.c_proj",
    mlpNorm: "ln_2",
    mlpInput: "mlp.c_fc",
    mlpOutput: "mlp.c_proj",
  },
  layout: "in-out",
};

/**
 * Fresh parameters as GPT-2's: weights normal with deviation 0.02, those of the
 * 2 · layers projections onto the residual stream divided by √(2 · layers);
 * biases 0, normalizations 1 and 0. A pure function of configuration and seed.
 */
export function initializeGpt(
  configuration: GptConfiguration,
  seed: number,
): GptParameters {
  const { vocabulary, context, width, tied } = configuration;
  const draw = normalWeights(seed);
  const open = {
    tokens: draw([vocabulary, width]),
    positions: draw([context, width]),
  };
  const stacks = gptStacks(configuration);
  const layers = initializeStacks(stacks, scaledResiduals(stacks, draw));
  const norm = freshNorm(width);
  const close: GptParameters["close"] = tied
    ? { norm }
    : { norm, head: draw([width, vocabulary]) };
  return { open, ...layers, close };
}

/** Names that checkpoints hold beside parameters: causal masks. */
const ignored = /(^|\.)attn\.(bias|masked_bias)$/;

/**
 * Parameters from arrays under Hugging Face's names (`h.0.attn.c_attn.weight`,
 * …), with or without the prefix `transformer.`. Layers are dealt out to the
 * stacks in order.
 *
 * @throws {RangeError} If an array is missing, unexpected or of another shape.
 */
export function gptFromHuggingFace(
  configuration: GptConfiguration,
  arrays: Readonly<Record<string, HostArray>>,
): GptParameters {
  const { vocabulary, context, width, tied } = configuration;
  const given = new NamedArrays("GPT", arrays, {
    rename: (name) => name.replace(/^transformer\./, ""),
    // A tied head may be stored twice.
    ignore: (name) => ignored.test(name) || tied && name === "lm_head.weight",
  });
  return scope(() => {
    const open = {
      tokens: given.tensor("wte.weight", [vocabulary, width]),
      positions: given.tensor("wpe.weight", [context, width]),
    };
    const stacks = loadStacks(given, gptStacks(configuration), layerNames);
    const norm = given.norm("ln_f", width);
    const close: GptParameters["close"] = tied
      ? { norm }
      : { norm, head: given.matrix("lm_head.weight", [width, vocabulary]) };
    given.finish();
    return { open, ...stacks, close };
  });
}

/** The parameters under Hugging Face's names and in its layouts. */
export async function gptToHuggingFace(
  configuration: GptConfiguration,
  parameters: GptParameters,
): Promise<Record<string, HostArray>> {
  const writer = new ArrayWriter();
  const { open, close: { norm, head } } = parameters;
  await writer.tensor("wte.weight", open.tokens);
  await writer.tensor("wpe.weight", open.positions);
  await saveStacks(writer, gptStacks(configuration), layerNames, parameters);
  await writer.norm("ln_f", norm);
  if (head !== undefined) {
    await writer.matrix("lm_head.weight", head as Tensor);
  }
  return writer.arrays;
}

/** The fields of Hugging Face's `config.json` that matter for a GPT-2. */
export interface HuggingFaceGptConfiguration {
  /** Tokens. */
  readonly vocab_size: number;
  /** Longest sequence. */
  readonly n_positions: number;
  /** Width. */
  readonly n_embd: number;
  /** Heads. */
  readonly n_head: number;
  /** Layers. */
  readonly n_layer: number;
  /** Added to variances. */
  readonly layer_norm_epsilon: number;
  /** `gelu_new` (tanh) or `gelu` (erf). */
  readonly activation_function: string;
  /** The head is the transposed embedding; default true. */
  readonly tie_word_embeddings?: boolean;
}

/**
 * Our configuration for Hugging Face's.
 *
 * @throws {RangeError} If the activation function isn't a GELU.
 */
export function gptConfigurationFromHuggingFace(
  given: HuggingFaceGptConfiguration,
): GptConfiguration {
  const { activation_function: name } = given;
  const activation = activationFromHuggingFace(
    "GPT",
    "activation_function",
    name,
  );
  if (activation !== "gelu" && activation !== "gelu-tanh") {
    throw new RangeError(`GPT: activation_function "${name}" isn't a GELU`);
  }
  return gptConfiguration({
    vocabulary: given.vocab_size,
    context: given.n_positions,
    width: given.n_embd,
    heads: given.n_head,
    layers: given.n_layer,
    epsilon: given.layer_norm_epsilon,
    tied: given.tie_word_embeddings ?? true,
    gelu: activation === "gelu" ? "none" : "tanh",
  });
}
