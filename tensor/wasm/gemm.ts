/**
 * Emitters of the matrix product that matmul and attention are built on: a
 * register tile, the loops around it, and packing.
 *
 * Contract of a product C = residual + alpha · (A · B + bias), all f32:
 *
 * - The tile keeps `rows` × `columns` sums in registers and walks along k. It
 *   reads B as rows of `columns` neighbours, `bStep` bytes apart, and A either
 *   as `rows` pointers that walk along k with stride 1 (`"rows"` layout), or as
 *   columns of `rows` neighbours, `aInner` bytes apart (`"columns"`).
 * - Whatever isn't laid out so is packed: strips of `rows` (of A) or `columns`
 *   (of B), k after k, the last strip filled up with zeros.
 * - C has unit stride along columns and any stride of rows; so have residual
 *   and bias (a row stride of 0 repeats). Residual may be C itself. C overlaps
 *   neither A nor B.
 * - Every element of C is one chain of multiply-adds in order of k, wherever
 *   it lies in a tile or block, so results don't depend on how work is split.
 *   Products longer than `blockDepth` add up block by block.
 *
 * The tile of 6 × 16 is for 256-bit registers: V8's revectorizer joins
 * neighbouring vectors where memory is accessed without bounds checks. It packs
 * pairs of stores only if nothing is read in between, hence the order of loads
 * and stores at write-back. The tile of 6 × 8 (5 × 8 without fused
 * multiply-add, which needs registers for products) fits into 15 registers of
 * 128 bits.
 *
 * @module
 */

import {
  f32,
  type FunctionBuilder,
  i32,
  type Local,
  type ModuleBuilder,
  simd,
  splat,
  type Target,
  type Value,
} from "./assembler.ts";
import { atLeast, bitAnd, isEqual, minimum, minus } from "./integer.ts";
import { emitPack } from "./packing.ts";

/** Elements of C that are kept in registers. */
export interface Tile {
  /** Rows of C. */
  readonly rows: number;
  /** Columns of C, a multiple of 4. */
  readonly columns: number;
}

/** The tile that runs best in each mode. */
export function tileOf(mode: "portable" | "turbo", target: Target): Tile {
  const rows = target.relaxed ? 6 : 5;
  return { rows, columns: mode === "turbo" ? 16 : 8 };
}

/** Longest stretch of k whose strip of B stays in the innermost cache. */
export const blockDepth = 384;

/** Bits of the `flags` of a product. */
export const productFlags = {
  /** There is a residual. */
  residual: 1,
  /** There is a bias. */
  bias: 2,
  /** A is laid out in columns, not in rows. */
  columns: 4,
} as const;

/** Bytes of scratch memory that `multiply` needs: one tile. */
export const tileScratchBytes = 512;

/** Functions of a module that multiply matrices. */
export interface Gemm {
  /** The tile they use. */
  readonly tile: Tile;
  /**
   * One block of C from operands that are laid out as the tile wants:
   * `(flags, a, aInner, aStrip, b, bStep, bStrip, m, n, k, c, cRow,
   * residual, residualRow, bias, biasRow, alpha, scratch)`. Strides are bytes.
   * `aInner` is the distance of rows (layout of rows) or of columns, `aStrip`
   * and `bStrip` that of strips of tile.rows and tile.columns.
   * Strips of B must be readable to their full width.
   */
  readonly multiply: FunctionBuilder;
  /**
   * Packs strips of A: `(source, along, step, count, k, target)`, where
   * `along` and `step` are the bytes between neighbours of a strip and along k.
   */
  readonly packA: FunctionBuilder;
  /** Packs strips of B, likewise. */
  readonly packB: FunctionBuilder;
}

/** Adds the functions of a product to a module. */
export function emitGemm(module: ModuleBuilder, tile: Tile): Gemm {
  const packA = emitPack(module, tile.rows);
  const packB = tile.columns === tile.rows
    ? packA
    : emitPack(module, tile.columns);
  return { tile, packA, packB, multiply: emitMultiply(module, tile) };
}

/** How a tile reads A; see the top of this file. */
type Layout = "rows" | "columns";

/**
 * Emits the sums of a tile, row by row. Steps along k are unrolled by each of
 * `unrolls` in turn, which ends with 1.
 */
function emitSums(
  f: FunctionBuilder,
  { rows, columns }: Tile,
  layout: Layout,
  unrolls: readonly number[],
  [a, aInner, b, bStep, k]: readonly Local[],
): Local[][] {
  const walkers = [a];
  if (layout === "rows") {
    for (let row = 1; row < rows; row++) {
      walkers.push(f.let(f.offset(walkers[row - 1], aInner)));
    }
  }
  const vectors = Array.from({ length: columns / 4 }, (_, i) => i);
  const sums = Array.from(
    { length: rows },
    () => vectors.map(() => f.local("v128")),
  );
  const step = (unrolled: number): void => {
    const right = vectors.map((i) => f.let(f.loadVector(b, 16 * i)));
    sums.forEach((row, i) => {
      const left = f.let(
        layout === "rows"
          ? f.loadSplat(walkers[i], 4 * unrolled)
          : f.loadSplat(a, 4 * i),
      );
      row.forEach((sum, j) => f.set(sum, f.multiplyAdd(left, right[j], sum)));
    });
    if (layout === "columns") f.add(a, aInner);
    f.add(b, bStep);
  };
  for (const unroll of unrolls) {
    f.while(atLeast(k, unroll), () => {
      for (let i = 0; i < unroll; i++) step(i);
      if (layout === "rows") {
        walkers.forEach((walker) => f.add(walker, 4 * unroll));
      }
      f.add(k, -unroll);
    });
  }
  return sums;
}

/** Adds a tile of sums alone: `(a, aInner, b, bStep, k, sums)`. */
function emitPartialTile(
  module: ModuleBuilder,
  tile: Tile,
  layout: Layout,
): FunctionBuilder {
  return module.internal(
    ["ptr", "ptr", "ptr", "ptr", "i32", "ptr"],
    undefined,
    (f, a, aInner, b, bStep, k, target) => {
      const sums = emitSums(f, tile, layout, [1], [a, aInner, b, bStep, k]);
      sums.flat().forEach((sum, i) => f.storeVector(target, sum, 16 * i));
    },
  );
}

/**
 * Adds a tile: `(a, aInner, b, bStep, k, c, cRow, residual, residualRow, bias,
 * biasRow, alpha, flags)`.
 */
export function emitTile(
  module: ModuleBuilder,
  tile: Tile,
  layout: Layout,
): FunctionBuilder {
  return module.internal(
    [
      ...["ptr", "ptr", "ptr", "ptr", "i32", "ptr", "ptr"] as const,
      ...["ptr", "ptr", "ptr", "ptr", "f32", "i32"] as const,
    ],
    undefined,
    (f, a, aInner, b, bStep, k, c, cRow, ...epilogue) => {
      const [residual, residualRow, bias, biasRow, alpha, flags] = epilogue;
      const sums = emitSums(f, tile, layout, [4, 1], [a, aInner, b, bStep, k]);
      const factor = f.let(splat(alpha));
      const writeBack = (withResidual: boolean, withBias: boolean): void => {
        for (const row of sums) {
          // Nothing is read between the stores, see the top of this file.
          const results = row.map((sum, i) => {
            const x = withBias
              ? simd("f32x4.add", sum, f.loadVector(bias, 16 * i))
              : sum;
            return f.let(
              withResidual
                ? f.multiplyAdd(x, factor, f.loadVector(residual, 16 * i))
                : simd("f32x4.mul", x, factor),
            );
          });
          results.forEach((x, i) => f.storeVector(c, x, 16 * i));
          f.add(c, cRow);
          if (withResidual) f.add(residual, residualRow);
          if (withBias) f.add(bias, biasRow);
        }
      };
      f.if(
        bitAnd(flags, productFlags.bias),
        () =>
          f.if(
            bitAnd(flags, productFlags.residual),
            () => writeBack(true, true),
            () => writeBack(false, true),
          ),
        () =>
          f.if(
            bitAnd(flags, productFlags.residual),
            () => writeBack(true, false),
            () => writeBack(false, false),
          ),
      );
    },
  );
}

/**
 * Writes the part of a tile that lies within C:
 * `(tile, rows, columns, c, cRow, residual, residualRow, bias, biasRow, alpha,
 * flags)`, with the arithmetic of the tile's own write-back.
 */
function emitEdge(module: ModuleBuilder, { columns }: Tile): FunctionBuilder {
  return module.internal(
    [
      ...["ptr", "i32", "i32", "ptr", "ptr"] as const,
      ...["ptr", "ptr", "ptr", "ptr", "f32", "i32"] as const,
    ],
    undefined,
    (f, sums, rows, count, c, cRow, ...epilogue) => {
      const [residual, residualRow, bias, biasRow, alpha, flags] = epilogue;
      const factor = f.let(splat(alpha));
      const withResidual = f.let(bitAnd(flags, productFlags.residual));
      const withBias = f.let(bitAnd(flags, productFlags.bias));
      const x = f.local("v128");
      const row = f.local("i32");
      const column = f.local("i32");
      const at = f.local("ptr");
      const part = (
        load: (address: Value) => Value,
        store: (address: Value, value: Value) => void,
      ): void => {
        f.set(x, load(f.offset(sums, at)));
        f.if(
          withBias,
          () => f.set(x, simd("f32x4.add", x, load(f.offset(bias, at)))),
        );
        f.if(
          withResidual,
          () =>
            f.set(x, f.multiplyAdd(x, factor, load(f.offset(residual, at)))),
          () => f.set(x, simd("f32x4.mul", x, factor)),
        );
        store(f.offset(c, at), x);
      };
      f.for(row, i32(0), rows, 1, () => {
        f.set(column, count);
        f.set(at, f.pointer(0));
        f.while(atLeast(column, 4), () => {
          part((p) => f.loadVector(p), (p, value) => f.storeVector(p, value));
          f.add(at, 16);
          f.add(column, -4);
        });
        f.while(column, () => {
          part((p) => f.loadZero(p), (p, value) => f.storeLane(p, value, 0));
          f.add(at, 4);
          f.add(column, -1);
        });
        f.add(sums, columns * 4);
        f.add(c, cRow);
        f.add(residual, residualRow);
        f.add(bias, biasRow);
      });
    },
  );
}

/** See `Gemm.multiply`. */
function emitMultiply(module: ModuleBuilder, tile: Tile): FunctionBuilder {
  const layouts = ["rows", "columns"] as const;
  const full = layouts.map((layout) => emitTile(module, tile, layout));
  const partial = Array.from(
    { length: tile.rows - 1 },
    (_, i) =>
      layouts.map((layout) =>
        emitPartialTile(module, { ...tile, rows: i + 1 }, layout)
      ),
  );
  const edge = emitEdge(module, tile);
  return module.internal(
    [
      ...["i32", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"] as const,
      ...["i32", "i32", "i32", "ptr", "ptr"] as const,
      ...["ptr", "ptr", "ptr", "ptr", "f32", "ptr"] as const,
    ],
    undefined,
    (f, flags, a, aInner, aStrip, b, bStep, bStrip, m, n, k, c, ...more) => {
      const [cRow, residual, residualRow, bias, biasRow, alpha, scratch] = more;
      const epilogue = f.let(
        bitAnd(flags, productFlags.residual | productFlags.bias),
      );
      const inColumns = f.let(bitAnd(flags, productFlags.columns));
      const [row, column] = [f.local("i32"), f.local("i32")];
      const [rows, columns] = [f.local("i32"), f.local("i32")];
      const left = f.local("ptr");
      const pointers = [c, residual, bias].map((top) => ({
        top,
        at: f.local("ptr"),
      }));
      const strides = [cRow, residualRow, biasRow].map((stride) => ({
        stride,
        strip: f.let(f.times(stride, tile.rows)),
      }));
      const [to, from, plus] = pointers.map(({ at }) => at);
      const run = (
        [byRows, byColumns]: readonly FunctionBuilder[],
        ...args: Value[]
      ): void => {
        const operands = [left, aInner, b, bStep, k, ...args];
        f.if(
          inColumns,
          () => f.run(byColumns, ...operands),
          () => f.run(byRows, ...operands),
        );
      };
      const runPartial = (count: number): void => {
        const tiles = partial[count - 1];
        if (count === 1) run(tiles, scratch);
        else {
          f.if(
            isEqual(rows, count),
            () => run(tiles, scratch),
            () => runPartial(count - 1),
          );
        }
      };
      f.for(column, i32(0), n, tile.columns, () => {
        f.set(columns, minimum(minus(n, column), tile.columns));
        f.set(left, a);
        pointers.forEach(({ top, at }) => f.set(at, top));
        f.for(row, i32(0), m, tile.rows, () => {
          f.set(rows, minimum(minus(m, row), tile.rows));
          const target = [
            ...[to, cRow, from, residualRow, plus, biasRow],
            ...[alpha, epilogue],
          ];
          const isFullRows = isEqual(rows, tile.rows);
          const isFullColumns = isEqual(columns, tile.columns);
          f.if(
            bitAnd(isFullRows, isFullColumns),
            () => run(full, ...target),
            () => {
              const none = f.pointer(0);
              f.if(
                isFullRows,
                () =>
                  run(
                    full,
                    ...[scratch, f.pointer(4 * tile.columns), none, none],
                    ...[none, none, f32(1), i32(0)],
                  ),
                () => runPartial(tile.rows - 1),
              );
              f.run(edge, scratch, rows, columns, ...target);
            },
          );
          f.add(left, aStrip);
          pointers.forEach(({ at }, i) => f.add(at, strides[i].strip));
        });
        pointers.forEach(({ top }) => f.add(top, tile.columns * 4));
        f.add(b, bStrip);
      });
    },
  );
}
