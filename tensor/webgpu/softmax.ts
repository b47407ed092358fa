/**
 * Softmax of rows.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import type { Gpu } from "./gpu.ts";
import { exponentialSummary } from "./row_exponentials.ts";
import type { RowKernel } from "./row_kernel.ts";
import { launchRows } from "./row_launch.ts";
import { columnSums } from "./row_team.ts";

const forward: RowKernel = {
  operation: "softmax",
  operands: [
    { name: "logits", access: "read" },
    { name: "out", access: "write" },
  ],
  functions: ({ mark }) => [`accurate_exp${mark}`, "accurate_exp"],
  summary: exponentialSummary(false),
  element: ({ mark }) =>
    `let power = accurate_exp${mark}(load${mark}_logits(i) - summary.x);
    store${mark}_out(i, power / summary.y);`,
};

const backward: RowKernel = {
  operation: "softmaxBackward",
  operands: [
    { name: "y", access: "read" },
    { name: "dy", access: "read" },
    { name: "dx", access: "write" },
  ],
  functions: () => [],
  summary: {
    passes: 1,
    combinations: [{ name: "team_sum", type: "f32", kind: "add" }],
    summarize: (lanes, team) => {
      const { mark } = lanes;
      const sum = `load${mark}_y(i) * load${mark}_dy(i)`;
      return `fn summarize(begin: u32, end: u32, lane: u32) -> vec3<f32> {
  ${columnSums(lanes, team, { sum })}
  return vec3<f32>(team_sum(${lanes.sum("sum")}, lane), 0.0, 0.0);
}
`;
    },
    combine: `fn combine(first: u32) -> vec3<f32> {
  var sum = vec3<f32>();
  for (var p = 0u; p < parameters.parts; p++) { sum += partial(first + p); }
  return sum;
}
`,
  },
  element: ({ mark }) =>
    `store${mark}_dx(i, load${mark}_y(i) * (load${mark}_dy(i) - summary.x));`,
};

/** Kernels `softmax` and `softmaxBackward` of a GPU. */
export function softmaxKernels(
  gpu: Gpu,
): Pick<Kernels, "softmax" | "softmaxBackward"> {
  return {
    softmax: (x, out) => launchRows(gpu, forward, [x, out]),
    softmaxBackward: (y, dy, dx) => launchRows(gpu, backward, [y, dy, dx]),
  };
}
