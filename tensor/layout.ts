/**
 * Loops over several strided operands at once: which axes there are, in which
 * order, and how much of them is really one.
 *
 * @module
 */

/** Nested loops, outermost first, over operands that move along. */
export interface Layout {
  /** Iterations of each loop; all are above 1. */
  readonly extents: readonly number[];
  /** For every operand, its strides in elements. */
  readonly strides: readonly (readonly number[])[];
}

/** How an operand moves along the innermost loop. */
export const walks = { repeated: 0, contiguous: 1, strided: 2 } as const;

/** One of `walks`. */
export type Walk = (typeof walks)[keyof typeof walks];

/** The walk of an operand with that stride. */
export function walkOf(stride: number): Walk {
  if (stride === 0) return walks.repeated;
  return stride === 1 ? walks.contiguous : walks.strided;
}

/**
 * Drops axes of extent 1, puts those with the longest strides outside (as
 * measured by `key`), and merges neighbours which all operands walk as one.
 */
export function collapse(
  extents: readonly number[],
  strides: readonly (readonly number[])[],
  key: (axis: number) => number,
): Layout {
  const axes: number[] = [];
  for (let axis = 0; axis < extents.length; axis++) {
    if (extents[axis] === 1) continue;
    const weight = key(axis);
    let place = axes.length;
    while (place > 0 && key(axes[place - 1]) < weight) place--;
    axes.splice(place, 0, axis);
  }
  const merged: number[] = [];
  const result: number[][] = strides.map(() => []);
  for (const axis of axes) {
    const last = merged.length - 1;
    const extent = extents[axis];
    const joins = last >= 0 &&
      strides.every((stride, operand) =>
        result[operand][last] === extent * stride[axis]
      );
    if (joins) merged[last] *= extent;
    else merged.push(extent);
    const at = merged.length - 1;
    for (let operand = 0; operand < strides.length; operand++) {
      result[operand][at] = strides[operand][axis];
    }
  }
  return { extents: merged, strides: result };
}

/** Bytes of the table of `rank` loops over `operands`; see `putLoops`. */
export function tableBytes(rank: number, operands: number): number {
  return 8 * rank * (1 + 2 * operands);
}

/**
 * Writes the tables that describe loops to kernels: 64-bit integers, one after
 * the other.
 */
export class TableWriter {
  #words: Int32Array;
  #position = 0;

  /** Writes to `words` from its start. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Starts anew. */
  restart(): void {
    this.#position = 0;
  }

  /** Appends an integer of magnitude below 2⁵³. */
  put(value: number): void {
    this.#words[this.#position++] = value;
    this.#words[this.#position++] = Math.floor(value / 2 ** 32);
  }

  /**
   * Appends what an odometer reads: for each loop its extent, and for each
   * operand (of `bytes` per element) its stride and its step, in bytes. A step
   * is the stride, less the way that the next inner loop has gone when it
   * wraps.
   */
  putLoops({ extents, strides }: Layout, bytes: readonly number[]): void {
    for (let axis = 0; axis < extents.length; axis++) {
      this.put(extents[axis]);
      for (let operand = 0; operand < bytes.length; operand++) {
        const stride = strides[operand];
        const inner = axis + 1 < extents.length
          ? extents[axis + 1] * stride[axis + 1]
          : 0;
        this.put(stride[axis] * bytes[operand]);
        this.put((stride[axis] - inner) * bytes[operand]);
      }
    }
  }
}

/** A layout of some of its axes only. */
export function pickAxes(layout: Layout, axes: readonly number[]): Layout {
  return {
    extents: axes.map((axis) => layout.extents[axis]),
    strides: layout.strides.map((strides) => axes.map((axis) => strides[axis])),
  };
}
