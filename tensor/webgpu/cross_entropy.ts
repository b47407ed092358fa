/**
 * Cross entropy of rows of logits.
 *
 * @module
 */

import type { CrossEntropyArguments, Kernels } from "../backend.ts";
import type { DescribeIndex, Gpu } from "./gpu.ts";
import { exponentialSummary } from "./row_exponentials.ts";
import type { RowKernel } from "./row_kernel.ts";
import { launchRows } from "./row_launch.ts";
import type { ShaderParameter } from "./shader.ts";

/** How much of the target is the label's alone, and how much is each class's. */
const parameters: readonly ShaderParameter[] = [
  { name: "label_weight", type: "f32" },
  { name: "class_weight", type: "f32" },
  { name: "ignore_index", type: "i32" },
];

function weightsOf(
  { logits, ignoreIndex, labelSmoothing }: CrossEntropyArguments,
): number[] {
  return [1 - labelSmoothing, labelSmoothing / logits.shape[1], ignoreIndex];
}

/**
 * With differences from the largest logit, which cancels; each part of the
 * target only where it has a weight, since an infinite logit times 0 is NaN.
 */
function forward(smooth: boolean): RowKernel {
  return {
    operation: "crossEntropy",
    variant: smooth ? "smooth" : "plain",
    operands: [{ name: "logits", access: "read" }],
    rowOperands: [
      { name: "labels", access: "read" },
      { name: "loss", access: "write" },
      { name: "log_sum", access: "write" },
    ],
    parameters,
    indexed: true,
    functions: ({ mark }) => [
      `accurate_exp${mark}`,
      "accurate_exp",
      "accurate_log",
      "not_a_number",
    ],
    summary: exponentialSummary(smooth),
    end: `let label = load_labels(row);
    let is_class = label >= 0 && u32(label) < parameters.columns;
    let ignored = label == parameters.ignore_index;
    if (!is_class && !ignored) {
      report_index(parameters.first_row + row, label);
    }
    var aim = ${smooth ? "parameters.class_weight * summary.z" : "0.0"};
    if (is_class && parameters.label_weight > 0.0) {
      let difference = load_logits(begin + u32(label)) - summary.x;
      aim += parameters.label_weight * difference;
    }
    var log_sum = accurate_log(summary.y);
    // Where all logits are -∞.
    if (summary.y == 0.0) { log_sum = not_a_number(); }
    store_log_sum(row, summary.x + log_sum);
    store_loss(row, select(log_sum - aim, 0.0, ignored));`,
  };
}

const forwards = { plain: forward(false), smooth: forward(true) };

const backward: RowKernel = {
  operation: "crossEntropyBackward",
  operands: [
    { name: "logits", access: "read" },
    { name: "out", access: "write" },
  ],
  rowOperands: [
    { name: "labels", access: "read" },
    { name: "log_sum", access: "read" },
    { name: "dloss", access: "read" },
  ],
  parameters,
  functions: ({ mark }) => [`accurate_exp${mark}`],
  start: `let label = load_labels(row);
  let ignored = label == parameters.ignore_index;
  let log_sum = load_log_sum(row);
  let gradient = load_dloss(row);
  let label_at = row * parameters.columns + u32(label);
  let label_aim = parameters.class_weight + parameters.label_weight;`,
  element: ({ type, mark, width }) => {
    const at = width === 4 ? "vec4<u32>(i) + vec4<u32>(0u, 1u, 2u, 3u)" : "i";
    const is = width === 4 ? "vec4<u32>(label_at)" : "label_at";
    return `let aim = select(${type}(parameters.class_weight),
      ${type}(label_aim), ${at} == ${is});
    let power = accurate_exp${mark}(load${mark}_logits(i) - log_sum);
    store${mark}_out(i, select(gradient * (power - aim), ${type}(), ignored));`;
  },
};

function describe(
  { logits, ignoreIndex }: CrossEntropyArguments,
): DescribeIndex {
  const classes = logits.shape[1];
  return (row, label) =>
    new RangeError(
      `crossEntropy: label ${label} of row ${row} is outside ` +
        `0 … ${classes - 1} (ignoreIndex ${ignoreIndex})`,
    );
}

/**
 * Kernels `crossEntropy` and `crossEntropyBackward` of a GPU. A bad label
 * rejects the next `read`.
 */
export function crossEntropyKernels(
  gpu: Gpu,
): Pick<Kernels, "crossEntropy" | "crossEntropyBackward"> {
  return {
    crossEntropy: (args, loss, logSumExp) => {
      const { logits, labels, labelSmoothing } = args;
      launchRows(
        gpu,
        labelSmoothing > 0 ? forwards.smooth : forwards.plain,
        [logits, labels, loss, logSumExp],
        weightsOf(args),
        describe(args),
      );
    },
    crossEntropyBackward: (args, logSumExp, dloss, dlogits) => {
      const { logits, labels } = args;
      launchRows(
        gpu,
        backward,
        [logits, dlogits, labels, logSumExp, dloss],
        weightsOf(args),
      );
    },
  };
}
