/**
 * What element types operations take.
 *
 * @module
 */

import { isFloat } from "../dtype.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Refuses integers and truth values: kernels would read their bits as real
 * numbers.
 *
 * @throws {TypeError} If `x` holds no real numbers.
 */
export function assertReal(operation: string, x: Tensor | undefined): void {
  if (x === undefined || isFloat(x.dtype)) return;
  throw new TypeError(
    `${operation}: needs real numbers, not ${x.dtype} ` +
      `${formatShape(x.shape)}; use cast(x, "float")`,
  );
}

/**
 * Refuses truth values, which have no sums and no order.
 *
 * @throws {TypeError} If `x` holds truth values.
 */
export function assertNumbers(operation: string, x: Tensor): void {
  if (x.dtype !== "bool") return;
  throw new TypeError(
    `${operation}: needs numbers, not bool ${formatShape(x.shape)}; use ` +
      `cast(x, "float") or cast(x, "int")`,
  );
}

/**
 * Refuses masks that aren't truth values.
 *
 * @throws {TypeError} If `keep` isn't bool.
 */
export function assertMask(operation: string, keep: Tensor | undefined): void {
  if (keep === undefined || keep.dtype === "bool") return;
  throw new TypeError(
    `${operation}: keep must be bool, not ${keep.dtype} ` +
      `${formatShape(keep.shape)}; use cast(keep, "bool")`,
  );
}
