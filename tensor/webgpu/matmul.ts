/**
 * Matrix products: the form and tile of a kernel are chosen by adapter and
 * shape; products that are too large to bind are computed in parts.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import type { Gpu } from "./gpu.ts";
import { multiplyInParts } from "./matmul_partial.ts";
import {
  axisBeyondGrid,
  type MatmulForm,
  type MatmulPlan,
  planOf,
} from "./matmul_plan.ts";
import {
  axisToSplit,
  halvesOf,
  type MatmulProblem,
  operandsOf,
  problemOf,
} from "./matmul_problem.ts";
import { registerShader } from "./matmul_registers.ts";
import {
  keyOf,
  type MatmulText,
  parameterValues,
  textOf,
  type WorkgroupTile,
} from "./matmul_shader.ts";
import { subgroupShader } from "./matmul_subgroup.ts";
import { tiledShader } from "./matmul_tiled.ts";
import type { Shader } from "./shader.ts";

const shaders: Readonly<
  Record<MatmulForm, (text: MatmulText, tile: WorkgroupTile) => Shader>
> = {
  registers: registerShader,
  tiled: tiledShader,
  subgroup: subgroupShader,
};

function launch(
  gpu: Gpu,
  problem: MatmulProblem,
  text: MatmulText,
  { form, tile, workgroups }: MatmulPlan,
): void {
  const { rows, groups, across, down } = tile;
  const shader = gpu.shader(
    `matmul ${form} ${rows} ${groups} ${across} ${down} ${keyOf(text)}`,
    () => shaders[form](text, tile),
  );
  const operands = operandsOf(problem);
  const values = parameterValues(problem.extents, problem.alpha, operands);
  gpu.launch(shader, operands, values, workgroups);
}

/** Kernel `matmul` of a GPU, in the form that `autotuneMatmul` found. */
export function matmulKernels(
  gpu: Gpu,
  form: MatmulForm,
): Pick<Kernels, "matmul"> {
  const multiply = (problem: MatmulProblem, isPart: boolean): void => {
    const tooLarge = axisToSplit(gpu, problem);
    if (tooLarge !== undefined) return inHalves(problem, tooLarge, isPart);
    const text = textOf(problem);
    const plan = planOf(gpu, form, problem, text);
    const tooLong = axisBeyondGrid(problem, plan.workgroups);
    if (tooLong !== undefined) return inHalves(problem, tooLong, isPart);
    if (isPart || plan.parts === 1) return launch(gpu, problem, text, plan);
    multiplyInParts(gpu, problem, plan.parts, (part) => multiply(part, true));
  };
  const inHalves = (
    problem: MatmulProblem,
    axis: number,
    isPart: boolean,
  ): void => {
    for (const half of halvesOf(problem, axis)) multiply(half, isPart);
  };
  return {
    matmul: (args) => {
      if (args.out.shape.includes(0)) return;
      multiply(problemOf(args), false);
    },
  };
}
