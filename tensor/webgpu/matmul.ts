/**
 * Matrix products: the form and tile of a kernel are chosen by adapter and
 * shape; products that are too large to bind, or whose sums are too long for the
 * adapter, are computed in parts.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import type { CompiledShader, Gpu } from "./gpu.ts";
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
import { PlanMemory } from "./plan_memory.ts";
import type { Shader } from "./shader.ts";
import { windowsFit } from "./windows.ts";

const shaders: Readonly<
  Record<MatmulForm, (text: MatmulText, tile: WorkgroupTile) => Shader>
> = {
  registers: registerShader,
  tiled: tiledShader,
  subgroup: subgroupShader,
};

/** A launch, but for its operands. */
interface Prepared {
  readonly shader: CompiledShader;
  readonly values: number[];
  /** The place of alpha among the values. */
  readonly alphaAt: number;
  readonly workgroups: readonly [number, number, number];
}

function launch(
  gpu: Gpu,
  problem: MatmulProblem,
  text: MatmulText,
  { form, tile, workgroups }: MatmulPlan,
): Prepared {
  const { rows, groups, across, down } = tile;
  const shader = gpu.shader(
    `matmul ${form} ${rows} ${groups} ${across} ${down} ${keyOf(text)}`,
    () => shaders[form](text, tile),
  );
  const operands = operandsOf(problem);
  const { extents, alpha } = problem;
  const values = parameterValues(extents, alpha, operands);
  gpu.launch(shader, operands, values, workgroups);
  return { shader, values, alphaAt: extents.length, workgroups };
}

/** Kernel `matmul` of a GPU, in the form that `autotuneMatmul` found. */
export function matmulKernels(
  gpu: Gpu,
  form: MatmulForm,
): Pick<Kernels, "matmul"> {
  /** What was launched, if that was a single product. */
  const multiply = (
    problem: MatmulProblem,
    isPart: boolean,
  ): Prepared | undefined => {
    const tooLarge = axisToSplit(gpu, problem);
    if (tooLarge !== undefined) return inHalves(problem, tooLarge, isPart);
    const text = textOf(problem);
    const plan = planOf(gpu, form, problem, text);
    const tooLong = axisBeyondGrid(problem, plan.workgroups);
    if (tooLong !== undefined) return inHalves(problem, tooLong, isPart);
    if (isPart || plan.parts === 1) {
      if (plan.turns <= gpu.mostTurns) return launch(gpu, problem, text, plan);
      return inHalves(problem, problem.extents.length - 1, isPart);
    }
    multiplyInParts(gpu, problem, plan.parts, (part) => {
      multiply(part, true);
    });
  };
  const inHalves = (
    problem: MatmulProblem,
    axis: number,
    isPart: boolean,
  ): undefined => {
    for (const half of halvesOf(problem, axis)) multiply(half, isPart);
  };
  const plans = new PlanMemory<Prepared>();
  return {
    matmul: (args) => {
      const { a, b, out, bias, residual, alpha } = args;
      if (out.shape.includes(0)) return;
      const views = [a, b, out, bias, residual];
      const operands = operandsOf(args);
      const known = windowsFit(gpu, operands) ? plans.find(views) : undefined;
      if (known !== undefined) {
        known.values[known.alphaAt] = alpha;
        gpu.launch(known.shader, operands, known.values, known.workgroups);
        return;
      }
      const prepared = multiply(problemOf(args), false);
      // With one column, a and b may have changed places.
      const isPlain = out.shape[out.shape.length - 1] !== 1;
      if (prepared !== undefined && isPlain) plans.keep(views, prepared);
    },
  };
}
