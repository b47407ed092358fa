/**
 * `reduce`: an elementwise program, combined over some axes as it is computed.
 *
 * The innermost axis decides how. If it is combined, four vectors of partial
 * results run along it, and their lanes are combined at the end of a row. If it
 * is kept, strips of 32 columns stay in registers while rows pass. Long
 * reductions are cut into blocks, whose length depends on nothing but the
 * shape, and the results of the blocks combined: that gives threads work, keeps
 * the error of sums small, and the result independent of the threads.
 *
 * @module
 */

import type { Kernels, ReduceKind, View } from "../backend.ts";
import {
  type Elementwise,
  elementwise,
  type ValueType,
} from "../expression.ts";
import { sizeOf } from "../shape.ts";
import { grainOf } from "./grain.ts";
import {
  collapse,
  type Layout,
  pickAxes,
  TableWriter,
  walkOf,
} from "../layout.ts";
import { createPlanCache } from "../plan_cache.ts";
import { bytesOfType, weightOf } from "./program.ts";
import {
  emitReduce,
  type ReduceVariant,
  stripColumns,
} from "./reduce_kernel.ts";
import type { Kernel, Runtime } from "./runtime.ts";
import { tableAddress, tableWords } from "./threads.ts";

/** From so many elements on, a row is combined in eight vectors. */
const longRow = 192;

/** Elements combined in one go along the innermost axis, and across rows. */
const blockElements = 2048;
const blockRows = 128;

/** Elements of a launch's chunk for a program that costs nothing. */
const chunkElements = 1 << 18;

/** The axes of a reduction, kept ones and combined ones, and the innermost. */
interface Axes {
  readonly kept: readonly number[];
  readonly combined: readonly number[];
  readonly innermost: number;
}

function axesOf(layout: Layout): Axes {
  const out = layout.strides[layout.strides.length - 1];
  const innermost = layout.extents.length - 1;
  const kept: number[] = [];
  const combined: number[] = [];
  for (let axis = 0; axis < innermost; axis++) {
    (out[axis] === 0 ? combined : kept).push(axis);
  }
  return { kept, combined, innermost };
}

/** The kernels of one program. */
interface Plan {
  readonly program: Elementwise;
  /** Types of the inputs, then of the output. */
  readonly types: readonly ValueType[];
  readonly weight: number;
  /** Kernels by the number of their variant. */
  readonly kernels: Map<number, Kernel>;
}

function planOf(program: Elementwise): Plan {
  return {
    program,
    types: [...program.inputs, program.outputs[0].type],
    weight: weightOf(program),
    kernels: new Map(),
  };
}

const kinds: readonly ReduceKind[] = ["sum", "max", "min"];

function variantNumber(variant: ReduceVariant): number {
  let number = kinds.indexOf(variant.kind);
  number = 16 * number + variant.keptRank;
  number = 16 * number + variant.combinedRank;
  number = 2 * number + Number(variant.keepsInnermost);
  number = 2 * number + Number(variant.parts === 8);
  number = 2 * number + Number(variant.paired);
  for (const walk of variant.walks) number = 4 * number + walk;
  return number;
}

/** Combines the results of blocks. */
const identities: Readonly<Record<ValueType, Elementwise>> = {
  float: elementwise("combine", ["float"], ([x]) => [x]),
  int: elementwise("combine", ["int"], ([x]) => [x]),
  bool: elementwise("combine", ["bool"], ([x]) => [x]),
};

/** An axis to cut into blocks, and how many elements a block takes of it. */
function blocksOf(
  { extents }: Layout,
  { combined, innermost }: Axes,
  keepsInnermost: boolean,
): { axis: number; extent: number } | undefined {
  const axes = keepsInnermost ? combined : [...combined, innermost];
  let total = 1;
  let longest = axes[0];
  for (const axis of axes) {
    total *= extents[axis];
    if (extents[axis] > extents[longest]) longest = axis;
  }
  const limit = keepsInnermost ? blockRows : blockElements;
  if (total < 2 * limit) return undefined;
  const others = total / extents[longest];
  const extent = Math.max(1, Math.floor(limit / others));
  return extent < extents[longest] ? { axis: longest, extent } : undefined;
}

/** Makes the reduction kernels. */
export function createReduceKernels(
  runtime: Runtime,
): Pick<Kernels, "reduce"> {
  const findPlan = createPlanCache(planOf);
  const table = new TableWriter(
    new Int32Array(runtime.memory.buffer, tableAddress, tableWords),
  );

  function findKernel(plan: Plan, variant: ReduceVariant): Kernel {
    const number = variantNumber(variant);
    let kernel = plan.kernels.get(number);
    if (kernel === undefined) {
      kernel = emitReduce(runtime, plan.program, variant);
      plan.kernels.set(number, kernel);
    }
    return kernel;
  }

  /** One launch: every output combines all its elements in one go. */
  function launch(
    kind: ReduceKind,
    plan: Plan,
    layout: Layout,
    addresses: readonly number[],
    scalars: readonly number[],
  ): void {
    const { types } = plan;
    const { kept, combined, innermost } = axesOf(layout);
    const length = layout.extents[innermost];
    const output = types.length - 1;
    const keepsInnermost = layout.strides[output][innermost] !== 0;
    const operations = sizeOf(layout.extents) * plan.weight;
    const kernel = findKernel(plan, {
      kind,
      keptRank: kept.length,
      combinedRank: combined.length,
      keepsInnermost,
      walks: layout.strides.map((strides) => walkOf(strides[innermost])),
      parts: !keepsInnermost && length >= longRow ? 8 : 4,
      paired: runtime.modeFor(operations) === "turbo",
    });
    const bytes = types.map((type) => bytesOfType[type]);
    table.restart();
    table.put(length);
    types.forEach((_, at) =>
      table.put(layout.strides[at][innermost] * bytes[at])
    );
    const rows = pickAxes(layout, kept);
    const outer = keepsInnermost
      ? {
        extents: [...rows.extents, Math.ceil(length / stripColumns)],
        strides: rows.strides.map((strides, at) => [
          ...strides,
          layout.strides[at][innermost] * stripColumns,
        ]),
      }
      : rows;
    table.putLoops(outer, bytes);
    table.putLoops(pickAxes(layout, combined), bytes);
    let work = keepsInnermost ? stripColumns : length;
    for (const axis of combined) work *= layout.extents[axis];
    const least = chunkElements / (4 + plan.weight);
    runtime.launch(
      kernel,
      [...addresses, ...scalars, tableAddress],
      sizeOf(outer.extents),
      grainOf(work, least),
    );
  }

  /** Reduces, in blocks where there is much to combine. */
  function reduceLayout(
    kind: ReduceKind,
    plan: Plan,
    layout: Layout,
    addresses: readonly number[],
    scalars: readonly number[],
  ): void {
    const { types } = plan;
    const output = types.length - 1;
    const axes = axesOf(layout);
    const keepsInnermost = layout.strides[output][axes.innermost] !== 0;
    const blocks = blocksOf(layout, axes, keepsInnermost);
    if (blocks === undefined) {
      launch(kind, plan, layout, addresses, scalars);
      return;
    }
    const { axis, extent } = blocks;
    const whole = Math.floor(layout.extents[axis] / extent);
    const rest = layout.extents[axis] - whole * extent;
    const count = whole + (rest > 0 ? 1 : 0);
    const outStrides = layout.strides[output];
    const size = layout.extents.reduce(
      (product, n, at) => outStrides[at] === 0 ? product : product * n,
      1,
    );
    const type = types[output];
    const partial = runtime.temporary(count * size * bytesOfType[type]);
    try {
      // The blocks become the outermost axis, which is kept.
      const cut = (extents: number): number[] => {
        const result = [...layout.extents];
        result[axis] = extents;
        return result;
      };
      const strides = layout.strides.map((strides, at) => [
        at === output ? size : strides[axis] * extent,
        ...strides,
      ]);
      const start = [...addresses.slice(0, output), partial];
      launch(
        kind,
        plan,
        { extents: [whole, ...cut(extent)], strides },
        start,
        scalars,
      );
      if (rest > 0) {
        const moved = start.map((address, at) =>
          address + whole * strides[at][0] * bytesOfType[types[at]]
        );
        launch(
          kind,
          plan,
          { extents: [1, ...cut(rest)], strides },
          moved,
          scalars,
        );
      }
      reduceLayout(
        kind,
        findPlan(identities[type]),
        reducedLayout([count, size], [[size, 1], [0, 1]]),
        [partial, addresses[output]],
        [],
      );
    } finally {
      runtime.release(partial);
    }
  }

  function reduce(
    kind: ReduceKind,
    program: Elementwise,
    inputs: readonly View[],
    out: View,
    scalars: readonly number[],
  ): void {
    if (sizeOf(out.shape) === 0) return;
    const plan = findPlan(program);
    const { shape } = inputs[0] ?? out;
    const addresses = [...inputs, out].map((view) => runtime.address(view));
    const outStrides = out.strides.map((stride, axis) =>
      out.shape[axis] === shape[axis] ? stride : 0
    );
    const layout = reducedLayout(shape, [
      ...inputs.map(({ strides }) => strides),
      outStrides,
    ]);
    reduceLayout(kind, plan, layout, addresses, scalars);
  }

  return { reduce };
}

/** The collapsed loops of a reduction: at least one, the innermost last. */
function reducedLayout(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): Layout {
  const inputs = strides.slice(0, -1);
  const layout = collapse(
    shape,
    strides,
    (axis) => inputs.reduce((most, x) => Math.max(most, Math.abs(x[axis])), 0),
  );
  if (layout.extents.length > 0) return layout;
  return {
    extents: [1],
    strides: strides.map((_, at) => at < inputs.length ? [1] : [0]),
  };
}
