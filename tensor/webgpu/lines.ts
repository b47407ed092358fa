/**
 * Lines along the middle axis of `[outer, n, inner]`, and blocks of them where
 * they are few and long: a thread has a block of a line.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { sizeOf } from "../shape.ts";
import type { Gpu } from "./gpu.ts";
import { words } from "./items.ts";
import { kernelForm } from "./kernel_form.ts";
import { inWindows } from "./windows.ts";
import type { ShaderParameter } from "./shader.ts";
import { slice } from "./windows.ts";

/** Threads that occupy a device, and elements that are worth a thread. */
const enough = {
  registers: { threads: 64, elements: 512 },
  tiled: { threads: 16384, elements: 64 },
} as const;

/** Blocks of a line at most: each one reads what those before it have found. */
const mostBlocks = 256;

/** Lines and their blocks. */
export interface Lines {
  /** Number of lines. */
  readonly count: number;
  /** Blocks of a line. */
  readonly blocks: number;
  /** Values of {@linkcode lineParameters}. */
  readonly values: readonly number[];
}

/** Cuts the lines of a contiguous `[outer, n, inner]`. */
export function linesOf(gpu: Gpu, [outer, n, inner]: View["shape"]): Lines {
  const { threads, elements } = enough[kernelForm(gpu, "indexing")];
  const count = outer * inner;
  const worthwhile = Math.max(
    1,
    Math.min(
      Math.ceil(threads / count),
      Math.floor(n / elements),
      mostBlocks,
    ),
  );
  // A thread goes through its block, and through what others have found.
  const turns = Math.ceil(n / worthwhile) + worthwhile;
  const wanted = turns > gpu.mostTurns
    ? Math.ceil(2 * n / gpu.mostTurns)
    : worthwhile;
  const length = Math.ceil(n / wanted);
  const blocks = Math.ceil(n / length);
  return { count, blocks, values: [count * blocks, count, n, inner, length] };
}

/** Parameters of shaders on lines. */
export const lineParameters: readonly ShaderParameter[] = words(
  ...["items", "lines", "n", "inner", "length"],
);

/**
 * WGSL for the body of such a shader: the item's `line` and `block`, the
 * position `first` of the line's first element, and the elements `begin` …
 * `end` − 1 of the line that are in the block.
 */
export const lineOfItem = `
  let line = item % parameters.lines;
  let block = item / parameters.lines;
  let first = line / parameters.inner * parameters.n * parameters.inner +
    line % parameters.inner;
  let begin = block * parameters.length;
  let end = min(begin + parameters.length, parameters.n);`;

/**
 * Calls `run` with the views, or with slices of their first axes, so small that
 * they can be bound; not at all if one of them is empty.
 */
export function inSlices(
  gpu: Gpu,
  views: readonly View[],
  run: (views: readonly View[]) => void,
): void {
  if (views.some(({ shape }) => sizeOf(shape) === 0)) return;
  inWindows(
    gpu,
    views[0].shape[0],
    (from, to) => views.map((view) => slice(view, 0, from, to)),
    (_from, _to, parts) => run(parts),
  );
}
