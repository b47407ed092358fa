/**
 * Layer normalization of groups of rows: a team for each row.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import { aligned4 } from "./view_memory.ts";
import type { Gpu } from "./gpu.ts";
import { words } from "./items.ts";
import { layerNormGradients } from "./layer_norm_gradients.ts";
import { inWindows } from "./windows.ts";
import {
  columnLoop,
  columnSums,
  type RowLanes,
  rowLanes,
  type RowTeam,
  rowTeam,
  teamKernel,
  teamWorkgroups,
} from "./row_team.ts";
import { slice } from "./windows.ts";
import type { Shader, ShaderOperand, ShaderParameter } from "./shader.ts";

const parameters: readonly ShaderParameter[] = [
  ...words("teams", "columns", "rows", "first_row"),
  ...words("weight_stride", "bias_stride"),
  { name: "epsilon", type: "f32" },
];

/** A view `[groups, n]` that may be missing, as kernels see it. */
interface Vector {
  /** Whether there is one, and whether its rows begin at multiples of 4. */
  readonly form: "missing" | "loose" | "aligned";
  readonly stride: number;
}

function vectorOf(view: View | undefined): Vector {
  if (view === undefined) return { form: "missing", stride: 0 };
  const { shape: [groups], strides: [stride] } = view;
  // The stride between groups doesn't matter where there is one.
  const aligned = aligned4(groups === 1 ? { ...view, strides: [0, 1] } : view);
  return { form: aligned ? "aligned" : "loose", stride };
}

function vectorOperands(name: string, { form }: Vector): ShaderOperand[] {
  if (form === "missing") return [];
  return [{ name, access: "read", vector: form === "aligned" }];
}

/** What the elements of a group's vector are that belong to those at `i`. */
function vectorText(
  name: string,
  { form }: Vector,
  { type, width }: RowLanes,
  missing: string,
): string {
  if (form === "missing") return `${type}(${missing})`;
  const at = `norm_group * parameters.${name}_stride + (i - begin)`;
  if (width === 1) return `load_${name}(${at})`;
  if (form === "aligned") return `load4_${name}(${at})`;
  const each = [0, 1, 2, 3].map((k) => `load_${name}(${at} + ${k}u)`);
  return `vec4<f32>(${each.join(", ")})`;
}

const place = `
  let begin = team * parameters.columns;
  let end = begin + parameters.columns;
  let norm_group = (parameters.first_row + team) / parameters.rows;
  let count = f32(parameters.columns);`;

function forwardShader(
  lanes: RowLanes,
  team: RowTeam,
  weight: Vector,
  bias: Vector,
): Shader {
  const { mark } = lanes;
  const vector = lanes.width === 4;
  const load = `load${mark}_x(i)`;
  const weightText = vectorText("weight", weight, lanes, "1.0");
  const biasText = vectorText("bias", bias, lanes, "0.0");
  return {
    operation: "layerNorm",
    operands: [
      { name: "x", access: "read", vector },
      ...vectorOperands("weight", weight),
      ...vectorOperands("bias", bias),
      { name: "out", access: "write", vector },
      { name: "mean", access: "write" },
      { name: "inverse", access: "write" },
    ],
    parameters,
    subgroups: team.subgroups,
    code: teamKernel(
      team,
      [{ name: "team_sum", type: "f32", kind: "add" }],
      `${place}
  ${columnSums(lanes, team, { sum: load })}
  let mean = team_sum(${lanes.sum("sum")}, lane) / count;
  ${
        columnSums(
          lanes,
          team,
          { squares: "deviation * deviation" },
          `let deviation = ${load} - mean;`,
        )
      }
  let variance = team_sum(${lanes.sum("squares")}, lane) / count;
  let inverse = 1.0 / sqrt(variance + parameters.epsilon);
  ${
        columnLoop(
          lanes,
          team,
          `let normalized = (${load} - mean) * inverse;
    store${mark}_out(i, normalized * ${weightText} + ${biasText});`,
        )
      }
  if (lane == 0u) {
    store_mean(team, mean);
    store_inverse(team, inverse);
  }
`,
    ),
  };
}

/** dx = inverse · (g − Σ g / n − x̂ · Σ g x̂ / n) with g = dy · weight. */
function backwardShader(
  lanes: RowLanes,
  team: RowTeam,
  weight: Vector,
): Shader {
  const { mark } = lanes;
  const vector = lanes.width === 4;
  const weightText = vectorText("weight", weight, lanes, "1.0");
  const values = `let normalized = (load${mark}_x(i) - mean) * inverse;
      let weighted = load${mark}_dy(i) * ${weightText};`;
  return {
    operation: "layerNormBackward",
    operands: [
      { name: "x", access: "read", vector },
      ...vectorOperands("weight", weight),
      { name: "dy", access: "read", vector },
      { name: "dx", access: "write", vector },
      { name: "mean", access: "read" },
      { name: "inverse", access: "read" },
    ],
    parameters,
    subgroups: team.subgroups,
    code: teamKernel(
      team,
      [{ name: "team_sums", type: "vec2<f32>", kind: "add" }],
      `${place}
  let mean = load_mean(team);
  let inverse = load_inverse(team);
  ${
        columnSums(
          lanes,
          team,
          { first: "weighted", second: "weighted * normalized" },
          values,
        )
      }
  let sums = team_sums(
    vec2<f32>(${lanes.sum("first")}, ${lanes.sum("second")}), lane);
  let means = sums / count;
  ${
        columnLoop(
          lanes,
          team,
          `${values}
    let left = weighted - means.x - normalized * means.y;
    store${mark}_dx(i, inverse * left);`,
        )
      }
`,
    ),
  };
}

/** `[groups, rows, …]`, contiguous, as `[groups · rows, …]`. */
function flat(view: View): View {
  const [groups, rows, ...rest] = view.shape;
  return {
    buffer: view.buffer,
    dtype: view.dtype,
    offset: view.offset,
    shape: [groups * rows, ...rest],
    strides: view.strides.slice(1),
  };
}

/** Kernels `layerNorm` and `layerNormBackward` of a GPU. */
export function layerNormKernels(
  gpu: Gpu,
): Pick<Kernels, "layerNorm" | "layerNormBackward"> {
  /**
   * Launches on all rows, which a kernel loops over in so many `passes`; the
   * vectors of groups come after the first view.
   */
  const launch = (
    name: string,
    passes: number,
    shape: readonly number[],
    [first, ...others]: readonly View[],
    vectors: readonly (View | undefined)[],
    epsilon: number,
    shader: (lanes: RowLanes, team: RowTeam, vectors: Vector[]) => Shader,
  ): void => {
    const [groups, rows, columns] = shape;
    const forms = vectors.map(vectorOf);
    const given = vectors.filter((view) => view !== undefined);
    const strides = forms.map(({ stride }) => stride);
    const viewsOf = (from: number, to: number): View[] => [
      slice(first, 0, from, to),
      ...given,
      ...others.map((view) => slice(view, 0, from, to)),
    ];
    inWindows(gpu, groups * rows, viewsOf, (from, to, views) => {
      const wide = views.filter(({ shape }) => shape.length === 2);
      const lanes = rowLanes(
        columns,
        wide.filter((view) => !given.includes(view)),
      );
      const team = rowTeam(gpu, name, columns / lanes.width, passes);
      const key = `${name} ${lanes.width} ${team.size}` +
        forms.map(({ form }) => ` ${form}`).join("");
      gpu.launch(
        gpu.shader(key, () => shader(lanes, team, forms)),
        views,
        [to - from, columns, rows, from, strides[0], strides[1] ?? 0, epsilon],
        teamWorkgroups(team, to - from),
      );
    });
  };
  return {
    layerNorm: (x, weight, bias, epsilon, out, mean, inverseDeviation) =>
      launch(
        "layerNorm",
        3,
        x.shape,
        [x, out, mean, inverseDeviation].map(flat),
        [weight, bias],
        epsilon,
        (lanes, team, [weight, bias]) =>
          forwardShader(lanes, team, weight, bias),
      ),
    layerNormBackward: (
      x,
      weight,
      mean,
      inverseDeviation,
      dy,
      dx,
      dweight,
      dbias,
    ) => {
      const [flatX, flatDy, flatDx, means, inverses] = [
        ...[x, dy, dx, mean, inverseDeviation].map(flat),
      ];
      launch(
        "layerNormBackward",
        2,
        x.shape,
        [flatX, flatDy, flatDx, means, inverses],
        [weight],
        0,
        (lanes, team, [weight]) => backwardShader(lanes, team, weight),
      );
      layerNormGradients(
        gpu,
        x.shape,
        [flatX, flatDy, means, inverses],
        dweight,
        dbias,
      );
    },
  };
}
