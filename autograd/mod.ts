/**
 * Automatic differentiation in reverse mode, as functions of functions.
 *
 * @example
 * ```ts
 * import { valueAndGrad } from "@layerbraid/layerbraid/autograd";
 * import { device, exp, sum, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const f = valueAndGrad((x) => sum(exp(x)));
 * const { value, gradient } = f(tensor([0, 1]));
 * console.log(await value.item(), await gradient.data()); // 3.718…, [ 1, 2.718… ]
 * ```
 *
 * @module
 */

export * from "./custom.ts";
export * from "./gradient_check.ts";
export * from "./rule.ts";
export * from "./vjp.ts";
