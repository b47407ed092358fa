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

import {
  contiguous,
  normal,
  ones,
  randomKey,
  scope,
  select,
  type Shape,
  stack,
  type Tensor,
  tensor,
  zeros,
} from "../tensor/internal.ts";
import {
  type GptConfiguration,
  gptConfiguration,
  type GptParameters,
  gptStacks,
  stackLayers,
} from "./gpt.ts";
import type { HostArray } from "./safetensors.ts";
import type { LayerParameters } from "./transformer.ts";

/** Shapes of one layer's parameters. */
function layerShapes(
  { width }: GptConfiguration,
): Record<string, { weight: Shape; bias: Shape }> {
  return {
    attentionNorm: { weight: [width], bias: [width] },
    attentionInput: { weight: [width, 3 * width], bias: [3 * width] },
    attentionOutput: { weight: [width, width], bias: [width] },
    mlpNorm: { weight: [width], bias: [width] },
    mlpInput: { weight: [width, 4 * width], bias: [4 * width] },
    mlpOutput: { weight: [4 * width, width], bias: [width] },
  };
}

/** Hugging Face's names of the parts of a layer. */
const layerNames: Readonly<Record<string, string>> = {
  attentionNorm: "ln_1",
  attentionInput: "attn.c_attn",
  attentionOutput: "attn.c_proj",
  mlpNorm: "ln_2",
  mlpInput: "mlp.c_fc",
  mlpOutput: "mlp.c_proj",
};

/** Standard deviation of GPT-2's weights. */
const deviation = 0.02;

/**
 * Fresh parameters as GPT-2's: weights normal with deviation 0.02, those of the
 * 2 · layers projections onto the residual stream divided by √(2 · layers);
 * biases 0, normalizations 1 and 0. A pure function of configuration and seed.
 */
export function initializeGpt(
  configuration: GptConfiguration,
  seed: number,
): GptParameters {
  const { vocabulary, context, width, before, layers, after } = configuration;
  let stream = 0;
  const weight = (shape: Shape, scale = 1): Tensor =>
    normal(shape, randomKey(seed, stream++), 0, deviation * scale);
  const residual = 1 / Math.sqrt(2 * (before + layers + after));
  const stackOf = (count: number): LayerParameters => {
    if (count === 0) return {} as LayerParameters;
    const entries = Object.entries(layerShapes(configuration));
    return Object.fromEntries(entries.map(([name, shapes]) => {
      const scale = name.endsWith("Output") ? residual : 1;
      return [name, {
        weight: name.endsWith("Norm")
          ? ones([count, ...shapes.weight])
          : weight([count, ...shapes.weight], scale),
        bias: zeros([count, ...shapes.bias]),
      }];
    })) as unknown as LayerParameters;
  };
  const open = {
    tokens: weight([vocabulary, width]),
    positions: weight([context, width]),
  };
  const norm = { weight: ones([width]), bias: zeros([width]) };
  return {
    open,
    before: stackOf(before),
    block: stackOf(layers),
    after: stackOf(after),
    close: configuration.tied
      ? { norm }
      : { norm, head: weight([width, vocabulary]) },
  };
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
  const left = new Map(
    Object.entries(arrays)
      .map(([name, x]) => [name.replace(/^transformer\./, ""), x] as const)
      .filter(([name]) => !ignored.test(name)),
  );
  const { vocabulary, context, width, tied } = configuration;
  // A tied head may be stored twice.
  if (tied) left.delete("lm_head.weight");
  const load = (name: string, shape: Shape): Tensor => {
    const array = left.get(name);
    if (array === undefined) {
      throw new RangeError(`GPT weights: "${name}" is missing`);
    }
    left.delete(name);
    if (array.shape.join() !== shape.join()) {
      throw new RangeError(
        `GPT weights: "${name}" has shape [${array.shape.join(", ")}], not ` +
          `[${shape.join(", ")}] as the configuration says`,
      );
    }
    return tensor(array.values, { shape });
  };
  return scope(() => {
    let layer = 0;
    const loadStack = (count: number): LayerParameters => {
      if (count === 0) return {} as LayerParameters;
      const first = layer;
      layer += count;
      return Object.fromEntries(
        Object.entries(layerShapes(configuration)).map(([part, shapes]) => {
          const all = (kind: "weight" | "bias"): Tensor =>
            stack(
              Array.from({ length: count }, (_, i) =>
                load(
                  `h.${first + i}.${layerNames[part]}.${kind}`,
                  shapes[kind],
                )),
            );
          return [part, { weight: all("weight"), bias: all("bias") }];
        }),
      ) as unknown as LayerParameters;
    };
    const counts = stackLayers(configuration);
    const open = {
      tokens: load("wte.weight", [vocabulary, width]),
      positions: load("wpe.weight", [context, width]),
    };
    const stacks = {
      before: loadStack(counts.before),
      block: loadStack(counts.block),
      after: loadStack(counts.after),
    };
    const norm = {
      weight: load("ln_f.weight", [width]),
      bias: load("ln_f.bias", [width]),
    };
    // Linear layers of torch are [out, in].
    const close: GptParameters["close"] = tied ? { norm } : {
      norm,
      head: copyTransposed(load("lm_head.weight", [vocabulary, width])),
    };
    if (left.size > 0) {
      throw new RangeError(
        `GPT weights: unexpected ${[...left.keys()].slice(0, 3).join(", ")}`,
      );
    }
    return { open, ...stacks, close };
  });
}

function copyTransposed(x: Tensor): Tensor {
  const [rows, columns] = x.shape;
  return contiguous(x.view([columns, rows], [1, columns], x.offset));
}

/** The parameters under Hugging Face's names and in its layouts. */
export async function gptToHuggingFace(
  configuration: GptConfiguration,
  parameters: GptParameters,
): Promise<Record<string, HostArray>> {
  const arrays: Record<string, HostArray> = {};
  const save = async (name: string, x: Tensor): Promise<void> => {
    arrays[name] = { dtype: x.dtype, shape: x.shape, values: await x.data() };
  };
  await save("wte.weight", parameters.open.tokens);
  await save("wpe.weight", parameters.open.positions);
  const counts = stackLayers(configuration);
  let first = 0;
  for (const name of gptStacks) {
    for (const [part, affine] of Object.entries(parameters[name])) {
      for (let i = 0; i < counts[name]; i++) {
        for (const kind of ["weight", "bias"] as const) {
          using layer = select(affine[kind], 0, i);
          await save(`h.${first + i}.${layerNames[part]}.${kind}`, layer);
        }
      }
    }
    first += counts[name];
  }
  const { norm, head } = parameters.close;
  await save("ln_f.weight", norm.weight);
  await save("ln_f.bias", norm.bias);
  if (head !== undefined) {
    using turned = copyTransposed(head as Tensor);
    await save("lm_head.weight", turned);
  }
  return arrays;
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
  const approximations: Record<string, "tanh" | "none"> = {
    gelu_new: "tanh",
    gelu_pytorch_tanh: "tanh",
    gelu: "none",
  };
  const gelu = approximations[given.activation_function];
  if (gelu === undefined) {
    throw new RangeError(
      `GPT: activation_function "${given.activation_function}" isn't one of ${
        Object.keys(approximations).join(", ")
      }`,
    );
  }
  return gptConfiguration({
    vocabulary: given.vocab_size,
    context: given.n_positions,
    width: given.n_embd,
    heads: given.n_head,
    layers: given.n_layer,
    epsilon: given.layer_norm_epsilon,
    tied: given.tie_word_embeddings ?? true,
    gelu,
  });
}
