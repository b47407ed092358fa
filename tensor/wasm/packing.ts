/**
 * Packing of operands for the matrix product.
 *
 * A matrix of `count` × k elements becomes strips of `width`, each k groups of
 * `width` neighbours, the last strip filled up with zeros. There are three ways
 * to read it: where neighbours of a strip are neighbours in memory, where
 * neighbours along k are (4 × 4 elements are transposed in registers), and
 * element by element.
 *
 * @module
 */

import {
  f32,
  type FunctionBuilder,
  i32,
  type Local,
  type ModuleBuilder,
  scalar,
  shuffle,
  type Value,
} from "./assembler.ts";
import {
  atLeast,
  bitAnd,
  bitOr,
  isEqual,
  minimum,
  minus,
  product,
  quotient,
} from "./integer.ts";

/**
 * Adds a function that packs strips of `width`:
 * `(source, along, step, count, k, target)`, where `along` and `step` are the
 * bytes between neighbours of a strip and along k.
 */
export function emitPack(
  module: ModuleBuilder,
  width: number,
): FunctionBuilder {
  const copy = emitCopyStrips(module, width);
  const transpose = emitTransposeStrip(module, width);
  const gather = emitGatherStrip(module, width);
  return module.internal(
    ["ptr", "ptr", "ptr", "i32", "i32", "ptr"],
    undefined,
    (f, source, along, step, count, k, target) => {
      const is4 = (stride: Local): Value =>
        scalar(
          "i32.eqz",
          bitOr(
            f.lessThan(stride, f.pointer(4)),
            f.lessThan(f.pointer(4), stride),
          ),
        );
      const walking = f.let(is4(step));
      const valid = f.local("i32");
      f.if(is4(along), () => {
        const strips = f.let(quotient(count, width));
        const done = f.let(product(strips, width));
        f.run(copy, source, step, strips, k, target);
        f.add(source, f.times(done, 4));
        f.add(target, f.times(done, f.times(k, 4)));
        f.set(count, minus(count, done));
      });
      f.while(scalar("i32.gt_s", count, i32(0)), () => {
        f.set(valid, minimum(count, width));
        f.if(
          bitAnd(walking, isEqual(valid, width)),
          () => f.run(transpose, source, along, k, target),
          () => f.run(gather, source, along, step, valid, k, target),
        );
        f.add(source, f.times(along, width));
        f.add(target, f.times(k, width * 4));
        f.add(count, -width);
      });
    },
  );
}

/** Byte offsets of vectors that cover a strip; the last ones may overlap. */
function vectorsOf(width: number): number[] {
  const offsets: number[] = [];
  for (let at = 0; at < width; at += 4) {
    offsets.push(4 * Math.min(at, width - 4));
  }
  return offsets;
}

/**
 * Full strips whose elements are neighbours: `(source, step, strips, k,
 * target)`. Rows of the source are read four at a time: strip by strip, every
 * step would be in another page.
 */
function emitCopyStrips(module: ModuleBuilder, width: number): FunctionBuilder {
  return module.internal(
    ["ptr", "ptr", "i32", "i32", "ptr"],
    undefined,
    (f, source, step, strips, k, target) => {
      const strip = f.local("i32");
      const to = f.local("ptr");
      const stripBytes = f.let(f.times(k, 4 * width));
      for (const count of [4, 1]) {
        const rows = Array.from({ length: count }, () => f.local("ptr"));
        f.while(atLeast(k, count), () => {
          for (const row of rows) {
            f.set(row, source);
            f.add(source, step);
          }
          f.set(to, target);
          f.for(strip, i32(0), strips, 1, () => {
            rows.forEach((row, i) => {
              const vectors = vectorsOf(width).map((at) => ({
                at: at + 4 * width * i,
                value: f.let(f.loadVector(row, at)),
              }));
              vectors.forEach(({ at, value }) => f.storeVector(to, value, at));
              f.add(row, 4 * width);
            });
            f.add(to, stripBytes);
          });
          f.add(target, 4 * width * count);
          f.add(k, -count);
        });
      }
    },
  );
}

/** A full strip with unit stride along k: `(source, along, k, target)`. */
function emitTransposeStrip(
  module: ModuleBuilder,
  width: number,
): FunctionBuilder {
  return module.internal(
    ["ptr", "ptr", "i32", "ptr"],
    undefined,
    (f, source, along, k, target) => {
      const row = f.local("ptr");
      const values = [0, 1, 2, 3].map(() => f.local("v128"));
      const mixed = [0, 1, 2, 3].map(() => f.local("v128"));
      const skips = vectorsOf(width).map((at, i, all) =>
        i === 0 ? 0 : (at - all[i - 1]) / 4
      );
      f.while(atLeast(k, 4), () => {
        f.set(row, source);
        vectorsOf(width).forEach((at, i) => {
          // The rows of a vector that overlaps its predecessor start earlier.
          if (skips[i] > 0 && skips[i] < 4) {
            f.set(row, f.minus(row, f.times(along, 4 - skips[i])));
          }
          values.forEach((value) => {
            f.set(value, f.loadVector(row));
            f.add(row, along);
          });
          transpose4(f, values, mixed);
          values.forEach((value, step) =>
            f.storeVector(target, value, at + step * width * 4)
          );
        });
        f.add(source, 16);
        f.add(target, width * 16);
        f.add(k, -4);
      });
      f.while(k, () => {
        f.set(row, source);
        for (let i = 0; i < width; i++) {
          f.store("f32", target, f.load("f32", row), 4 * i);
          f.add(row, along);
        }
        f.add(source, 4);
        f.add(target, width * 4);
        f.add(k, -1);
      });
    },
  );
}

/** Transposes four vectors in place, by way of four more. */
function transpose4(
  f: FunctionBuilder,
  rows: readonly Local[],
  mixed: readonly Local[],
): void {
  const pairs = [[0, 1], [2, 3]];
  pairs.forEach(([a, b], i) => {
    f.set(mixed[2 * i], shuffle(rows[a], rows[b], [0, 4, 1, 5]));
    f.set(mixed[2 * i + 1], shuffle(rows[a], rows[b], [2, 6, 3, 7]));
  });
  pairs.forEach((_, i) => {
    f.set(rows[2 * i], shuffle(mixed[i], mixed[i + 2], [0, 1, 4, 5]));
    f.set(rows[2 * i + 1], shuffle(mixed[i], mixed[i + 2], [2, 3, 6, 7]));
  });
}

/**
 * Any strip, filled up with zeros:
 * `(source, along, step, valid, k, target)`.
 */
function emitGatherStrip(
  module: ModuleBuilder,
  width: number,
): FunctionBuilder {
  return module.internal(
    ["ptr", "ptr", "ptr", "i32", "i32", "ptr"],
    undefined,
    (f, source, along, step, valid, k, target) => {
      const [from, i] = [f.local("ptr"), f.local("i32")];
      f.while(k, () => {
        f.set(from, source);
        f.for(i, i32(0), valid, 1, () => {
          f.store("f32", target, f.load("f32", from));
          f.add(from, along);
          f.add(target, 4);
        });
        f.for(i, valid, i32(width), 1, () => {
          f.store("f32", target, f32(0));
          f.add(target, 4);
        });
        f.add(source, step);
        f.add(k, -1);
      });
    },
  );
}
