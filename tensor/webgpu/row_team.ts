/**
 * The threads that work on one row together, and the rows that they get.
 *
 * On software adapters a team is a single thread: workgroup memory and barriers
 * are slow there, and eight rows make a workgroup. On GPUs it is a workgroup,
 * whose threads take neighbouring columns; so it is on software adapters where
 * rows are too long for the loops of one thread.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { Gpu } from "./gpu.ts";
import { kernelForm } from "./kernel_form.ts";
import { assertTurns } from "./loop_turns.ts";
import { spread } from "./recorder.ts";

/** Threads of a team, and how they add up what each has found. */
export interface RowTeam {
  /** Threads: 1, or a power of two; tells the teams of a GPU apart. */
  readonly size: number;
  /** Whether its threads exchange numbers through subgroups. */
  readonly subgroups: boolean;
}

/** Single-thread teams in a workgroup: the width of a CPU's vectors. */
const soloTeams = 8;

/** A single thread. */
export const soloTeam: RowTeam = { size: 1, subgroups: false };

/** Turns of a loop that are added up before they join the total. */
const turnsOfBlock = 64;

/**
 * The team for rows of `columns` elements, or vectors of them.
 *
 * @param passes Loops of the kernel over each row.
 * @throws {DeviceError} Of kind `limit`, if the adapter doesn't do loops so long.
 */
export function rowTeam(
  gpu: Gpu,
  operation: string,
  columns: number,
  passes: number,
): RowTeam {
  // As if each pass were a sum in blocks. Loops over parts and over threads are
  // short: hundreds of turns, which `mostTurns` leaves room for.
  const turns = (size: number): number =>
    Math.ceil(passes * (1 + 1 / turnsOfBlock) * Math.ceil(columns / size));
  const solo = kernelForm(gpu, "rows") === "registers";
  if (solo && turns(1) <= gpu.mostTurns) return soloTeam;
  // Each thread has at least four columns, but a subgroup is not to be split.
  let size = 32;
  while (size < 256 && 8 * size <= columns) size *= 2;
  assertTurns(gpu, operation, turns(size));
  return { size, subgroups: gpu.subgroups };
}

/** Workgroups for `count` teams. */
export function teamWorkgroups(
  team: RowTeam,
  count: number,
): [number, number, number] {
  return spread(team.size === 1 ? Math.ceil(count / soloTeams) : count);
}

/** A way to combine what the threads of a team have found. */
export interface TeamCombination {
  /** Name of the WGSL function: `fn NAME(value: TYPE, lane: u32) -> TYPE`. */
  readonly name: string;
  /** WGSL type of the values. */
  readonly type: "f32" | "vec2<f32>";
  /** What is done to two of them. */
  readonly kind: "add" | "max";
}

function combinationText(
  { size, subgroups }: RowTeam,
  { name, type, kind }: TeamCombination,
): string {
  const both = (a: string, b: string): string =>
    kind === "add" ? `${a} + ${b}` : `max(${a}, ${b})`;
  const signature = `fn ${name}(value: ${type}, lane: u32) -> ${type}`;
  if (size === 1) return `${signature} { return value; }\n`;
  const memory = `${name}_values`;
  const declaration = `var<workgroup> ${memory}: array<${type}, ${size}>;\n`;
  if (subgroups) {
    const within = kind === "add" ? "subgroupAdd" : "subgroupMax";
    return `${declaration}${signature} {
  let found = ${within}(value);
  if (subgroup_lane == 0u) { ${memory}[lane / subgroup_width] = found; }
  workgroupBarrier();
  var total = ${memory}[0];
  for (var i = 1u; i < ${size}u / subgroup_width; i++) {
    total = ${both("total", `${memory}[i]`)};
  }
  workgroupBarrier();
  return total;
}
`;
  }
  return `${declaration}${signature} {
  ${memory}[lane] = value;
  workgroupBarrier();
  for (var width = ${size / 2}u; width > 0u; width /= 2u) {
    if (lane < width) {
      ${memory}[lane] = ${both(`${memory}[lane]`, `${memory}[lane + width]`)};
    }
    workgroupBarrier();
  }
  let total = ${memory}[0];
  workgroupBarrier();
  return total;
}
`;
}

/**
 * A kernel where each team does `body`, WGSL that knows `team`, the number of
 * the team (below `parameters.teams`), and `lane`, the thread's number in it.
 */
export function teamKernel(
  team: RowTeam,
  combinations: readonly TeamCombination[],
  body: string,
): string {
  const { size, subgroups } = team;
  const threads = size === 1 ? soloTeams : size;
  const [subgroupState, subgroupArguments, subgroupStart] = subgroups
    ? [
      "var<private> subgroup_lane: u32;\nvar<private> subgroup_width: u32;\n",
      `,
  @builtin(subgroup_invocation_id) given_lane: u32,
  @builtin(subgroup_size) given_width: u32`,
      "subgroup_lane = given_lane;\n  subgroup_width = given_width;\n  ",
    ]
    : ["", "", ""];
  return `${subgroupState}${
    combinations.map((given) => combinationText(team, given)).join("")
  }@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32${subgroupArguments},
) {
  ${subgroupStart}let workgroup = group.y * groups.x + group.x;
  ${
    size === 1
      ? `let team = workgroup * ${soloTeams}u + local;\n  let lane = 0u;`
      : "let team = workgroup;\n  let lane = local;"
  }
  if (team >= parameters.teams) { return; }
${body}}
`;
}

/** Names of what rows are read and written by: one or four columns at once. */
export interface RowLanes {
  /** Columns at once. */
  readonly width: 1 | 4;
  /** WGSL type of so many numbers. */
  readonly type: "f32" | "vec4<f32>";
  /** Ending of accessors: `load${mark}_x`. */
  readonly mark: "" | "4";
  /** The sum of the numbers of a value. */
  sum(value: string): string;
  /** The largest number of a value. */
  largest(value: string): string;
}

const oneColumn: RowLanes = {
  width: 1,
  type: "f32",
  mark: "",
  sum: (value) => value,
  largest: (value) => value,
};

const fourColumns: RowLanes = {
  width: 4,
  type: "vec4<f32>",
  mark: "4",
  sum: (value) => `dot(${value}, vec4<f32>(1.0))`,
  largest: (value) =>
    `max(max(${value}.x, ${value}.y), max(${value}.z, ${value}.w))`,
};

/** Four columns at once where rows of all views begin at multiples of 4. */
export function rowLanes(columns: number, views: readonly View[]): RowLanes {
  const aligned = columns % 4 === 0 &&
    views.every(({ offset }) => offset % 4 === 0);
  return aligned ? fourColumns : oneColumn;
}

/** The elements `begin` … `end` − 1, shared among the threads of a team. */
export function columnLoop(
  { width }: RowLanes,
  { size }: RowTeam,
  body: string,
): string {
  const start = size === 1 ? "begin" : `begin + lane * ${width}u`;
  return `for (var i = ${start}; i < end; i += ${width * size}u) { ${body} }`;
}

/**
 * Sums over the elements `begin` … `end` − 1, as variables: each thread's share.
 * They are added up in blocks, so that long rows lose no digits.
 *
 * @param terms What is summed up for the elements at `i`, by name of the sum.
 * @param before Statements before the terms.
 */
export function columnSums(
  { width, type }: RowLanes,
  { size }: RowTeam,
  terms: Readonly<Record<string, string>>,
  before = "",
): string {
  const step = width * size;
  const each = (text: (name: string, term: string) => string): string =>
    Object.entries(terms).map(([name, term]) => text(name, term)).join(" ");
  return `${each((name) => `var ${name} = ${type}();`)}
  for (var block = begin; block < end; block += ${turnsOfBlock * step}u) {
    ${each((name) => `var block_${name} = ${type}();`)}
    let block_end = min(block + ${turnsOfBlock * step}u, end);
    for (var i = block${
    size === 1 ? "" : ` + lane * ${width}u`
  }; i < block_end; i += ${step}u) {
      ${before} ${each((name, term) => `block_${name} += ${term};`)}
    }
    ${each((name) => `${name} += block_${name};`)}
  }`;
}
