/**
 * Kernel `reduce`: sums and extremes over axes.
 *
 * @module
 */

import type { Kernels, ReduceKind, View } from "../backend.ts";
import type { Dtype } from "../dtype.ts";
import {
  add,
  type Elementwise,
  elementwise,
  max,
  min,
  type ValueType,
} from "../expression.ts";
import { createPlanCache } from "../plan_cache.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import type { PooledBuffer } from "./buffer_pool.ts";
import type { CompiledShader, Gpu } from "./gpu.ts";
import { gpuBytesPerElement } from "./view_memory.ts";
import { spread } from "./recorder.ts";
import { mapKernels } from "./map.ts";
import { createProgramCache, shaderOf } from "./program_cache.ts";
import { PlanMemory } from "./plan_memory.ts";
import {
  planReduction,
  type ReducePlan,
  type Reduction,
} from "./reduce_plan.ts";
import { type ReduceForm, reduceShader } from "./reduce_shader.ts";
import { middleOf, slice, windowsFit } from "./windows.ts";

/** What results of the parts of a reduction are combined by. */
const identities = eachType((type) =>
  elementwise("combine", [type], ([x]) => [x])
);

/** The same for two parts, each in a tensor of its own. */
const pairs: Readonly<
  Record<ReduceKind, Readonly<Record<ValueType, Elementwise>>>
> = {
  sum: pairOf(add),
  max: pairOf(max),
  min: pairOf(min),
};

function eachType<T>(make: (type: ValueType) => T): Record<ValueType, T> {
  return { float: make("float"), int: make("int"), bool: make("bool") };
}

function pairOf(combine: typeof add): Record<ValueType, Elementwise> {
  return eachType((type) =>
    elementwise("combine", [type, type], ([a, b]) => [combine(a, b)])
  );
}

function nameOf(form: ReduceForm): string {
  const { kind, along, lanes, ragged, kept, reduced, items, parts } = form;
  return `${kind} ${along} ${lanes} ${ragged} ${kept} ${reduced} ${items} ` +
    `${parts} ${form.stored} ${form.moves.join("")}`;
}

/** Makes the result of a reduction from pieces of it, which end here. */
type Combine = (reduction: Reduction, pieces: View) => void;

/** A reduction's launch, but for its views and scalars. */
interface Prepared {
  readonly plan: ReducePlan;
  readonly shader: CompiledShader;
}

function prepare(gpu: Gpu, reduction: Reduction): Prepared {
  const { cached } = reduction;
  const plan = planReduction(gpu, reduction);
  const shader = shaderOf(
    gpu,
    cached,
    "reduce",
    nameOf(plan.form),
    () => reduceShader(cached.program, cached.used, plan.form),
  );
  return { plan, shader };
}

/** Runs a reduction whose views can be bound; `combine` finishes pieces. */
function launch(
  gpu: Gpu,
  reduction: Reduction,
  plans: PlanMemory<Prepared>,
  combine: Combine,
): void {
  const { inputs, out, scalars } = reduction;
  const views = [...inputs, out];
  // Without inputs, views don't tell how many elements there are.
  const known = inputs.length > 0 ? plans.find(views) : undefined;
  const { plan, shader } = known ??
    plans.keep(views, prepare(gpu, reduction));
  const { chunks, groups, values } = plan;
  const pieces = chunks > 1 ? piecesOf(gpu, reduction, chunks) : undefined;
  if (pieces !== undefined) views[inputs.length] = pieces;
  gpu.launch(shader, views, [...values, ...scalars], spread(groups));
  if (pieces !== undefined) combine(reduction, pieces);
}

function partDtype({ dtype }: View): Dtype {
  return dtype === "f16" ? "f32" : dtype;
}

/** Room for several partial results `[count, size]` of a reduction. */
function piecesOf(
  gpu: Gpu,
  { cached, out }: Reduction,
  count: number,
): View {
  const size = sizeOf(out.shape);
  const dtype = partDtype(out);
  const bytes = count * size * gpuBytesPerElement[dtype];
  return {
    buffer: gpu.pool.allocate(bytes, cached.program.name),
    dtype,
    shape: [count, size],
    strides: [size, 1],
    offset: 0,
  };
}

/**
 * The axis to cut where the views can't be bound: the longest that either is
 * combined or leaves the parts of the result contiguous. −1 if there is none.
 */
function axisToCut({ shape, inputs, out }: Reduction): number {
  const leading = out.shape.findIndex((extent) => extent > 1);
  let [longest, axis] = [0, -1];
  for (let i = 0; i < shape.length; i++) {
    if (out.shape[i] === shape[i] && i !== leading) continue;
    for (const view of [...inputs, out]) {
      const reach = (view.shape[i] - 1) * Math.abs(view.strides[i]);
      if (reach > longest) [longest, axis] = [reach, i];
    }
  }
  return axis;
}

/** Kernel `reduce` of a GPU. */
export function reduceKernels(gpu: Gpu): Pick<Kernels, "reduce"> {
  const programOf = createProgramCache();
  const plansOf = createPlanCache((): Record<
    ReduceKind,
    PlanMemory<Prepared>
  > => ({
    sum: new PlanMemory(),
    max: new PlanMemory(),
    min: new PlanMemory(),
  }));
  const { map } = mapKernels(gpu);

  const combine: Combine = ({ kind, cached, out }, pieces) => {
    const [{ type }] = cached.program.outputs;
    const [, size] = pieces.shape;
    run({
      kind,
      cached: programOf(identities[type]),
      shape: pieces.shape,
      inputs: [pieces],
      // A tensor's buffer is a getter, which a spread would leave out.
      out: {
        buffer: out.buffer,
        dtype: out.dtype,
        shape: [1, size],
        strides: [size, 1],
        offset: out.offset,
      },
      scalars: [],
    });
    gpu.pool.free(pieces.buffer as PooledBuffer);
  };

  const run = (reduction: Reduction): void => {
    const { shape, inputs, out } = reduction;
    const fits = windowsFit(gpu, [...inputs, out]);
    const axis = fits ? -1 : axisToCut(reduction);
    if (axis < 0) {
      const { kind, cached } = reduction;
      launch(gpu, reduction, plansOf(cached.program)[kind], combine);
      return;
    }
    const middle = middleOf(shape[axis]);
    const ranges = [[0, middle], [middle, shape[axis]]];
    const parts = ranges.map(([from, to]) => ({
      ...reduction,
      shape: shape.with(axis, to - from),
      inputs: inputs.map((input) => slice(input, axis, from, to)),
    }));
    if (out.shape[axis] === shape[axis]) {
      parts.forEach((part, i) =>
        run({ ...part, out: slice(out, axis, ranges[i][0], ranges[i][1]) })
      );
      return;
    }
    // The first part's result is in place already.
    const { buffer } = piecesOf(gpu, reduction, 1);
    const other = {
      buffer,
      dtype: partDtype(out),
      shape: out.shape,
      strides: contiguousStrides(out.shape),
      offset: 0,
    };
    run(parts[0]);
    run({ ...parts[1], out: other });
    const { kind, cached } = reduction;
    const [{ type }] = cached.program.outputs;
    map(pairs[kind][type], [out, other], [out], []);
    gpu.pool.free(buffer as PooledBuffer);
  };

  return {
    reduce: (kind, program, inputs, out, scalars) => {
      if (sizeOf(out.shape) === 0) return;
      const cached = programOf(program);
      run({
        kind,
        cached,
        shape: inputs[0].shape,
        inputs: cached.used.map((input) => inputs[input]),
        out,
        scalars,
      });
    },
  };
}
