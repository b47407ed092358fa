/**
 * Adding rows by index, in order of the index: gradients of embeddings.
 *
 * Two forms. Where a CPU plays the GPU, a thread owns a column of four elements
 * and goes through the index. On GPUs that would be too few threads with too
 * long chains of memory accesses: there the index is sorted, and a thread adds
 * one piece of all rows of one index.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import { aligned4 } from "./view_memory.ts";
import type { Gpu } from "./gpu.ts";
import { accessorsOf, forItems, itemWorkgroups, words } from "./items.ts";
import { kernelForm } from "./kernel_form.ts";
import type { Shader } from "./shader.ts";
import { describeIndex, forTakeParts, type TakePart } from "./take_parts.ts";
import { sortIndex } from "./take_sort.ts";

const parameters = words("items", "k", "n", "begin", "held", "width");

function operands(vector: boolean): Shader["operands"] {
  return [
    { name: "y", access: "read", vector },
    { name: "index", access: "read" },
    { name: "out", access: "update", vector },
  ];
}

function columnShader(vector: boolean): Shader {
  const { load, store } = accessorsOf(vector);
  return {
    operation: "takeBackward",
    operands: operands(vector),
    parameters,
    indexed: true,
    code: forItems(`
  let slice = item / parameters.width;
  let column = item - slice * parameters.width;
  var source = slice * parameters.k * parameters.width + column;
  let first = slice * parameters.held * parameters.width + column;
  for (var j = 0u; j < parameters.k; j++) {
    let index = u32(load_index(j));
    let held_row = index - parameters.begin;
    if (index >= parameters.n) {
      if (item == 0u) { report_index(j, i32(index)); }
    } else if (held_row < parameters.held) {
      let at = first + held_row * parameters.width;
      ${store("out", "at", `${load("out", "at")} + ${load("y", "source")}`)}
    }
    source += parameters.width;
  }`),
  };
}

// `index` is sorted here, and `order` says where each of its elements was.
// Bad indices were reported and made n; they come last.
function sortedShader(vector: boolean): Shader {
  const { load, store } = accessorsOf(vector);
  return {
    operation: "takeBackward",
    operands: [...operands(vector), { name: "order", access: "read" }],
    parameters,
    code: forItems(`
  let row = item / parameters.width;
  let column = item - row * parameters.width;
  let slice = row / parameters.k;
  var j = row - slice * parameters.k;
  let index = load_index(j);
  let held_row = u32(index) - parameters.begin;
  if (u32(index) >= parameters.n || held_row >= parameters.held) { return; }
  if (j > 0u && load_index(j - 1u) == index) { return; }
  let at = (slice * parameters.held + held_row) * parameters.width + column;
  let first = slice * parameters.k * parameters.width + column;
  var sum = ${load("out", "at")};
  for (; j < parameters.k && load_index(j) == index; j++) {
    sum += ${load("y", "first + u32(load_order(j)) * parameters.width")};
  }
  ${store("out", "at", "sum")}`),
  };
}

/** Kernel `takeBackward` of a GPU. */
export function takeBackwardKernels(
  gpu: Gpu,
): Pick<Kernels, "takeBackward"> {
  const add = (
    { table, index, picked, begin, position }: TakePart,
    n: number,
  ): void => {
    const [outer, k, inner] = picked.shape;
    const vector = aligned4(table) && aligned4(picked);
    const width = vector ? inner / 4 : inner;
    const numbers = (items: number): number[] => [
      ...[items, k, n, begin, table.shape[1], width],
    ];
    const describe = describeIndex("takeBackward", n, position);
    if (kernelForm(gpu, "indexing") === "registers") {
      const items = outer * width;
      gpu.launch(
        gpu.shader(`takeBackward ${vector}`, () => columnShader(vector)),
        [picked, index, table],
        numbers(items),
        itemWorkgroups(items),
        undefined,
        describe,
      );
      return;
    }
    const items = outer * k * width;
    const compiled = gpu.shader(
      `takeBackward sorted ${vector}`,
      () => sortedShader(vector),
    );
    sortIndex(
      gpu,
      index,
      n,
      describe,
      (ascending: View, order: View) =>
        gpu.launch(
          compiled,
          [picked, ascending, table, order],
          numbers(items),
          itemWorkgroups(items),
        ),
    );
  };
  return {
    takeBackward(y, index, out) {
      const whole = { table: out, index, picked: y, begin: 0, position: 0 };
      forTakeParts(gpu, whole, (part) => {
        if (part.picked.shape.every((extent) => extent > 0)) {
          add(part, out.shape[1]);
        }
      });
    },
  };
}
