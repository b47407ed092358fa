/**
 * The WGSL that all forms of matrix products share: operands and parameters,
 * where matrices of a batch begin, tiles of sums, and what is done with them.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { isVector, type MatmulProblem } from "./matmul_problem.ts";
import { words } from "./items.ts";
import type { ShaderOperand, ShaderParameter } from "./shader.ts";

/** How a factor is read: along which axis four at a time, if at all. */
export interface FactorAccess {
  /** Whether neighbours in memory lie along the inner axis. */
  readonly along: "inner" | "outer";
  /** Whether they are read four at a time. */
  readonly vector: boolean;
}

/** What the text of a shader depends on, but for its form and tile. */
export interface MatmulText {
  /** Batch axes. */
  readonly batch: number;
  /** Left factors; the outer axis is the rows. */
  readonly a: FactorAccess;
  /** Right factors; the outer axis is the columns. */
  readonly b: FactorAccess;
  /** Results are stored four at a time. */
  readonly out: boolean;
  /** How a bias is added: one for all rows, each four at a time, … */
  readonly bias: "none" | "row" | "row4" | "full";
  /** How a residual is added. */
  readonly residual: "none" | "single" | "vector";
}

function accessOf(
  view: View,
  outer: number,
  inner: number,
): FactorAccess {
  if (isVector(view, inner)) return { along: "inner", vector: true };
  if (isVector(view, outer)) return { along: "outer", vector: true };
  const { strides } = view;
  const along = Math.abs(strides[inner]) <= Math.abs(strides[outer])
    ? "inner"
    : "outer";
  return { along, vector: false };
}

/** How the operands of a problem are accessed. */
export function textOf(problem: MatmulProblem): MatmulText {
  const { extents, a, b, out, bias, residual } = problem;
  const batch = extents.length - 3;
  const [rows, columns, inner] = [batch, batch + 1, batch + 2];
  return {
    batch,
    a: accessOf(a, rows, inner),
    b: accessOf(b, columns, inner),
    out: isVector(out, columns),
    bias: bias === undefined
      ? "none"
      : bias.strides[rows] !== 0
      ? "full"
      : isVector(bias, columns)
      ? "row4"
      : "row",
    residual: residual === undefined
      ? "none"
      : isVector(residual, columns)
      ? "vector"
      : "single",
  };
}

/** The part of a shader's key that says its text. */
export function keyOf(text: MatmulText): string {
  const { a, b } = text;
  return `${a.along}${a.vector}${b.along}${b.vector}${resultKeyOf(text)}`;
}

/** The part of the key that the factors don't matter for. */
export function resultKeyOf(
  { batch, out, bias, residual }: MatmulText,
): string {
  return `${batch}${out}${bias}${residual}`;
}

/** The operands of a product, in the order of `operandsOf`. */
export function shaderOperands(text: MatmulText): ShaderOperand[] {
  const { a, b } = text;
  return [
    { name: "a", access: "read", vector: a.vector },
    { name: "b", access: "read", vector: b.vector },
    ...resultOperands(text),
  ];
}

/** The result, and what is added to it. */
export function resultOperands(
  { out, bias, residual }: MatmulText,
): ShaderOperand[] {
  const operands: ShaderOperand[] = [
    { name: "out", access: "write", vector: out },
  ];
  if (bias !== "none") {
    operands.push({ name: "bias", access: "read", vector: bias === "row4" });
  }
  if (residual !== "none") {
    const vector = residual === "vector";
    operands.push({ name: "residual", access: "read", vector });
  }
  return operands;
}

/** Extents, alpha, then the strides of each operand, along all joint axes. */
export function shaderParameters(
  batch: number,
  operands: readonly ShaderOperand[],
): ShaderParameter[] {
  const axes = axisNames(batch);
  return [
    ...words(...axes),
    { name: "alpha", type: "f32" },
    ...operands.flatMap(({ name }) =>
      words(...axes.map((axis) => `${name}_${axis}`))
    ),
  ];
}

/** The values of {@linkcode shaderParameters}. */
export function parameterValues(
  extents: readonly number[],
  alpha: number,
  operands: readonly View[],
): number[] {
  const values = [...extents, alpha];
  for (const { strides } of operands) {
    for (let axis = 0; axis < strides.length; axis++) {
      values.push(strides[axis]);
    }
  }
  return values;
}

function axisNames(batch: number): string[] {
  const axes = Array.from({ length: batch }, (_, axis) => `batch${axis}`);
  return [...axes, "rows", "columns", "inner"];
}

/** Declares where the matrices of batch `index` begin: `a_start`, `b_start` … */
export function startsText(
  batch: number,
  operands: readonly ShaderOperand[],
  index: string,
): string {
  const lines: string[] = [];
  let rest = index;
  for (let axis = batch - 1; axis > 0; axis--) {
    const extent = `parameters.batch${axis}`;
    lines.push(`let batch${axis} = ${rest} % ${extent};`);
    lines.push(`let rest${axis} = ${rest} / ${extent};`);
    rest = `rest${axis}`;
  }
  if (batch > 0) lines.push(`let batch0 = ${rest};`);
  for (const { name } of operands) {
    const terms = Array.from(
      { length: batch },
      (_, axis) => `batch${axis} * parameters.${name}_batch${axis}`,
    );
    lines.push(`let ${name}_start = ${terms.join(" + ") || "0u"};`);
  }
  return lines.join("\n");
}

/** The sums of a thread: `rows` times `groups` of four columns. */
export interface ThreadTile {
  /** Rows. */
  readonly rows: number;
  /** Groups of four neighbouring columns. */
  readonly groups: number;
}

/** The tile of a workgroup. */
export interface WorkgroupTile extends ThreadTile {
  /** Threads along the columns. */
  readonly across: number;
  /** Threads along the rows. */
  readonly down: number;
}

/** Declares the sums of a tile, all zero. */
export function sumsText({ rows, groups }: ThreadTile): string {
  const lines: string[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < groups; j++) lines.push(`var sum${i}_${j} = vec4f();`);
  }
  return lines.join("\n");
}

/** Adds the products of one step along the inner axis to all sums. */
export function multiplyText(
  { rows, groups }: ThreadTile,
  a: (row: number) => string,
  b: (group: number) => string,
): string {
  const lines: string[] = [];
  for (let j = 0; j < groups; j++) lines.push(`let right${j} = ${b(j)};`);
  for (let i = 0; i < rows; i++) {
    lines.push(`let left${i} = vec4f(${a(i)});`);
    for (let j = 0; j < groups; j++) {
      const sum = `sum${i}_${j}`;
      lines.push(`${sum} = fma(left${i}, right${j}, ${sum});`);
    }
  }
  return `{ ${lines.join("\n")} }`;
}

/** Stores all sums of a tile, whose rows and columns are WGSL expressions. */
export function finishText(
  text: MatmulText,
  { rows, groups }: ThreadTile,
  row: (i: number) => string,
  column: (group: number) => string,
): string {
  const lines: string[] = [];
  const isShared = text.bias === "row" || text.bias === "row4";
  for (let j = 0; j < groups; j++) {
    lines.push(`let column${j} = ${column(j)};`);
    if (isShared) {
      lines.push(`let bias${j} = bias4(bias_start, 0u, column${j});`);
    }
  }
  const starts = text.residual === "none"
    ? "out_start"
    : "out_start, residual_start";
  for (let i = 0; i < rows; i++) {
    lines.push(`let row${i} = ${row(i)};`, `if (row${i} < parameters.rows) {`);
    for (let j = 0; j < groups; j++) {
      const bias = text.bias === "none"
        ? ""
        : isShared
        ? ` + bias${j}`
        : ` + bias4(bias_start, row${i}, column${j})`;
      lines.push(
        `finish(${starts}, row${i}, column${j}, sum${i}_${j}${bias});`,
      );
    }
    lines.push("}");
  }
  return lines.join("\n");
}

/** The functions that {@linkcode finishText} calls. */
export function finishFunctions(text: MatmulText): string {
  return `${text.bias === "none" ? "" : biasFunction(text)}
${finishFunction(text)}`;
}

function biasFunction({ bias }: MatmulText): string {
  const place = "let at = start + row * parameters.bias_rows";
  return `fn bias4(start: u32, row: u32, column: u32) -> vec4f {
  ${place};
  ${
    bias === "row4"
      ? "return load4_bias(at + min(column, parameters.columns - 4u));"
      : `let last = parameters.columns - 1u;
  let step = parameters.bias_columns;
  return vec4f(${
        [0, 1, 2, 3].map((i) =>
          `load_bias(at + min(column + ${i}u, last) * step)`
        ).join(", ")
      });`
  }
}`;
}

function finishFunction({ out, residual }: MatmulText): string {
  const isAdded = residual !== "none";
  const rest = residual === "none"
    ? ""
    : "let rest = residual_start + row * parameters.residual_rows + column" +
      (residual === "vector" ? ";" : " * parameters.residual_columns;");
  const value = (i: number): string =>
    residual === "none"
      ? `value[${i}]`
      : `load_residual(rest + ${i}u${
        residual === "vector" ? "" : " * parameters.residual_columns"
      }) + value[${i}]`;
  const single = [0, 1, 2, 3].map((i) =>
    `if (column + ${i}u < parameters.columns) { store_out(at + ${i}u, ${
      value(i)
    }); }`
  ).join("\n  ");
  const four = residual === "none"
    ? "value"
    : residual === "vector"
    ? "load4_residual(rest) + value"
    : `vec4f(${[0, 1, 2, 3].map(value).join(", ")})`;
  return `fn finish(out_start: u32, ${
    isAdded ? "residual_start: u32, " : ""
  }row: u32, column: u32, sum: vec4f) {
  let at = out_start + row * parameters.out_rows + column;
  let value = parameters.alpha * sum;
  ${rest}
  ${
    out
      ? `if (column < parameters.columns) { store4_out(at, ${four}); }`
      : single
  }
}`;
}
