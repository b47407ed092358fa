/**
 * Gradients against central differences.
 *
 * @example
 * ```ts
 * import { gradCheck } from "@layerbraid/layerbraid/autograd";
 * import { device, exp, sum, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference", { dtype: "f64" });
 * const off = await gradCheck((x) => sum(exp(x)), tensor([0, 1]));
 * console.log(off < 1e-6); // true
 * ```
 *
 * @module
 */

import {
  leaves,
  namedLeaves,
  replaceLeaves,
  scope,
  type Tensor,
  tensor,
  type Tree,
} from "../tensor/internal.ts";
import { valueAndGrad } from "./vjp.ts";

/** Options of `gradCheck`. */
export interface GradCheckOptions {
  /** Distance of the two points of a difference; default 1e-6. */
  readonly step?: number;
  /**
   * Largest |difference − gradient| / max(1, |difference|) allowed; default
   * 1e-6.
   */
  readonly tolerance?: number;
}

/**
 * Compares the gradient of `f` by its argument with central differences, for
 * every element; use it on the `reference` device in f64.
 *
 * @returns The largest relative deviation.
 * @throws {Error} If it is larger than the tolerance, naming the element.
 */
export async function gradCheck<T extends Tree>(
  f: (argument: T) => Tensor,
  argument: T,
  options: GradCheckOptions = {},
): Promise<number> {
  const { step = 1e-6, tolerance = 1e-6 } = options;
  const { value, gradient } = valueAndGrad(f)(argument);
  value.dispose();
  const parameters = leaves(argument);
  const names = namedLeaves(argument).map(([name]) => name);
  let largest = 0;
  for (const [at, gradientLeaf] of leaves(gradient).entries()) {
    const analytic = await gradientLeaf.data();
    gradientLeaf.dispose();
    const values = await parameters[at].data();
    const shifted = async (index: number, by: number): Promise<number> => {
      const moved = values.slice();
      moved[index] += by;
      const leaf = tensor(moved, {
        shape: parameters[at].shape,
        device: parameters[at].device,
      });
      const result = scope(() =>
        f(replaceLeaves(argument, parameters.with(at, leaf)))
      );
      leaf.dispose();
      const number = await result.item();
      result.dispose();
      return number;
    };
    for (let index = 0; index < values.length; index++) {
      const difference =
        (await shifted(index, step) - await shifted(index, -step)) / (2 * step);
      const deviation = Math.abs(difference - analytic[index]) /
        Math.max(1, Math.abs(difference));
      // Written so that NaN counts as too large.
      if (!(deviation <= tolerance)) {
        throw new Error(
          `gradCheck: element ${index} of ${names[at] || "the argument"}: ` +
            `gradient ${analytic[index]}, central difference ${difference}, ` +
            `relative deviation ${deviation} above ${tolerance}`,
        );
      }
      largest = Math.max(largest, deviation);
    }
  }
  return largest;
}
