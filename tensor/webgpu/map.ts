/**
 * Kernel `map`: a program on every element.
 *
 * Axes that all operands walk as one are merged, and the innermost one that is
 * left is computed four elements at a time, as vectors where they lie so.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import { createPlanCache } from "../plan_cache.ts";
import { sizeOf } from "../shape.ts";
import { collapse, type Layout } from "../layout.ts";
import type { CompiledShader, Gpu } from "./gpu.ts";
import { spread } from "./recorder.ts";
import { walkOf, walks } from "./lanes.ts";
import {
  flatThreads,
  type MapForm,
  mapShader,
  mostPlanes,
  rowThreads,
} from "./map_shader.ts";
import { PlanMemory } from "./plan_memory.ts";
import {
  type CachedProgram,
  createProgramCache,
  shaderOf,
} from "./program_cache.ts";
import { launchInParts } from "./windows.ts";

/** Workgroups along one axis, at most. */
const mostGroups = 65535;

/** Blocks that a thread computes one after the other where rows are many. */
const mostBlocksEach = 16;

/** Threads that keep a GPU busy, or a CPU that plays one. */
const manyThreads = { gpu: 2 ** 17, software: 4096 } as const;

/** Names a form; distinct ones for a program's operands. */
function nameOf(form: MapForm): string {
  const { lanes, ragged, width, outer, fewPlanes } = form;
  let name = `${lanes}${ragged ? "r" : ""}${fewPlanes ? "f" : ""} ` +
    `${width} ${outer} `;
  for (let i = 0; i < form.walks.length; i++) {
    name += form.walks[i] + (form.moves[i] ? 4 : 0);
  }
  return name;
}

/** The least power of two that isn't below x, at most `most`. */
function powerOfTwo(x: number, most: number): number {
  let power = 1;
  while (power < x && power < most) power *= 2;
  return power;
}

/**
 * The merged axes, outermost first: at least one, the longest of the outer
 * ones next to the innermost.
 */
function axesOf(views: readonly View[], key: View): Layout {
  const { extents, strides } = collapse(
    key.shape,
    views.map((view) => view.strides),
    (axis) => Math.abs(key.strides[axis]),
  );
  const last = extents.length - 2;
  if (last === -2) return { extents: [1], strides: views.map(() => [1]) };
  if (last < 1) return { extents, strides };
  let longest = last;
  for (let axis = 0; axis < last; axis++) {
    if (extents[axis] > extents[longest]) longest = axis;
  }
  if (longest === last) return { extents, strides };
  const swapped = (list: readonly number[]): number[] =>
    list.with(last, list[longest]).with(longest, list[last]);
  return { extents: swapped(extents), strides: strides.map(swapped) };
}

function formOf(
  views: readonly View[],
  { extents, strides }: Layout,
): MapForm {
  const outer = extents.length - 1;
  const extent = extents[outer];
  const lanes = extent < 4 ? 1 : 4;
  let planes = 1;
  for (let axis = 0; axis < outer - 1; axis++) planes *= extents[axis];
  return {
    lanes,
    ragged: extent % lanes !== 0,
    width: outer === 0 ? flatThreads : powerOfTwo(extent / lanes, 8),
    outer,
    fewPlanes: planes <= mostPlanes,
    walks: views.map((view, i) => walkOf(view, strides[i], outer, lanes)),
    moves: strides.map((list) => {
      for (let axis = 0; axis < outer; axis++) {
        if (list[axis] !== 0) return true;
      }
      return false;
    }),
  };
}

/** Shares rows and blocks out: parameters, and workgroups. */
function share(
  { software }: Gpu,
  { lanes, width, outer }: MapForm,
  extents: readonly number[],
): { values: number[]; workgroups: [number, number, number] } {
  const extent = extents[outer];
  const blocks = Math.ceil(extent / lanes);
  if (outer === 0) {
    const workgroups = spread(Math.ceil(blocks / width));
    return { values: [blocks, extent], workgroups };
  }
  const rows = extents[outer - 1];
  let planes = 1;
  for (let axis = 0; axis < outer - 1; axis++) planes *= extents[axis];
  const height = rowThreads / width;
  const many = software ? manyThreads.software : manyThreads.gpu;
  const each = Math.min(
    mostBlocksEach,
    Math.ceil(blocks * rows * planes / many),
  );
  const turns = Math.max(
    Math.min(each, Math.ceil(blocks / width)),
    Math.ceil(blocks / width / mostGroups),
  );
  const rowsEach = Math.max(
    Math.min(Math.ceil(each / turns), Math.ceil(rows / height)),
    Math.ceil(rows / height / mostGroups),
  );
  const values = [blocks, extent, turns, rows, rowsEach];
  if (outer > 1) values.push(planes, ...extents.slice(1, outer - 1));
  return {
    values,
    workgroups: [
      Math.ceil(blocks / (width * turns)),
      Math.ceil(rows / (height * rowsEach)),
      Math.min(mostGroups, planes),
    ],
  };
}

/** A launch, but for its scalars. */
interface MapPlan {
  readonly shader: CompiledShader;
  readonly values: readonly number[];
  readonly workgroups: readonly [number, number, number];
}

function planOf(
  gpu: Gpu,
  cached: CachedProgram,
  views: readonly View[],
): MapPlan {
  const { program, used } = cached;
  const { extents, strides } = axesOf(views, views[used.length]);
  const form = formOf(views, { extents, strides });
  const shader = shaderOf(
    gpu,
    cached,
    "map",
    nameOf(form),
    () => mapShader(program, used, form),
  );
  const { values, workgroups } = share(gpu, form, extents);
  const { outer } = form;
  for (let i = 0; i < views.length; i++) {
    for (let axis = 0; axis < outer; axis++) values.push(strides[i][axis]);
    if (form.walks[i] === walks.strided) values.push(strides[i][outer]);
  }
  return { shader, values, workgroups };
}

/** Kernel `map` of a GPU. */
export function mapKernels(gpu: Gpu): Pick<Kernels, "map"> {
  const programOf = createProgramCache();
  const plansOf = createPlanCache(() => new PlanMemory<MapPlan>());
  return {
    map: (program, inputs, outputs, scalars) => {
      if (sizeOf(outputs[0].shape) === 0) return;
      const cached = programOf(program);
      const plans = plansOf(program);
      const views = [...cached.used.map((input) => inputs[input]), ...outputs];
      launchInParts(gpu, views, (part) => {
        const { shader, values, workgroups } = plans.find(part) ??
          plans.keep(part, planOf(gpu, cached, part));
        gpu.launch(shader, part, [...values, ...scalars], workgroups);
      });
    },
  };
}
