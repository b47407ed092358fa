/**
 * How far one gradient is from another.
 *
 * @module
 */

import {
  leaves,
  mul,
  scope,
  sub,
  sum,
  type Tensor,
  type Tree,
} from "../tensor/mod.ts";

/** A gradient compared with the one that it should be. */
export interface GradientError {
  /** ‖a − b‖ / ‖b‖. */
  readonly relativeError: number;
  /** a · b / (‖a‖ ‖b‖). */
  readonly cosine: number;
}

/** Compares all leaves of a gradient together with the right ones. */
export async function gradientError(
  gradient: Tree,
  right: Tree,
): Promise<GradientError> {
  let [aa, ab, bb, dd] = [0, 0, 0, 0];
  const others = leaves(right);
  for (const [i, a] of leaves(gradient).entries()) {
    const b = others[i];
    const [squareA, product, squareB, squareDifference] = await read(() => {
      const difference = sub(a, b);
      return [mul(a, a), mul(a, b), mul(b, b), mul(difference, difference)];
    });
    aa += squareA;
    ab += product;
    bb += squareB;
    dd += squareDifference;
  }
  return {
    relativeError: Math.sqrt(dd / bb),
    cosine: ab / Math.sqrt(aa * bb),
  };
}

/** The sums of some tensors. */
async function read(tensors: () => Tensor[]): Promise<number[]> {
  const sums = scope(() => tensors().map((x) => sum(x)));
  const values = await Promise.all(sums.map((x) => x.item()));
  sums.forEach((x) => x.dispose());
  return values;
}
