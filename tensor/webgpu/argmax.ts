/**
 * Positions of largest elements. Where lines are few and long, one launch finds
 * the largest of each block, and a second one the largest of those.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import type { Dtype } from "../dtype.ts";
import type { Gpu } from "./gpu.ts";
import { forItems, itemWorkgroups } from "./items.ts";
import { inSlices, lineOfItem, lineParameters, linesOf } from "./lines.ts";
import type { Shader } from "./shader.ts";
import { scratch } from "./scratch.ts";

/**
 * WGSL `order_of(x)`: an unsigned integer that is larger where the element is.
 * NaN is largest, as in PyTorch, and −0 equals 0.
 */
export function orderFunction(dtype: Dtype): string {
  if (dtype === "bool") return "fn order_of(x: bool) -> u32 { return u32(x); }";
  if (dtype === "i32") {
    return "fn order_of(x: i32) -> u32 { return bitcast<u32>(x) ^ 0x80000000u; }";
  }
  return `fn order_of(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0xffffffffu; }
  return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > magnitude);
}`;
}

// Looks at the elements of a block, or at the candidates of all blocks.
function argmaxShader(dtype: Dtype, candidates: boolean): Shader {
  const position = (i: string): string =>
    candidates
      ? `load_candidates(${i} * parameters.lines + line)`
      : `i32(${i})`;
  const order = (at: string): string =>
    `order_of(load_x(first + u32(${at}) * parameters.inner))`;
  return {
    operation: "argmax",
    operands: [
      { name: "x", access: "read" },
      ...(candidates ? [{ name: "candidates", access: "read" } as const] : []),
      { name: "out", access: "write" },
    ],
    parameters: lineParameters,
    code: orderFunction(dtype) + forItems(`${lineOfItem}
  var best = ${position("begin")};
  var most = ${order("best")};
  for (var i = begin + 1u; i < end; i++) {
    let other = ${position("i")};
    let order = ${order("other")};
    if (order > most) {
      best = other;
      most = order;
    }
  }
  store_out(item, best);`),
  };
}

/** Kernel `argmax` of a GPU. */
export function argmaxKernels(gpu: Gpu): Pick<Kernels, "argmax"> {
  return {
    argmax(x, out) {
      inSlices(gpu, [x, out], ([x, out]) => {
        const { count, blocks, values } = linesOf(gpu, x.shape);
        const run = (views: readonly View[], values: readonly number[]): void =>
          gpu.launch(
            gpu.shader(
              `argmax ${x.dtype} ${views.length}`,
              () => argmaxShader(x.dtype, views.length === 3),
            ),
            views,
            values,
            itemWorkgroups(values[0]),
          );
        if (blocks === 1) {
          run([x, out], values);
          return;
        }
        const candidates = scratch(gpu, "argmax", count * blocks, "i32");
        run([x, candidates], values);
        const [, n, inner] = x.shape;
        run([x, candidates, out], [count, count, n, inner, blocks]);
        gpu.pool.free(candidates.buffer);
      });
    },
  };
}
