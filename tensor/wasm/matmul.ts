/**
 * Batched matrix products of the wasm device.
 *
 * Contract: out = residual + alpha · (a · b + bias) in f32, for operands of any
 * strides; see `MatmulArguments` and, for the arithmetic, `gemm.ts`. Results
 * depend on shapes and strides only, never on the number of threads.
 *
 * A launch runs over items: blocks of rows × blocks of columns × the batch.
 *
 * - Operands that are laid out as the tile wants are read in place: A where k
 *   has stride 1, B where columns have stride 1 and its rows are few.
 * - Otherwise an item packs its block of A, block of k by block of k, and so
 *   its block of B; but a B that several blocks of rows would pack is packed
 *   once, by a launch of its own.
 * - Batches of small matrices are one launch with a table of addresses; batch
 *   axes which only repeat b are more rows.
 *
 * @module
 */

import type { Kernels, MatmulArguments, View } from "../device.ts";
import { contiguousStrides } from "../shape.ts";
import { i32, ModuleBuilder, scalar, type Target } from "./assembler.ts";
import {
  blockDepth,
  ceilingDivide,
  emitGemm,
  storedAddress,
  minimum,
  product,
  productFlags,
  type Tile,
  tileOf,
  tileScratchBytes,
} from "./gemm.ts";
import type { Kernel, Runtime } from "./runtime.ts";

/** Bits of the kernel's flags beyond those of a product. */
const matmulFlags = {
  /** An item packs its block of A. */
  packA: 8,
  /** An item packs its block of B. */
  packB: 16,
  /** Addresses come from the table, five to a matrix of the batch. */
  table: 32,
} as const;

/** Most rows of a block, so that A's block of k stays in the second cache. */
const mostRows = 192;
/** Most columns of a block that is packed into scratch memory. */
const mostColumns = 1024;
/** Where packed blocks lie in the scratch memory, in bytes. */
const packedA = tileScratchBytes;
const packedB = 1 << 20;
/** Fewest floating point operations worth waking a thread for. */
const grainFlops = 1e6;

function matmulModule(target: Target, tile: Tile): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  const { multiply, packA, packB } = emitGemm(module, tile);

  // Items are strips of b.
  module.export(
    "packB",
    ["ptr", "i32", "i32", "i32", "i32", "ptr", "i32", "i32", "ptr"],
    undefined,
    (f, b, bColumn, bStep, n, k, packed, begin, end) => {
      const first = f.let(product(begin, tile.columns));
      const last = minimum(n, product(end, tile.columns));
      const along = f.let(f.times(bColumn, 4));
      f.run(
        packB,
        f.offset(b, f.times(first, along)),
        along,
        f.times(bStep, 4),
        scalar("i32.sub", last, first),
        k,
        f.offset(packed, f.times(first, f.times(k, 4))),
      );
    },
  );

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

  // Items are (batch, block of rows, block of columns). The strides of b are
  // those of k and columns where it is to be packed, else of k and strips.
  module.export(
    "matmul",
    [
      ...["i32", "ptr", "ptr", "i32", "i32", "ptr", "i32", "i32"] as const,
      ...["ptr", "i32", "ptr", "i32", "ptr", "i32"] as const,
      ...["i32", "i32", "i32", "f32", "i32", "i32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    undefined,
    (f, flags, table, a, aRow, aStep, b, bStep, bOther, c, cRow, ...others) => {
      const [residual, residualRow, bias, biasRow, ...rest] = others;
      const [m, n, k, alpha, rowBlock, columnBlock, ...range] = rest;
      const [begin, end, scratch] = range;
      const bytes = (stride: typeof aRow) => f.let(f.times(stride, 4));
      const [toRow, fromRow, plusRow] = [cRow, residualRow, biasRow].map(bytes);
      const [aRowBytes, aStepBytes] = [aRow, aStep].map(bytes);
      const [bStepBytes, bOtherBytes] = [bStep, bOther].map(bytes);
      const has = (bit: number) => scalar("i32.and", flags, i32(bit));
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
          product(scalar("i32.rem_u", item, columnBlocks), columnBlock),
        );
        f.set(entry, scalar("i32.div_u", item, columnBlocks));
        f.set(row, product(scalar("i32.rem_u", entry, rowBlocks), rowBlock));
        f.set(entry, scalar("i32.div_u", entry, rowBlocks));
        f.set(rows, minimum(rowBlock, scalar("i32.sub", m, row)));
        f.set(columns, minimum(columnBlock, scalar("i32.sub", n, column)));

        f.if(
          has(matmulFlags.table),
          () => {
            const at = f.let(f.offset(table, product(entry, 40)));
            [left, right, to, from, plus].forEach((pointer, i) =>
              f.set(pointer, storedAddress(f, at, 8 * i))
            );
          },
          () => {
            f.set(left, a);
            f.set(right, b);
            f.set(to, c);
            f.set(from, residual);
            f.set(plus, bias);
          },
        );
        const columnBytes = f.let(f.times(column, 4));
        f.set(left, f.offset(left, f.times(row, aRowBytes)));
        f.if(
          has(matmulFlags.packB),
          () => f.set(right, f.offset(right, f.times(column, bOtherBytes))),
          () =>
            f.set(
              right,
              f.offset(
                right,
                f.times(
                  scalar("i32.div_u", column, i32(tile.columns)),
                  bOtherBytes,
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
          scalar(
            "i32.and",
            flags,
            i32(productFlags.residual | productFlags.bias),
          ),
        );
        f.set(fromStride, fromRow);
        f.set(done, i32(0));
        f.set(depth, minimum(k, i32(blockDepth)));
        f.set(more, i32(1));
        f.while(more, () => {
          f.if(
            has(matmulFlags.packA),
            () => {
              f.set(readyA, f.offset(scratch, packedA));
              f.set(aInner, f.pointer(4 * tile.rows));
              f.set(aStrip, f.times(depth, 4 * tile.rows));
              f.run(packA, left, aRowBytes, aStepBytes, rows, depth, readyA);
              f.set(
                nowFlags,
                scalar("i32.or", nowFlags, i32(productFlags.columns)),
              );
            },
            () => {
              f.set(readyA, left);
              f.set(aInner, aRowBytes);
              f.set(aStrip, f.times(aRowBytes, tile.rows));
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
                bOtherBytes,
                bStepBytes,
                columns,
                depth,
                readyB,
              );
            },
            () => {
              f.set(readyB, right);
              f.set(bInner, bStepBytes);
              f.set(bStrip, bOtherBytes);
            },
          );
          f.run(
            multiply,
            ...[nowFlags, readyA, aInner, aStrip, readyB, bInner, bStrip],
            ...[rows, columns, depth, to, toRow],
            ...[from, fromStride, plus, plusRow, alpha, scratch],
          );
          // What follows adds to what is there.
          f.set(nowFlags, i32(productFlags.residual));
          f.set(from, to);
          f.set(fromStride, toRow);
          f.add(left, f.times(depth, aStepBytes));
          f.add(right, f.times(depth, bStepBytes));
          f.add(done, depth);
          f.set(depth, minimum(scalar("i32.sub", k, done), i32(blockDepth)));
          f.set(more, scalar("i32.gt_s", depth, i32(0)));
        });
      });
    },
  );
  return module.build();
}

/** A batch of matrices as a launch needs it: addresses and element strides. */
interface Matrices {
  readonly address: number;
  readonly batch: number[];
  row: number;
  column: number;
}

/** One product: extents, and its operands in the order of the table. */
interface Problem {
  readonly batch: number[];
  m: number;
  readonly n: number;
  readonly k: number;
  readonly alpha: number;
  readonly a: Matrices;
  readonly b: Matrices;
  readonly out: Matrices;
  residual: Matrices | undefined;
  bias: Matrices | undefined;
}

function matrices(runtime: Runtime, view: View): Matrices {
  const { strides } = view;
  const rank = strides.length;
  return {
    address: runtime.address(view),
    batch: strides.slice(0, -2),
    row: strides[rank - 2],
    column: strides[rank - 1],
  };
}

function problemOf(runtime: Runtime, args: MatmulArguments): Problem {
  const { a, b, out, residual, bias, alpha } = args;
  const rank = out.shape.length;
  const [m, n] = [out.shape[rank - 2], out.shape[rank - 1]];
  const k = a.shape[rank - 1];
  const problem: Problem = {
    batch: out.shape.slice(0, -2),
    m,
    n,
    k,
    alpha,
    a: matrices(runtime, a),
    b: matrices(runtime, b),
    out: matrices(runtime, out),
    residual: residual && matrices(runtime, residual),
    bias: bias && matrices(runtime, bias),
  };
  mergeBatch(problem);
  // Along an axis of extent 1 any stride will do: take what needs no packing.
  if (problem.k === 1) {
    problem.a.column = 1;
    problem.b.row = 0;
  }
  if (n === 1) {
    for (const operand of operandsOf(problem).slice(1)) {
      if (operand !== undefined) operand.column = 1;
    }
  }
  return problem;
}

/** The operands in the order of the table. */
function operandsOf(problem: Problem): (Matrices | undefined)[] {
  const { a, b, out, residual, bias } = problem;
  return [a, b, out, residual, bias];
}

/**
 * Drops batch axes of extent 1, joins neighbours that step alike, and turns
 * trailing ones over which b repeats into rows.
 */
function mergeBatch(problem: Problem): void {
  const { batch, b } = problem;
  const operands = operandsOf(problem).filter((x) => x !== undefined);
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const extent = batch[axis];
    const inner = batch[axis + 1];
    const joins = inner !== undefined &&
      operands.every((x) => x.batch[axis] === inner * x.batch[axis + 1]);
    if (extent === 1 || joins) {
      if (joins && extent !== 1) {
        batch[axis + 1] = inner * extent;
      }
      batch.splice(axis, 1);
      for (const operand of operands) operand.batch.splice(axis, 1);
    }
  }
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const { m } = problem;
    const rest = operands.filter((x) => x !== b);
    const isRows = b.batch[axis] === 0 &&
      (m === 1 || rest.every((x) => x.batch[axis] === m * x.row));
    if (!isRows) break;
    if (m === 1) {
      for (const operand of rest) operand.row = operand.batch[axis];
    }
    problem.m *= batch[axis];
    batch.pop();
    for (const operand of operands) operand.batch.pop();
  }
}

/** The matrix products of a device; compiled when first used. */
export function createMatmulKernels(runtime: Runtime): Pick<Kernels, "matmul"> {
  const tile = (): Tile => tileOf(runtime.mode, runtime.target);
  let loaded: Record<string, Kernel> | undefined;
  const kernels = (): Record<string, Kernel> =>
    loaded ??= runtime.load(matmulModule(runtime.target, tile()));

  /** Launches one matrix product, or a batch from a table. */
  function launch(
    problem: Problem,
    count: number,
    table: number,
    addresses: readonly number[],
  ): void {
    const { m, n, k, alpha, a, b, out, residual, bias } = problem;
    const { rows, columns } = tile();
    const roundUp = (x: number, unit: number): number =>
      Math.ceil(x / unit) * unit;
    const flops = 2 * m * n * k;
    const wanted = runtime.threads === 1
      ? 1
      : Math.min(4 * runtime.threads, (flops * count) / grainFlops);
    const inPlace = b.column === 1 && n % columns === 0 &&
      (k <= 96 || m <= 2 * rows);
    let rowBlock = roundUp(Math.min(m, mostRows), rows);
    let columnBlock = roundUp(Math.min(n, mostColumns), columns);
    const shared = !inPlace && count === 1 && m > rowBlock;
    if (shared || inPlace) columnBlock = roundUp(n, columns);
    const pieces = Math.ceil(wanted / count);
    if (m > rowBlock) {
      if (pieces > 1) {
        rowBlock = Math.min(
          rowBlock,
          roundUp(m / pieces, rows),
        );
      }
    } else if (pieces > 1) {
      columnBlock = Math.min(columnBlock, roundUp(n / pieces, columns));
    }
    const rowBlocks = Math.ceil(m / rowBlock);
    const columnBlocks = Math.ceil(n / columnBlock);
    let flags = (residual ? productFlags.residual : 0) |
      (bias ? productFlags.bias : 0) |
      (a.column === 1 ? 0 : matmulFlags.packA) |
      (table === 0 ? 0 : matmulFlags.table);
    let [bAddress, bStep, bOther] = [addresses[1], b.row, b.column];
    if (shared) {
      bAddress = runtime.temporary(4 * k * columnBlock);
      const strips = columnBlock / columns;
      runtime.launch(
        kernels().packB,
        [addresses[1], b.column, b.row, n, k, bAddress],
        strips,
        Math.max(1, Math.ceil(65536 / (k * columns))),
      );
      [bStep, bOther] = [columns, k * columns];
    } else if (inPlace) bOther = columns;
    else flags |= matmulFlags.packB;
    const items = rowBlocks * columnBlocks * count;
    runtime.launch(
      kernels().matmul,
      [
        ...[flags, table, addresses[0], a.row, a.column],
        ...[bAddress, bStep, bOther, addresses[2], out.row],
        ...[addresses[3], residual?.row ?? 0, addresses[4], bias?.row ?? 0],
        ...[m, n, k, alpha, rowBlock, columnBlock],
      ],
      items,
      Math.max(1, Math.ceil(items * grainFlops / (flops * count + 1))),
    );
    if (shared) runtime.release(bAddress);
  }

  /** A copy in temporary memory of matrices whose columns aren't neighbours. */
  function copied(
    { batch, m, n }: Problem,
    operand: Matrices,
    position: number,
    addresses: readonly number[],
  ): Matrices {
    const count = addresses.length / 5;
    const address = runtime.temporary(4 * count * m * n);
    for (let i = 0; i < count; i++) {
      const source = addresses[5 * i + position];
      runtime.launch(
        kernels().copyRows,
        [source, operand.row, operand.column, n, address + 4 * i * m * n],
        m,
        Math.ceil(65536 / n),
      );
    }
    const strides = contiguousStrides([...batch, m, n]);
    return { address, batch: strides.slice(0, -2), row: n, column: 1 };
  }

  return {
    matmul(args): void {
      const problem = problemOf(runtime, args);
      const count = problem.batch.reduce((x, y) => x * y, 1);
      if (count * problem.m * problem.n === 0) return;
      const copies: Matrices[] = [];
      for (const [position, name] of [[3, "residual"], [4, "bias"]] as const) {
        const operand = problem[name];
        if (operand === undefined || operand.column === 1) continue;
        const addresses = batchAddresses(problem);
        const copy = copied(problem, operand, position, addresses);
        problem[name] = copy;
        copies.push(copy);
      }
      const addresses = batchAddresses(problem);
      if (count === 1) launch(problem, 1, 0, addresses);
      else if (problem.m > mostRows) {
        for (let i = 0; i < count; i++) {
          launch(problem, 1, 0, addresses.slice(5 * i, 5 * i + 5));
        }
      } else {
        const table = runtime.temporary(8 * addresses.length);
        new Float64Array(runtime.memory.buffer, table, addresses.length)
          .set(addresses);
        launch(problem, count, table, addresses);
        runtime.release(table);
      }
      for (const { address } of copies) runtime.release(address);
    },
  };
}

/** Byte addresses of all matrices of a batch, five to a member. */
function batchAddresses(problem: Problem): number[] {
  const { batch } = problem;
  const operands = operandsOf(problem);
  const addresses: number[] = [];
  const counter = batch.map(() => 0);
  const at = operands.map((operand) => operand?.address ?? 0);
  for (;;) {
    addresses.push(...at);
    let axis = batch.length - 1;
    for (; axis >= 0; axis--) {
      counter[axis]++;
      for (let i = 0; i < at.length; i++) {
        at[i] += 4 * (operands[i]?.batch[axis] ?? 0);
      }
      if (counter[axis] < batch[axis]) break;
      for (let i = 0; i < at.length; i++) {
        at[i] -= 4 * counter[axis] * (operands[i]?.batch[axis] ?? 0);
      }
      counter[axis] = 0;
    }
    if (axis < 0) return addresses;
  }
}
