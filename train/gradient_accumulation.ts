/**
 * Gradients of large batches, as sums over small ones.
 *
 * @module
 */

import {
  empty,
  expression as e,
  namedLeaves,
  replaceLeaves,
  type Tensor,
  type Tree,
} from "../tensor/internal.ts";
import { matchGradients, renew, requireAlive } from "./optimizer.ts";
import { mapInPlace } from "./optimizer_programs.ts";

const weighted = e.elementwise(
  "accumulate",
  ["float"],
  ([x], [weight]) => [e.mul(weight, x)],
  1,
);

const addWeighted = e.elementwise(
  "accumulate",
  ["float", "float"],
  ([sum, x], [weight]) => [e.add(sum, e.mul(weight, x))],
  1,
);

/**
 * sum + weight · gradients, in the memory of the sum. Both are consumed; the
 * first sum is undefined.
 *
 * @throws {TypeError} If the trees differ.
 * @throws {RangeError} If the weight isn't finite.
 *
 * @example
 * ```ts
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 * import { accumulate } from "@layerbraid/layerbraid/train";
 *
 * await device("reference");
 * let mean: { x: ReturnType<typeof tensor> } | undefined;
 * for (const x of [1, 2, 6]) {
 *   mean = accumulate(mean, { x: tensor([x, -x]) }, 1 / 3);
 * }
 * console.log(await mean!.x.data()); // Float32Array [ 3, -3 ]
 * ```
 */
export function accumulate<T extends Tree>(
  sum: T | undefined,
  gradients: T,
  weight = 1,
): T {
  if (!Number.isFinite(weight)) {
    throw new RangeError(
      `accumulate: weight is ${weight}; it must be a finite number`,
    );
  }
  const added = namedLeaves(gradients);
  if (sum === undefined) {
    // Gradients may share memory, or repeat it; a sum of its own does not.
    const copies = added.map(([, x]) => {
      const copy = empty(x.device, x.dtype, x.shape, "accumulate");
      x.device.backend.map(weighted, [x], [copy], [weight]);
      return copy;
    });
    added.forEach(([, x], i) => {
      if (x.scope !== copies[i].scope) copies[i].moveTo(x.scope);
    });
    for (const [, x] of added) consume(x);
    return replaceLeaves(gradients, copies);
  }
  const sums = namedLeaves(sum);
  const matched = matchGradients("accumulate", sums, gradients);
  requireAlive([...sums, ...matched]);
  matched.forEach(([, x], i) =>
    mapInPlace(addWeighted, [sums[i][1]], [x], [weight])
  );
  for (const [, x] of matched) consume(x);
  return replaceLeaves(sum, sums.map(([, x]) => renew("accumulate", x)));
}

function consume(x: Tensor): void {
  x.dispose("it was given to accumulate; use the sum that it returned");
}
