/**
 * The kernel of a map, as text.
 *
 * The innermost axis is computed in blocks of four elements. Where it is the
 * only one, a thread computes one block; else a workgroup takes several rows,
 * and a thread some blocks of some rows of a plane.
 *
 * @module
 */

import type { Elementwise } from "../expression.ts";
import {
  type BlockOperand,
  loadBlock,
  storeBlock,
  type Walk,
  walks,
} from "./lanes.ts";
import {
  type Lanes,
  scalarParameters,
  wgslProgram,
  wgslType,
} from "./program.ts";
import { wgslFunctions } from "./scalar_functions.ts";
import type { Shader, ShaderOperand, ShaderParameter } from "./shader.ts";

/** Threads of a workgroup where there is one axis. */
export const flatThreads = 256;

/** Threads of a workgroup that takes several rows. */
export const rowThreads = 64;

/** Most planes whose numbers may be divided in f32. */
export const mostPlanes = 2 ** 20;

/** What the text of a kernel depends on, beside the program. */
export interface MapForm {
  /** Elements in a block. */
  readonly lanes: Lanes;
  /** Whether the last block of a row may be incomplete. */
  readonly ragged: boolean;
  /** Threads along the innermost axis. */
  readonly width: number;
  /** Axes outside the innermost one: the last counts rows, others planes. */
  readonly outer: number;
  /** Whether there are at most `mostPlanes` planes. */
  readonly fewPlanes: boolean;
  /** How each operand that is used moves along the innermost axis. */
  readonly walks: readonly Walk[];
  /** Whether it moves along any other. */
  readonly moves: readonly boolean[];
}

/** Names the operands: `x0`, … as programs call them, then `y0`, …. */
function operandsOf(
  used: readonly number[],
  form: MapForm,
): ShaderOperand[] {
  return form.walks.map((walk, i) => ({
    name: i < used.length ? `x${used[i]}` : `y${i - used.length}`,
    access: i < used.length ? "read" : "write",
    vector: walk === walks.aligned,
  }));
}

/** Names the parameters; their values come in this order. */
function parametersOf(
  program: Elementwise,
  form: MapForm,
  operands: readonly ShaderOperand[],
): ShaderParameter[] {
  const names = ["blocks", "extent"];
  if (form.outer > 0) names.push("turns", "rows", "rows_each");
  if (form.outer > 1) names.push("planes");
  for (let axis = 1; axis < form.outer - 1; axis++) {
    names.push(`extent_${axis}`);
  }
  operands.forEach(({ name }, i) => {
    for (let axis = 0; axis < form.outer; axis++) names.push(`${name}_${axis}`);
    if (form.walks[i] === walks.strided) names.push(`${name}_step`);
  });
  return [
    ...names.map((name): ShaderParameter => ({ name, type: "u32" })),
    ...scalarParameters(program),
  ];
}

/** Where the rows of operands begin, from the places on outer axes. */
function rowBases(operands: readonly ShaderOperand[], form: MapForm): string {
  return operands.flatMap(({ name }, i) => {
    if (!form.moves[i]) return [];
    const terms = Array.from(
      { length: form.outer },
      (_, axis) =>
        `${axis === form.outer - 1 ? "row" : `place_${axis}`} * ` +
        `parameters.${name}_${axis}`,
    );
    return [`let ${name}_base = ${terms.join(" + ")};`];
  }).join("\n");
}

/** The places of a plane on the outer axes, outermost first. */
function planePlaces({ outer, fewPlanes }: MapForm): string {
  const lines: string[] = [];
  let rest = "plane";
  for (let axis = outer - 2; axis > 0; axis--) {
    const extent = `parameters.extent_${axis}`;
    // Software adapters divide integers one by one. Half a step away from the
    // integers, quotients of small numbers are right in f32 too.
    const quotient = fewPlanes
      ? `u32((f32(${rest}) + 0.5) / f32(${extent}))`
      : `${rest} / ${extent}`;
    lines.push(
      `let rest_${axis} = ${quotient};`,
      `let place_${axis} = ${rest} - rest_${axis} * ${extent};`,
    );
    rest = `rest_${axis}`;
  }
  lines.push(`let place_0 = ${rest};`);
  return lines.join("\n");
}

/** Loops over planes, rows and blocks around `body`, which needs `block`. */
function loops(form: MapForm, beforeRow: string, body: string): string {
  const { width, outer } = form;
  if (outer === 0) {
    return `let block = (group.y * groups.x + group.x) * ${width}u + local.x;
if (block >= parameters.blocks) { return; }
${beforeRow}
${body}`;
  }
  const rows = `let first_row = (group.y * ${
    rowThreads / width
  }u + local.y) * parameters.rows_each;
let end_row = min(parameters.rows, first_row + parameters.rows_each);
let first = group.x * ${width}u * parameters.turns + local.x;
for (var row = first_row; row < end_row; row++) {
${beforeRow}
for (var turn = 0u; turn < parameters.turns; turn++) {
let block = first + turn * ${width}u;
if (block >= parameters.blocks) { break; }
${body}
}
}`;
  if (outer === 1) return rows;
  return `for (var plane = group.z; plane < parameters.planes; plane += groups.z) {
${planePlaces(form)}
${rows}
}`;
}

/** Where the current block of an operand begins. */
function blockPlace(name: string, moves: boolean, walk: Walk): string {
  const base = moves ? `${name}_base` : "0u";
  if (walk === walks.repeated) return `let ${name}_at = ${base};`;
  const step = walk === walks.strided ? ` * parameters.${name}_step` : "";
  return `let ${name}_at = ${base} + at${step};`;
}

/**
 * The kernel that computes `program`.
 *
 * @param used The inputs that the program reads: the first operands.
 */
export function mapShader(
  program: Elementwise,
  used: readonly number[],
  form: MapForm,
): Shader {
  const { lanes, ragged, width } = form;
  const operands = operandsOf(used, form);
  const body = wgslProgram(program, lanes);
  const blockOf = (i: number): BlockOperand => {
    return { name: operands[i].name, walk: form.walks[i], lanes, ragged };
  };
  const placeOf = (i: number): string =>
    blockPlace(operands[i].name, form.moves[i], form.walks[i]);
  const loads = (repeated: boolean): string =>
    used.flatMap((input, i) => {
      if ((form.walks[i] === walks.repeated) !== repeated) return [];
      const value = loadBlock(
        blockOf(i),
        wgslType(program.inputs[input], lanes),
      );
      return [`${placeOf(i)}\nlet x${input} = ${value};`];
    }).join("\n");
  const stores = body.results.map((result, i) =>
    `${placeOf(used.length + i)}\n${
      storeBlock(blockOf(used.length + i), result)
    }`
  );
  const height = form.outer === 0 ? 1 : rowThreads / width;
  return {
    operation: program.name,
    operands,
    parameters: parametersOf(program, form, operands),
    code: `${wgslFunctions(body.functions)}
@compute @workgroup_size(${width}, ${height})
fn main(
@builtin(workgroup_id) group: vec3<u32>,
@builtin(num_workgroups) groups: vec3<u32>,
@builtin(local_invocation_id) local: vec3<u32>,
) {
${
      loops(
        form,
        `${rowBases(operands, form)}\n${loads(true)}`,
        `let at = block * ${lanes}u;
${ragged ? "let count = min(4u, parameters.extent - at);" : ""}
${loads(false)}
${body.statements}
${stores.join("\n")}`,
      )
    }
}`,
  };
}
