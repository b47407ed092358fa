/**
 * The kernel of a reduction, as text.
 *
 * Several threads share one result, or a block of four: each combines part of
 * the elements, in blocks of their own so that sums keep their digits, and
 * workgroup memory combines the parts as a tree. Where one thread does it all,
 * as CPUs that play GPUs like it, there is no such memory. Long reductions are
 * cut in chunks besides, which a second launch combines. The order is fixed.
 *
 * @module
 */

import type { ReduceKind } from "../backend.ts";
import type { Elementwise, ValueType } from "../expression.ts";
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
import { type ScalarFunction, wgslFunctions } from "./scalar_functions.ts";
import type { Shader, ShaderOperand, ShaderParameter } from "./shader.ts";

/** What the text of a kernel depends on, beside the program. */
export interface ReduceForm {
  /** How elements are combined. */
  readonly kind: ReduceKind;
  /** Which innermost axis is taken in blocks of `lanes`. */
  readonly along: "kept" | "reduced";
  /** Elements in a block. */
  readonly lanes: Lanes;
  /** Whether the last block of that axis may be incomplete. */
  readonly ragged: boolean;
  /** Number of axes that stay. */
  readonly kept: number;
  /** Number of axes that are combined. */
  readonly reduced: number;
  /** Results (or blocks of them) of a workgroup. */
  readonly items: number;
  /** Threads that share a result. */
  readonly parts: number;
  /** How each input that is used moves along the blocks. */
  readonly moves: readonly Walk[];
  /** How results lie: vectors or not. */
  readonly stored: Walk;
}

/** Names the parameters; their values come in this order. */
function parametersOf(
  program: Elementwise,
  used: readonly number[],
  form: ReduceForm,
): ShaderParameter[] {
  const names = ["items", "chunks", "units", "chunk", "nest", "extent", "size"];
  for (let axis = 0; axis < form.kept; axis++) names.push(`kept_${axis}`);
  for (let axis = 0; axis < form.reduced; axis++) {
    names.push(`reduced_${axis}`);
  }
  used.forEach((input, i) => {
    for (let axis = 0; axis < form.kept; axis++) {
      names.push(`x${input}_kept_${axis}`);
    }
    for (let axis = 0; axis < form.reduced; axis++) {
      names.push(`x${input}_reduced_${axis}`);
    }
    if (form.moves[i] === walks.strided) names.push(`x${input}_step`);
  });
  return [
    ...names.map((name): ShaderParameter => ({ name, type: "u32" })),
    ...scalarParameters(program),
  ];
}

interface Combination {
  readonly identity: string;
  readonly combine: (a: string, b: string) => string;
  readonly functions: readonly ScalarFunction[];
}

function combinationOf(
  kind: ReduceKind,
  type: ValueType,
  lanes: Lanes,
): Combination {
  const wide = wgslType(type, lanes);
  const join = (operator: string) => (a: string, b: string): string =>
    `${a} ${operator} ${b}`;
  if (type === "bool") {
    return {
      identity: `${wide}(${kind === "min"})`,
      combine: join(kind === "min" ? "&" : "|"),
      functions: [],
    };
  }
  if (kind === "sum") {
    return { identity: `${wide}()`, combine: join("+"), functions: [] };
  }
  if (type === "int") {
    return {
      identity: `${wide}(${kind === "max" ? -(2 ** 31) : 2 ** 31 - 1})`,
      combine: (a, b) => `${kind}(${a}, ${b})`,
      functions: [],
    };
  }
  const name = kind === "max" ? "larger" : "smaller";
  const callee: ScalarFunction = lanes === 4 ? `${name}4` : name;
  return {
    identity: `${wide}(${kind === "max" ? "-" : ""}infinity())`,
    combine: (a, b) => `${callee}(${a}, ${b})`,
    functions: ["infinity", callee],
  };
}

/** Splits `count` into places on axes: `NAME_place_0` (outermost), …. */
function places(
  name: string,
  rank: number,
  count: string,
  innerExtent: string,
): string {
  if (rank === 0) return "";
  const lines = rank > 1 ? [`var ${name}_rest = ${count};`] : [];
  for (let axis = rank - 1; axis > 0; axis--) {
    const extent = axis === rank - 1
      ? innerExtent
      : `parameters.${name}_${axis}`;
    lines.push(
      `let ${name}_place_${axis} = ${name}_rest % ${extent};`,
      `${name}_rest /= ${extent};`,
    );
  }
  lines.push(`let ${name}_place_0 = ${rank > 1 ? `${name}_rest` : count};`);
  return lines.join("\n");
}

/** Σ place · stride over the kept or the reduced axes of an operand. */
function distance(
  operand: string,
  name: "kept" | "reduced",
  rank: number,
  lanes: Lanes,
): string {
  if (rank === 0) return "0u";
  return Array.from({ length: rank }, (_, axis) => {
    const factor = axis === rank - 1 && lanes === 4 ? " * 4u" : "";
    return `${name}_place_${axis}${factor} * parameters.${operand}_${name}_${axis}`;
  }).join(" + ");
}

/** Combines the parts of each result, or of its block, in workgroup memory. */
function tree(
  { items, parts }: ReduceForm,
  { combine }: Combination,
): string {
  if (parts === 1) return "";
  return `shared_parts[part * ${items}u + item_here] = total;
for (var span = ${parts / 2}u; span > 0u; span /= 2u) {
workgroupBarrier();
if (part < span) {
let mine = part * ${items}u + item_here;
shared_parts[mine] = ${
    combine("shared_parts[mine]", `shared_parts[mine + span * ${items}u]`)
  };
}
}
if (part > 0u) { return; }
total = shared_parts[item_here];`;
}

/** Which result (or block) and which part of it a thread works on. */
function roles({ along, items, parts }: ReduceForm): string {
  if (parts === 1) {
    return `let task = (group.y * groups.x + group.x) * ${items}u + local;
let item_index = task % parameters.items;
let chunk = task / parameters.items;
let part = 0u;`;
  }
  // Neighbours access neighbours in memory.
  const [item, part] = along === "kept"
    ? [`local % ${items}u`, `local / ${items}u`]
    : [`local / ${parts}u`, `local % ${parts}u`];
  return `let task = group.y * groups.x + group.x;
let item_groups = (parameters.items + ${items - 1}u) / ${items}u;
let item_here = ${item};
let item_index = (task % item_groups) * ${items}u + item_here;
let chunk = task / item_groups;
let part = ${part};`;
}

/** Blocks along the innermost axis that is taken in blocks. */
function blockCount({ lanes }: ReduceForm): string {
  return `((parameters.extent + ${lanes - 1}u) / ${lanes}u)`;
}

/** The places of an item on the kept axes, or of a unit on the reduced ones. */
function placesOf(form: ReduceForm, name: "kept" | "reduced"): string {
  const rank = form[name];
  const last = `${name}_place_${rank - 1}`;
  const isBlocked = form.along === name;
  const count = isBlocked && form.ragged
    ? `\nlet count = min(4u, parameters.extent - ${last} * 4u);`
    : "";
  return places(
    name,
    rank,
    name === "kept" ? "item" : "unit",
    isBlocked ? blockCount(form) : `parameters.${name}_${rank - 1}`,
  ) + count;
}

/** Combines a thread's units into `lanes_total`, in two nested loops. */
function accumulation(
  program: Elementwise,
  used: readonly number[],
  form: ReduceForm,
  { identity, combine }: Combination,
): string {
  const { along, lanes, ragged, parts } = form;
  const { statements, results: [value] } = wgslProgram(program, lanes);
  const reducedLanes = along === "reduced" ? lanes : 1;
  const loads = used.map((input, i) => {
    const name = `x${input}`;
    const operand: BlockOperand = { name, walk: form.moves[i], lanes, ragged };
    const type = wgslType(program.inputs[input], lanes);
    const at = distance(name, "reduced", form.reduced, reducedLanes);
    return `let ${name}_at = ${name}_base + ${at};
let ${name} = ${loadBlock(operand, type)};`;
  });
  const element = along === "reduced" && ragged
    ? `select(${identity}, ${value}, vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(count))`
    : value;
  return `var lanes_total = ${identity};
var unit = first + part;
while (unit < end) {
let stop = min(end, unit + parameters.nest * ${parts}u);
var nested = ${identity};
for (; unit < stop; unit += ${parts}u) {
${placesOf(form, "reduced")}
${loads.join("\n")}
${statements}
nested = ${combine("nested", element)};
}
lanes_total = ${combine("lanes_total", "nested")};
}`;
}

/** Four lanes become one where they are parts of one result. */
function folding(
  { along, lanes }: ReduceForm,
  { combine }: Combination,
): string {
  if (along === "kept" || lanes === 1) return "var total = lanes_total;";
  return `let left = ${combine("lanes_total.x", "lanes_total.y")};
let right = ${combine("lanes_total.z", "lanes_total.w")};
var total = ${combine("left", "right")};`;
}

/** Where a thread's result begins in its chunk. */
function resultPlace(form: ReduceForm): string {
  const { along, kept, lanes } = form;
  if (along === "reduced") return "item";
  if (kept === 1) return `item * ${lanes}u`;
  return `(item / ${blockCount(form)}) * parameters.extent + ` +
    `kept_place_${kept - 1} * ${lanes}u`;
}

/**
 * The kernel that combines the results of `program`.
 *
 * @param used The inputs that the program reads: the first operands.
 */
export function reduceShader(
  program: Elementwise,
  used: readonly number[],
  form: ReduceForm,
): Shader {
  const { kind, along, lanes, ragged, parts, items } = form;
  const [{ type }] = program.outputs;
  const keptLanes = along === "kept" ? lanes : 1;
  const perLane = combinationOf(kind, type, lanes);
  const perResult = combinationOf(kind, type, keptLanes);
  const bases = used.map((input) => {
    const at = distance(`x${input}`, "kept", form.kept, keptLanes);
    return `let x${input}_base = ${at};`;
  });
  const stored: BlockOperand = {
    name: "y",
    walk: form.stored,
    lanes: keptLanes,
    ragged: along === "kept" && ragged,
  };
  const functions = wgslFunctions([
    ...wgslProgram(program, lanes).functions,
    ...perLane.functions,
    ...perResult.functions,
  ]);
  const memory = parts === 1
    ? ""
    : `var<workgroup> shared_parts: array<${wgslType(type, keptLanes)}, ${
      items * parts
    }>;`;
  return {
    operation: program.name,
    operands: [
      ...used.map((input, i): ShaderOperand => ({
        name: `x${input}`,
        access: "read",
        vector: form.moves[i] === walks.aligned,
      })),
      { name: "y", access: "write", vector: form.stored === walks.aligned },
    ],
    parameters: parametersOf(program, used, form),
    code: `${functions}
${memory}
@compute @workgroup_size(${items * parts})
fn main(
@builtin(workgroup_id) group: vec3<u32>,
@builtin(num_workgroups) groups: vec3<u32>,
@builtin(local_invocation_index) local: u32,
) {
${roles(form)}
let is_mine = item_index < parameters.items && chunk < parameters.chunks;
let item = min(item_index, parameters.items - 1u);
${placesOf(form, "kept")}
${bases.join("\n")}
let first = chunk * parameters.chunk;
let end = select(0u, min(parameters.units, first + parameters.chunk), is_mine);
${accumulation(program, used, form, perLane)}
${folding(form, perResult)}
${tree(form, perResult)}
if (is_mine) {
let y_at = chunk * parameters.size + ${resultPlace(form)};
${storeBlock(stored, "total")}
}
}`,
  };
}
