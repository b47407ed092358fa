/**
 * The gradient of attention from its saved logSumExp (Dao et al. 2022,
 * FlashAttention, appendix B.2).
 *
 * Items are heads, so that nothing is added up across threads. Blocks of
 * queries come last first: the last one sees all keys and sets the gradients of
 * keys and values, the others add to those that they see. With probabilities
 * p = e^(score − logSumExp) and dropout's factors f,
 *
 *     dvalue = (f p)ᵀ dout,   dp = f (dout valueᵀ),
 *     ds = scale · p (dp − Σ dout out),   dquery = ds key,   dkey = dsᵀ query.
 *
 * @module
 */

import { f32, i32, type ModuleBuilder, scalar } from "./assembler.ts";
import { bitOr, minus, plus, product, quotient } from "./integer.ts";
import {
  AttentionFrame,
  type AttentionFunctions,
  type HeadTensor,
  type Packing,
} from "./attention_frame.ts";
import { productFlags } from "./gemm.ts";

/** Adds the kernel to a module. */
export function emitAttentionBackward(
  module: ModuleBuilder,
  functions: AttentionFunctions,
): void {
  module.export(
    "attentionBackward",
    ["ptr", "i32", "i32", "ptr"],
    undefined,
    (f, job, begin, end, scratch) => {
      const frame = new AttentionFrame(f, functions, job, scratch);
      const { read, functions: { rows, gemm } } = frame;
      const [query, key, value, out, bias] = [
        ...["query", "key", "value", "out", "bias"],
      ].map((name) => frame.tensor(name));
      const [dout, dquery, dkey, dvalue] = [
        ...["dout", "dquery", "dkey", "dvalue"],
      ].map((name) => frame.tensor(name));
      const keep = frame.tensor("keep", 1);
      const logSumExp = read.pointer("logSumExp");
      const keys: Packing = { place: "packedKeys", source: key, as: "columns" };
      const values: Packing = {
        place: "packedValues",
        source: value,
        as: "columns",
      };
      const keyRows: Packing = { place: "packedRows", source: key, as: "rows" };
      const [item, first, more] = [
        f.local("i32"),
        f.local("i32"),
        f.local("i32"),
      ];
      const [at, factors] = [f.local("ptr"), f.local("ptr")];
      const mean = f.local("f32");
      const flags = f.local("i32");

      /** target (+)= transposed part (keys seen × rows) · rows of source. */
      const timesQueries = (
        part: "scores" | "gradients",
        source: HeadTensor,
        target: HeadTensor,
      ): void => {
        const { columns } = gemm.tile;
        const packed = frame.part("packedOther");
        const from = frame.rowOf(source, frame.first);
        f.run(
          gemm.packB,
          ...[from, f.pointer(4), source.row, frame.depth, frame.rows, packed],
        );
        const none = f.pointer(0);
        f.run(
          gemm.multiply,
          bitOr(flags, productFlags.columns),
          ...[frame.part(part), frame.scoreRow, f.pointer(4 * gemm.tile.rows)],
          ...[packed, f.pointer(4 * columns)],
          f.times(frame.rows, 4 * columns),
          ...[frame.reach, frame.depth, frame.rows, target.head, target.row],
          ...[target.head, target.row, none, none, f32(1), scratch],
        );
      };

      f.for(item, begin, end, 1, () => {
        frame.setHead(item);
        frame.packHead([keys, values, keyRows]);
        const blocks = quotient(minus(frame.queries, 1), frame.rowBlock);
        f.set(first, i32(0));
        f.if(
          frame.queries,
          () => f.set(first, product(blocks, frame.rowBlock)),
        );
        f.set(flags, i32(0));
        f.set(more, i32(1));
        f.while(more, () => {
          frame.setBlock(first);
          frame.scores(query, keys, bias, keep);
          frame.timesKeys(values, {
            flags: i32(0),
            left: frame.rowOf(dout, first),
            leftStride: dout.row,
            out: frame.part("gradients"),
            outRow: frame.scoreRow,
            alpha: f32(1),
          });
          const rowOfHeads = plus(
            product(frame.batchHead, frame.queries),
            first,
          );
          f.set(at, f.offset(logSumExp, f.times(rowOfHeads, 4)));
          frame.forRows(() => {
            const position = f.let(plus(first, frame.row));
            f.set(
              mean,
              f.call(
                rows.dot,
                frame.rowOf(dout, position),
                frame.rowOf(out, position),
                ...[frame.depth, scratch],
              ),
            );
            f.set(factors, f.pointer(0));
            frame.drawDropout(factors);
            f.run(
              rows.gradient,
              ...[frame.scoresOf("scores"), frame.scoresOf("gradients")],
              ...[frame.valid, frame.reach, f.load("f32", at)],
              ...[mean, frame.scale, factors],
            );
            f.add(at, 4);
          });
          timesQueries("scores", dout, dvalue);
          timesQueries("gradients", query, dkey);
          frame.timesRows(keyRows, {
            flags: i32(0),
            left: frame.part("gradients"),
            leftStride: frame.scoreRow,
            out: frame.rowOf(dquery, first),
            outRow: dquery.row,
            alpha: f32(1),
          });
          f.set(flags, i32(productFlags.residual));
          f.set(more, scalar("i32.gt_s", first, i32(0)));
          f.add(first, minus(i32(0), frame.rowBlock));
        });
      });
    },
  );
}
