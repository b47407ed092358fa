/**
 * WGSL that all kernels of attention share: rows in registers, rows that
 * stream past them, scores and dropout. See `attention_plan.ts`.
 *
 * @module
 */

import { type AttentionPlan, rowsPerWorkgroup } from "./attention_plan.ts";
import { randomFunctions } from "./philox.ts";
import { wgslFunctions } from "./scalar_functions.ts";

/** All that the text of a kernel depends on, beside its plan. */
export interface AttentionVariant {
  /** Elements of a row. */
  readonly depth: number;
  /** Whether rows are read four elements at a time. */
  readonly vector: boolean;
  /** Whether query t sees keys 0 … t + (S − T) only. */
  readonly causal: boolean;
  /** Whether there is a mask. */
  readonly keep: boolean;
  /** Whether there is a bias. */
  readonly bias: boolean;
  /** Words of the tail: streams of dropout, or 0. */
  readonly tail: number;
}

/** WGSL, one statement after the other. */
export function lines(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join("\n");
}

/** Index of a thread's `j`-th column in a row. */
export function columnOf({ lanes }: AttentionPlan, j: number): string {
  return lanes === 1 ? `${j}u` : `(${j * lanes}u + lane)`;
}

/** `row4_NAME(row, column)`: four neighbours of a row, 0 beyond its end. */
export function rowReader(
  name: string,
  { lanes, columns }: AttentionPlan,
  { depth, vector }: AttentionVariant,
): string {
  const padded = 4 * lanes * columns > depth;
  if (vector) {
    const guard = `if (column >= ${depth / 4}u) { return vec4<f32>(); }`;
    return `fn row4_${name}(row: u32, column: u32) -> vec4<f32> {
  ${padded ? guard : ""}
  return load4_${name}(row + 4u * column);
}`;
  }
  const guard = `if (i >= ${depth}u) { return 0.0; }`;
  return `fn element_${name}(row: u32, i: u32) -> f32 {
  ${padded ? guard : ""}
  return load_${name}(row + i);
}
fn row4_${name}(row: u32, column: u32) -> vec4<f32> {
  let i = 4u * column;
  return vec4<f32>(${
    [0, 1, 2, 3].map((k) => `element_${name}(row, i + ${k}u)`).join(", ")
  });
}`;
}

/** `store_row4_NAME(row, column, value)`: what lies beyond the end is dropped. */
export function rowWriter(
  name: string,
  { depth, vector }: AttentionVariant,
): string {
  const head =
    `fn store_row4_${name}(row: u32, column: u32, value: vec4<f32>) {`;
  if (vector) {
    return `${head}
  if (column < ${depth / 4}u) { store4_${name}(row + 4u * column, value); }
}`;
  }
  return `${head}
  let i = 4u * column;
  ${
    lines(4, (k) =>
      `if (i + ${k}u < ${depth}u) { store_${name}(row + i + ${k}u, value[${k}]); }`)
  }
}`;
}

/**
 * `score(product, b, h, t, s)`: what enters the softmax, `lowest` where query t
 * may not attend key s; and, where there is dropout, `kept(b, h, t, s, draw)`, its
 * factor.
 */
function scoreFunctions(
  { causal, keep, bias, tail }: AttentionVariant,
): string {
  const place = (name: string): string =>
    `b * parameters.${name}_b + h * parameters.${name}_h + ` +
    `t * parameters.${name}_t + s * parameters.${name}_s`;
  const ahead = "i32(s) > i32(t) + parameters.ahead";
  return `${wgslFunctions(["accurate_exp", "accurate_log", "infinity"])}
const lowest = -3.4028234e38;
fn score(product: f32, b: u32, h: u32, t: u32, s: u32) -> f32 {
  var result = product;
  ${bias ? `result += load_bias(${place("bias")});` : ""}
  ${causal ? `result = select(result, lowest, ${ahead});` : ""}
  ${keep ? `result = select(lowest, result, load_keep(${place("keep")}));` : ""}
  return result;
}
${tail > 0 ? keptFunction : ""}`;
}

// The element is row · keys + s; a fourth of it must fit 32 bits. Neighbours
// along the keys often share a block of random words, which is drawn once.
const keptFunction = `${randomFunctions}
struct Draw { block: u32, words: vec4<u32> }
fn kept(b: u32, h: u32, t: u32, s: u32, draw: ptr<function, Draw>) -> f32 {
  let batch = parameters.first_batch + b;
  let slice = parameters.batches_per_stream;
  let row = ((batch % slice) * parameters.heads + h) * parameters.queries + t;
  let element = (row & 3u) * parameters.keys + s;
  let block = (row >> 2u) * parameters.keys + (element >> 2u);
  if ((*draw).block != block) {
    *draw = Draw(block, random_words(batch / slice, block));
  }
  let word = (*draw).words[element & 3u];
  return select(parameters.kept_factor, 0.0, (word >> 8u) < parameters.dropped);
}`;

/** WGSL: the factor of dropout of query t and key s, for kept row `row`. */
export function keptFactor(
  { tail }: AttentionVariant,
  row: number,
  t: string,
  s: string,
): string {
  return tail > 0 ? `kept(b, h, ${t}, ${s}, &draw_${row})` : "1.0";
}

/** WGSL: the end of the keys that queries of a workgroup may see. */
export function endOfKeys(
  plan: AttentionPlan,
  { causal }: AttentionVariant,
): string {
  if (!causal) return "parameters.keys";
  const end = `first + ${rowsPerWorkgroup(plan)}u`;
  return `u32(clamp(i32(${end}) + parameters.ahead, 0, i32(parameters.keys)))`;
}

/** Rows that stream past those that a workgroup keeps, and what comes of it. */
export interface RowStream {
  /** WGSL: the first streamed row. */
  readonly begin: string;
  /** WGSL: the end of streamed rows. */
  readonly end: string;
  /** The two operands whose rows stream. */
  readonly operands: readonly [string, string];
  /** Those of them that `use` needs columns of. */
  readonly used: readonly string[];
  /** Sums over columns that `use` needs: `NAME_ROW` = kept · streamed. */
  readonly sums: readonly {
    readonly name: string;
    readonly kept: string;
    readonly streamed: string;
  }[];
  /** WGSL for one kept row and the streamed row `i`. */
  readonly use: (row: number) => string;
}

/** Lets `NAME_J` be a thread's columns of the streamed row `i`. */
function streamedColumns(plan: AttentionPlan, name: string): string {
  const { columns, lanes, staged } = plan;
  const row = staged
    ? `(i - start) * ${columns * lanes}u`
    : `${name}_head + i * parameters.${name}_row`;
  return `let ${name}_at = ${row};\n` +
    lines(
      columns,
      (j) =>
        `let ${name}_${j} = ${
          staged
            ? `tile_${name}[${name}_at + ${columnOf(plan, j)}]`
            : `row4_${name}(${name}_at, ${columnOf(plan, j)})`
        };`,
    );
}

/** A thread's part of a sum over columns. */
function partialSum(
  { columns }: AttentionPlan,
  { name, kept, streamed }: RowStream["sums"][number],
  row: number,
): string {
  const terms = Array.from(
    { length: columns },
    (_, j) => `${kept}_${row}_${j} * ${streamed}_${j}`,
  );
  return `let ${name}_${row} = dot(${terms.join(" + ")}, vec4<f32>(1.0));`;
}

function stageTiles(plan: AttentionPlan, stream: RowStream): string {
  const { columns, lanes, tile, threads } = plan;
  const width = columns * lanes;
  return `for (var at = local.x; at < ${tile * width}u; at += ${threads}u) {
  let i = min(start + at / ${width}u, end - 1u);
  ${
    stream.operands.map((name) =>
      `tile_${name}[at] = row4_${name}(${name}_head + i * parameters.${name}_row, at % ${width}u);`
    ).join("\n")
  }
}
workgroupBarrier();`;
}

/** Declarations that `streamLoop` needs outside of `main`. */
export function streamMemory(plan: AttentionPlan, stream: RowStream): string {
  const { columns, lanes, tile, threads, staged } = plan;
  const tiles = stream.operands.map((name) =>
    `var<workgroup> tile_${name}: array<vec4<f32>, ${tile * columns * lanes}>;`
  );
  const partials = stream.sums.map(({ name }) =>
    `var<workgroup> partial_${name}: array<f32, ${tile * threads}>;
fn lanes_${name}(at: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < ${lanes}u; k++) { sum += partial_${name}[at + k]; }
  return sum;
}`
  );
  return [...(staged ? tiles : []), ...(lanes > 1 ? partials : [])].join("\n");
}

/** The loop over streamed rows. */
export function streamLoop(plan: AttentionPlan, stream: RowStream): string {
  const { rowsPerThread, tile, threads, lanes, staged } = plan;
  const { operands, used, sums } = stream;
  const head = `let begin = ${stream.begin};\nlet end = ${stream.end};`;
  const columnsOf = (names: readonly string[]): string =>
    names.map((name) => streamedColumns(plan, name)).join("\n");
  const partials = (then: (name: string) => string): string =>
    lines(
      rowsPerThread,
      (row) =>
        sums.map((sum) => partialSum(plan, sum, row) + then(sum.name)).join(
          "\n",
        ),
    );
  const use = lines(rowsPerThread, stream.use);
  const whole = `${columnsOf(operands)}\n${partials(() => "")}\n${use}`;
  if (tile === 0) {
    return `${head}
for (var i = begin; i < end; i++) {
${whole}
}`;
  }
  const inTile = (body: string): string =>
    `for (var i = start; i < min(start + ${tile}u, end); i++) {\n${body}\n}`;
  const summed = [...new Set(sums.map(({ streamed }) => streamed))];
  const split = `${
    inTile(
      columnsOf(summed) + "\n" + partials((name) =>
        ` partial_${name}[(i - start) * ${threads}u + local.x] = ${name}_0;`
      ),
    )
  }
workgroupBarrier();
${
    inTile(
      `let sums_at = (i - start) * ${threads}u + slot * ${lanes}u;
${sums.map(({ name }) => `let ${name}_0 = lanes_${name}(sums_at);`).join("\n")}
${columnsOf(used)}
${use}`,
    )
  }`;
  return `${head}
for (var start = begin; start < end; start += ${tile}u) {
${staged ? stageTiles(plan, stream) : ""}
${lanes > 1 ? split : inTile(whole)}
workgroupBarrier();
}`;
}

/** A kernel that keeps rows of one side and streams the other's. */
export interface StreamingKernel {
  /** WGSL: how many rows there are to keep. */
  readonly count: "queries" | "keys";
  /** Operands of four axes, whose heads `NAME_head` begin. */
  readonly operands: readonly string[];
  /** Makes a row's registers; `at_ROW` is its index. */
  readonly prologue: (row: number) => string;
  /** What streams. */
  readonly stream: RowStream;
  /** Stores a row. */
  readonly epilogue: (row: number) => string;
  /** Further WGSL functions. */
  readonly functions: readonly string[];
}

/** The whole code of a kernel. */
export function streamingCode(
  plan: AttentionPlan,
  variant: AttentionVariant,
  kernel: StreamingKernel,
): string {
  const dropout = variant.tail > 0;
  const { threads, lanes, rowsPerThread } = plan;
  const rows = rowsPerWorkgroup(plan);
  return `${scoreFunctions(variant)}
${kernel.functions.join("\n")}
${streamMemory(plan, kernel.stream)}
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
let blocks = (parameters.${kernel.count} + ${rows - 1}u) / ${rows}u;
let item = group.y * groups.x + group.x;
if (item >= parameters.batches * parameters.heads * blocks) { return; }
let batch_head = item / blocks;
let b = batch_head / parameters.heads;
let h = batch_head % parameters.heads;
let first = (item % blocks) * ${rows}u;
let slot = local.x / ${lanes}u;
let lane = local.x % ${lanes}u;
${
    kernel.operands.map((name) =>
      `let ${name}_head = b * parameters.${name}_b + h * parameters.${name}_h;`
    ).join("\n")
  }
${
    lines(rowsPerThread, (row) =>
      `let row_${row} = first + ${row * threads / lanes}u + slot;
let at_${row} = min(row_${row}, parameters.${kernel.count} - 1u);
${dropout ? `var draw_${row} = Draw(0xffffffffu, vec4<u32>());` : ""}
${kernel.prologue(row)}`)
  }
${streamLoop(plan, kernel.stream)}
${
    lines(rowsPerThread, (row) =>
      `if (row_${row} < parameters.${kernel.count}) {
${kernel.epilogue(row)}
}`)
  }
}`;
}
