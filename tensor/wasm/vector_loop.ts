/**
 * Loops over the elements of contiguous rows: blocks of four vectors, then
 * single vectors, then single elements.
 *
 * Nothing outside a row is read or written, so rows may have any length and
 * alignment. Vectors are stored in neighbouring pairs, which is what V8's
 * revectorizer fuses to 256 bits.
 *
 * @module
 */

import {
  type FunctionBuilder,
  i32,
  type Local,
  scalar,
  simd,
  type Value,
  vectorOf,
} from "./assembler.ts";

/** Vectors in the blocks that a loop takes first. */
const blockVectors = 4;

/** Where the parts of a row of n 32-bit elements end, in bytes. */
export interface RowExtent {
  /** The blocks of four vectors. */
  readonly blocks: Local;
  /** The whole vectors. */
  readonly vectors: Local;
  /** All elements. */
  readonly bytes: Local;
}

/** Measures rows of `n` (i32) elements; do it once, outside of the loops. */
export function rowExtent(f: FunctionBuilder, n: Value): RowExtent {
  const bytesOf = (multiple: number): Local =>
    f.let(f.times(scalar("i32.and", n, i32(-multiple)), 4));
  return {
    blocks: bytesOf(4 * blockVectors),
    vectors: bytesOf(4),
    bytes: bytesOf(1),
  };
}

/** Byte address of row `row` (i32) of contiguous rows. */
export function rowAt(
  f: FunctionBuilder,
  base: Value,
  row: Value,
  extent: RowExtent,
): Value {
  return f.offset(base, f.times(row, extent.bytes));
}

/** Four neighbouring elements of every row that a loop walks along, or one. */
export interface Elements {
  /** Which vector of a block they are; undefined outside of blocks. */
  readonly slot: number | undefined;
  /** The elements at a pointer; a single one fills all lanes. */
  load(pointer: Value): Value;
  /** Stores the elements at a pointer; of a single one, lane 0. */
  store(pointer: Value, value: Value): void;
  /** `value` with zeros above a single element, as sums want it. */
  only(value: Value): Value;
}

type Write = (elements: Elements) => void;

/**
 * Writes the code for `count` vectors. Stores wait until a pair of vectors is
 * computed: a load between them would keep V8 from fusing them.
 */
function writeVectors(f: FunctionBuilder, count: number, write: Write): void {
  let waiting: { pointer: Value; at: number; value: Value }[] = [];
  const flush = (): void => {
    for (const pointer of new Set(waiting.map((store) => store.pointer))) {
      for (const store of waiting) {
        if (store.pointer !== pointer) continue;
        f.storeVector(pointer, store.value, 16 * store.at);
      }
    }
    waiting = [];
  };
  for (let at = 0; at < count; at++) {
    write({
      slot: count === blockVectors ? at : undefined,
      load: (pointer) => f.loadVector(pointer, 16 * at),
      store: (pointer, value) =>
        waiting.push({ pointer, at, value: f.let(value) }),
      only: (value) => value,
    });
    if (at % 2 === 1 || at === count - 1) flush();
  }
}

function writeSingle(f: FunctionBuilder, write: Write): void {
  const lane0 = vectorOf([-1, 0, 0, 0], "i32");
  write({
    slot: undefined,
    load: (pointer) => f.loadSplat(pointer),
    store: (pointer, value) => f.storeLane(pointer, value, 0),
    only: (value) => simd("v128.and", value, lane0),
  });
}

/**
 * Emits a loop that calls for `write` once for all elements of rows. `pointers`
 * start at the first element of each row and are advanced past the last.
 * `afterBlocks` is emitted between the blocks and the rest.
 */
export function forElements(
  f: FunctionBuilder,
  extent: RowExtent,
  pointers: readonly Local[],
  write: Write,
  afterBlocks: () => void = () => {},
): void {
  const [first] = pointers;
  const start = f.let(first);
  const loop = (end: Local, bytes: number, body: () => void): void => {
    const limit = f.let(f.offset(start, end));
    f.while(f.lessThan(first, limit), () => {
      body();
      for (const pointer of pointers) f.add(pointer, bytes);
    });
  };
  loop(
    extent.blocks,
    16 * blockVectors,
    () => writeVectors(f, blockVectors, write),
  );
  afterBlocks();
  loop(extent.vectors, 16, () => writeVectors(f, 1, write));
  loop(extent.bytes, 4, () => writeSingle(f, write));
}
