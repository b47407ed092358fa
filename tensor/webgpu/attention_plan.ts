/**
 * How attention is shared out among the threads of a GPU.
 *
 * Every kernel of attention keeps some rows (queries, or keys with their
 * values) in registers and streams past them the rows of the other side. In
 * the form `registers` a thread keeps whole rows, and all threads of a
 * workgroup read the same streamed row from memory: no workgroup memory, no
 * barriers, as CPUs that play the GPU want it. In the form `tiled` several
 * threads (lanes) share a row, and a workgroup copies tiles of streamed rows
 * into workgroup memory first.
 *
 * @example
 * ```ts
 * import { planAttention } from "./attention_plan.ts";
 *
 * const plan = planAttention("tiled", 128, 1);
 * console.log(plan.lanes, plan.columns); // 4 8
 * ```
 *
 * @module
 */

import type { KernelForm } from "./gpu_options.ts";

/** How one kernel is shared out. A column is four neighbours of a row. */
export interface AttentionPlan {
  /** Threads in a workgroup. */
  readonly threads: number;
  /** Threads that share a row: a power of two that divides `threads`. */
  readonly lanes: number;
  /** Columns that a thread holds of each of its rows. */
  readonly columns: number;
  /** Rows that a thread keeps. */
  readonly rowsPerThread: number;
  /** Streamed rows between two barriers; 0 where there are no barriers. */
  readonly tile: number;
  /** Whether tiles are copied into workgroup memory. */
  readonly staged: boolean;
}

/** Widest row that one thread keeps in registers. */
const mostDepth = 128;
/** Workgroup memory that every adapter has, in bytes. */
const workgroupBytes = 16384;
/** Columns of a row that one lane holds at most, as long as lanes last. */
const columnsPerLane = 8;
const tiledThreads = 64;

/** Rows that the workgroup of a plan keeps. */
export function rowsPerWorkgroup(plan: AttentionPlan): number {
  return plan.threads / plan.lanes * plan.rowsPerThread;
}

/** Turns of a constant number, up to which compilers write a loop out. */
const mostUnrolled = 32;

/**
 * Turns of all loops of a thread past which `streamed` rows stream. An inner
 * loop turns once more, to find that it has ended.
 */
export function streamingTurns(
  { threads, lanes, columns, tile, staged }: AttentionPlan,
  streamed: number,
  sums: number,
): number {
  if (tile === 0) return streamed;
  const copies = staged ? Math.ceil(tile * columns * lanes / threads) + 1 : 0;
  const passes = (lanes > 1 ? 2 : 1) * (tile + 1);
  const additions = lanes > mostUnrolled ? tile * sums * (lanes + 1) : 0;
  return Math.ceil(streamed / tile) * (1 + copies + passes + additions);
}

function tiledPlan(depth: number, sums: number): AttentionPlan {
  const width = Math.ceil(depth / 4);
  const wanted = 2 ** Math.ceil(Math.log2(width / columnsPerLane));
  const lanes = Math.min(tiledThreads, Math.max(1, wanted));
  const columns = Math.max(1, Math.ceil(width / lanes));
  const shared = { threads: tiledThreads, lanes, columns, rowsPerThread: 1 };
  const bytesPerRow = 2 * 16 * columns * lanes +
    (lanes > 1 ? sums * 4 * tiledThreads : 0);
  const tile = [32, 16, 8, 4].find((rows) =>
    rows * bytesPerRow <= workgroupBytes
  );
  return { ...shared, tile: tile ?? 4, staged: tile !== undefined };
}

/**
 * The plan of a kernel. Rows too wide for the registers of one thread are
 * always `tiled`.
 *
 * @param form What suits the adapter.
 * @param depth Elements of a row.
 * @param sums Products of rows that a kernel forms for each pair: 1 or 2.
 */
export function planAttention(
  form: KernelForm,
  depth: number,
  sums: number,
): AttentionPlan {
  if (form === "tiled" || depth > mostDepth) {
    return tiledPlan(depth, sums);
  }
  return {
    threads: 8,
    lanes: 1,
    columns: Math.max(1, Math.ceil(depth / 4)),
    rowsPerThread: depth <= 32 ? 2 : 1,
    tile: 0,
    staged: false,
  };
}
