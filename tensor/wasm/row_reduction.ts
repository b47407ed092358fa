/**
 * Sums and maxima of the elements of a row.
 *
 * The vectors of a block have several accumulators, so that additions needn't
 * wait for one another. After the blocks these are stored side by side, which
 * is what makes V8 fuse pairs of them, with all that leads to them, into 256
 * bits.
 *
 * @module
 */

import {
  type FunctionBuilder,
  type Local,
  shuffle,
  simd,
  type Value,
} from "./assembler.ts";
import { type Elements, forElements, type RowExtent } from "./vector_loop.ts";

/** How elements are combined, and what nothing combines to. */
interface Reduction {
  readonly initial: number;
  readonly combine: (a: Value, b: Value) => Value;
}

const sum: Reduction = {
  initial: 0,
  combine: (a, b) => simd("f32x4.add", a, b),
};

const largest: Reduction = {
  initial: -Infinity,
  combine: (a, b) => simd("f32x4.pmax", a, b),
};

/** What a loop over rows reads and where it may write meanwhile. */
export interface RowLoop {
  /** Length of the row. */
  readonly extent: RowExtent;
  /** Private memory, 64 bytes for each reduction. */
  readonly scratch: Value;
  /**
   * Accumulators of each reduction: 4 where a single row is walked, 2 where
   * several are walked together and so additions needn't wait anyway.
   */
  readonly slots: 2 | 4;
}

type Write = (elements: Elements, partial: readonly Local[]) => void;

function reduceElements(
  f: FunctionBuilder,
  { extent, scratch, slots: count }: RowLoop,
  pointers: readonly Local[],
  reductions: readonly Reduction[],
  write: Write,
): Local[] {
  const slots = Array.from({ length: count }, (_, slot) => slot);
  const partial = reductions.map(({ initial }) =>
    slots.map(() => f.let(f.constant(initial)))
  );
  const rest = reductions.map(({ initial }) => f.let(f.constant(initial)));
  const place = (which: number, slot: number): number =>
    16 * (slots.length * which + slot);
  const partialAt = ({ slot }: Elements): readonly Local[] =>
    slot === undefined
      ? rest
      : partial.map((locals) => locals[slot % slots.length]);
  forElements(
    f,
    extent,
    pointers,
    (elements) => write(elements, partialAt(elements)),
    () =>
      partial.forEach((locals, which) =>
        locals.forEach((local, slot) =>
          f.storeVector(scratch, local, place(which, slot))
        )
      ),
  );
  return reductions.map(({ combine }, which) => {
    const blocks = slots
      .map((slot) => f.loadVector(scratch, place(which, slot)))
      .reduce(combine);
    const four = f.let(combine(blocks, rest[which]));
    const two = f.let(combine(four, shuffle(four, four, [2, 3, 0, 1])));
    return f.let(combine(two, shuffle(two, two, [1, 0, 3, 2])));
  });
}

/**
 * Loops over rows, adding to `count` sums; returns them, in all lanes.
 * `write` adds terms to the partial sums, each masked by `elements.only`.
 */
export function sumElements(
  f: FunctionBuilder,
  loop: RowLoop,
  pointers: readonly Local[],
  count: number,
  write: Write,
): Local[] {
  const sums = new Array<Reduction>(count).fill(sum);
  return reduceElements(f, loop, pointers, sums, write);
}

/**
 * The largest element of the row at `start`, in all lanes. NaN doesn't count;
 * without any other element the result is −∞.
 */
export function largestOfRow(
  f: FunctionBuilder,
  loop: RowLoop,
  start: Value,
): Local {
  const pointer = f.let(start);
  const [result] = reduceElements(
    f,
    loop,
    [pointer],
    [largest],
    (elements, [partial]) =>
      f.set(partial, largest.combine(partial, elements.load(pointer))),
  );
  return result;
}
