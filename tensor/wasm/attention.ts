/**
 * Scaled dot-product attention of the wasm device.
 *
 * Contract: see `AttentionArguments`. Items of the forward kernel are blocks of
 * queries of one head. A block computes its scores against all keys it may see
 * (none above the diagonal, where causal) into scratch memory, turns them into
 * e^(score − largest) row by row, multiplies them with the values and divides
 * by the sums. Memory is one block of scores to a thread, never T × S. Keys
 * and values are packed once for all blocks of a head that a chunk holds.
 * Query, key, value and out are read and written where they are, heads
 * interleaved or not. A query without keys has output 0 and logSumExp −∞.
 *
 * @module
 */

import type { AttentionArguments, Kernels, View } from "../backend.ts";
import { f32, i32, ModuleBuilder, type Target } from "./assembler.ts";
import {
  ceilingDivide,
  plus,
  product,
  quotient,
  remainder,
} from "./integer.ts";
import { emitAttentionBackward } from "./attention_backward.ts";
import {
  AttentionFrame,
  type AttentionFunctions,
  emitAttentionFunctions,
  type Packing,
} from "./attention_frame.ts";
import {
  commonFields,
  planAttention,
  viewFields,
  withJob,
} from "./attention_job.ts";
import { type Tile, tileOf } from "./gemm.ts";
import type { Kernel, Mode, Runtime } from "./runtime.ts";

/** Queries in a block, at most; fewer where a diagonal cuts blocks. */
const mostRows = 96;
const mostCausalRows = 36;
/** Fewest floating point operations worth waking a thread for. */
const grainFlops = 1e6;

function emitAttention(
  module: ModuleBuilder,
  functions: AttentionFunctions,
): void {
  module.export(
    "attention",
    ["ptr", "i32", "i32", "ptr"],
    undefined,
    (f, job, begin, end, scratch) => {
      const frame = new AttentionFrame(f, functions, job, scratch);
      const { read, functions: { rows } } = frame;
      const [query, key, value, out, bias] = [
        ...["query", "key", "value", "out", "bias"],
      ].map((name) => frame.tensor(name));
      const keep = frame.tensor("keep", 1);
      const logSumExp = read.pointer("logSumExp");
      const keys: Packing = { place: "packedKeys", source: key, as: "columns" };
      const values: Packing = {
        place: "packedValues",
        source: value,
        as: "rows",
      };
      const blocks = f.let(ceilingDivide(frame.queries, frame.rowBlock));
      const [item, at] = [f.local("i32"), f.local("ptr")];
      const [factors, factor] = [f.local("ptr"), f.local("ptr")];
      f.for(item, begin, end, 1, () => {
        frame.setHead(quotient(item, blocks));
        const block = remainder(item, blocks);
        frame.setBlock(product(block, frame.rowBlock));
        frame.packHead([keys, values]);
        frame.scores(query, keys, bias, keep);

        const rowOfHeads = plus(
          product(frame.batchHead, frame.queries),
          frame.first,
        );
        f.set(at, f.offset(logSumExp, f.times(rowOfHeads, 4)));
        f.set(factor, frame.part("rowFactors"));
        frame.forRows(() => {
          const row = f.let(frame.scoresOf("scores"));
          f.run(
            rows.exponentials,
            ...[row, frame.valid, frame.reach, at, factor, scratch],
          );
          f.set(factors, f.pointer(0));
          frame.drawDropout(factors);
          f.if(
            f.lessThan(f.pointer(0), factors),
            () => f.run(rows.multiply, row, factors, frame.valid),
          );
          f.add(at, 4);
          f.add(factor, 4);
        });

        const result = f.let(frame.rowOf(out, frame.first));
        frame.timesRows(values, {
          flags: i32(0),
          left: frame.part("scores"),
          leftStride: frame.scoreRow,
          out: result,
          outRow: out.row,
          alpha: f32(1),
        });
        f.set(factor, frame.part("rowFactors"));
        frame.forRows(() => {
          f.run(rows.scale, result, f.load("f32", factor), frame.depth);
          f.add(result, out.row);
          f.add(factor, 4);
        });
      });
    },
  );
}

function attentionModule(
  target: Target,
  tile: Tile,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  const functions = emitAttentionFunctions(module, tile);
  emitAttention(module, functions);
  emitAttentionBackward(module, functions);
  return module.build();
}

/** Floating point operations of the products of one head, forward. */
function headFlops({ query, key, causal }: AttentionArguments): number {
  const [, , queries, depth] = query.shape;
  return 4 * queries * key.shape[2] * depth / (causal ? 2 : 1);
}

/** The attention kernels of a device; compiled when first used. */
export function createAttentionKernels(
  runtime: Runtime,
): Pick<Kernels, "attention" | "attentionBackward"> {
  const kernelsByMode = new Map<Mode, Record<string, Kernel>>();
  const prepare = (
    flops: number,
  ): { tile: Tile; kernels: Record<string, Kernel> } => {
    const mode = runtime.modeFor(flops);
    const tile = tileOf(mode, runtime.target);
    const kernels = kernelsByMode.get(mode) ??
      runtime.load(attentionModule(runtime.target, tile));
    kernelsByMode.set(mode, kernels);
    return { tile, kernels };
  };
  const grain = (items: number, flops: number): number =>
    Math.max(1, Math.ceil(items * grainFlops / Math.max(1, flops)));
  const rowsOf = ({ causal }: AttentionArguments): number =>
    causal ? mostCausalRows : mostRows;

  return {
    attention(args: AttentionArguments, out: View, logSumExp: View): void {
      const [batches, heads, queries] = args.query.shape;
      const flops = batches * heads * headFlops(args);
      const { tile, kernels } = prepare(flops);
      const plan = planAttention(args, tile, rowsOf(args), 1);
      const job = {
        ...plan.job,
        ...commonFields(runtime, args, logSumExp),
        ...viewFields(runtime, "out", out),
      };
      const items = batches * heads * Math.ceil(queries / plan.rowBlock);
      withJob(runtime, args, job, (address) => {
        runtime.launch(
          kernels.attention,
          [address],
          items,
          grain(items, flops),
        );
      });
    },

    attentionBackward(
      args: AttentionArguments,
      out: View,
      logSumExp: View,
      dout: View,
      dquery: View,
      dkey: View,
      dvalue: View,
    ): void {
      const [batches, heads] = args.query.shape;
      const items = batches * heads;
      const flops = 2.5 * items * headFlops(args);
      const { tile, kernels } = prepare(flops);
      const plan = planAttention(args, tile, rowsOf(args), 2);
      const job = {
        ...plan.job,
        ...commonFields(runtime, args, logSumExp),
        ...viewFields(runtime, "out", out),
        ...viewFields(runtime, "dout", dout),
        ...viewFields(runtime, "dquery", dquery),
        ...viewFields(runtime, "dkey", dkey),
        ...viewFields(runtime, "dvalue", dvalue),
      };
      withJob(runtime, args, job, (address) => {
        runtime.launch(
          kernels.attentionBackward,
          [address],
          items,
          grain(items, flops),
        );
      });
    },
  };
}
