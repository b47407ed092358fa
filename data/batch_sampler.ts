import { hashBelow, shuffled } from "./random.ts";
import type { TokenSource } from "./token_source.ts";

/** Windows of text and, for each token in them, the token that follows. */
export interface TokenBatch {
  /** The tokens of the windows, `[batch, sequence]` in rows. */
  readonly inputs: Int32Array;
  /** The token after each of `inputs`, `[batch, sequence]` in rows. */
  readonly targets: Int32Array;
  /** The number of windows. */
  readonly batch: number;
  /** The number of tokens in a window. */
  readonly sequence: number;
}

/** The shape of a batch. */
export interface BatchShape {
  /** The number of windows in a batch. */
  readonly batch: number;
  /** The number of tokens in a window. */
  readonly sequence: number;
}

/** How training batches are drawn. */
export interface SamplerOptions extends BatchShape {
  /** The seed of all draws: a non-negative integer. */
  readonly seed: number;
  /**
   * `random`, the default: windows at independent places, all equally likely.
   * `epochs`: windows side by side, each once an epoch, in a new order each
   * time.
   */
  readonly order?: "random" | "epochs";
}

/** Training batches by step; holds no state. */
export interface BatchSampler {
  /** The batch of a step, a function of seed and step alone. */
  batch(step: number): TokenBatch;
  /** The number of windows side by side: how many make an epoch. */
  readonly windowsPerEpoch: number;
}

/**
 * Draws training batches from tokens. Nothing is remembered from batch to
 * batch, so a run that resumes at a step sees what it would have seen.
 *
 * @throws {RangeError} If an option isn't what it should be, or if there are
 * fewer than `sequence + 1` tokens.
 */
export function batchSampler(
  source: TokenSource,
  options: SamplerOptions,
): BatchSampler {
  const { batch, sequence, seed, order = "random" } = options;
  checkShape("batchSampler", source, options);
  checkInteger("batchSampler", "seed", seed, 0);
  const windowsPerEpoch = Math.floor((source.length - 1) / sequence);
  const startOf = order === "random"
    ? (draw: number) => hashBelow(source.length - sequence, seed, draw)
    : (draw: number) => {
      const epoch = Math.floor(draw / windowsPerEpoch);
      const index = draw % windowsPerEpoch;
      return shuffled(index, windowsPerEpoch, seed, epoch) * sequence;
    };
  return {
    windowsPerEpoch,
    batch: (step) => {
      checkInteger("batchSampler", "step", step, 0);
      const starts = Array.from(
        { length: batch },
        (_, row) => startOf(step * batch + row),
      );
      return readBatch(source, sequence, starts);
    },
  };
}

/** Which validation batches are made. */
export interface ValidationOptions extends BatchShape {
  /**
   * The number of batches at most; their windows are then spread evenly over
   * the tokens. Default: as many as there are.
   */
  readonly batches?: number;
}

/**
 * Validation batches: always the same windows, side by side and in order, the
 * last batch with fewer of them if they don't come out even.
 *
 * @throws {RangeError} If an option isn't what it should be, or if there are
 * fewer than `sequence + 1` tokens.
 */
export function validationBatches(
  source: TokenSource,
  options: ValidationOptions,
): Iterable<TokenBatch> {
  const { batch, sequence, batches = Infinity } = options;
  checkShape("validationBatches", source, options);
  if (batches !== Infinity) {
    checkInteger("validationBatches", "batches", batches, 1);
  }
  const available = Math.floor((source.length - 1) / sequence);
  const count = Math.min(available, batch * batches);
  const starts = Array.from(
    { length: count },
    (_, window) => Math.floor(window * available / count) * sequence,
  );
  return {
    *[Symbol.iterator]() {
      for (let window = 0; window < count; window += batch) {
        const rows = starts.slice(window, window + batch);
        yield readBatch(source, sequence, rows);
      }
    },
  };
}

/** The windows that begin at `starts`. */
function readBatch(
  source: TokenSource,
  sequence: number,
  starts: readonly number[],
): TokenBatch {
  const batch = starts.length;
  const inputs = new Int32Array(batch * sequence);
  const targets = new Int32Array(batch * sequence);
  const window = new Int32Array(sequence + 1);
  starts.forEach((start, row) => {
    source.read(start, window);
    inputs.set(window.subarray(0, sequence), row * sequence);
    targets.set(window.subarray(1), row * sequence);
  });
  return { inputs, targets, batch, sequence };
}

function checkShape(
  operation: string,
  source: TokenSource,
  { batch, sequence }: BatchShape,
): void {
  checkInteger(operation, "batch", batch, 1);
  checkInteger(operation, "sequence", sequence, 1);
  if (source.length > sequence) return;
  throw new RangeError(
    `${operation}: ${source.length} tokens are too few: a window of sequence ${sequence} and its targets need ${
      sequence + 1
    }; give more text, a shorter sequence, or another part for validation`,
  );
}

function checkInteger(
  operation: string,
  name: string,
  value: number,
  least: number,
): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(
    `${operation}: ${name} ${value}: expected an integer of at least ${least}`,
  );
}
