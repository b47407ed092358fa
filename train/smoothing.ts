/**
 * Smoothing of noisy measurements.
 *
 * @module
 */

/**
 * Takes values one by one and returns a moving average after each. It
 * remembers about the last twentieth of them, at most `memory`, so that it follows
 * a loss that falls fast at first.
 *
 * @param memory How many values count at most, ≥ 1.
 *
 * @example
 * ```ts
 * const average = movingAverage();
 * console.log(average(3), average(3)); // 3 3
 * ```
 */
export function movingAverage(memory = 50): (value: number) => number {
  let count = 0;
  let average = 0;
  return (value) => {
    average += (value - average) / Math.min(memory, 1 + count++ / 20);
    return average;
  };
}

/**
 * The value that a share of all values, in [0, 1], lie below, interpolated
 * between neighbours; NaN if there are no values.
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}
