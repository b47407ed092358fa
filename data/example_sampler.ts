import { shuffled } from "./random.ts";

/** How batches of examples are drawn. */
export interface ExampleSamplerOptions {
  /** The number of examples, at least 1. */
  readonly count: number;
  /** The number of examples in a batch, at least 1. */
  readonly batch: number;
  /** The seed of all draws: a non-negative integer. */
  readonly seed: number;
  /**
   * The length of each example. With it, examples of like length share a
   * batch, so that little of it is padding.
   */
  readonly lengths?: ArrayLike<number>;
}

/** Batches of examples by step, in any order of steps. */
export interface ExampleSampler {
  /**
   * The examples of a step's batch, integers from 0 to `count - 1`: a function
   * of seed and step alone.
   */
  indices(step: number): Int32Array<ArrayBuffer>;
}

/** Batches that are sorted by length together, at most. */
const mostPooled = 32;

/**
 * Draws examples: each once an epoch, in a new order each time. An epoch that
 * ends within a batch goes over into the next. Nothing is remembered from
 * batch to batch, so a run that resumes at a step sees what it would have seen.
 *
 * With `lengths` the draws of 32 batches, or of an epoch if that is less, are
 * sorted by length before they are cut into batches, which then come in a
 * shuffled order.
 *
 * @throws {RangeError} If an option isn't what it should be.
 *
 * @example
 * ```ts
 * import { exampleSampler } from "@layerbraid/layerbraid/data";
 *
 * const sampler = exampleSampler({ count: 6, batch: 2, seed: 1 });
 * const epoch = [0, 1, 2].flatMap((step) => [...sampler.indices(step)]);
 * console.log(epoch.sort()); // [ 0, 1, 2, 3, 4, 5 ]
 * ```
 */
export function exampleSampler(options: ExampleSamplerOptions): ExampleSampler {
  const { count, batch, seed, lengths } = options;
  requireInteger("count", count, 1);
  requireInteger("batch", batch, 1);
  requireInteger("seed", seed, 0);
  if (lengths !== undefined && lengths.length !== count) {
    throw new RangeError(
      `exampleSampler: ${lengths.length} lengths for ${count} examples: expected one for each`,
    );
  }
  const exampleOf = (draw: number): number =>
    shuffled(draw % count, count, seed, Math.floor(draw / count));
  const draws = (first: number, length: number): Int32Array<ArrayBuffer> =>
    Int32Array.from({ length }, (_, row) => exampleOf(first + row));
  // In a pool of several epochs an example would stand beside itself.
  const poolBatches = Math.min(
    mostPooled,
    Math.max(1, Math.floor(count / batch)),
  );
  const poolSize = poolBatches * batch;
  let last = { pool: -1, examples: new Int32Array() };
  const sorted = (
    pool: number,
    lengths: ArrayLike<number>,
  ): Int32Array<ArrayBuffer> => {
    // One step after the other needs the same one.
    if (last.pool !== pool) {
      const examples = draws(pool * poolSize, poolSize)
        .sort((a, b) => lengths[a] - lengths[b]);
      last = { pool, examples };
    }
    return last.examples;
  };
  return {
    indices: (step) => {
      requireInteger("step", step, 0);
      if (lengths === undefined) return draws(step * batch, batch);
      const pool = Math.floor(step / poolBatches);
      const place = shuffled(step % poolBatches, poolBatches, seed, pool);
      return sorted(pool, lengths).slice(place * batch, (place + 1) * batch);
    },
  };
}

function requireInteger(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(
    `exampleSampler: ${name} ${value}: expected an integer of at least ${least}`,
  );
}
