/**
 * Copies of transposed matrices of 32-bit elements: 4 × 4 blocks pass through
 * registers, so that both sides are read and written as vectors.
 *
 * @module
 */

import {
  type FunctionBuilder,
  i32,
  type Local,
  ModuleBuilder,
  scalar,
  shuffle,
  type Value,
} from "./assembler.ts";
import { grainOf } from "./grain.ts";
import type { Layout } from "../layout.ts";
import type { Runtime } from "./runtime.ts";

/** Rows of a launch's items: two vectors of each line that is read. */
const itemRows = 8;

/** Elements of a launch's chunk. */
const chunkElements = 1 << 15;

/** Matrices below this many elements aren't worth a launch each. */
const leastElements = 256;

/** The four vectors whose lane i holds lane `at` of vector i of `rows`. */
function transposed(f: FunctionBuilder, rows: readonly Local[]): Value[] {
  const [a, b, c, d] = rows;
  const low = [0, 4, 1, 5];
  const high = [2, 6, 3, 7];
  const ac = f.let(shuffle(a, c, low));
  const bd = f.let(shuffle(b, d, low));
  const acHigh = f.let(shuffle(a, c, high));
  const bdHigh = f.let(shuffle(b, d, high));
  return [
    shuffle(ac, bd, low),
    shuffle(ac, bd, high),
    shuffle(acHigh, bdHigh, low),
    shuffle(acHigh, bdHigh, high),
  ].map((x) => f.let(x));
}

/** Pointers `count` steps apart. */
function ladder(
  f: FunctionBuilder,
  start: Local,
  step: Local,
  count: number,
): Local[] {
  const pointers = [start];
  while (pointers.length < count) {
    pointers.push(f.let(f.offset(pointers[pointers.length - 1], step)));
  }
  return pointers;
}

/**
 * Emits out[i, j] = x[j, i] for the rows i of items of 8 rows; strides between
 * rows of `x` and of `out` are in bytes.
 */
function emitTranspose(module: ModuleBuilder): void {
  module.export(
    "transpose",
    [
      "ptr",
      "ptr",
      "f64",
      "f64",
      "i32",
      "i32",
      "i32",
      "i32",
      "ptr",
    ],
    undefined,
    (f, x, out, xStride, outStride, rows, columns, begin, end) => {
      const xStep = f.let(f.truncated(xStride));
      const outStep = f.let(f.truncated(outStride));
      const row = f.let(scalar("i32.mul", begin, i32(itemRows)));
      const last = f.let(scalar("i32.mul", end, i32(itemRows)));
      f.if(
        scalar("i32.gt_s", last, rows),
        () => f.set(last, rows),
      );
      f.add(x, f.times(row, 4));
      f.add(out, f.times(row, outStep));

      /** Handles `count` rows: 8 or 4 by blocks, or 1 by elements. */
      const band = (count: number): void => {
        const from = f.let(x);
        const to = f.let(out);
        const left = f.let(columns);
        if (count > 1) {
          f.while(scalar("i32.ge_s", left, i32(4)), () => {
            const sources = ladder(f, from, xStep, 4);
            const targets = ladder(f, to, outStep, count);
            for (let block = 0; block < count; block += 4) {
              const lines = sources.map((source) =>
                f.let(f.loadVector(source, 4 * block))
              );
              transposed(f, lines).forEach((line, at) =>
                f.storeVector(targets[block + at], line)
              );
            }
            f.add(from, f.times(xStep, 4));
            f.add(to, 16);
            f.add(left, -4);
          });
        }
        f.while(scalar("i32.gt_s", left, i32(0)), () => {
          ladder(f, to, outStep, count).forEach((target, at) =>
            f.store("i32", target, f.load("i32", from, 4 * at))
          );
          f.add(from, xStep);
          f.add(to, 4);
          f.add(left, -1);
        });
      };
      for (const count of [itemRows, 4, 1]) {
        const fits = scalar(
          "i32.le_s",
          scalar("i32.add", row, i32(count)),
          last,
        );
        f.while(fits, () => {
          band(count);
          f.add(row, count);
          f.add(x, 4 * count);
          f.add(out, f.times(outStep, count));
        });
      }
    },
  );
}

/** Copies `x` to `out`, given the byte addresses of their first elements. */
export type Transpose = (layout: Layout, x: number, out: number) => void;

/**
 * The axis along which operand `x` is contiguous, where operand `out` is along
 * the last; undefined where that isn't worth a transposition.
 */
export function transposedAxis(
  { extents, strides }: Layout,
  x: number,
  out: number,
): number | undefined {
  const last = extents.length - 1;
  if (last < 1 || strides[out][last] !== 1) return undefined;
  if (Math.abs(strides[x][last]) <= 1) return undefined;
  const axis = strides[x].indexOf(1);
  if (axis < 0 || extents[axis] < 4 || extents[last] < 4) return undefined;
  return extents[axis] * extents[last] < leastElements ? undefined : axis;
}

/**
 * Makes the copy of operand 0 to operand 1 of layouts that have a
 * `transposedAxis`.
 */
export function createTranspose(runtime: Runtime): Transpose {
  const module = new ModuleBuilder(runtime.target);
  emitTranspose(module);
  const kernel = runtime.load(module.build()).transpose;

  return function transpose(layout, x, out): void {
    const { extents, strides: [xStrides, outStrides] } = layout;
    const last = extents.length - 1;
    const axis = transposedAxis(layout, 0, 1) as number;
    const [rows, columns] = [extents[axis], extents[last]];
    const visit = (at: number, x: number, out: number): void => {
      if (at === last) {
        runtime.launch(
          kernel,
          [x, out, 4 * xStrides[last], 4 * outStrides[axis], rows, columns],
          Math.ceil(rows / itemRows),
          grainOf(itemRows * columns, chunkElements),
        );
        return;
      }
      const count = at === axis ? 1 : extents[at];
      for (let position = 0; position < count; position++) {
        const xAt = x + 4 * position * xStrides[at];
        visit(at + 1, xAt, out + 4 * position * outStrides[at]);
      }
    };
    visit(0, x, out);
  };
}
