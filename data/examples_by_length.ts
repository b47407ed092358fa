/** Lengths are multiples of it, so that there aren't too many of them. */
const lengthStep = 8;

/**
 * The length that some rows are padded to: that of the longest, rounded up.
 *
 * @param most The longest that there may be: the model's context.
 */
export function paddedLength(lengths: Iterable<number>, most: number): number {
  let longest = 0;
  for (const length of lengths) longest = Math.max(longest, length);
  return Math.min(
    Math.max(most, longest),
    Math.ceil(longest / lengthStep) * lengthStep,
  );
}

/**
 * Batches of examples of like length, in order of length, each example once.
 *
 * @param lengths The length of each example.
 * @param batch Examples of a batch; the last one may have fewer.
 * @param batches How many at most; they are then spread evenly.
 *
 * @example
 * ```ts
 * import { examplesByLength } from "@layerbraid/layerbraid/data";
 *
 * console.log([...examplesByLength([7, 5, 9], 2)]); // [1, 0], [2]
 * ```
 */
export function* examplesByLength(
  lengths: ArrayLike<number>,
  batch: number,
  batches = Infinity,
): Generator<Int32Array, void, void> {
  const order = Int32Array.from({ length: lengths.length }, (_, i) => i)
    .sort((a, b) => lengths[a] - lengths[b]);
  const available = Math.ceil(order.length / batch);
  const wanted = Math.min(available, batches);
  for (let i = 0; i < wanted; i++) {
    const start = Math.floor(i * available / wanted) * batch;
    yield order.subarray(start, start + batch);
  }
}
