/**
 * Matrix products in workgroup memory: a workgroup reads a tile of each factor
 * once, and its threads multiply what all of them have read. What GPUs want.
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

/** Steps along the inner axis that a workgroup reads at a time. */
const depth = 16;

/** Vectors along the inner axis of a tile; one more keeps banks apart. */
const depthVectors = depth / 4;
const paddedVectors = depthVectors + 1;

/** Turns of the loops of a thread; the inner one's end counts as one. */
export function tiledTurns(inner: number): number {
  return Math.ceil(inner / depth) * (2 + depthVectors);
}

/**
 * Four neighbours of a factor from outer position `at` and step `k` on. Past
 * the end of the inner axis they are 0; past the other end they don't matter.
 */
function fetchFunction(
  name: "a" | "b",
  { along, vector }: FactorAccess,
): string {
  const outer = name === "a" ? "rows" : "columns";
  const strideOuter = `parameters.${name}_${outer}`;
  const strideInner = `parameters.${name}_inner`;
  const extent = `parameters.${outer}`;
  const lane = (i: number): string => {
    const [at, k] = along === "inner"
      ? ["at", `k + ${i}u`]
      : [`at + ${i}u`, "k"];
    const place = `start + min(${at}, ${extent} - 1u) * ${strideOuter} + ` +
      `(${k}) * ${strideInner}`;
    return `if (${k} < parameters.inner) { four[${i}] = load_${name}(${place}); }`;
  };
  const body = !vector
    ? `var four = vec4f();
  ${[0, 1, 2, 3].map(lane).join("\n  ")}
  return four;`
    : `if (k >= parameters.inner) { return vec4f(); }
  ${
      along === "inner"
        ? `return load4_${name}(start + min(at, ${extent} - 1u) * ${strideOuter} + k);`
        : `return load4_${name}(start + min(at, ${extent} - 4u) + k * ${strideInner});`
    }`;
  return `fn fetch_${name}(start: u32, at: u32, k: u32) -> vec4f {
  ${body}
}`;
}

/** Repeats a line for all units of work that `threads` share. */
function shared(
  units: number,
  threads: number,
  line: (unit: string) => string,
): string {
  const lines: string[] = [];
  for (let first = 0; first < units; first += threads) {
    const unit = `(local + ${first}u)`;
    lines.push(
      units - first < threads
        ? `if (local < ${units - first}u) { ${line(unit)} }`
        : line(unit),
    );
  }
  return lines.join("\n");
}

/** Fills tile_a, [row][inner / 4] or [inner][row / 4]. */
function fillA({ along }: FactorAccess, rows: number, threads: number): string {
  const units = rows * depthVectors;
  if (along === "inner") {
    return shared(
      units,
      threads,
      (unit) =>
        `tile_a[${unit} / ${depthVectors}u * ${paddedVectors}u + ${unit} % ${depthVectors}u] = ` +
        `fetch_a(a_start, first_row + ${unit} / ${depthVectors}u, ` +
        `k + 4u * (${unit} % ${depthVectors}u));`,
    );
  }
  const across = rows / 4;
  return shared(
    units,
    threads,
    (unit) =>
      `tile_a[${unit}] = fetch_a(a_start, ` +
      `first_row + 4u * (${unit} % ${across}u), k + ${unit} / ${across}u);`,
  );
}

/** Fills tile_b, [inner][column / 4]. */
function fillB(
  { along }: FactorAccess,
  columns: number,
  threads: number,
): string {
  const across = columns / 4;
  if (along === "outer") {
    return shared(
      across * depth,
      threads,
      (unit) =>
        `tile_b[${unit}] = fetch_b(b_start, ` +
        `first_column + 4u * (${unit} % ${across}u), k + ${unit} / ${across}u);`,
    );
  }
  // Four by four numbers, transposed on the way.
  return shared(across * depthVectors, threads, (unit) => {
    const group = `${unit} / ${depthVectors}u`;
    const step = `4u * (${unit} % ${depthVectors}u)`;
    const columns = [0, 1, 2, 3].map((i) =>
      `let c${i} = fetch_b(b_start, first_column + 4u * (${group}) + ${i}u, k + ${step});`
    );
    const stores = [0, 1, 2, 3].map((i) =>
      `tile_b[(${step} + ${i}u) * ${across}u + ${group}] = ` +
      `vec4f(c0[${i}], c1[${i}], c2[${i}], c3[${i}]);`
    );
    return `{ ${[...columns, ...stores].join("\n")} }`;
  });
}

/** Multiplies the tiles, four steps along the inner axis at a time. */
function multiplyTiles(text: MatmulText, tile: WorkgroupTile): string {
  const { rows, groups, across, down } = tile;
  const isInner = text.a.along === "inner";
  const lines: string[] = [];
  if (isInner) {
    for (let i = 0; i < rows; i++) {
      lines.push(
        `let a${i} = tile_a[(y + ${i * down}u) * ${paddedVectors}u + step];`,
      );
    }
  }
  for (let s = 0; s < 4; s++) {
    const step = `(4u * step + ${s}u)`;
    if (!isInner) {
      for (let g = 0; g < rows / 4; g++) {
        lines.push(
          `let a${g}_${s} = tile_a[${step} * ${rows * down / 4}u + y + ${
            g * down
          }u];`,
        );
      }
    }
    lines.push(multiplyText(
      tile,
      (i) => isInner ? `a${i}[${s}]` : `a${i >> 2}_${s}[${i & 3}]`,
      (j) => `tile_b[${step} * ${groups * across}u + x + ${j * across}u]`,
    ));
  }
  return `for (var step = 0u; step < ${depthVectors}u; step++) {
  ${lines.join("\n")}
}`;
}

/** The shader for one kind of operands and one tile. */
export function tiledShader(text: MatmulText, tile: WorkgroupTile): Shader {
  const { across, down, groups } = tile;
  const threads = across * down;
  const rows = tile.rows * down;
  const columns = 4 * groups * across;
  const operands = shaderOperands(text);
  const isInner = text.a.along === "inner";
  const sizeA = isInner ? rows * paddedVectors : rows * depthVectors;
  return {
    operation: "matmul",
    operands,
    parameters: shaderParameters(text.batch, operands),
    code: `var<workgroup> tile_a: array<vec4f, ${sizeA}>;
var<workgroup> tile_b: array<vec4f, ${columns * depthVectors}>;
${fetchFunction("a", text.a)}
${fetchFunction("b", text.b)}
${finishFunctions(text)}
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let x = local % ${across}u;
  let y = local / ${across}u;
  let first_row = group.y * ${rows}u;
  let first_column = group.x * ${columns}u;
  ${startsText(text.batch, operands, "group.z")}
  ${sumsText(tile)}
  for (var k = 0u; k < parameters.inner; k += ${depth}u) {
    ${fillA(text.a, rows, threads)}
    ${fillB(text.b, columns, threads)}
    workgroupBarrier();
    ${multiplyTiles(text, tile)}
    workgroupBarrier();
  }
  ${
      finishText(
        text,
        tile,
        (i) =>
          isInner
            ? `first_row + y + ${i * down}u`
            : `first_row + 4u * (y + ${(i >> 2) * down}u) + ${i & 3}u`,
        (j) => `first_column + 4u * (x + ${j * across}u)`,
      )
    }
}`,
  };
}
