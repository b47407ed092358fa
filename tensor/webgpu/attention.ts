/**
 * Scaled dot-product attention of the webgpu device, fused: scores are never
 * stored.
 *
 * Contract: see `AttentionArguments`. A query without keys has output 0 and
 * logSumExp −∞. Nothing is summed by atomics, so results are the same in every
 * run.
 *
 * @module
 */

import type { AttentionArguments, Dropout, Kernels, View } from "../backend.ts";
import { dropoutThreshold } from "../philox.ts";
import { sizeOf } from "../shape.ts";
import {
  attentionKeyGradientCode,
  attentionQueryGradientCode,
} from "./attention_backward.ts";
import { attentionForwardCode } from "./attention_forward.ts";
import type { AttentionVariant } from "./attention_loop.ts";
import {
  type AttentionPlan,
  planAttention,
  rowsPerWorkgroup,
  streamingTurns,
} from "./attention_plan.ts";
import { aligned4 } from "./view_memory.ts";
import type { CompiledShader, Gpu } from "./gpu.ts";
import { words } from "./items.ts";
import { kernelForm } from "./kernel_form.ts";
import { assertTurns } from "./loop_turns.ts";
import { spread } from "./recorder.ts";
import { scratch } from "./scratch.ts";
import { slice, windowsFit } from "./windows.ts";
import { mostStreams, randomTail, randomTailLength } from "./philox.ts";
import type { Shader, ShaderOperand, ShaderParameter } from "./shader.ts";

/** Views of one launch by name, in the order of the shader's operands. */
type NamedViews = Readonly<Record<string, View>>;

/** A kernel of attention: its code, and what differs from the others. */
interface AttentionKernel {
  readonly name: string;
  readonly operation: string;
  readonly code: (plan: AttentionPlan, variant: AttentionVariant) => string;
  /** Which side's rows the threads keep. */
  readonly count: "queries" | "keys";
  /** Products of rows that it forms for each pair. */
  readonly sums: number;
  /** Names of the operands that it writes. */
  readonly writes: readonly string[];
}

const forward: AttentionKernel = {
  name: "forward",
  operation: "attention",
  code: attentionForwardCode,
  count: "queries",
  sums: 1,
  writes: ["out", "log_sum_exp"],
};

const queryGradient: AttentionKernel = {
  name: "query gradient",
  operation: "attentionBackward",
  code: attentionQueryGradientCode,
  count: "queries",
  sums: 2,
  writes: ["delta", "dquery"],
};

const keyGradient: AttentionKernel = {
  name: "key gradient",
  operation: "attentionBackward",
  code: attentionKeyGradientCode,
  count: "keys",
  sums: 2,
  writes: ["dkey", "dvalue"],
};

/** Operands of one number for each query. */
const scalarOperands = ["log_sum_exp", "delta"];
const maskOperands = ["keep", "bias"];

function isRows(name: string): boolean {
  return !scalarOperands.includes(name) && !maskOperands.includes(name);
}

/** Suffixes of the strides of an operand. */
function strideNames(name: string): readonly string[] {
  if (maskOperands.includes(name)) return ["b", "h", "t", "s"];
  return scalarOperands.includes(name) ? [] : ["b", "h", "row"];
}

function parametersOf(names: readonly string[]): ShaderParameter[] {
  return [
    ...words("batches", "heads", "queries", "keys"),
    ...words("first_batch", "batches_per_stream", "dropped"),
    { name: "ahead", type: "i32" },
    { name: "scale", type: "f32" },
    { name: "kept_factor", type: "f32" },
    ...names.flatMap((name) =>
      words(...strideNames(name).map((axis) => `${name}_${axis}`))
    ),
  ];
}

/** What all launches of one kind share. */
interface Prepared {
  readonly shader: CompiledShader;
  readonly plan: AttentionPlan;
}

/** The batches of a launch, as dropout counts them. */
interface Batches {
  /** Number of batches that share a stream. */
  readonly perStream: number;
  /** Batches of the first stream that come before. */
  readonly first: number;
}

function launch(
  gpu: Gpu,
  prepared: Map<string, Prepared>,
  kernel: AttentionKernel,
  args: AttentionArguments,
  views: NamedViews,
  batches: Batches,
): void {
  const variant = variantOf(args, views);
  const { plan, shader } = prepare(gpu, prepared, kernel, views, variant);
  const [batch, heads, queries] = args.query.shape;
  const keys = args.key.shape[2];
  const [rows, streamed] = kernel.count === "queries"
    ? [queries, keys]
    : [keys, queries];
  const workgroups = batch * heads * Math.ceil(rows / rowsPerWorkgroup(plan));
  if (workgroups === 0) return;
  const turns = streamingTurns(plan, streamed, kernel.sums);
  assertTurns(gpu, kernel.operation, turns);
  gpu.launch(
    shader,
    Object.values(views),
    valuesOf(args, views, batches),
    spread(workgroups),
    args.dropout && randomTail(args.dropout.key),
  );
}

function variantOf(
  { query, causal, keep, bias, dropout }: AttentionArguments,
  views: NamedViews,
): AttentionVariant {
  return {
    depth: query.shape[3],
    vector: Object.entries(views)
      .every(([name, view]) => !isRows(name) || aligned4(view)),
    causal,
    keep: keep !== undefined,
    bias: bias !== undefined,
    tail: dropout ? randomTailLength(dropout.key.streams.length) : 0,
  };
}

function prepare(
  gpu: Gpu,
  prepared: Map<string, Prepared>,
  kernel: AttentionKernel,
  views: NamedViews,
  variant: AttentionVariant,
): Prepared {
  const { depth, vector, causal, keep, bias, tail } = variant;
  const flags = `${vector ? "v" : ""}${causal ? "c" : ""}${keep ? "k" : ""}${
    bias ? "b" : ""
  }`;
  const id = `attention ${kernel.name} ${depth} ${tail} ${flags}`;
  const known = prepared.get(id);
  if (known !== undefined) return known;
  const plan = planAttention(kernelForm(gpu, "attention"), depth, kernel.sums);
  const names = Object.keys(views);
  const made = {
    plan,
    shader: gpu.shader(id, () => shaderOf(kernel, names, plan, variant)),
  };
  prepared.set(id, made);
  return made;
}

/** In the order of `parametersOf`. */
function valuesOf(
  { query, key, scale, dropout }: AttentionArguments,
  views: NamedViews,
  { first, perStream }: Batches,
): number[] {
  const [batch, heads, queries] = query.shape;
  const keys = key.shape[2];
  const values = [
    ...[batch, heads, queries, keys, first, perStream],
    dropout ? dropoutThreshold(dropout.probability) : 0,
    keys - queries,
    scale,
    dropout ? 1 / (1 - dropout.probability) : 1,
  ];
  for (const [name, { strides }] of Object.entries(views)) {
    const count = strideNames(name).length;
    for (let axis = 0; axis < count; axis++) values.push(strides[axis]);
  }
  return values;
}

function shaderOf(
  kernel: AttentionKernel,
  names: readonly string[],
  plan: AttentionPlan,
  variant: AttentionVariant,
): Shader {
  return {
    operation: kernel.operation,
    operands: names.map((name): ShaderOperand => ({
      name,
      access: kernel.writes.includes(name) ? "write" : "read",
      vector: variant.vector && isRows(name),
    })),
    parameters: parametersOf(names),
    tail: variant.tail,
    code: kernel.code(plan, variant),
  };
}

function sliceDropout(
  dropout: Dropout,
  perStream: number,
  from: number,
  to: number,
): Dropout {
  const { seed, streams } = dropout.key;
  const part = streams.slice(
    Math.floor(from / perStream),
    Math.ceil(to / perStream),
  );
  return { ...dropout, key: { seed, streams: part } };
}

/**
 * Runs a problem in parts of the batch that can be bound, and that need no
 * more streams of dropout than a launch can have.
 */
function inParts(
  gpu: Gpu,
  args: AttentionArguments,
  views: NamedViews,
  run: (args: AttentionArguments, views: NamedViews, batches: Batches) => void,
): void {
  const batch = args.query.shape[0];
  const { dropout } = args;
  const perStream = batch / (dropout?.key.streams.length ?? 1);
  const part = (from: number, to: number): void => {
    const [whole, names] = [from === 0 && to === batch, Object.keys(views)];
    const parts: NamedViews = whole ? views : Object.fromEntries(
      names.map((name) => [name, slice(views[name], 0, from, to)]),
    );
    // A part may begin and end within a stream: two more than fill it.
    const fits = (to - from) / perStream <= mostStreams - 2 &&
      windowsFit(gpu, Object.values(parts));
    if (!fits && to - from > 1) {
      const middle = Math.ceil((from + to) / 2);
      part(from, middle);
      part(middle, to);
      return;
    }
    const { query, key, value, keep, bias } = parts;
    run(
      whole ? args : {
        ...{ ...args, query, key, value, keep, bias },
        dropout: dropout && sliceDropout(dropout, perStream, from, to),
      },
      parts,
      { perStream, first: from % perStream },
    );
  };
  part(0, batch);
}

/** The two kernels, for one GPU. */
export function attentionKernels(
  gpu: Gpu,
): Pick<Kernels, "attention" | "attentionBackward"> {
  const prepared = new Map<string, Prepared>();
  const inputsOf = (
    { query, key, value, keep, bias }: AttentionArguments,
  ): NamedViews => ({
    ...{ query, key, value },
    ...(keep && { keep }),
    ...(bias && { bias }),
  });
  return {
    attention(args, out, logSumExp): void {
      const views = { ...inputsOf(args), out, log_sum_exp: logSumExp };
      inParts(gpu, args, views, (part, parts, batches) => {
        launch(gpu, prepared, forward, part, parts, batches);
      });
    },
    attentionBackward(args, out, logSumExp, dout, dquery, dkey, dvalue): void {
      const views = {
        ...{ ...inputsOf(args), out, log_sum_exp: logSumExp, dout },
        ...{ dquery, dkey, dvalue },
      };
      inParts(gpu, args, views, (part, parts, batches) => {
        const { out, dquery, dkey, dvalue, ...shared } = parts;
        const { shape, strides } = shared.log_sum_exp;
        const row = scratch(gpu, "attentionBackward", sizeOf(shape));
        const delta = { ...row, shape, strides };
        const run = (kernel: AttentionKernel, more: NamedViews): void =>
          launch(gpu, prepared, kernel, part, { ...shared, ...more }, batches);
        try {
          run(queryGradient, { out, delta, dquery });
          run(keyGradient, { delta, dkey, dvalue });
        } finally {
          gpu.pool.free(delta.buffer);
        }
      });
    },
  };
}
