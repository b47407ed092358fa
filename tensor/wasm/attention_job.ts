/**
 * What the attention kernels are told: a record of numbers in temporary memory,
 * and where their scratch memory holds what.
 *
 * @module
 */

import type { AttentionArguments, View } from "../backend.ts";
import { dropoutThreshold } from "../philox.ts";
import type { FunctionBuilder, Value } from "./assembler.ts";
import { blockDepth, type Tile, tileScratchBytes } from "./gemm.ts";
import { recordLayout, type RecordReader, recordReader } from "./record.ts";
import { type Runtime, scratchBytes } from "./runtime.ts";

const strided = [
  ...["query", "key", "value", "out", "dout", "dquery", "dkey", "dvalue"],
  ...["keep", "bias"],
] as const;
const axes = ["", "Batch", "Head", "Row", "Column"] as const;

/** Parts of the scratch memory. */
export const scratchParts = [
  ...["scores", "gradients", "rowFactors", "random"] as const,
  ...["packedKeys", "packedValues", "packedRows", "packedOther"] as const,
];

/** One of them. */
export type ScratchPart = (typeof scratchParts)[number];

const fields: readonly string[] = [
  // Extents, and how work is cut: rows of a block of queries, elements between
  // rows of scores, keys and bytes of a packed chunk, whether all chunks of a
  // head stay packed.
  ...["heads", "queries", "keys", "depth"],
  ...["rowBlock", "scoreStride", "chunkKeys", "chunkBytes", "resident"],
  // What is done.
  ...["causal", "scale", "hasKeep", "hasBias", "logSumExp"],
  // Dropout: random words below the threshold, without their lowest 8 bits,
  // drop; what is kept has a factor, 0 without dropout.
  ...["dropThreshold", "keptFactor", "seedLow", "seedHigh", "streams"],
  "batchesPerStream",
  // Byte offsets of parts of the scratch memory.
  ...scratchParts,
  ...strided.flatMap((name) => axes.map((axis) => name + axis)),
];

const layout = recordLayout(fields);

/** A reader of the record at `job`. */
export function jobReader(
  f: FunctionBuilder,
  job: Value,
): RecordReader<string> {
  return recordReader(f, layout, job);
}

/** Values of the record; what is not given is 0. */
export type Job = Record<string, number>;

/** How a launch of attention is cut into items, and its scratch memory. */
export interface AttentionPlan {
  /** Rows of a block of queries. */
  readonly rowBlock: number;
  /** Fields that depend on it. */
  readonly job: Job;
}

/** Bytes of scratch memory for scores, and for their gradients. */
const scoreBytes = 1.25 * 2 ** 20;
/** Bytes of scratch memory for packed keys and values. */
const packedBytes = 1.5 * 2 ** 20;

const roundUp = (x: number, unit: number): number => Math.ceil(x / unit) * unit;

/**
 * Chooses blocks for the scratch memory that there is.
 *
 * @param wantedRows Rows of a block of queries, at most.
 * @param passes 1 forward, 2 backward: how many matrices of scores are kept.
 * @throws {RangeError} If one row of scores or one chunk of keys doesn't fit.
 */
export function planAttention(
  { query, key, dropout }: AttentionArguments,
  tile: Tile,
  wantedRows: number,
  passes: 1 | 2,
): AttentionPlan {
  const [, , queries, depth] = query.shape;
  const keys = key.shape[2];
  const width = roundUp(depth, tile.columns);
  const scoreStride = roundUp(keys, 16) + 16;
  const fitting = Math.min(
    Math.floor(scoreBytes / (4 * passes * scoreStride)),
    Math.floor(scoreBytes / (8 * width)),
  );
  const rowBlock = Math.max(1, Math.min(wantedRows, fitting, queries));
  const packs = passes + 1;
  const affordable = Math.floor(packedBytes / (packs * 64 * width)) * 16;
  const chunkKeys = Math.min(
    ...[blockDepth, Math.max(16, affordable), roundUp(Math.max(1, keys), 16)],
  );
  const chunks = Math.max(1, Math.ceil(keys / chunkKeys));
  const chunkBytes = 4 * width * chunkKeys;
  const resident = packs * chunks * chunkBytes <= packedBytes;
  const packed = (resident ? chunks : 1) * chunkBytes;
  const job: Job = {
    ...{ rowBlock, scoreStride, chunkKeys, chunkBytes },
    resident: +resident,
  };
  let end = tileScratchBytes;
  const place = (name: ScratchPart, bytes: number): void => {
    job[name] = end;
    end += roundUp(bytes, 64);
  };
  const scores = 4 * scoreStride * roundUp(rowBlock, tile.rows);
  place("scores", scores);
  if (passes === 2) place("gradients", scores);
  place("rowFactors", 4 * rowBlock);
  if (dropout !== undefined) place("random", 4 * (keys + 32));
  place("packedKeys", packed);
  place("packedValues", packed);
  if (passes === 2) {
    place("packedRows", packed);
    place("packedOther", 4 * width * rowBlock);
  }
  if (end > scratchBytes) {
    throw new RangeError(
      `attention: ${keys} keys of depth ${depth} don't fit the scratch ` +
        `memory of ${scratchBytes} bytes; use shorter sequences or heads`,
    );
  }
  return { rowBlock, job };
}

/** The fields that say where a view of four axes lies. */
export function viewFields(
  runtime: Runtime,
  name: string,
  view: View | undefined,
): Job {
  if (view === undefined) return {};
  const [batch, head, row, column] = view.strides;
  return {
    [name]: runtime.address(view),
    [`${name}Batch`]: batch,
    [`${name}Head`]: head,
    [`${name}Row`]: row,
    [`${name}Column`]: column,
  };
}

/** The fields that forward and backward have in common. */
export function commonFields(
  runtime: Runtime,
  args: AttentionArguments,
  logSumExp: View,
): Job {
  const { query, key, value, keep, bias, dropout } = args;
  const [batches, heads, queries, depth] = query.shape;
  return {
    ...{ heads, queries, keys: key.shape[2], depth },
    causal: +args.causal,
    scale: args.scale,
    hasKeep: +(keep !== undefined),
    hasBias: +(bias !== undefined),
    logSumExp: runtime.address(logSumExp),
    ...(dropout && {
      dropThreshold: dropoutThreshold(dropout.probability),
      keptFactor: 1 / (1 - dropout.probability),
      seedLow: dropout.key.seed >>> 0,
      seedHigh: Math.floor(dropout.key.seed / 2 ** 32),
      batchesPerStream: batches / dropout.key.streams.length,
    }),
    ...viewFields(runtime, "query", query),
    ...viewFields(runtime, "key", key),
    ...viewFields(runtime, "value", value),
    ...viewFields(runtime, "keep", keep),
    ...viewFields(runtime, "bias", bias),
  };
}

/**
 * Writes the record, followed by the words of the streams of dropout, runs
 * `launch` with its address, and forgets it.
 */
export function withJob(
  runtime: Runtime,
  { dropout }: AttentionArguments,
  job: Job,
  launch: (address: number) => void,
): void {
  const streams = dropout?.key.streams.flat() ?? [];
  const size = 8 * (fields.length + streams.length);
  const address = runtime.temporary(size);
  job.streams = address + 8 * fields.length;
  const record = new Float64Array(runtime.memory.buffer, address, size / 8);
  fields.forEach((name, i) => record[i] = job[name] ?? 0);
  record.set(streams, fields.length);
  try {
    launch(address);
  } finally {
    runtime.release(address);
  }
}
