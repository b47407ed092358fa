/** Token ids in a row, in memory or in a file. */
export interface TokenSource {
  /** The number of tokens. */
  readonly length: number;
  /**
   * Fills `target` with the tokens from `position` on.
   *
   * @throws {RangeError} If they aren't all there.
   */
  read(position: number, target: Int32Array): void;
}

/** Throws unless `position` to `position + count` lies in a source. */
export function checkRange(
  length: number,
  position: number,
  count: number,
): void {
  if (
    Number.isInteger(position) && position >= 0 && count >= 0 &&
    position + count <= length
  ) return;
  throw new RangeError(
    `tokens ${position} to ${
      position + count
    } were asked for: the source has ${length}`,
  );
}

/** Tokens that are all in memory, in an array of any integer type. */
export function tokensInMemory(
  ids: Uint8Array | Uint16Array | Uint32Array | Int32Array,
): TokenSource {
  return {
    length: ids.length,
    read: (position, target) => {
      checkRange(ids.length, position, target.length);
      target.set(ids.subarray(position, position + target.length));
    },
  };
}

/**
 * The tokens of a source from `start` up to `end`, without copying them.
 *
 * @throws {RangeError} If they aren't all there.
 */
export function sliceTokens(
  source: TokenSource,
  start: number,
  end: number,
): TokenSource {
  checkRange(source.length, start, end - start);
  const length = end - start;
  return {
    length,
    read: (position, target) => {
      checkRange(length, position, target.length);
      source.read(start + position, target);
    },
  };
}

/** The two parts of a source. */
export interface TokenSplit {
  /** The tokens to train on: the first ones. */
  readonly train: TokenSource;
  /** The tokens to measure on: the last ones. */
  readonly validation: TokenSource;
}

/**
 * Splits a source by position; the parts don't overlap.
 *
 * @param validation The fraction, from 0 up to but not including 1, of the
 * tokens that are kept for validation: the last ones, rounded down.
 * @throws {RangeError} If the fraction is out of range.
 */
export function splitTokens(
  source: TokenSource,
  validation = 0.1,
): TokenSplit {
  if (!(validation >= 0 && validation < 1)) {
    throw new RangeError(
      `splitTokens: validation ${validation}: expected a fraction from 0 up to but not including 1`,
    );
  }
  const end = source.length - Math.floor(source.length * validation);
  return {
    train: sliceTokens(source, 0, end),
    validation: sliceTokens(source, end, source.length),
  };
}
