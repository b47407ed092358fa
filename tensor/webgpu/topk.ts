/**
 * The largest elements of rows, in order.
 *
 * Blocks of a row are sorted by counting for each element those that come
 * before it. Then eight sorted runs at a time are merged: the place of an
 * element is the sum of its places in all of them, by binary search. Runs keep
 * no more than k elements, so that little is left after a few merges if k is
 * small.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import type { Dtype } from "../dtype.ts";
import { orderFunction } from "./argmax.ts";
import type { PooledBuffer } from "./buffer_pool.ts";
import type { Gpu } from "./gpu.ts";
import { forItems, itemWorkgroups, words } from "./items.ts";
import { inSlices } from "./lines.ts";
import { scratch } from "./scratch.ts";
import type { Shader } from "./shader.ts";

/** Elements of a block. */
const blockElements = 64;

/** Runs that are merged at once. */
const mergedRuns = 8;

/** The outputs: positions, and values where the row is done. */
function outputs(last: boolean): Shader["operands"] {
  return [
    ...(last ? [{ name: "values", access: "write" } as const] : []),
    { name: "indices", access: "write" },
  ];
}

function storeRanked(last: boolean, run: string, position: string): string {
  return `
  if (rank < parameters.kept) {
    let at = ${run} * parameters.kept + rank;
    store_indices(at, i32(${position}));
    ${last ? `store_values(at, load_x(row_start + ${position}));` : ""}
  }`;
}

// `kept`: elements of a sorted block, at most.
function blockShader(dtype: Dtype, last: boolean): Shader {
  return {
    operation: "topk",
    operands: [{ name: "x", access: "read" }, ...outputs(last)],
    parameters: words("items", "n", "blocks", "kept"),
    code: orderFunction(dtype) + forItems(`
  let row = item / parameters.n;
  let row_start = row * parameters.n;
  let position = item - row_start;
  let block = position / ${blockElements}u;
  let begin = block * ${blockElements}u;
  let end = min(begin + ${blockElements}u, parameters.n);
  let order = order_of(load_x(row_start + position));
  var rank = 0u;
  for (var i = begin; i < position; i++) {
    rank += select(0u, 1u, order_of(load_x(row_start + i)) >= order);
  }
  for (var i = position + 1u; i < end; i++) {
    rank += select(0u, 1u, order_of(load_x(row_start + i)) > order);
  }
  ${storeRanked(last, "(row * parameters.blocks + block)", "position")}`),
  };
}

// `runs` of a row become `merged` ones. A run holds the first `held` of `span`
// elements of the row, of fewer at its end.
function mergeShader(dtype: Dtype, last: boolean): Shader {
  return {
    operation: "topk",
    operands: [
      { name: "x", access: "read" },
      { name: "sorted", access: "read" },
      ...outputs(last),
    ],
    parameters: words(
      ...["items", "n", "runs", "held", "span", "merged", "kept"],
    ),
    code: `${orderFunction(dtype)}
fn length_of(run: u32) -> u32 {
  return min(parameters.held, parameters.n - run * parameters.span);
}
` + forItems(`
  let run_of_all = item / parameters.held;
  let place = item - run_of_all * parameters.held;
  let row = run_of_all / parameters.runs;
  let run = run_of_all - row * parameters.runs;
  if (place >= length_of(run)) { return; }
  let row_start = row * parameters.n;
  let position = u32(load_sorted(item));
  let order = order_of(load_x(row_start + position));
  let group_of_runs = run / ${mergedRuns}u;
  let begin = group_of_runs * ${mergedRuns}u;
  let end = min(begin + ${mergedRuns}u, parameters.runs);
  var rank = place;
  for (var other = begin; other < end && rank < parameters.kept; other++) {
    if (other == run) { continue; }
    let start = (row * parameters.runs + other) * parameters.held;
    var low = 0u;
    var high = length_of(other);
    while (low < high) {
      let middle = (low + high) / 2u;
      let rival = order_of(load_x(row_start + u32(load_sorted(start + middle))));
      // Among equals, those of earlier runs come before.
      if (rival > order || (rival == order && other < run)) {
        low = middle + 1u;
      } else {
        high = middle;
      }
    }
    rank += low;
  }
  ${
        storeRanked(
          last,
          "(row * parameters.merged + group_of_runs)",
          "position",
        )
      }`),
  };
}

/** Kernel `topk` of a GPU. */
export function topkKernels(gpu: Gpu): Pick<Kernels, "topk"> {
  const sortRows = (x: View, values: View, indices: View): void => {
    const [rows, n] = x.shape;
    const [, k] = values.shape;
    const used: PooledBuffer[] = [];
    const target = (last: boolean, length: number): View[] => {
      if (last) return [values, indices];
      const memory = scratch(gpu, "topk", length, "i32");
      used.push(memory.buffer);
      return [memory];
    };
    let runs = Math.ceil(n / blockElements);
    let kept = Math.min(k, blockElements);
    let span = blockElements;
    let last = runs === 1;
    let sorted = target(last, rows * runs * kept);
    gpu.launch(
      gpu.shader(
        `topk ${x.dtype} blocks ${last}`,
        () => blockShader(x.dtype, last),
      ),
      [x, ...sorted],
      [rows * n, n, runs, kept],
      itemWorkgroups(rows * n),
    );
    while (!last) {
      const merged = Math.ceil(runs / mergedRuns);
      const held = kept;
      kept = Math.min(k, kept * mergedRuns);
      last = merged === 1;
      const next = target(last, rows * merged * kept);
      gpu.launch(
        gpu.shader(
          `topk ${x.dtype} merge ${last}`,
          () => mergeShader(x.dtype, last),
        ),
        [x, ...sorted, ...next],
        [rows * runs * held, n, runs, held, span, merged, kept],
        itemWorkgroups(rows * runs * held),
      );
      [runs, span, sorted] = [merged, span * mergedRuns, next];
    }
    for (const buffer of used) gpu.pool.free(buffer);
  };
  return {
    topk: (x, values, indices) =>
      inSlices(
        gpu,
        [x, values, indices],
        ([x, values, indices]) => sortRows(x, values, indices),
      ),
  };
}
