/**
 * Which form of a matrix product runs, with which tile, in how many parts.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import type { GpuOptions } from "./gpu_options.ts";
import { partialBytes } from "./matmul_partial.ts";
import type { MatmulProblem } from "./matmul_problem.ts";
import { isChunked } from "./matmul_registers.ts";
import type { MatmulText, WorkgroupTile } from "./matmul_shader.ts";
import { tiledTurns } from "./matmul_tiled.ts";

/** Forms of matrix products. */
export type MatmulForm = NonNullable<GpuOptions["matmul"]>;

/** How one product is computed. */
export interface MatmulPlan {
  /** Its form. */
  readonly form: MatmulForm;
  /** What a workgroup computes. */
  readonly tile: WorkgroupTile;
  /** Workgroups along columns, rows and batch. */
  readonly workgroups: readonly [number, number, number];
  /** Parts of the inner axis worth computing apart. */
  readonly parts: number;
  /** Turns of all loops of a thread, if it computes the whole inner axis. */
  readonly turns: number;
}

/** The least power of two that is at least x. */
function powerAbove(x: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, x)));
}

/** Results with fewer elements than this are not worth a large tile. */
const leastForLargeTile = 4096;

/**
 * A large tile of sums reads little for what it computes, but takes long to
 * compile. On a CPU the threads of a workgroup are lanes of its vectors; there,
 * chunks of four steps along the inner axis make the code of the largest tile
 * too long.
 */
function registerTile(
  { software }: Gpu,
  text: MatmulText,
  rows: number,
  columns: number,
): WorkgroupTile {
  const isLarge = rows >= 16 && rows * columns >= leastForLargeTile;
  const isVector = text.a.vector && text.b.vector && text.out;
  const tile = !isLarge
    ? { rows: 4, groups: 1 }
    : !software || !isVector
    ? { rows: 8, groups: 2 }
    : { rows: 16, groups: isChunked(text) ? 2 : 4 };
  const threads = software ? 8 : 64;
  const needed = powerAbove(columns / (4 * tile.groups));
  const across = Math.max(2, Math.min(8, needed));
  return { ...tile, across, down: threads / across };
}

/** From the largest on: many threads reuse what a workgroup reads. */
const sharedTiles: readonly WorkgroupTile[] = [
  { rows: 8, groups: 2, across: 8, down: 16 },
  { rows: 8, groups: 1, across: 8, down: 8 },
  { rows: 4, groups: 1, across: 8, down: 8 },
];

/** Workgroups that keep a GPU busy. */
const busyWorkgroups = 192;

/**
 * Results that keep an adapter busy, and steps along the inner axis that are
 * worth a part of their own. A CPU has fewer cores.
 */
const division = {
  gpu: { busy: 2 ** 18, steps: 256 },
  software: { busy: 2 ** 11, steps: 512 },
};

/** Bytes of partial sums at most. */
const mostPartialBytes = 2 ** 26;

function gridOf(
  { rows, groups, across, down }: WorkgroupTile,
  extents: readonly number[],
): [number, number, number] {
  const last = extents.length - 1;
  let batch = 1;
  for (let axis = 0; axis < last - 2; axis++) batch *= extents[axis];
  return [
    Math.ceil(extents[last - 1] / (4 * groups * across)),
    Math.ceil(extents[last - 2] / (rows * down)),
    batch,
  ];
}

/** The lanes that every subgroup of an adapter has, at most 64. */
function subgroupTile(gpu: Gpu): WorkgroupTile {
  const { subgroupMinSize = 4 } = gpu.device.adapterInfo;
  const lanes = Math.min(64, subgroupMinSize);
  const across = Math.min(8, lanes);
  return { rows: 8, groups: 2, across, down: lanes / across };
}

function tileOf(
  gpu: Gpu,
  form: MatmulForm,
  text: MatmulText,
  extents: readonly number[],
): WorkgroupTile {
  const [rows, columns] = extents.slice(-3);
  if (form === "registers") return registerTile(gpu, text, rows, columns);
  if (form === "subgroup") return subgroupTile(gpu);
  const isBusy = (tile: WorkgroupTile): boolean => {
    const [x, y, z] = gridOf(tile, extents);
    return x * y * z >= busyWorkgroups;
  };
  return sharedTiles.find(isBusy) ?? sharedTiles[sharedTiles.length - 1];
}

/** Plans a product in the form `wanted`, or in one that can do it. */
export function planOf(
  gpu: Gpu,
  wanted: MatmulForm,
  problem: MatmulProblem,
  text: MatmulText,
): MatmulPlan {
  const { extents } = problem;
  // Lanes that share what they read can't leave out a piece of it.
  const isWhole = text.a.vector && text.b.vector &&
    extents[extents.length - 1] % 4 === 0;
  const form = wanted === "subgroup" && !isWhole ? "tiled" : wanted;
  const tile = tileOf(gpu, form, text, extents);
  const workgroups = gridOf(tile, extents);
  const turns = turnsOf(form, text, extents[extents.length - 1]);
  const parts = partsOf(gpu, problem, turns);
  return { form, tile, workgroups, parts, turns };
}

function turnsOf(form: MatmulForm, text: MatmulText, inner: number): number {
  if (form === "tiled") return tiledTurns(inner);
  return form === "subgroup" || isChunked(text) ? Math.ceil(inner / 4) : inner;
}

/**
 * Parts of the inner axis, whatever the batch: a stack's sums are those of its
 * matrices one by one, bit for bit.
 */
function partsOf(gpu: Gpu, problem: MatmulProblem, turns: number): number {
  const { extents } = problem;
  const last = extents.length - 1;
  const { busy, steps } = division[gpu.software ? "software" : "gpu"];
  const worth = Math.min(
    Math.floor(busy / (extents[last - 1] * extents[last - 2])),
    Math.floor(extents[last] / steps),
  );
  const parts = Math.max(worth, Math.ceil(turns / gpu.mostTurns));
  if (parts < 2) return 1;
  const { maxStorageBufferBindingSize } = gpu.limits;
  const most = Math.min(mostPartialBytes, maxStorageBufferBindingSize);
  return partialBytes(problem, parts) <= most ? parts : 1;
}

/** The axis along which a grid is too long for one launch, if any is. */
export function axisBeyondGrid(
  { extents }: MatmulProblem,
  workgroups: readonly number[],
): number | undefined {
  const [columns, rows, batch] = workgroups.map((count) => count > 65535);
  const last = extents.length - 1;
  if (columns) return last - 1;
  if (rows) return last - 2;
  if (!batch) return undefined;
  return extents.findIndex((extent) => extent > 1);
}
