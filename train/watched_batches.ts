/**
 * Batches whose consumption is watched: how far it is, and whether it shall end.
 *
 * @module
 */

/** Who watches. */
export interface Watch {
  /** Hears how many examples, of how many, are done. */
  readonly onProgress?: (done: number, all: number) => void;
  /** Ends the batches early. */
  readonly signal?: AbortSignal;
}

/**
 * The same batches, one after the other, until the signal is given.
 *
 * @param all Examples in all batches.
 * @param sizeOf Examples of a batch.
 */
export function* watchedBatches<B>(
  batches: Iterable<B>,
  all: number,
  sizeOf: (batch: B) => number,
  { onProgress, signal }: Watch,
): Generator<B, void, void> {
  let done = 0;
  for (const batch of batches) {
    if (signal?.aborted) return;
    yield batch;
    done += sizeOf(batch);
    onProgress?.(done, all);
  }
}
