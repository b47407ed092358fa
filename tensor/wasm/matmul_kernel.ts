/**
 * The kernels of matrix products: items, blocks, packing; see `matmul.ts`.
 *
 * @module
 */

import {
  choose,
  i32,
  ModuleBuilder,
  scalar,
  type Target,
} from "./assembler.ts";
import {
  bitAnd,
  bitOr,
  ceilingDivide,
  minimum,
  minus,
  product,
  quotient,
  remainder,
} from "./integer.ts";
import {
  blockDepth,
  emitGemm,
  productFlags,
  type Tile,
  tileScratchBytes,
} from "./gemm.ts";
import { recordLayout, recordReader, storedPointer } from "./record.ts";

/** Bits of the kernel's flags beyond those of a product. */
export const matmulFlags = {
  /** An item packs its block of A. */
  packA: 8,
  /** An item packs its block of B. */
  packB: 16,
} as const;

/**
 * The record that `matmul` reads: addresses of the operands of one product, or
 * of nothing but 0; the table, which is the record itself or holds such five
 * addresses for every product of a batch; strides, in elements (those of b are
 * of k and columns where b is to be packed, else of k and strips); extents of
 * the product and of its blocks; flags.
 */
export const matmulFields = [
  ...["a", "b", "out", "residual", "bias", "table"] as const,
  ...["aRow", "aStep", "bStep", "bOther"] as const,
  ...["outRow", "residualRow", "biasRow"] as const,
  ...["m", "n", "k", "alpha", "rowBlock", "columnBlock", "flags"] as const,
];

/** Most rows of a block, so that A's block of k stays in the second cache. */
export const mostRows = 144;
/** Most columns of a block that is packed into scratch memory. */
export const mostColumns = 1024;
/** Where packed blocks lie in the scratch memory, in bytes. */
const packedA = tileScratchBytes;
const packedB = 1 << 20;

/**
 * The module of a tile, with kernels `packA`, `packB`, `copyRows` and `matmul`; what
 * they take is said at each.
 */
export function matmulModule(
  target: Target,
  tile: Tile,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  const { multiply, packA, packB } = emitGemm(module, tile);

  // Items are strips.
  const packers = [
    ["packA", packA, tile.rows],
    ["packB", packB, tile.columns],
  ] as const;
  for (const [name, pack, width] of packers) {
    module.export(
      name,
      ["ptr", "i32", "i32", "i32", "i32", "ptr", "i32", "i32", "ptr"],
      undefined,
      (f, source, alongElements, step, count, k, packed, begin, end) => {
        const first = f.let(product(begin, width));
        const last = minimum(f.let(product(end, width)), count);
        const along = f.let(f.times(alongElements, 4));
        f.run(
          pack,
          f.offset(source, f.times(first, along)),
          along,
          f.times(step, 4),
          minus(last, first),
          k,
          f.offset(packed, f.times(first, f.times(k, 4))),
        );
      },
    );
  }

  // Items are rows.
  module.export(
    "copyRows",
    ["ptr", "i32", "i32", "i32", "ptr", "i32", "i32", "ptr"],
    undefined,
    (f, source, row, column, n, target, begin, end) => {
      const [item, i] = [f.local("i32"), f.local("i32")];
      const rowBytes = f.let(f.times(row, 4));
      const columnBytes = f.let(f.times(column, 4));
      const from = f.local("ptr");
      const to = f.let(f.offset(target, f.times(begin, f.times(n, 4))));
      f.for(item, begin, end, 1, () => {
        f.set(from, f.offset(source, f.times(item, rowBytes)));
        f.for(i, i32(0), n, 1, () => {
          f.store("f32", to, f.load("f32", from));
          f.add(from, columnBytes);
          f.add(to, 4);
        });
      });
    },
  );

  // Items are (batch, block of rows, block of columns).
  module.export(
    "matmul",
    ["ptr", "i32", "i32", "ptr"],
    undefined,
    (f, record, begin, end, scratch) => {
      const read = recordReader(f, recordLayout(matmulFields), record);
      const [flags, m, n, k] = [
        ...["flags", "m", "n", "k"] as const,
      ].map(read.integer);
      const [rowBlock, columnBlock] = [
        ...["rowBlock", "columnBlock"] as const,
      ].map(read.integer);
      const [toRow, fromRow, plusRow] = [
        ...["outRow", "residualRow", "biasRow"] as const,
      ].map((name) => read.stride(name));
      const [aRow, aStep, bStep, bOther] = [
        ...["aRow", "aStep", "bStep", "bOther"] as const,
      ].map((name) => read.stride(name));
      const table = read.pointer("table");
      const alpha = read.real("alpha");
      const has = (bit: number) => bitAnd(flags, bit);
      const columnBlocks = f.let(ceilingDivide(n, columnBlock));
      const rowBlocks = f.let(ceilingDivide(m, rowBlock));

      const [item, rows, columns, depth, done, entry] = Array.from(
        { length: 6 },
        () => f.local("i32"),
      );
      const [row, column, more] = Array.from(
        { length: 3 },
        () => f.local("i32"),
      );
      const [left, right, to, from, plus] = Array.from(
        { length: 5 },
        () => f.local("ptr"),
      );
      const [readyA, aInner, aStrip, readyB, bInner, bStrip] = Array.from(
        { length: 6 },
        () => f.local("ptr"),
      );
      const [nowFlags, fromStride] = [f.local("i32"), f.local("ptr")];

      f.for(item, begin, end, 1, () => {
        f.set(
          column,
          product(remainder(item, columnBlocks), columnBlock),
        );
        f.set(entry, quotient(item, columnBlocks));
        f.set(row, product(remainder(entry, rowBlocks), rowBlock));
        f.set(entry, quotient(entry, rowBlocks));
        f.set(rows, minimum(rowBlock, minus(m, row)));
        f.set(columns, minimum(columnBlock, minus(n, column)));

        const at = f.let(f.offset(table, product(entry, 40)));
        [left, right, to, from, plus].forEach((pointer, i) =>
          f.set(pointer, storedPointer(f, at, 8 * i))
        );
        const columnBytes = f.let(f.times(column, 4));
        f.set(left, f.offset(left, f.times(row, aRow)));
        f.if(
          has(matmulFlags.packB),
          () => f.set(right, f.offset(right, f.times(column, bOther))),
          () =>
            f.set(
              right,
              f.offset(
                right,
                f.times(
                  quotient(column, tile.columns),
                  bOther,
                ),
              ),
            ),
        );
        ([[to, toRow], [from, fromRow], [plus, plusRow]] as const).forEach(
          ([pointer, stride]) => {
            f.add(pointer, columnBytes);
            f.add(pointer, f.times(row, stride));
          },
        );

        f.set(
          nowFlags,
          bitAnd(
            flags,
            productFlags.residual | productFlags.bias | productFlags.columns,
          ),
        );
        f.set(fromStride, fromRow);
        f.set(done, i32(0));
        f.set(depth, minimum(k, blockDepth));
        f.set(more, i32(1));
        f.while(more, () => {
          f.if(
            has(matmulFlags.packA),
            () => {
              f.set(readyA, f.offset(scratch, packedA));
              f.set(aInner, f.pointer(4 * tile.rows));
              f.set(aStrip, f.times(depth, 4 * tile.rows));
              f.run(packA, left, aRow, aStep, rows, depth, readyA);
              f.set(
                nowFlags,
                bitOr(nowFlags, productFlags.columns),
              );
            },
            () => {
              f.set(readyA, left);
              f.set(
                aInner,
                choose(has(productFlags.columns), aStep, aRow),
              );
              f.set(aStrip, f.times(aRow, tile.rows));
            },
          );
          f.if(
            has(matmulFlags.packB),
            () => {
              f.set(readyB, f.offset(scratch, packedB));
              f.set(bInner, f.pointer(4 * tile.columns));
              f.set(bStrip, f.times(depth, 4 * tile.columns));
              f.run(
                packB,
                right,
                bOther,
                bStep,
                columns,
                depth,
                readyB,
              );
            },
            () => {
              f.set(readyB, right);
              f.set(bInner, bStep);
              f.set(bStrip, bOther);
            },
          );
          f.run(
            multiply,
            ...[nowFlags, readyA, aInner, aStrip, readyB, bInner, bStrip],
            ...[rows, columns, depth, to, toRow],
            ...[from, fromStride, plus, plusRow, alpha, scratch],
          );
          // What follows adds to what is there.
          f.set(
            nowFlags,
            bitOr(
              bitAnd(nowFlags, productFlags.columns),
              productFlags.residual,
            ),
          );
          f.set(from, to);
          f.set(fromStride, toRow);
          f.add(left, f.times(depth, aStep));
          f.add(right, f.times(depth, bStep));
          f.add(done, depth);
          f.set(depth, minimum(minus(k, done), blockDepth));
          f.set(more, scalar("i32.gt_s", depth, i32(0)));
        });
      });
    },
  );
  return module.build();
}
