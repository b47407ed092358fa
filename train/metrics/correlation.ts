/**
 * How well predicted numbers go with the right ones, for regression.
 *
 * @module
 */

/**
 * Pearson's correlation in [−1, 1]: how nearly one number is a straight line of
 * the other. NaN where one doesn't vary.
 *
 * @throws {RangeError} If there aren't as many numbers of both.
 *
 * @example
 * ```ts
 * import { pearson } from "@layerbraid/layerbraid/train";
 *
 * console.log(pearson([1, 2, 3], [10, 20, 30]).toFixed(3)); // 1.000
 * ```
 */
export function pearson(
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
): number {
  requireSameLength("pearson", expected, predicted);
  const x = deviations(expected);
  const y = deviations(predicted);
  return inner(x, y) / Math.sqrt(inner(x, x) * inner(y, y));
}

/**
 * Spearman's correlation in [−1, 1]: Pearson's of the ranks, where equal numbers
 * share their mean rank. NaN where one doesn't vary.
 *
 * @throws {RangeError} If there aren't as many numbers of both.
 *
 * @example
 * ```ts
 * import { spearman } from "@layerbraid/layerbraid/train";
 *
 * console.log(spearman([1, 2, 3, 4], [1, 8, 27, 64]).toFixed(3)); // 1.000
 * ```
 */
export function spearman(
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
): number {
  requireSameLength("spearman", expected, predicted);
  return pearson(ranks(expected), ranks(predicted));
}

function requireSameLength(
  operation: string,
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
): void {
  if (expected.length === predicted.length) return;
  throw new RangeError(
    `${operation}: ${expected.length} numbers are expected, but ` +
      `${predicted.length} predicted; give as many`,
  );
}

function deviations(values: ArrayLike<number>): number[] {
  const all = Array.from(values);
  const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
  return all.map((x) => x - mean);
}

function inner(x: readonly number[], y: readonly number[]): number {
  return x.reduce((sum, value, i) => sum + value * y[i], 0);
}

function ranks(values: ArrayLike<number>): number[] {
  const order = Array.from(values, (value, i) => ({ value, i }))
    .sort((a, b) => a.value - b.value);
  const result = new Array<number>(order.length);
  for (let first = 0; first < order.length;) {
    let end = first + 1;
    while (end < order.length && order[end].value === order[first].value) end++;
    for (const { i } of order.slice(first, end)) {
      result[i] = (first + end - 1) / 2;
    }
    first = end;
  }
  return result;
}
