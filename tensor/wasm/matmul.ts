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
 *   its block of B; but a B that several blocks of rows would pack is packed
 *   once, by a launch of its own.
 * - Batches of small matrices are one launch with a table of addresses; batch
 *   axes which only repeat b are more rows.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import { contiguousStrides } from "../shape.ts";
import { productFlags, type Tile, tileOf } from "./gemm.ts";
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
import type { Kernel, Runtime } from "./runtime.ts";

/** Fewest floating point operations worth waking a thread for. */
const grainFlops = 1e6;
/** Fewest elements worth waking a thread for to pack them. */
const grainElements = 65536;
/** Longest k for which an operand with rows far apart is read in place. */
const inPlaceDepth = 96;
/** Tiles that may read an operand in place, however long k is. */
const inPlaceTiles = 4;

/** How a product is cut, and what is packed. */
interface Plan {
  readonly rowBlock: number;
  readonly columnBlock: number;
  /** Who packs B, if anybody. */
  readonly packing: "none" | "once" | "items";
  /** Flags of the kernel that follow from the layout of A. */
  readonly layout: number;
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
  const layout = a.column === 1
    ? 0
    : a.row === 1 && (isShallow || isFewColumns)
    ? productFlags.columns
    : matmulFlags.packA;
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
  const packing = isInPlace ? "none" : m > rowBlock ? "once" : "items";
  const columnBlocks = Math.max(
    packing === "items" ? Math.ceil(n / mostColumns) : 1,
    Math.ceil(pieces / rowBlocks),
  );
  const columnBlock = roundUp(Math.ceil(n / columnBlocks), columns);
  return { rowBlock, columnBlock, packing, layout };
}

/** The matrix products of a device; compiled when first used. */
export function createMatmulKernels(runtime: Runtime): Pick<Kernels, "matmul"> {
  let tile: Tile;
  let recordAddress: number;
  let record: Float64Array;
  let loaded: Record<string, Kernel> | undefined;
  function kernels(): Record<string, Kernel> {
    if (loaded === undefined) {
      tile = tileOf(runtime.mode, runtime.target);
      loaded = runtime.load(matmulModule(runtime.target, tile));
      const { length } = matmulFields;
      recordAddress = runtime.temporary(8 * length);
      record = new Float64Array(runtime.memory.buffer, recordAddress, length);
    }
    return loaded;
  }

  /** B in strips, in temporary memory. */
  function packed({ n, k, b }: Problem, address: number): number {
    const { columns } = tile;
    const strips = Math.ceil(n / columns);
    const target = runtime.temporary(4 * k * columns * strips);
    runtime.launch(
      kernels().packB,
      [address, b.column, b.row, n, k, target],
      strips,
      Math.ceil(grainElements / (k * columns)),
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
    const { matmul } = kernels();
    const plan = planOf(problem, count, runtime.threads, tile);
    const { rowBlock, columnBlock, packing } = plan;
    let flags = plan.layout;
    if (residual !== undefined) flags |= productFlags.residual;
    if (bias !== undefined) flags |= productFlags.bias;
    let bAddress = addresses[first + 1];
    let bStep = b.row;
    let bOther = b.column;
    if (packing === "items") flags |= matmulFlags.packB;
    else {
      bOther = tile.columns;
      if (packing === "once") {
        bAddress = packed(problem, bAddress);
        bStep = tile.columns;
        bOther = k * tile.columns;
      }
    }
    // In the order of `matmulFields`.
    const values = [
      addresses[first],
      bAddress,
      addresses[first + 2],
      addresses[first + 3],
      addresses[first + 4],
      table === 0 ? recordAddress : table,
      a.row,
      a.column,
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
    for (let i = 0; i < values.length; i++) record[i] = values[i];
    const items = count * Math.ceil(m / rowBlock) * Math.ceil(n / columnBlock);
    const flops = 2 * m * n * k * count;
    const grain = Math.max(1, Math.ceil(items * grainFlops / (flops + 1)));
    runtime.launch(matmul, [recordAddress], items, grain);
    if (packing === "once") runtime.release(bAddress);
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
    const address = runtime.temporary(4 * sources.length * m * n);
    sources.forEach((source, i) =>
      runtime.launch(
        kernels().copyRows,
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
        launch(problem, addresses, first, 1, 0);
      }
      return;
    }
    const table = runtime.temporary(8 * addresses.length);
    new Float64Array(runtime.memory.buffer, table, addresses.length)
      .set(addresses);
    launch(problem, addresses, 0, count, table);
    runtime.release(table);
  }

  return {
    matmul(args): void {
      const problem = problemOf(runtime, args);
      const { batch, m, n, residual, bias } = problem;
      if (m * n === 0 || batch.includes(0)) return;
      const isResidualCopied = residual !== undefined && residual.column !== 1;
      const isBiasCopied = bias !== undefined && bias.column !== 1;
      if (isResidualCopied) problem.residual = copied(problem, residual, 3);
      if (isBiasCopied) problem.bias = copied(problem, bias, 4);
      launchBatch(problem);
      if (isBiasCopied) runtime.release(problem.bias!.address);
      if (isResidualCopied) runtime.release(problem.residual!.address);
    },
  };
}
