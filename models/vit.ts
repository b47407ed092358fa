/**
 * ViT: an encoder that classifies images as sequences of patches (Dosovitskiy et
 * al. 2021).
 *
 * A linear map of patches, a class token before them and learned positions
 * (`open`), pre-LN layers in serial stacks and an ODE block, then a
 * normalization and a linear map of the class token's state (`close`).
 *
 * @example
 * ```ts
 * import { initializeVit, vitConfiguration, vitLogits } from "@layerbraid/layerbraid/models";
 * import { device, normal, randomKey } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = vitConfiguration({
 *   image: 28,
 *   patch: 7,
 *   channels: 1,
 *   classes: 10,
 *   width: 32,
 *   heads: 2,
 *   layers: 2,
 * });
 * const parameters = initializeVit(configuration, 0);
 * const pixels = normal([3, 1, 28, 28], randomKey(1));
 * console.log(vitLogits(configuration, parameters, pixels).shape); // [ 3, 10 ]
 * ```
 *
 * @module
 */

import {
  add,
  concat,
  crossEntropy,
  expand,
  formatShape,
  linear,
  reshape,
  select,
  type Tensor,
  transpose,
} from "../tensor/internal.ts";
import { dropoutOutside, dropoutSites } from "./frozen_dropout.ts";
import {
  completeStacks,
  type StackCallOptions,
  type StackConfiguration,
  type StackOptions,
  type StackParameters,
  throughStacks,
} from "./layer_stacks.ts";
import { requireInteger } from "./requirements.ts";
import { type Affine, type LayerParameters, normalize } from "./sublayers.ts";

/** Shape and kind of a ViT. */
export interface VitConfiguration extends StackConfiguration {
  /** Height and width of images in pixels; a multiple of `patch`. */
  readonly image: number;
  /** Height and width of patches in pixels. */
  readonly patch: number;
  /** Numbers of a pixel. */
  readonly channels: number;
  /** Number of classes. */
  readonly classes: number;
  /** The layers of a ViT are pre-LN. */
  readonly norm: "pre";
}

/** What must be said of a ViT; the rest has defaults. */
export type VitOptions =
  & Pick<VitConfiguration, "image" | "patch" | "channels" | "classes">
  & StackOptions
  & Partial<VitConfiguration>;

/**
 * Completes a configuration; the layers as `completeStacks` does.
 *
 * @throws {RangeError} If a number is out of range, naming it.
 */
export function vitConfiguration(options: VitOptions): VitConfiguration {
  const { image, patch, channels, classes } = options;
  const sizes = { image, patch, channels, classes };
  for (const [name, value] of Object.entries(sizes)) {
    requireInteger("ViT", name, value, 1);
  }
  if (image % patch !== 0) {
    throw new RangeError(
      `ViT: image ${image} must be a multiple of the patch ${patch}; change ` +
        `the patch, or crop or pad the images`,
    );
  }
  const stacks = completeStacks("ViT", options);
  if (stacks.norm !== "pre") {
    throw new RangeError(`ViT: norm "${stacks.norm}" must be "pre"`);
  }
  return { ...sizes, ...stacks, norm: "pre" };
}

/** How many patches an image has. */
export function vitPatches(
  { image, patch }: Pick<VitConfiguration, "image" | "patch">,
): number {
  return (image / patch) ** 2;
}

/** Parameters of a ViT. */
export interface VitParameters extends StackParameters {
  /** For the type of trees. */
  readonly [name: string]:
    | LayerParameters
    | VitParameters["open"]
    | VitParameters["close"];
  /** Embeddings. */
  readonly open: {
    readonly [name: string]: Affine | Tensor;
    /** `[channels · patch · patch, width]`: channels, then rows, then columns. */
    readonly patches: Affine;
    /** `[width]`: the class token. */
    readonly token: Tensor;
    /** `[1 + patches, width]`: of the class token, then of patches by rows. */
    readonly positions: Tensor;
  };
  /** Final normalization and head. */
  readonly close: {
    readonly [name: string]: Affine;
    /** Of the class token's final state. */
    readonly norm: Affine;
    /** `[width, classes]`. */
    readonly head: Affine;
  };
}

/** `[B, C, H, W]` as `[B, patches, C · P · P]`, patches by rows. */
function patchesOf(
  { image, patch, channels }: VitConfiguration,
  pixels: Tensor,
): Tensor {
  const [batch] = pixels.shape;
  const side = image / patch;
  const cut = reshape(pixels, [batch, channels, side, patch, side, patch]);
  const size = channels * patch * patch;
  return reshape(transpose(cut, [0, 2, 4, 1, 3, 5]), [
    batch,
    side * side,
    size,
  ]);
}

/**
 * Final states `[B, 1 + patches, width]` before the last normalization, for
 * pixels of real numbers `[B, channels, image, image]`.
 *
 * @throws {RangeError} If the pixels aren't images of the configuration's size.
 */
export function vitStates(
  configuration: VitConfiguration,
  parameters: VitParameters,
  pixels: Tensor,
  options: StackCallOptions = {},
): Tensor {
  const { image, channels, width } = configuration;
  const [batch, ...size] = pixels.shape;
  if (pixels.rank !== 4 || size.join() !== [channels, image, image].join()) {
    throw new RangeError(
      `ViT: pixels ${formatShape(pixels.shape)} must be ` +
        `[batch, ${channels}, ${image}, ${image}]`,
    );
  }
  const { patches: { weight, bias }, token, positions } = parameters.open;
  const patches = linear(patchesOf(configuration, pixels), weight, bias);
  const first = expand(reshape(token, [1, 1, width]), [batch, 1, width]);
  const embedded = add(concat([first, patches], 1), positions);
  return throughStacks(
    configuration,
    parameters,
    dropoutOutside(embedded, options.dropout, dropoutSites.embedding),
    {},
    options,
  );
}

/** Logits `[B, classes]` of pixels `[B, channels, image, image]`. */
export function vitLogits(
  configuration: VitConfiguration,
  parameters: VitParameters,
  pixels: Tensor,
  options: StackCallOptions = {},
): Tensor {
  const states = vitStates(configuration, parameters, pixels, options);
  const { norm, head: { weight, bias } } = parameters.close;
  const state = normalize(select(states, 1, 0), norm, configuration.epsilon);
  return linear(state, weight, bias);
}

/** Mean cross entropy in nats against labels i32 `[B]`. */
export function vitLoss(
  configuration: VitConfiguration,
  parameters: VitParameters,
  pixels: Tensor,
  labels: Tensor,
  options: StackCallOptions = {},
): Tensor {
  return crossEntropy(
    vitLogits(configuration, parameters, pixels, options),
    labels,
  );
}
