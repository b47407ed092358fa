/**
 * Kernels on rows, put together from WGSL texts: rows are summed up, and the
 * sums serve their elements or one result for each row. Long rows are summed up
 * in parts, and the parts combined, always in the same order.
 *
 * @module
 */

import { words } from "./items.ts";
import {
  columnLoop,
  type RowLanes,
  type RowTeam,
  type TeamCombination,
  teamKernel,
} from "./row_team.ts";
import { type ScalarFunction, wgslFunctions } from "./scalar_functions.ts";
import type { Shader, ShaderOperand, ShaderParameter } from "./shader.ts";

/**
 * What a launch does: all of each row; one of two steps, which sum up parts of
 * rows and use what was found; or parts of rows that need no sums.
 */
export type RowStep = "whole" | "partial" | "finish" | "each";

/** How rows are summed up, in WGSL; a summary is a `vec3<f32>`. */
export interface RowSummary {
  /** Loops of `summarize` over the elements. */
  readonly passes: number;
  /** What the threads of a team combine. */
  readonly combinations: readonly TeamCombination[];
  /**
   * `fn summarize(begin: u32, end: u32, lane: u32) -> vec3<f32>`: of elements
   * `begin` … `end` − 1 of a row, by all threads of a team.
   */
  summarize(lanes: RowLanes, team: RowTeam): string;
  /**
   * `fn combine(first: u32) -> vec3<f32>`: of the row's summaries
   * `partial(first)` … `partial(first + parameters.parts − 1)`.
   */
  readonly combine: string;
}

/** A kernel on rows; either `element` or `end` is there. */
export interface RowKernel {
  /** The operation, for messages. */
  readonly operation: string;
  /** Tells it from other kernels of the operation. */
  readonly variant?: string;
  /** Operands `[rows, columns]`. */
  readonly operands: readonly ShaderOperand[];
  /** Operands `[rows]`. */
  readonly rowOperands?: readonly ShaderOperand[];
  /** Further parameters. */
  readonly parameters?: readonly ShaderParameter[];
  /** Whether it calls `report_index`. */
  readonly indexed?: boolean;
  /** What the texts call of `scalar_functions.ts`. */
  functions(lanes: RowLanes): readonly ScalarFunction[];
  /** How rows are summed up, if they are. */
  readonly summary?: RowSummary;
  /** Statements before the elements of a `row`. */
  readonly start?: string;
  /** Statements for the elements at `i`, given `summary`. */
  element?(lanes: RowLanes): string;
  /** Statements of one thread for each `row`, given `summary`. */
  readonly end?: string;
}

const wholeRow = `
  let row = team;
  let begin = row * parameters.columns;
  let end = begin + parameters.columns;`;

const partOfRow = `
  let row = team / parameters.parts;
  let part = team % parameters.parts;
  let begin = row * parameters.columns + part * parameters.part_columns;
  let end = min(begin + parameters.part_columns, (row + 1u) * parameters.columns);`;

const partialFunction = `fn partial(i: u32) -> vec3<f32> {
  return vec3<f32>(load_partials(3u * i), load_partials(3u * i + 1u),
    load_partials(3u * i + 2u));
}
`;

const storePartial = `if (lane == 0u) {
    store_partials(3u * team, summary.x);
    store_partials(3u * team + 1u, summary.y);
    store_partials(3u * team + 2u, summary.z);
  }`;

function bodyText(
  kernel: RowKernel,
  step: RowStep,
  lanes: RowLanes,
  team: RowTeam,
): string {
  const { start = "", end = "" } = kernel;
  const whole = step === "whole" || step === "finish" && !kernel.element;
  const summary = {
    whole: "let summary = summarize(begin, end, lane);",
    partial: "let summary = summarize(begin, end, lane);",
    finish: "let summary = combine(row * parameters.parts);",
    each: "",
  }[step];
  const use = kernel.element
    ? columnLoop(lanes, team, kernel.element(lanes))
    : `if (lane == 0u) { ${end} }`;
  return `${whole ? wholeRow : partOfRow}
  ${summary}
  ${step === "partial" ? storePartial : `${start}\n  ${use}`}
`;
}

/** The kernel for one kind of launch. */
export function rowShader(
  kernel: RowKernel,
  step: RowStep,
  lanes: RowLanes,
  team: RowTeam,
): Shader {
  const { operation, rowOperands = [], parameters = [], summary } = kernel;
  const vector = lanes.width === 4;
  const operands = kernel.operands
    .filter(({ access }) => step !== "partial" || access === "read")
    .map((operand) => ({ ...operand, vector }));
  const ends = step === "partial" ? [] : rowOperands;
  const partials: readonly ShaderOperand[] = {
    whole: [],
    partial: [{ name: "partials", access: "write" } as const],
    finish: [{ name: "partials", access: "read" } as const],
    each: [],
  }[step];
  const summarizes = step === "whole" || step === "partial";
  const texts = summarizes
    ? summary?.summarize(lanes, team)
    : step === "finish"
    ? partialFunction + summary?.combine
    : "";
  const combinations = summarizes ? summary?.combinations : undefined;
  return {
    operation,
    operands: [...operands, ...ends, ...partials],
    parameters: [
      ...words("teams", "columns", "parts", "part_columns", "first_row"),
      ...parameters,
    ],
    indexed: kernel.indexed && step !== "partial",
    subgroups: team.subgroups,
    code: wgslFunctions(kernel.functions(lanes)) + texts +
      teamKernel(team, combinations ?? [], bodyText(kernel, step, lanes, team)),
  };
}
