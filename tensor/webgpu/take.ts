/**
 * Picking rows by index: embeddings, one-dimensional indexing.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import { aligned4 } from "./view_memory.ts";
import type { Gpu } from "./gpu.ts";
import { accessorsOf, forItems, itemWorkgroups, words } from "./items.ts";
import { kernelForm } from "./kernel_form.ts";
import type { Shader } from "./shader.ts";
import { describeIndex, forTakeParts } from "./take_parts.ts";

/** Vectors of a row that a thread copies where a CPU plays the GPU. */
const vectorsPerThread = 16;

// Reports the bad index at a position unless an earlier one is bad too, so that
// it is always the first that is told.
const reportFirst = `
fn report_first(position: u32) {
  for (var j = 0u; j < position; j++) {
    if (u32(load_index(j)) >= parameters.n) { return; }
  }
  report_index(position, load_index(position));
}
`;

// A thread copies the elements piece, piece + pieces … of a row.
function takeShader(vector: boolean): Shader {
  const { load, store } = accessorsOf(vector);
  return {
    operation: "take",
    operands: [
      { name: "x", access: "read", vector },
      { name: "index", access: "read" },
      { name: "out", access: "write", vector },
    ],
    parameters: words(
      ...["items", "k", "n", "begin", "held", "width", "pieces"],
    ),
    indexed: true,
    code: reportFirst + forItems(`
  let row = item / parameters.pieces;
  let piece = item - row * parameters.pieces;
  let slice = row / parameters.k;
  let position = row - slice * parameters.k;
  let index = u32(load_index(position));
  if (index >= parameters.n) {
    if (piece == 0u && slice == 0u) { report_first(position); }
    return;
  }
  // Wraps around, and is too large, where the row comes before the part.
  let held_row = index - parameters.begin;
  if (held_row >= parameters.held) { return; }
  let source = (slice * parameters.held + held_row) * parameters.width;
  let target_row = row * parameters.width;
  for (var i = piece; i < parameters.width; i += parameters.pieces) {
    ${store("out", "target_row + i", load("x", "source + i"))}
  }`),
  };
}

/** Kernel `take` of a GPU. */
export function takeKernels(gpu: Gpu): Pick<Kernels, "take"> {
  return {
    take(x, index, out) {
      const n = x.shape[1];
      const whole = { table: x, index, picked: out, begin: 0, position: 0 };
      forTakeParts(gpu, whole, (part) => {
        const { table, index, picked, begin, position } = part;
        const [outer, k, inner] = picked.shape;
        if (outer * k * inner === 0) return;
        const vector = aligned4(table) && aligned4(picked);
        const width = vector ? inner / 4 : inner;
        const pieces = kernelForm(gpu, "indexing") === "registers"
          ? Math.ceil(width / vectorsPerThread)
          : width;
        const items = outer * k * pieces;
        gpu.launch(
          gpu.shader(`take ${vector}`, () => takeShader(vector)),
          [table, index, picked],
          [items, k, n, begin, table.shape[1], width, pieces],
          itemWorkgroups(items),
          undefined,
          describeIndex("take", n, position),
        );
      });
    },
  };
}
