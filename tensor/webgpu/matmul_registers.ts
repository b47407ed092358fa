/**
 * Matrix products in registers: every thread reads its rows and columns from
 * storage and shares nothing with others. CPUs that play a GPU have caches and
 * many registers, but no fast way to share.
 *
 * @module
 */

import {
  type FactorAccess,
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

/** What a factor contributes to the text of the loop over the inner axis. */
interface Reader {
  /** Before the loop. */
  readonly before: string[];
  /** Loads for four steps at once. */
  readonly chunk: string[];
  /** Loads for one step. */
  readonly step: (step: number) => string[];
  /** Element at outer position i of a step. */
  readonly one: (i: number, step: number) => string;
  /** Elements at positions 4 g … 4 g + 3 of a step. */
  readonly four: (g: number, step: number) => string;
}

const letters = "xyzw";

/**
 * Reads `count` outer positions of a factor, from `first` on. Those beyond the
 * end read what the last one reads, and are not stored.
 */
function reader(
  name: "a" | "b",
  { along, vector }: FactorAccess,
  first: string,
  count: number,
): Reader {
  const outer = name === "a" ? "rows" : "columns";
  const extent = `parameters.${outer}`;
  const inner = (step: number): string =>
    `(k + ${step}u) * parameters.${name}_inner`;
  const inFours = vector && along === "outer";
  const stride = inFours ? "" : ` * parameters.${name}_${outer}`;
  const size = inFours ? 4 : 1;
  const places = Array.from(
    { length: count / size },
    (_, i) =>
      `let ${name}_at${i} = ${name}_start + ` +
      `min(${first} + ${i * size}u, ${extent} - ${size}u)${stride};`,
  );
  const load = (i: number, step: number): string =>
    inFours
      ? `let ${name}${i}_${step} = load4_${name}(${name}_at${i} + ${
        inner(step)
      });`
      : `let ${name}${i}_${step} = load_${name}(${name}_at${i} + ${
        inner(step)
      });`;
  const inChunks = vector && along === "inner";
  const one = (i: number, step: number): string =>
    inChunks
      ? `${name}${i}.${letters[step]}`
      : inFours
      ? `${name}${i >> 2}_${step}.${letters[i & 3]}`
      : `${name}${i}_${step}`;
  return {
    before: places,
    chunk: inChunks
      ? places.map((_, i) =>
        `let ${name}${i} = load4_${name}(${name}_at${i} + k);`
      )
      : [],
    step: (step) => inChunks ? [] : places.map((_, i) => load(i, step)),
    one,
    four: (g, step) =>
      inFours
        ? `${name}${g}_${step}`
        : `vec4f(${[0, 1, 2, 3].map((i) => one(4 * g + i, step)).join(", ")})`,
  };
}

/** Whether a factor is read four steps along the inner axis at a time. */
export function isChunked({ a, b }: MatmulText): boolean {
  return [a, b].some(({ along, vector }) => vector && along === "inner");
}

/** The shader for one kind of operands and one tile. */
export function registerShader(text: MatmulText, tile: WorkgroupTile): Shader {
  const { rows, groups, across, down } = tile;
  const columns = 4 * groups;
  const operands = shaderOperands(text);
  const a = reader("a", text.a, "first_row", rows);
  const b = reader("b", text.b, "first_column", columns);
  const steps = isChunked(text) ? 4 : 1;
  const body = Array.from({ length: steps }, (_, step) =>
    [
      ...a.step(step),
      ...b.step(step),
      multiplyText(tile, (i) => a.one(i, step), (j) => b.four(j, step)),
    ].join("\n"));
  return {
    operation: "matmul",
    operands,
    parameters: shaderParameters(text.batch, operands),
    code: `${finishFunctions(text)}
@compute @workgroup_size(${across}, ${down})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let first_row = id.y * ${rows}u;
  let first_column = id.x * ${columns}u;
  if (first_row >= parameters.rows || first_column >= parameters.columns) {
    return;
  }
  ${startsText(text.batch, operands, "id.z")}
  ${[...a.before, ...b.before].join("\n")}
  ${sumsText(tile)}
  for (var k = 0u; k < parameters.inner; k += ${steps}u) {
    ${[...a.chunk, ...b.chunk, ...body].join("\n")}
  }
  ${
      finishText(
        text,
        tile,
        (i) => `first_row + ${i}u`,
        (j) => `first_column + ${4 * j}u`,
      )
    }
}`,
  };
}
