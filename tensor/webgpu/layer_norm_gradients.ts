/**
 * Gradients of the weight and bias of layer normalization: sums over the rows of
 * each group. A thread sums up a block of rows for a column or four; where there
 * are several blocks, a second launch adds them up, always in the same order.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { Gpu } from "./gpu.ts";
import { forItems, itemWorkgroups, words } from "./items.ts";
import { kernelForm } from "./kernel_form.ts";
import { assertTurns } from "./loop_turns.ts";
import { inWindows } from "./windows.ts";
import { type RowLanes, rowLanes } from "./row_team.ts";
import { scratch } from "./scratch.ts";
import type { Shader, ShaderOperand } from "./shader.ts";
import { slice } from "./windows.ts";

/** Which of the two gradients are wanted. */
interface Wanted {
  readonly weight: boolean;
  readonly bias: boolean;
}

/** Threads that keep an adapter busy. */
const enough = { registers: 1024, tiled: 16384 } as const;

/**
 * Rows of a block: enough to be worth a thread, and not so many that adding them
 * one by one loses digits.
 */
const [leastRows, mostRows] = [16, 512];

function outputs(wanted: Wanted, vector: boolean): ShaderOperand[] {
  return [
    ...(wanted.weight ? ["dweight"] : []),
    ...(wanted.bias ? ["dbias"] : []),
  ].map((name) => ({ name, access: "write", vector }));
}

/** Sums over blocks of rows. */
function blockShader(
  { type, mark, width }: RowLanes,
  { weight, bias }: Wanted,
): Shader {
  const vector = width === 4;
  const read = (name: string, vector = false): ShaderOperand => ({
    name,
    access: "read",
    vector,
  });
  return {
    operation: "layerNormBackward",
    operands: [
      read("dy", vector),
      ...(weight ? [read("x", vector), read("mean"), read("inverse")] : []),
      ...outputs({ weight, bias }, vector),
    ],
    parameters: words(
      ...["items", "columns", "rows", "blocks", "block_rows"],
      ...["first_block", "first_row"],
    ),
    code: forItems(
      `  let across = parameters.columns / ${width}u;
  let block = parameters.first_block + item / across;
  let column = (item % across) * ${width}u;
  let start = (block % parameters.blocks) * parameters.block_rows;
  let count = min(parameters.block_rows, parameters.rows - start);
  let first = (block / parameters.blocks) * parameters.rows + start -
    parameters.first_row;
  var dweight = ${type}();
  var dbias = ${type}();
  for (var row = first; row < first + count; row++) {
    let i = row * parameters.columns + column;
    let dy = load${mark}_dy(i);
    ${bias ? "dbias += dy;" : ""}
    ${
        weight
          ? `dweight += dy * ((load${mark}_x(i) - load_mean(row)) * load_inverse(row));`
          : ""
      }
  }
  let to = block * parameters.columns + column;
  ${weight ? `store${mark}_dweight(to, dweight);` : ""}
  ${bias ? `store${mark}_dbias(to, dbias);` : ""}
`,
    ),
  };
}

/** Sums of blocks. */
function totalShader(
  { type, mark, width }: RowLanes,
  wanted: Wanted,
): Shader {
  const vector = width === 4;
  const written = outputs(wanted, vector);
  return {
    operation: "layerNormBackward",
    operands: [
      ...written.map(({ name }): ShaderOperand => ({
        name: `${name}_blocks`,
        access: "read",
        vector,
      })),
      ...written,
    ],
    parameters: words("items", "columns", "blocks"),
    code: forItems(
      `  let across = parameters.columns / ${width}u;
  let column = (item % across) * ${width}u;
  let first = (item / across) * parameters.blocks * parameters.columns +
    column;
  let to = (item / across) * parameters.columns + column;
` + written.map(({ name }) =>
        `  var ${name} = ${type}();
  for (var block = 0u; block < parameters.blocks; block++) {
    ${name} += load${mark}_${name}_blocks(first + block * parameters.columns);
  }
  store${mark}_${name}(to, ${name});
`
      ).join(""),
    ),
  };
}

/**
 * dweight and dbias, where given: Σ dy · x̂ and Σ dy over the rows of each group.
 *
 * @param shape Groups, rows and columns.
 * @param views x and dy `[groups · rows, columns]`, mean and inverse deviation
 * `[groups · rows]`.
 */
export function layerNormGradients(
  gpu: Gpu,
  [groups, rows, columns]: readonly number[],
  [x, dy, mean, inverse]: readonly View[],
  dweight: View | undefined,
  dbias: View | undefined,
): void {
  const written = [dweight, dbias].filter((view) => view !== undefined);
  if (written.length === 0) return;
  const wanted = { weight: dweight !== undefined, bias: dbias !== undefined };
  const read = wanted.weight ? [dy, x, mean, inverse] : [dy];
  const wide = wanted.weight ? [dy, x] : [dy];
  const lanes = rowLanes(columns, [...wide, ...written]);
  const across = columns / lanes.width;
  const threads = enough[kernelForm(gpu, "rows")];
  const each = Math.ceil(groups * rows * across / threads);
  const bound = gpu.limits.maxStorageBufferBindingSize - 512;
  const fitting = Math.max(1, Math.floor(bound / (4 * columns)));
  const blockRows = Math.min(
    Math.max(each, leastRows),
    ...[mostRows, fitting, Math.max(1, rows)],
  );
  const blocks = Math.max(1, Math.ceil(rows / blockRows));
  assertTurns(gpu, "layerNormBackward", blocks * written.length);
  const memory = blocks === 1
    ? []
    : written.map(() =>
      scratch(gpu, "layerNormBackward", groups * blocks * columns)
    );
  const sums = blocks === 1 ? written : memory;
  const key = `layerNormBackward ${lanes.width} ` +
    `${wanted.weight} ${wanted.bias}`;
  const launch = (
    step: "blocks" | "total",
    count: number,
    views: readonly View[],
    values: readonly number[],
  ): void => {
    const make = step === "blocks" ? blockShader : totalShader;
    gpu.launch(
      gpu.shader(`${key} ${step}`, () => make(lanes, wanted)),
      views,
      [count, columns, ...values],
      itemWorkgroups(count),
    );
  };
  const firstRow = (block: number): number =>
    Math.floor(block / blocks) * rows + (block % blocks) * blockRows;
  const viewsOf = (from: number, to: number): View[] => [
    ...read.map((view) => slice(view, 0, firstRow(from), firstRow(to))),
    ...sums,
  ];
  inWindows(gpu, groups * blocks, viewsOf, (from, to, views) => {
    const first = [rows, blocks, blockRows, from, firstRow(from)];
    launch("blocks", (to - from) * across, views, first);
  });
  if (blocks === 1) return;
  launch("total", groups * across, [...sums, ...written], [blocks]);
  for (const { buffer } of memory) gpu.pool.free(buffer);
}
