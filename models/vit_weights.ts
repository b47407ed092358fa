/**
 * ViT's parameters: fresh ones, and to and from Hugging Face's names.
 *
 * @example To Hugging Face's names and back
 * ```ts
 * import { initializeVit, vitConfiguration, vitFromHuggingFace, vitToHuggingFace } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const images = { image: 8, patch: 4, channels: 1, classes: 3 };
 * const configuration = vitConfiguration({ ...images, width: 8, heads: 2, layers: 1 });
 * const fresh = initializeVit(configuration, 0);
 * const arrays = await vitToHuggingFace(configuration, fresh);
 * console.log(arrays["vit.embeddings.patch_embeddings.projection.weight"].shape); // [ 8, 1, 4, 4 ]
 * const parameters = vitFromHuggingFace(configuration, arrays);
 * console.log(parameters.open.patches.weight.shape); // [ 16, 8 ]
 * ```
 *
 * @module
 */

import { scope, tensor } from "../tensor/internal.ts";
import { activationFromHuggingFace } from "./activation.ts";
import {
  type DrawWeight,
  freshLinear,
  freshNorm,
  initializeStacks,
  normalWeights,
  scaledResiduals,
} from "./layer_initialization.ts";
import { ArrayWriter, NamedArrays, transposed } from "./named_arrays.ts";
import type { HostArray } from "./safetensors.ts";
import { type LayerNames, loadStacks, saveStacks } from "./stack_weights.ts";
import {
  type VitConfiguration,
  vitConfiguration,
  type VitParameters,
  vitPatches,
} from "./vit.ts";

const layerNames: LayerNames = {
  prefix: (n) => `vit.encoder.layer.${n}.`,
  parts: {
    attentionNorm: "layernorm_before",
    attentionInput: ["query", "key", "value"].map((name) =>
      `attention.attention.${name}`
    ),
    attentionOutput: "attention.output.dense",
    mlpNorm: "layernorm_after",
    mlpInput: "intermediate.dense",
    mlpOutput: "output.dense",
  },
  layout: "out-in",
};

/** Numbers of a patch. */
function patchSize({ channels, patch }: VitConfiguration): number {
  return channels * patch * patch;
}

/**
 * Fresh parameters, normal: weights with deviation 1/√width, those of patches
 * 1/√(numbers of a patch), so that what they make of unit pixels and states has
 * unit variance; the projections onto the residual stream are divided by
 * √(2 · layers), as GPT-2's. The class token has deviation 1, positions ½, the
 * head 0.02; biases are 0, normalizations 1 and 0. A pure function of
 * configuration and seed.
 *
 * The usual deviation of 0.02 is for widths near 768; narrow networks learn far
 * slower with it.
 */
export function initializeVit(
  configuration: VitConfiguration,
  seed: number,
): VitParameters {
  const { width, classes } = configuration;
  const size = patchSize(configuration);
  const draw = normalWeights(seed, 1);
  const weights: DrawWeight = (shape, scale = 1) =>
    draw(shape, scale / Math.sqrt(width));
  const open = {
    patches: freshLinear(
      (shape) => draw(shape, 1 / Math.sqrt(size)),
      size,
      width,
    ),
    token: draw([width]),
    positions: draw([1 + vitPatches(configuration), width], 0.5),
  };
  const layers = initializeStacks(
    configuration,
    scaledResiduals(configuration, weights),
  );
  const close = {
    norm: freshNorm(width),
    head: freshLinear((shape) => draw(shape, 0.02), width, classes),
  };
  return { open, ...layers, close };
}

const projection = "vit.embeddings.patch_embeddings.projection";
const tokenName = "vit.embeddings.cls_token";
const positionsName = "vit.embeddings.position_embeddings";

/**
 * Parameters from arrays under the names of Hugging Face's
 * `ViTForImageClassification`. Layers are dealt out to the stacks in order.
 *
 * @throws {RangeError} If an array is missing, unexpected or of another shape.
 */
export function vitFromHuggingFace(
  configuration: VitConfiguration,
  arrays: Readonly<Record<string, HostArray>>,
): VitParameters {
  const { width, classes, channels, patch } = configuration;
  const given = new NamedArrays("ViT", arrays, {
    rename: (name) => name,
    ignore: (name) => name.startsWith("vit.pooler."),
  });
  return scope(() => {
    const size = patchSize(configuration);
    const kernel = given.take(`${projection}.weight`, [
      width,
      channels,
      patch,
      patch,
    ]);
    const positions = 1 + vitPatches(configuration);
    const open = {
      patches: {
        weight: tensor(transposed(kernel, width, size), {
          shape: [size, width],
        }),
        bias: given.tensor(`${projection}.bias`, [width]),
      },
      token: given.tensor(tokenName, [1, 1, width], [width]),
      positions: given.tensor(positionsName, [1, positions, width], [
        positions,
        width,
      ]),
    };
    const layers = loadStacks(given, configuration, layerNames);
    const close = {
      norm: given.norm("vit.layernorm", width),
      head: given.linear("classifier", width, classes),
    };
    given.finish();
    return { open, ...layers, close };
  });
}

/** The parameters under Hugging Face's names and in its layouts. */
export async function vitToHuggingFace(
  configuration: VitConfiguration,
  parameters: VitParameters,
): Promise<Record<string, HostArray>> {
  const { width, channels, patch } = configuration;
  const { open: { patches, token, positions }, close } = parameters;
  const writer = new ArrayWriter();
  const size = patchSize(configuration);
  writer.put(
    `${projection}.weight`,
    transposed(await patches.weight.data(), size, width),
    [width, channels, patch, patch],
  );
  await writer.tensor(`${projection}.bias`, patches.bias);
  await writer.tensor(tokenName, token, [1, 1, width]);
  await writer.tensor(positionsName, positions, [1, ...positions.shape]);
  await saveStacks(writer, configuration, layerNames, parameters);
  await writer.norm("vit.layernorm", close.norm);
  await writer.linear("classifier", close.head);
  return writer.arrays;
}

/** The fields of Hugging Face's `config.json` that matter for a ViT. */
export interface HuggingFaceVitConfiguration {
  /** Height and width of images in pixels. */
  readonly image_size: number;
  /** Height and width of patches in pixels. */
  readonly patch_size: number;
  /** Numbers of a pixel. */
  readonly num_channels: number;
  /** Number of classes, where it isn't that of `id2label`. */
  readonly num_labels?: number;
  /** Names of classes; default: of two. */
  readonly id2label?: Readonly<Record<string, string>>;
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
  /** Whether queries, keys and values have biases; they must. */
  readonly qkv_bias?: boolean;
}

/**
 * Our configuration for Hugging Face's: all layers in the block.
 *
 * @throws {RangeError} If its activation isn't known, or attention has no biases.
 */
export function vitConfigurationFromHuggingFace(
  given: HuggingFaceVitConfiguration,
): VitConfiguration {
  const { qkv_bias: biases = true, id2label, num_labels } = given;
  if (!biases) {
    throw new RangeError(
      "ViT: qkv_bias false: attention without biases isn't known",
    );
  }
  return vitConfiguration({
    image: given.image_size,
    patch: given.patch_size,
    channels: given.num_channels,
    // Two unnamed classes are the default, which files leave out.
    classes: num_labels ?? (id2label ? Object.keys(id2label).length : 2),
    width: given.hidden_size,
    heads: given.num_attention_heads,
    layers: given.num_hidden_layers,
    hidden: given.intermediate_size,
    epsilon: given.layer_norm_eps,
    activation: activationFromHuggingFace(
      "ViT",
      "hidden_act",
      given.hidden_act,
    ),
  });
}
