/**
 * What the forward and backward kernels of attention have in common: finding
 * heads and blocks of queries, packing chunks of keys, and the scores.
 *
 * @module
 */

import {
  choose,
  f32,
  type FunctionBuilder,
  i32,
  type Local,
  type ModuleBuilder,
  scalar,
  type Value,
} from "./assembler.ts";
import { jobReader, type ScratchPart, scratchParts } from "./attention_job.ts";
import { emitRowFunctions, type RowFunctions } from "./attention_rows.ts";
import { emitGemm, type Gemm, productFlags, type Tile } from "./gemm.ts";
import {
  bitAnd,
  minimum,
  minus,
  plus,
  product,
  quotient,
  remainder,
} from "./integer.ts";
import type { RecordReader } from "./record.ts";

/** The functions that both kernels call. */
export interface AttentionFunctions {
  /** Products and packing. */
  readonly gemm: Gemm;
  /** What happens to rows of scores. */
  readonly rows: RowFunctions;
}

/** Adds these functions to a module. */
export function emitAttentionFunctions(
  module: ModuleBuilder,
  tile: Tile,
): AttentionFunctions {
  return { gemm: emitGemm(module, tile), rows: emitRowFunctions(module) };
}

/** A tensor of heads: where the current head begins, and its rows' stride. */
export interface HeadTensor {
  /** The current head. */
  readonly head: Local;
  /** Bytes between rows. */
  readonly row: Local;
}

/** How strips of keys are packed. */
export interface Packing {
  /** Where in the scratch memory. */
  readonly place: "packedKeys" | "packedValues" | "packedRows";
  /** What is packed. */
  readonly source: HeadTensor;
  /**
   * Columns: strips of keys, to multiply queries with. Rows: strips of the
   * head's depth, to multiply probabilities with.
   */
  readonly as: "columns" | "rows";
}

/** A product's left operand, in rows, and its result. */
export interface Operands {
  /** Extra flags of the product. */
  readonly flags: Value;
  /** Left operand. */
  readonly left: Value;
  /** Bytes between its rows. */
  readonly leftStride: Value;
  /** Result. */
  readonly out: Value;
  /** Bytes between its rows. */
  readonly outRow: Value;
  /** Factor of the product. */
  readonly alpha: Value;
}

/** Locals of an attention kernel, and emitters that use them. */
export class AttentionFrame {
  /** The kernel being written. */
  readonly f: FunctionBuilder;
  /** Fields of its job. */
  readonly read: RecordReader<string>;
  /** Its thread's memory. */
  readonly scratch: Local;
  /** The functions it calls. */
  readonly functions: AttentionFunctions;
  /** Number of heads of a batch member. */
  readonly heads: Local;
  /** Number of queries. */
  readonly queries: Local;
  /** Number of keys. */
  readonly keys: Local;
  /** Extent of queries, keys and values. */
  readonly depth: Local;
  /** The current member of the batch. */
  readonly batch: Local;
  /** The current head. */
  readonly head: Local;
  /** Both as one number: batch · heads + head. */
  readonly batchHead: Local;
  /** First query of the current block. */
  readonly first: Local;
  /** Number of its queries. */
  readonly rows: Local;
  /** Keys that the block sees. */
  readonly reach: Local;
  /** Row of the block, in `forRows`. */
  readonly row: Local;
  /** Keys that this row sees. */
  readonly valid: Local;
  /** Bytes between rows of scores. */
  readonly scoreRow: Local;
  /** Queries in a block. */
  readonly rowBlock: Local;
  /** Factor of the scores. */
  readonly scale: Local;
  /** What dropout multiplies the rest with; 0 without dropout. */
  readonly keptFactor: Local;
  #causal: Local;
  #resident: Local;
  #chunkKeys: Local;
  #chunkBytes: Local;
  #packedHead: Local;
  #tensors: {
    name: string;
    bytes: number;
    base: Local;
    batch: Local;
    head: Local;
    now: Local;
  }[] = [];
  #parts: Record<ScratchPart, Local>;

  /** Starts a kernel with parameters (job, begin, end, scratch). */
  constructor(
    f: FunctionBuilder,
    functions: AttentionFunctions,
    job: Local,
    scratch: Local,
  ) {
    this.f = f;
    this.functions = functions;
    this.scratch = scratch;
    const read = this.read = jobReader(f, job);
    this.heads = read.integer("heads");
    this.queries = read.integer("queries");
    this.keys = read.integer("keys");
    this.depth = read.integer("depth");
    this.rowBlock = read.integer("rowBlock");
    this.scale = read.real("scale");
    this.keptFactor = read.real("keptFactor");
    this.scoreRow = read.stride("scoreStride");
    this.#causal = read.integer("causal");
    this.#resident = read.integer("resident");
    this.#chunkKeys = read.integer("chunkKeys");
    this.#chunkBytes = read.integer("chunkBytes");
    const parts = scratchParts.map((name) =>
      [name, f.let(f.offset(scratch, read.pointer(name)))] as const
    );
    this.#parts = Object.fromEntries(parts) as Record<ScratchPart, Local>;
    this.#packedHead = f.let(i32(-1));
    this.batch = f.local("i32");
    this.head = f.local("i32");
    this.batchHead = f.local("i32");
    this.first = f.local("i32");
    this.rows = f.local("i32");
    this.reach = f.local("i32");
    this.row = f.local("i32");
    this.valid = f.local("i32");
  }

  /** A part of the scratch memory. */
  part(name: ScratchPart): Local {
    return this.#parts[name];
  }

  /** A view of the job; `setHead` moves it to the current head. */
  tensor(name: string, bytes = 4): HeadTensor {
    const { read, f } = this;
    const now = f.local("ptr");
    this.#tensors.push({
      name,
      bytes,
      base: read.pointer(name),
      batch: read.stride(`${name}Batch`, bytes),
      head: read.stride(`${name}Head`, bytes),
      now,
    });
    return { head: now, row: read.stride(`${name}Row`, bytes) };
  }

  /** Goes to a head: (batch · heads + head). */
  setHead(batchHead: Value): void {
    const { f } = this;
    f.set(this.batchHead, batchHead);
    f.set(this.batch, quotient(this.batchHead, this.heads));
    f.set(this.head, remainder(this.batchHead, this.heads));
    for (const { base, batch, head, now } of this.#tensors) {
      f.set(now, f.offset(base, f.times(this.batch, batch)));
      f.add(now, f.times(this.head, head));
    }
  }

  /** Goes to the block of queries from `first` on. */
  setBlock(first: Value): void {
    const { f } = this;
    f.set(this.first, first);
    f.set(this.rows, minimum(this.rowBlock, minus(this.queries, this.first)));
    f.set(this.reach, this.#reachOf(plus(this.first, this.rows)));
  }

  /** How many keys the queries before `end` see. */
  #reachOf(end: Value): Value {
    const { f } = this;
    const seen = f.let(plus(end, minus(this.keys, this.queries)));
    const positive = choose(
      scalar("i32.gt_s", seen, i32(0)),
      seen,
      i32(0),
    );
    const bounded = minimum(f.let(positive), this.keys);
    return choose(this.#causal, f.let(bounded), this.keys);
  }

  /** Address of row `row` of the current head. */
  rowOf(tensor: HeadTensor, row: Value): Value {
    const { f } = this;
    return f.offset(tensor.head, f.times(row, tensor.row));
  }

  /** Packs all keys of a head that stays packed, once. */
  packHead(packings: readonly Packing[]): void {
    const { f } = this;
    const isNew = scalar("i32.ne", this.batchHead, this.#packedHead);
    f.if(bitAnd(this.#resident, isNew), () => {
      for (const packing of packings) {
        this.#forChunks(this.keys, (chunk, first) => {
          this.#pack(packing, chunk, first);
        });
      }
      f.set(this.#packedHead, this.batchHead);
    });
  }

  /** The loop over chunks of keys; runs at least once, even without keys. */
  #forChunks(
    keys: Value,
    body: (chunk: Local, first: Local, count: Local) => void,
  ): void {
    const { f } = this;
    const [chunk, first] = [f.let(i32(0)), f.let(i32(0))];
    const [count, more] = [f.local("i32"), f.let(i32(1))];
    f.while(more, () => {
      f.set(count, minimum(this.#chunkKeys, minus(keys, first)));
      body(chunk, first, count);
      f.add(chunk, 1);
      f.add(first, this.#chunkKeys);
      f.set(more, scalar("i32.lt_s", first, keys));
    });
  }

  #chunkAt(packing: Packing, chunk: Local): Value {
    const { f } = this;
    const at = product(chunk, this.#chunkBytes);
    return f.offset(
      this.part(packing.place),
      choose(this.#resident, at, i32(0)),
    );
  }

  /** Keys of a chunk that are packed, whether or not a block sees them. */
  #keysFrom(first: Local): Value {
    return minimum(this.#chunkKeys, minus(this.keys, first));
  }

  #pack(packing: Packing, chunk: Local, first: Local): void {
    const { f, functions: { gemm } } = this;
    const { source, as } = packing;
    const from = this.rowOf(source, first);
    const to = this.#chunkAt(packing, chunk);
    const keys = this.#keysFrom(first);
    const one = f.pointer(4);
    if (as === "columns") {
      f.run(gemm.packB, from, source.row, one, keys, this.depth, to);
    } else f.run(gemm.packB, from, one, source.row, this.depth, keys, to);
  }

  /** Calls back for every chunk that the block sees, packed by then. */
  #forPackedChunks(
    packing: Packing,
    body: (at: Local, first: Local, count: Local) => void,
  ): void {
    const { f } = this;
    this.#forChunks(this.reach, (chunk, first, count) => {
      f.if(
        scalar("i32.eqz", this.#resident),
        () => this.#pack(packing, chunk, first),
      );
      body(f.let(this.#chunkAt(packing, chunk)), first, count);
    });
  }

  /**
   * out = alpha · rows of `left` (rows × depth) · keysᵀ, plus a residual if
   * there is one: one row for every query, one column for every key seen.
   */
  timesKeys(
    packing: Packing,
    { left, leftStride, out, outRow, alpha, flags }: Operands,
    residual?: { address: Value; row: Value },
  ): void {
    const { f, functions: { gemm } } = this;
    const { rows, columns } = gemm.tile;
    const none = f.pointer(0);
    this.#forPackedChunks(packing, (at, first, count) => {
      const shift = f.let(f.times(first, 4));
      // Whole tiles are faster; rows of scores have room, a residual hasn't.
      const whole = bitAnd(plus(count, columns - 1), -columns);
      const isExact = bitAnd(flags, productFlags.residual);
      const width = choose(isExact, count, whole);
      f.run(
        gemm.multiply,
        ...[flags, left, leftStride, f.times(leftStride, rows)],
        ...[at, f.pointer(4 * columns), f.times(this.depth, 4 * columns)],
        ...[this.rows, width, this.depth, f.offset(out, shift), outRow],
        residual ? f.offset(residual.address, shift) : none,
        residual ? residual.row : none,
        ...[none, none, alpha, this.scratch],
      );
    });
  }

  /** out = left (rows × keys seen) · keys, one row for every query. */
  timesRows(
    packing: Packing,
    { left, leftStride, out, outRow, alpha, flags }: Operands,
  ): void {
    const { f, functions: { gemm } } = this;
    const { rows, columns } = gemm.tile;
    const none = f.pointer(0);
    this.#forPackedChunks(packing, (at, first, count) => {
      const strip = f.times(this.#keysFrom(first), 4 * columns);
      const isFirst = scalar("i32.eqz", first);
      f.run(
        gemm.multiply,
        choose(isFirst, flags, i32(productFlags.residual)),
        ...[f.offset(left, f.times(first, 4)), leftStride],
        ...[f.times(leftStride, rows), at, f.pointer(4 * columns), strip],
        ...[this.rows, this.depth, count, out, outRow, out, outRow],
        ...[none, none, alpha, this.scratch],
      );
    });
  }

  /** Runs `body` for every row of the block, knowing what it sees. */
  forRows(body: () => void): void {
    const { f } = this;
    f.for(this.row, i32(0), this.rows, 1, () => {
      f.set(
        this.valid,
        this.#reachOf(plus(plus(this.first, this.row), 1)),
      );
      body();
    });
  }

  /** Address of row `row` of a matrix like the scores. */
  scoresOf(part: "scores" | "gradients"): Value {
    const { f } = this;
    return f.offset(this.part(part), f.times(this.row, this.scoreRow));
  }

  /** Scores of the current block, without what may not be attended. */
  scores(
    query: HeadTensor,
    keys: Packing,
    bias: HeadTensor,
    keep: HeadTensor,
  ): void {
    const { f, read, functions: { rows } } = this;
    const hasBias = read.integer("hasBias");
    const hasKeep = read.integer("hasKeep");
    const biasStep = read.stride("biasColumn");
    const keepStep = read.stride("keepColumn", 1);
    const isAddend = f.let(bitAnd(hasBias, read.isOne("biasColumn")));
    this.timesKeys(keys, {
      flags: choose(isAddend, i32(productFlags.residual), i32(0)),
      left: this.rowOf(query, this.first),
      leftStride: query.row,
      out: this.part("scores"),
      outRow: this.scoreRow,
      alpha: this.scale,
    }, { address: this.rowOf(bias, this.first), row: bias.row });
    const isLeft = bitAnd(hasBias, scalar("i32.eqz", isAddend));
    const queryRow = (): Value => plus(this.first, this.row);
    f.if(isLeft, () =>
      this.forRows(() =>
        f.run(
          rows.add,
          this.scoresOf("scores"),
          this.rowOf(bias, queryRow()),
          biasStep,
          this.valid,
        )
      ));
    f.if(hasKeep, () =>
      this.forRows(() =>
        f.run(
          rows.mask,
          this.scoresOf("scores"),
          this.rowOf(keep, queryRow()),
          keepStep,
          this.valid,
        )
      ));
  }

  /**
   * Sets `factors` to where dropout's factors of the current row lie, which
   * are drawn here, or to 0 without dropout.
   */
  drawDropout(factors: Local): void {
    const { f, read, functions: { rows } } = this;
    const random = this.part("random");
    const streams = read.pointer("streams");
    const batches = read.integer("batchesPerStream");
    const [seedLow, seedHigh, threshold] = [
      ...["seedLow", "seedHigh", "dropThreshold"],
    ].map((name) => read.integer(name));
    const wide = (x: Value): Value => scalar("i64.extend_i32_u", x);
    const times = (a: Value, b: Value): Value => scalar("i64.mul", a, b);
    const sum = (a: Value, b: Value): Value => scalar("i64.add", a, b);
    f.if(scalar("f32.ne", this.keptFactor, f32(0)), () => {
      const group = quotient(this.batch, batches);
      const words = f.let(f.offset(streams, product(group, 24)));
      const stream = [0, 8, 16].map((at) =>
        f.let(scalar("i32.trunc_f64_u", f.load("f64", words, at)))
      );
      const local = remainder(this.batch, batches);
      const head = sum(times(wide(local), wide(this.heads)), wide(this.head));
      const query = plus(this.first, this.row);
      const row = sum(times(head, wide(this.queries)), wide(query));
      const element = f.let(times(row, wide(this.keys)));
      const skipped = f.let(
        bitAnd(scalar("i32.wrap_i64", element), 3),
      );
      const block = scalar(
        "i32.wrap_i64",
        scalar("i64.shr_u", element, wide(i32(2))),
      );
      f.run(
        ...[rows.dropout, random, block, plus(skipped, this.valid)] as const,
        ...[seedLow, seedHigh, ...stream, threshold, this.keptFactor],
      );
      f.set(factors, f.offset(random, f.times(skipped, 4)));
    });
  }
}
