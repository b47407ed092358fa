/**
 * Matrix products by subgroups: the lanes of a subgroup read each row of the
 * left factor once and hand it round; no workgroup memory, no barriers.
 *
 * A workgroup is one subgroup: it has as many threads as every subgroup of the
 * adapter has lanes.
 *
 * @module
 */

import {
  finishFunctions,
  finishText,
  type MatmulText,
  multiplyText,
  shaderOperands,
  shaderParameters,
  startsText,
  sumsText,
  type WorkgroupTile,
} from "./matmul_shader.ts";
import type { Shader } from "./shader.ts";

/** The text that reads a's rows and hands them round, four steps at a time. */
interface Sharing {
  /** Loads of a lane. */
  readonly loads: string[];
  /** Row i of a lane at a step. */
  readonly one: (i: number, step: number) => string;
}

function shareRows(
  { a }: MatmulText,
  { rows, across, down }: WorkgroupTile,
): Sharing {
  const lanes = across * down;
  const all = rows * down;
  const registers = Array.from({ length: all / lanes }, (_, i) => i);
  if (a.along === "inner") {
    return {
      loads: registers.map((i) =>
        `let a${i} = load4_a(a_start + min(first_row + lane + ${
          i * lanes
        }u, parameters.rows - 1u) * parameters.a_rows + k);`
      ),
      // Row y * rows + i is with lane (y * rows + i) % lanes.
      one: (i, step) =>
        `subgroupShuffle(a${Math.floor(i / lanes)}[${step}], y * ${rows}u + ${
          i % lanes
        }u)`,
    };
  }
  const fours = all / 4;
  return {
    loads: registers.map((i) => {
      const unit = `(lane + ${i * lanes}u)`;
      return `let a${i} = load4_a(a_start + min(first_row + 4u * (${unit} % ` +
        `${fours}u), parameters.rows - 4u) + (k + ${unit} / ${fours}u) * ` +
        `parameters.a_inner);`;
    }),
    one: (i, step) => {
      const unit = step * fours + (i >> 2);
      return `subgroupShuffle(a${Math.floor(unit / lanes)}[${i & 3}], ` +
        `y * ${rows / 4}u + ${unit % lanes}u)`;
    },
  };
}

/** Columns of b that a lane reads for itself, four steps at a time. */
function readColumns(
  { b }: MatmulText,
  { groups, across }: WorkgroupTile,
): { loads: string[]; four: (j: number, step: number) => string } {
  const loads: string[] = [];
  for (let j = 0; j < groups; j++) {
    const column = `first_column + ${4 * j * across}u`;
    for (let i = 0; i < 4; i++) {
      loads.push(
        b.along === "inner"
          ? `let b${j}_${i} = load4_b(b_start + min(${column} + ${i}u, ` +
            `parameters.columns - 1u) * parameters.b_columns + k);`
          : `let b${j}_${i} = load4_b(b_start + min(${column}, ` +
            `parameters.columns - 4u) + (k + ${i}u) * parameters.b_inner);`,
      );
    }
  }
  return {
    loads,
    four: (j, step) =>
      b.along === "inner"
        ? `vec4f(${[0, 1, 2, 3].map((i) => `b${j}_${i}[${step}]`).join(", ")})`
        : `b${j}_${step}`,
  };
}

/** The shader for factors that are read four at a time, and one tile. */
export function subgroupShader(text: MatmulText, tile: WorkgroupTile): Shader {
  const { rows, groups, across, down } = tile;
  const operands = shaderOperands(text);
  const a = shareRows(text, tile);
  const b = readColumns(text, tile);
  const steps = [0, 1, 2, 3].map((step) =>
    multiplyText(tile, (i) => a.one(i, step), (j) => b.four(j, step))
  );
  return {
    operation: "matmul",
    operands,
    parameters: shaderParameters(text.batch, operands),
    subgroups: true,
    code: `${finishFunctions(text)}
@compute @workgroup_size(${across * down})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let x = lane % ${across}u;
  let y = lane / ${across}u;
  let first_row = group.y * ${rows * down}u;
  let first_column = group.x * ${4 * groups * across}u + 4u * x;
  ${startsText(text.batch, operands, "group.z")}
  ${sumsText(tile)}
  for (var k = 0u; k < parameters.inner; k += 4u) {
    ${[...a.loads, ...b.loads, ...steps].join("\n")}
  }
  ${
      finishText(
        text,
        tile,
        (i) => `first_row + y * ${rows}u + ${i}u`,
        (j) => `first_column + ${4 * j * across}u`,
      )
    }
}`,
  };
}
