/**
 * The forward kernel of attention: each query keeps its row and the weighted
 * sum of the values, and keys and values stream past (online softmax: Milakov
 * and Gimelshein 2018; Dao et al. 2022, FlashAttention).
 *
 * @module
 */

import {
  type AttentionVariant,
  columnOf,
  endOfKeys,
  keptFactor,
  lines,
  rowReader,
  rowWriter,
  streamingCode,
} from "./attention_loop.ts";
import type { AttentionPlan } from "./attention_plan.ts";

/** The code; operands are query, key, value, (keep), (bias), out, logSumExp. */
export function attentionForwardCode(
  plan: AttentionPlan,
  variant: AttentionVariant,
): string {
  const { columns } = plan;
  return streamingCode(plan, variant, {
    count: "queries",
    operands: ["query", "key", "value", "out"],
    functions: [
      ...["query", "key", "value"].map((name) =>
        rowReader(name, plan, variant)
      ),
      rowWriter("out", variant),
    ],
    prologue: (r) =>
      `let query_at_${r} = query_head + at_${r} * parameters.query_row;
${
        lines(columns, (j) =>
          `let query_${r}_${j} = parameters.scale * row4_query(query_at_${r}, ${
            columnOf(plan, j)
          });
var out_${r}_${j} = vec4<f32>();`)
      }
var largest_${r} = lowest;
var sum_${r} = 0.0;`,
    stream: {
      begin: "0u",
      end: endOfKeys(plan, variant),
      operands: ["key", "value"],
      used: ["value"],
      sums: [{ name: "product", kept: "query", streamed: "key" }],
      use: (r) =>
        `let score_${r} = score(product_${r}, b, h, at_${r}, i);
let power_${r} = accurate_exp(-abs(score_${r} - largest_${r}));
let leads_${r} = score_${r} > largest_${r};
let shrink_${r} = select(1.0, power_${r}, leads_${r});
let above_${r} = select(power_${r}, 1.0, leads_${r});
let weight_${r} = select(above_${r}, 0.0, score_${r} <= lowest);
largest_${r} = select(largest_${r}, score_${r}, leads_${r});
sum_${r} = sum_${r} * shrink_${r} + weight_${r};
let factor_${r} = weight_${r} * ${keptFactor(variant, r, `at_${r}`, "i")};
${
          lines(
            columns,
            (j) =>
              `out_${r}_${j} = out_${r}_${j} * shrink_${r} + factor_${r} * value_${j};`,
          )
        }`,
    },
    epilogue: (r) =>
      `let out_at_${r} = out_head + row_${r} * parameters.out_row;
let nothing_${r} = sum_${r} == 0.0;
let share_${r} = select(1.0 / sum_${r}, 0.0, nothing_${r});
${
        lines(columns, (j) =>
          `store_row4_out(out_at_${r}, ${
            columnOf(plan, j)
          }, out_${r}_${j} * share_${r});`)
      }
if (lane == 0u) {
  let log_sum = select(largest_${r} + accurate_log(sum_${r}), -infinity(), nothing_${r});
  store_log_sum_exp(batch_head * parameters.queries + row_${r}, log_sum);
}`,
  });
}
