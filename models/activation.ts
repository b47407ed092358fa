/**
 * Activation functions of MLPs, by name.
 *
 * @example
 * ```ts
 * import { activate } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * console.log(await activate(tensor([-1, 2]), "relu").array()); // [ 0, 2 ]
 * ```
 *
 * @module
 */

import { gelu, relu, silu, type Tensor } from "../tensor/internal.ts";

/**
 * `gelu` by erf, `gelu-tanh` its approximation (Hendrycks & Gimpel 2016), `relu`,
 * or `silu` x · sigmoid(x), also called swish.
 */
export type Activation = "gelu" | "gelu-tanh" | "relu" | "silu";

const functions: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  gelu: (x) => gelu(x),
  "gelu-tanh": (x) => gelu(x, "tanh"),
  relu,
  silu,
};

/** The names of all activation functions. */
export const activations: readonly Activation[] = Object.keys(
  functions,
) as Activation[];

/** The activation of every element. */
export function activate(x: Tensor, activation: Activation): Tensor {
  return functions[activation](x);
}

/** Hugging Face's names. */
const huggingFaceNames: Readonly<Record<string, Activation>> = {
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  relu: "relu",
  silu: "silu",
  swish: "silu",
};

/**
 * The activation that Hugging Face's `config.json` names.
 *
 * @param network For the message, as `BERT`.
 * @param field The field that holds the name.
 * @param name What it says.
 * @throws {RangeError} If there is none of that name.
 */
export function activationFromHuggingFace(
  network: string,
  field: string,
  name: string,
): Activation {
  if (Object.hasOwn(huggingFaceNames, name)) return huggingFaceNames[name];
  throw new RangeError(
    `${network}: ${field} "${name}" isn't one of ${
      Object.keys(huggingFaceNames).join(", ")
    }`,
  );
}
