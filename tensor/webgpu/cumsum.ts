/**
 * Running sums. Where lines are few and long, one launch adds up blocks of
 * them, and a second one begins each block with the sums of those before. The
 * order is fixed, so results are the same from run to run.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import type { Gpu } from "./gpu.ts";
import { forItems, itemWorkgroups } from "./items.ts";
import { inSlices, lineOfItem, lineParameters, linesOf } from "./lines.ts";
import type { Shader } from "./shader.ts";
import { scratch } from "./scratch.ts";

/** `sums` of blocks, running sums of `whole` lines, or of `blocks` of them. */
type Pass = "sums" | "whole" | "blocks";

function cumsumShader(pass: Pass, type: string, reverse: boolean): Shader {
  const position = reverse ? "parameters.n - 1u - i" : "i";
  const element = `let at = first + (${position}) * parameters.inner;
    sum += load_x(at);`;
  const output = { name: "out", access: "write" } as const;
  const sums = (
    access: "read" | "write",
  ) => ({ name: "sums", access } as const);
  return {
    operation: "cumsum",
    operands: [
      { name: "x", access: "read" },
      ...(pass === "sums" ? [sums("write")] : [output]),
      ...(pass === "blocks" ? [sums("read")] : []),
    ],
    parameters: lineParameters,
    code: forItems(`${lineOfItem}
  var sum = ${type}();
  ${
      pass === "blocks"
        ? `for (var i = 0u; i < block; i++) {
    sum += load_sums(i * parameters.lines + line);
  }`
        : ""
    }
  for (var i = begin; i < end; i++) {
    ${element}
    ${pass === "sums" ? "" : "store_out(at, sum);"}
  }
  ${pass === "sums" ? "store_sums(item, sum);" : ""}`),
  };
}

/** Kernel `cumsum` of a GPU. */
export function cumsumKernels(gpu: Gpu): Pick<Kernels, "cumsum"> {
  return {
    cumsum(x, out, reverse) {
      inSlices(gpu, [x, out], ([x, out]) => {
        const { count, blocks, values } = linesOf(gpu, x.shape);
        const type = x.dtype === "i32" ? "i32" : "f32";
        const run = (pass: Pass, views: readonly View[]): void =>
          gpu.launch(
            gpu.shader(
              `cumsum ${pass} ${type} ${reverse}`,
              () => cumsumShader(pass, type, reverse),
            ),
            views,
            values,
            itemWorkgroups(values[0]),
          );
        if (blocks === 1) {
          run("whole", [x, out]);
          return;
        }
        const sums = scratch(gpu, "cumsum", count * blocks, type);
        run("sums", [x, sums]);
        run("blocks", [x, out, sums]);
        gpu.pool.free(sums.buffer);
      });
    },
  };
}
