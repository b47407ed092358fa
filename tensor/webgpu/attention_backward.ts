/**
 * The backward kernels of attention (Dao et al. 2022, FlashAttention, appendix
 * B.2): probabilities come again from the scores and logSumExp. One kernel
 * keeps queries and streams keys, the other keeps keys and streams queries, so
 * that every sum has one owner and one order.
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

/** WGSL: probability, dropout factor and gradient of the score of one pair. */
function scoreGradient(
  variant: AttentionVariant,
  r: number,
  t: string,
  s: string,
  logSum: string,
  delta: string,
): string {
  return `let score_${r} = score(product_${r}, b, h, ${t}, ${s});
let power_${r} = accurate_exp(score_${r} - ${logSum});
let probability_${r} = select(power_${r}, 0.0, score_${r} <= lowest);
let kept_${r} = ${keptFactor(variant, r, t, s)};
let dscore_${r} = probability_${r} * (kept_${r} * dweight_${r} - ${delta});`;
}

/**
 * The code that makes dquery and delta = dout · out; operands are query, key,
 * value, (keep), (bias), out, logSumExp, dout, delta, dquery.
 */
export function attentionQueryGradientCode(
  plan: AttentionPlan,
  variant: AttentionVariant,
): string {
  const { columns } = plan;
  return streamingCode(plan, variant, {
    count: "queries",
    operands: ["query", "key", "value", "out", "dout", "dquery"],
    functions: [
      ...["query", "key", "value", "out", "dout"].map((name) =>
        rowReader(name, plan, variant)
      ),
      rowWriter("dquery", variant),
      acrossLanes(plan),
    ],
    prologue: (r) =>
      `let query_at_${r} = query_head + at_${r} * parameters.query_row;
let dout_at_${r} = dout_head + at_${r} * parameters.dout_row;
let out_at_${r} = out_head + at_${r} * parameters.out_row;
var agreement_${r} = vec4<f32>();
${
        lines(columns, (j) =>
          `let query_${r}_${j} = parameters.scale * row4_query(query_at_${r}, ${
            columnOf(plan, j)
          });
let dout_${r}_${j} = row4_dout(dout_at_${r}, ${columnOf(plan, j)});
agreement_${r} += dout_${r}_${j} * row4_out(out_at_${r}, ${columnOf(plan, j)});
var dquery_${r}_${j} = vec4<f32>();`)
      }
let row_of_heads_${r} = batch_head * parameters.queries + at_${r};
let log_sum_${r} = load_log_sum_exp(row_of_heads_${r});
let delta_${r} = across_lanes(dot(agreement_${r}, vec4<f32>(1.0)), local.x);`,
    stream: {
      begin: "0u",
      end: endOfKeys(plan, variant),
      operands: ["key", "value"],
      used: ["key"],
      sums: [
        { name: "product", kept: "query", streamed: "key" },
        { name: "dweight", kept: "dout", streamed: "value" },
      ],
      use: (r) =>
        `${
          scoreGradient(
            variant,
            r,
            `at_${r}`,
            "i",
            `log_sum_${r}`,
            `delta_${r}`,
          )
        }
${lines(columns, (j) => `dquery_${r}_${j} += dscore_${r} * key_${j};`)}`,
    },
    epilogue: (r) =>
      `let dquery_at_${r} = dquery_head + row_${r} * parameters.dquery_row;
${
        lines(columns, (j) =>
          `store_row4_dquery(dquery_at_${r}, ${
            columnOf(plan, j)
          }, parameters.scale * dquery_${r}_${j});`)
      }
if (lane == 0u) { store_delta(row_of_heads_${r}, delta_${r}); }`,
  });
}

/** `across_lanes(part, thread)`: the sum of the parts of a row's lanes. */
function acrossLanes({ lanes }: AttentionPlan): string {
  const sum = `partial_product[thread] = part;
  workgroupBarrier();
  let sum = lanes_product(thread / ${lanes}u * ${lanes}u);
  workgroupBarrier();
  return sum;`;
  return `fn across_lanes(part: f32, thread: u32) -> f32 {
  ${lanes > 1 ? sum : "return part;"}
}`;
}

/**
 * The code that makes dkey and dvalue; operands are query, key, value, (keep),
 * (bias), logSumExp, dout, delta, dkey, dvalue.
 */
export function attentionKeyGradientCode(
  plan: AttentionPlan,
  variant: AttentionVariant,
): string {
  const { columns } = plan;
  return streamingCode(plan, variant, {
    count: "keys",
    operands: ["query", "key", "value", "dout", "dkey", "dvalue"],
    functions: [
      ...["query", "key", "value", "dout"].map((name) =>
        rowReader(name, plan, variant)
      ),
      rowWriter("dkey", variant),
      rowWriter("dvalue", variant),
    ],
    prologue: (r) =>
      `let key_at_${r} = key_head + at_${r} * parameters.key_row;
let value_at_${r} = value_head + at_${r} * parameters.value_row;
${
        lines(columns, (j) =>
          `let key_${r}_${j} = parameters.scale * row4_key(key_at_${r}, ${
            columnOf(plan, j)
          });
let value_${r}_${j} = row4_value(value_at_${r}, ${columnOf(plan, j)});
var dkey_${r}_${j} = vec4<f32>();
var dvalue_${r}_${j} = vec4<f32>();`)
      }`,
    stream: {
      begin: variant.causal
        ? "u32(clamp(i32(first) - parameters.ahead, 0, i32(parameters.queries)))"
        : "0u",
      end: "parameters.queries",
      operands: ["query", "dout"],
      used: ["query", "dout"],
      sums: [
        { name: "product", kept: "key", streamed: "query" },
        { name: "dweight", kept: "value", streamed: "dout" },
      ],
      use: (r) =>
        `let row_of_heads_${r} = batch_head * parameters.queries + i;
let log_sum_${r} = load_log_sum_exp(row_of_heads_${r});
let delta_${r} = load_delta(row_of_heads_${r});
${scoreGradient(variant, r, "i", `at_${r}`, `log_sum_${r}`, `delta_${r}`)}
let weight_${r} = probability_${r} * kept_${r};
${
          lines(columns, (j) =>
            `dkey_${r}_${j} += dscore_${r} * query_${j};
dvalue_${r}_${j} += weight_${r} * dout_${j};`)
        }`,
    },
    epilogue: (r) =>
      `let dkey_at_${r} = dkey_head + row_${r} * parameters.dkey_row;
let dvalue_at_${r} = dvalue_head + row_${r} * parameters.dvalue_row;
${
        lines(columns, (j) =>
          `store_row4_dkey(dkey_at_${r}, ${
            columnOf(plan, j)
          }, parameters.scale * dkey_${r}_${j});
store_row4_dvalue(dvalue_at_${r}, ${columnOf(plan, j)}, dvalue_${r}_${j});`)
      }`,
  });
}
