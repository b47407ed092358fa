/**
 * Networks: right-hand sides of ODE blocks, the models made of them, their
 * weights in and out.
 *
 * @example The loss of a fresh GPT
 * ```ts
 * import { gptConfiguration, gptLoss, initializeGpt } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const shape = { vocabulary: 5, context: 3, width: 8, heads: 2, layers: 1 };
 * const configuration = gptConfiguration(shape);
 * const parameters = initializeGpt(configuration, 0);
 * const tokens = tensor([[0, 1, 2]], { dtype: "i32" });
 * const targets = tensor([[1, 2, 3]], { dtype: "i32" });
 * const loss = gptLoss(configuration, parameters, tokens, targets);
 * console.log(await loss.item()); // 1.6…, about ln 5
 * ```
 *
 * @module
 */

export * from "./activation.ts";
export * from "./beam_search.ts";
export * from "./bert.ts";
export {
  bertConfigurationFromHuggingFace,
  bertFromHuggingFace,
  bertToHuggingFace,
  type HuggingFaceBertConfiguration,
  initializeBert,
} from "./bert_weights.ts";
export * from "./decoder_layer.ts";
export * from "./encoder_decoder.ts";
export * from "./encoder_decoder_block.ts";
export * from "./encoder_decoder_weights.ts";
export * from "./encoder_head.ts";
export {
  type DropoutContext,
  dropoutSites,
  type FrozenDropout,
  siteDropout,
} from "./frozen_dropout.ts";
export * from "./generate.ts";
export * from "./gpt.ts";
export * from "./gpt_weights.ts";
export * from "./layer_initialization.ts";
export * from "./layer_stacks.ts";
export * from "./nested_iteration.ts";
export * from "./safetensors.ts";
export * from "./sinusoidal_positions.ts";
export {
  type Affine,
  type KeyValueCache,
  type LayerParameters,
  type TransformerContext,
  withHalfWeights,
} from "./sublayers.ts";
export * from "./tagger.ts";
export * from "./transformer.ts";
export * from "./vit.ts";
export * from "./vit_weights.ts";
