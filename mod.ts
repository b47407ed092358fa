/**
 * Layerbraid trains deep residual networks, transformers above all, in parallel
 * over their layers.
 *
 * @example
 * ```ts
 * import { device, grad, square, sum, tensor } from "@layerbraid/layerbraid";
 *
 * await device("wasm", { threads: 1 });
 * const gradient = grad((x) => sum(square(x)))(tensor([1, 2, 3]));
 * console.log(await gradient.array()); // [ 2, 4, 6 ]
 * ```
 *
 * @module
 */

export * from "./tensor/mod.ts";
export * from "./autograd/mod.ts";
export * from "./mgrit/mod.ts";
export * from "./models/mod.ts";
export * from "./train/mod.ts";
export * from "./data/mod.ts";
