/**
 * Batched matrix products of the wasm device.
 *
 * Contract: out = residual + alpha · (a · b + bias) in f32, for operands of any
 * strides; see `MatmulArguments` and, for the arithmetic, `gemm.ts`. Results
 * depend on shapes and strides only, never on the number of threads.
 *
 * A launch runs over items: blocks of rows × blocks of columns × the batch.
 *
 * - Operands are read where they are if the tile can walk along them: A if k or
 *   rows have stride 1, B if columns have stride 1, and neither spans so many
 *   pages, or is read so often, that packing pays.
 * - Otherwise an item packs its block of A, block of k by block of k, and so
 *   its block of B; but what several items would pack is packed once, by a
 *   launch of its own.
 * - Batches of small matrices are one launch with a table of addresses; batch
 *   axes which only repeat b are more rows.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import { contiguousStrides } from "../shape.ts";
import { blockDepth, productFlags, type Tile, tileOf } from "./gemm.ts";
import {
  matmulFields,
  matmulFlags,
  matmulModule,
  mostColumns,
  mostRows,
} from "./matmul_kernel.ts";
import {
  batchAddresses,
  type Matrices,
  type Problem,
  problemOf,
} from "./matmul_problem.ts";
import type { Kernel, Mode, Runtime } from "./runtime.ts";

/** Fewest floating point operations worth waking a thread for. */
const grainFlops = 1e6;
/** Fewest elements worth waking a thread for to pack them. */
const grainElements = 65536;
/** Longest k for which an operand with rows far apart is read in place. */
const inPlaceDepth = 96;
/** Tiles that may read an operand in place, however long k is. */
const inPlaceTiles = 4;

/** Most bytes of a B that is packed at once, so that it stays in a cache. */
const mostPackedBytes = 2 ** 21;

/**
 * How the tile gets at an operand: it reads it in place, by rows or columns, or
 * from strips that are packed once for all items, or by every item for itself.
 */
type Access = "rows" | "columns" | "packed" | "items";

/** How a product is cut, and how its operands are read. */
interface Plan {
  readonly rowBlock: number;
  readonly columnBlock: number;
  readonly a: Access;
  readonly b: Access;
}

function roundUp(x: number, unit: number): number {
  return Math.ceil(x / unit) * unit;
}

function planOf(
  { m, n, k, a, b }: Problem,
  count: number,
  threads: number,
  { rows, columns }: Tile,
): Plan {
  const isShallow = k <= inPlaceDepth;
  const isFewRows = m <= inPlaceTiles * rows;
  const isFewColumns = n <= inPlaceTiles * columns;
  // Strips of B are read to their full width.
  const isInPlace = b.column === 1 && n % columns === 0 &&
    (isShallow || isFewRows);

  // Enough pieces that threads finish at the same time.
  const flops = 2 * m * n * k * count;
  const wanted = threads === 1 ? 1 : Math.min(4 * threads, flops / grainFlops);
  const pieces = Math.max(1, Math.ceil(wanted / count));
  const rowBlocks = m > mostRows
    ? Math.max(Math.ceil(m / mostRows), pieces)
    : 1;
  const rowBlock = roundUp(Math.ceil(m / rowBlocks), rows);
  const accessB = isInPlace ? "rows" : m > rowBlock ? "packed" : "items";
  const columnBlocks = Math.max(
    accessB === "items" ? Math.ceil(n / mostColumns) : 1,
    Math.ceil(pieces / rowBlocks),
  );
  const columnBlock = roundUp(Math.ceil(n / columnBlocks), columns);
  const accessA = a.column === 1
    ? "rows"
    : a.row === 1 && (isShallow || isFewColumns)
    ? "columns"
    : n > columnBlock && count === 1
    ? "packed"
    : "items";
  return { rowBlock, columnBlock, a: accessA, b: accessB };
}

/** The matrix products of a device; compiled when first used. */
export function createMatmulKernels(runtime: Runtime): Pick<Kernels, "matmul"> {
  let tile: Tile;
  let kernels: Record<string, Kernel>;
  let recordAddress: number;
  let record: Float64Array | undefined;
  const kernelsByMode = new Map<Mode, Record<string, Kernel>>();

  /** Gets what a product of so many floating point operations runs on. */
  function prepare(flops: number): void {
    const mode = runtime.modeFor(flops);
    tile = tileOf(mode, runtime.target);
    const loaded = kernelsByMode.get(mode) ??
      runtime.load(matmulModule(runtime.target, tile));
    kernelsByMode.set(mode, loaded);
    kernels = loaded;
    if (record === undefined) {
      const { length } = matmulFields;
      recordAddress = runtime.temporary(8 * length);
      record = new Float64Array(runtime.memory.buffer, recordAddress, length);
    }
  }

  /** Temporary memory until `letGo`, or the end of this product. */
  const held: number[] = [];
  function hold(bytes: number): number {
    const address = runtime.temporary(bytes);
    held.push(address);
    return address;
  }

  /** Gives back what was held last, until `count` blocks are left. */
  function letGo(count: number): void {
    while (held.length > count) runtime.release(held.pop()!);
  }

  /**
   * An operand in strips of `width`, in temporary memory: `count` × k elements,
   * with strides `along` and `step`.
   */
  function packed(
    kernel: Kernel,
    width: number,
    address: number,
    [along, step, count, k]: readonly number[],
  ): number {
    const strips = Math.ceil(count / width);
    const target = hold(4 * k * width * strips);
    runtime.launch(
      kernel,
      [address, along, step, count, k, target],
      strips,
      Math.ceil(grainElements / (k * width)),
    );
    return target;
  }

  /**
   * Launches one product, whose five addresses begin at `first`, or as many as
   * the table has.
   */
  function launch(
    problem: Problem,
    addresses: readonly number[],
    first: number,
    count: number,
    table: number,
  ): void {
    const { m, n, k, alpha, a, b, out, residual, bias } = problem;
    const { matmul, packA, packB } = kernels;
    const { rows, columns } = tile;
    const heldBefore = held.length;
    const plan = planOf(problem, count, runtime.threads, tile);
    const { rowBlock, columnBlock } = plan;
    let flags = 0;
    if (residual !== undefined) flags |= productFlags.residual;
    if (bias !== undefined) flags |= productFlags.bias;
    let [aAddress, aRow, aStep] = [addresses[first], a.row, a.column];
    if (plan.a === "items") flags |= matmulFlags.packA;
    else if (plan.a !== "rows") flags |= productFlags.columns;
    if (plan.a === "packed") {
      aAddress = packed(packA, rows, aAddress, [aRow, aStep, m, k]);
      [aRow, aStep] = [k, rows];
    }
    let [bAddress, bStep, bOther] = [addresses[first + 1], b.row, b.column];
    if (plan.b === "items") flags |= matmulFlags.packB;
    else bOther = columns;
    if (plan.b === "packed") {
      bAddress = packed(packB, columns, bAddress, [b.column, b.row, n, k]);
      [bStep, bOther] = [columns, k * columns];
    }
    // In the order of `matmulFields`.
    const values = [
      aAddress,
      bAddress,
      addresses[first + 2],
      addresses[first + 3],
      addresses[first + 4],
      table === 0 ? recordAddress : table,
      aRow,
      aStep,
      bStep,
      bOther,
      out.row,
      residual?.row ?? 0,
      bias?.row ?? 0,
      m,
      n,
      k,
      alpha,
      rowBlock,
      columnBlock,
      flags,
    ];
    for (let i = 0; i < values.length; i++) record![i] = values[i];
    const items = count * Math.ceil(m / rowBlock) * Math.ceil(n / columnBlock);
    const flops = 2 * m * n * k * count;
    const grain = Math.max(1, Math.ceil(items * grainFlops / (flops + 1)));
    runtime.launch(matmul, [recordAddress], items, grain);
    letGo(heldBefore);
  }

  /** Launches one product, in parts if B is large: later ones add to out. */
  function launchParts(
    problem: Problem,
    addresses: readonly number[],
    first: number,
  ): void {
    const { m, n, k, a, b, out } = problem;
    const blocks = Math.floor(mostPackedBytes / (4 * n * blockDepth));
    const depth = blockDepth * Math.max(1, blocks);
    if (m <= mostRows || k <= depth) {
      return launch(problem, addresses, first, 1, 0);
    }
    const [aAddress, bAddress, to, from, plus] = addresses.slice(first);
    for (let start = 0; start < k; start += depth) {
      const operands = [
        aAddress + 4 * start * a.column,
        bAddress + 4 * start * b.row,
        ...(start === 0 ? [to, from, plus] : [to, to, 0]),
      ];
      const part = { ...problem, k: Math.min(depth, k - start) };
      if (start > 0) {
        part.residual = out;
        part.bias = undefined;
      }
      launch(part, operands, 0, 1, 0);
    }
  }

  /** A copy in temporary memory of matrices whose columns aren't neighbours. */
  function copied(
    problem: Problem,
    { row, column }: Matrices,
    position: number,
  ): Matrices {
    const { batch, m, n } = problem;
    const sources = batchAddresses(problem)
      .filter((_, i) => i % 5 === position);
    const address = hold(4 * sources.length * m * n);
    sources.forEach((source, i) =>
      runtime.launch(
        kernels.copyRows,
        [source, row, column, n, address + 4 * i * m * n],
        m,
        Math.ceil(grainElements / n),
      )
    );
    const strides = contiguousStrides([...batch, m, n]);
    return { address, batch: strides.slice(0, -2), row: n, column: 1 };
  }

  function launchBatch(problem: Problem): void {
    const addresses = batchAddresses(problem);
    const count = addresses.length / 5;
    if (count === 1 || problem.m > mostRows) {
      for (let first = 0; first < addresses.length; first += 5) {
        launchParts(problem, addresses, first);
      }
      return;
    }
    const table = hold(8 * addresses.length);
    new Float64Array(runtime.memory.buffer, table, addresses.length)
      .set(addresses);
    launch(problem, addresses, 0, count, table);
  }

  return {
    matmul(args): void {
      const problem = problemOf(runtime, args);
      const { batch, m, n, k, residual, bias } = problem;
      const elements = batch.reduce((product, x) => product * x, m * n);
      if (elements === 0) return;
      prepare(2 * elements * k);
      try {
        if (residual !== undefined && residual.column !== 1) {
          problem.residual = copied(problem, residual, 3);
        }
        if (bias !== undefined && bias.column !== 1) {
          problem.bias = copied(problem, bias, 4);
        }
        launchBatch(problem);
      } finally {
        letGo(0);
      }
    },
  };
}
