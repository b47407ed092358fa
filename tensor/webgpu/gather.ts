/**
 * Picking single elements by index along an axis, and its gradient.
 *
 * The gradient has two forms. Where there are many lines along the axis, or a
 * CPU plays the GPU, a thread adds all of a line. Otherwise there is a thread
 * for every element: the first of its index in its line adds all of that index.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import { sizeOf } from "../shape.ts";
import type { Gpu } from "./gpu.ts";
import { forItems, itemWorkgroups, words } from "./items.ts";
import { kernelForm } from "./kernel_form.ts";
import type { Shader } from "./shader.ts";
import { describeIndex } from "./take_parts.ts";
import { slice } from "./windows.ts";

/** Lines that occupy a GPU. */
const manyLines = 4096;

/** Lines so short that one thread adds them. */
const shortLine = 32;

/** Parameters that lay out an index, a table and what belongs to the index. */
function layoutNames(rank: number): string[] {
  return Array.from({ length: rank }, (_, axis) => [
    ...[`extent${axis}`, `index${axis}`, `table${axis}`, `other${axis}`],
  ]).flat();
}

/** Their values; the table's stride along the axis is left out. */
function layoutValues(
  index: View,
  table: View,
  other: View,
  axis: number,
): number[] {
  return index.shape.flatMap((extent, at) => [
    extent,
    index.strides[at],
    at === axis ? 0 : table.strides[at],
    other.strides[at],
  ]);
}

/** WGSL: where an element of the index is in the three tensors. */
function layoutFunctions(rank: number): string {
  const axes = Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return `
struct Place { index: u32, table: u32, other: u32 }
fn place_of(position: u32) -> Place {
  var rest = position;
  var place = Place(0u, 0u, 0u);
  ${
    axes.map((axis) =>
      `{
    let next = rest / parameters.extent${axis};
    let at = rest - next * parameters.extent${axis};
    place.index += at * parameters.index${axis};
    place.table += at * parameters.table${axis};
    place.other += at * parameters.other${axis};
    rest = next;
  }`
    ).join("\n  ")
  }
  return place;
}
fn report_first(position: u32, value: i32) {
  for (var i = 0u; i < position; i++) {
    if (u32(load_index(place_of(i).index)) >= parameters.n) { return; }
  }
  report_index(position, value);
}
`;
}

/** A part of an index, with what belongs to it. */
interface GatherPart {
  readonly index: View;
  /** Whole along the axis. */
  readonly table: View;
  /** Of the shape of the index. */
  readonly other: View;
  /** Position of the first index. */
  readonly position: number;
}

/**
 * Calls `visit` with parts of at most `most` indices, or with the whole. Every
 * part is a range of positions, and they come in order, so that the first bad
 * index of the first part that has one is the first of all.
 */
function forGatherParts(
  part: GatherPart,
  axis: number,
  most: number,
  visit: (part: GatherPart) => void,
): void {
  const { index, table, other, position } = part;
  const size = sizeOf(index.shape);
  if (size <= most) {
    visit(part);
    return;
  }
  const cut = index.shape.findIndex((extent) => extent > 1);
  const extent = index.shape[cut];
  const each = size / extent;
  const step = Math.max(1, Math.floor(most / each));
  for (let from = 0; from < extent; from += step) {
    const to = Math.min(from + step, extent);
    const narrower = {
      index: slice(index, cut, from, to),
      table: cut === axis ? table : slice(table, cut, from, to),
      other: slice(other, cut, from, to),
      position: position + from * each,
    };
    forGatherParts(narrower, axis, most, visit);
  }
}

function gatherShader(rank: number): Shader {
  return {
    operation: "gather",
    operands: [
      { name: "index", access: "read" },
      { name: "x", access: "read" },
      { name: "out", access: "write" },
    ],
    parameters: words("items", "n", "step", ...layoutNames(rank)),
    indexed: true,
    code: layoutFunctions(rank) + forItems(`
  let place = place_of(item);
  let index = load_index(place.index);
  if (u32(index) >= parameters.n) {
    report_first(item, index);
    return;
  }
  store_out(place.other, load_x(place.table + u32(index) * parameters.step));`),
  };
}

// `inner` elements lie between neighbours of a line of k.
function backwardShader(rank: number, lines: boolean): Shader {
  const addLine = `
  let slice = item / parameters.inner;
  let start = slice * (parameters.k - 1u) * parameters.inner + item;
  let place = place_of(start);
  var good = true;
  for (var j = 0u; j < parameters.k; j++) {
    let index = load_index(place.index + j * parameters.index_step);
    if (u32(index) >= parameters.n) {
      if (good) { report_first(start + j * parameters.inner, index); }
      good = false;
      continue;
    }
    let at = place.table + u32(index) * parameters.step;
    store_out(at, load_out(at) + load_y(place.other + j * parameters.y_step));
  }`;
  const addOwn = `
  let position = (item / parameters.inner) % parameters.k;
  let place = place_of(item - position * parameters.inner);
  let index = load_index(place.index + position * parameters.index_step);
  if (u32(index) >= parameters.n) {
    report_first(item, index);
    return;
  }
  for (var j = 0u; j < position; j++) {
    if (load_index(place.index + j * parameters.index_step) == index) { return; }
  }
  let at = place.table + u32(index) * parameters.step;
  var sum = load_out(at);
  for (var j = position; j < parameters.k; j++) {
    if (load_index(place.index + j * parameters.index_step) == index) {
      sum += load_y(place.other + j * parameters.y_step);
    }
  }
  store_out(at, sum);`;
  return {
    operation: "gatherBackward",
    operands: [
      { name: "index", access: "read" },
      { name: "out", access: "update" },
      { name: "y", access: "read" },
    ],
    parameters: words(
      ...["items", "n", "step", "k", "inner", "index_step", "y_step"],
      ...layoutNames(rank),
    ),
    indexed: true,
    code: layoutFunctions(rank) + forItems(lines ? addLine : addOwn),
  };
}

/** Kernels `gather` and `gatherBackward` of a GPU. */
export function gatherKernels(
  gpu: Gpu,
): Pick<Kernels, "gather" | "gatherBackward"> {
  const gather = (
    { index, table, other, position }: GatherPart,
    axis: number,
  ): void => {
    const { shape } = index;
    const [items, rank, n] = [sizeOf(shape), shape.length, table.shape[axis]];
    gpu.launch(
      gpu.shader(`gather ${rank}`, () => gatherShader(rank)),
      [index, table, other],
      [
        ...[items, n, table.strides[axis]],
        ...layoutValues(index, table, other, axis),
      ],
      itemWorkgroups(items),
      undefined,
      describeIndex("gather", n, position),
    );
  };
  const add = (
    { index, table, other, position }: GatherPart,
    axis: number,
  ): void => {
    const { shape, strides } = index;
    const [size, rank, n] = [sizeOf(shape), shape.length, table.shape[axis]];
    const k = shape[axis];
    const lines = kernelForm(gpu, "indexing") === "registers" ||
      k <= shortLine ||
      size / k >= manyLines;
    const items = lines ? size / k : size;
    gpu.launch(
      gpu.shader(
        `gatherBackward ${rank} ${lines}`,
        () => backwardShader(rank, lines),
      ),
      [index, table, other],
      [
        ...[items, n, table.strides[axis], k, sizeOf(shape.slice(axis + 1))],
        ...[strides[axis], other.strides[axis]],
        ...layoutValues(index, table, other, axis),
      ],
      itemWorkgroups(items),
      undefined,
      describeIndex("gatherBackward", n, position),
    );
  };
  return {
    gather(x, axis, index, out) {
      if (sizeOf(index.shape) === 0) return;
      const whole = { index, table: x, other: out, position: 0 };
      // A bad index looks at those before it.
      const most = gpu.mostTurns;
      forGatherParts(whole, axis, most, (part) => gather(part, axis));
    },
    gatherBackward(y, axis, index, out) {
      if (sizeOf(index.shape) === 0) return;
      const whole = { index, table: out, other: y, position: 0 };
      // So does the first bad one of a line, and the line is gone through.
      const most = gpu.mostTurns / 2;
      forGatherParts(whole, axis, most, (part) => add(part, axis));
    },
  };
}
