/**
 * `map`: an elementwise program over tensors, as one kernel per program and
 * way of walking its operands.
 *
 * Axes are sorted by the strides of the first output and merged where all
 * operands allow; what remains is an innermost loop over vectors and an
 * odometer over the rest. Contiguous tensors of any shape are one loop.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import type { Elementwise, ValueType } from "../expression.ts";
import { contiguousStrides, isContiguous, sizeOf } from "../shape.ts";
import {
  type Local,
  ModuleBuilder,
  scalar,
  type WasmType,
} from "./assembler.ts";
import { type Consume, elementLoop, Odometer } from "./element_loop.ts";
import { grainOf } from "./grain.ts";
import {
  collapse,
  type Layout,
  TableWriter,
  type Walk,
  walkOf,
  walks,
} from "../layout.ts";
import { createPlanCache } from "../plan_cache.ts";
import {
  bytesOfType,
  hoist,
  type Operand,
  scalarValues,
  storeElement,
  storeGroup,
  weightOf,
} from "./program.ts";
import type { Kernel, Runtime } from "./runtime.ts";
import { tableAddress, tableWords } from "./threads.ts";
import { createTranspose, transposedAxis } from "./transpose.ts";

/** From so many elements on, a row of the innermost loop is a launch. */
const longRow = 32768;

/** Elements of a launch's chunk for a program that costs nothing. */
const chunkElements = 1 << 18;

/** The kernels of one program. */
interface Plan {
  readonly program: Elementwise;
  /** Types of inputs, then outputs. */
  readonly types: readonly ValueType[];
  /** Whether it copies its only input, of 32-bit elements. */
  readonly copies: boolean;
  /** Elements of a launch's chunk; a multiple of 64. */
  readonly grain: number;
  /** The kernel for contiguous operands. */
  flat: Kernel | undefined;
  /** All kernels, by the number of their variant. */
  readonly kernels: Map<number, Kernel>;
}

function planOf(program: Elementwise): Plan {
  const grain = chunkElements / (4 + weightOf(program));
  const [output] = program.outputs;
  return {
    program,
    copies: program.inputs.length === 1 && program.outputs.length === 1 &&
      output.op === "input" && output.type !== "bool",
    types: [...program.inputs, ...program.outputs.map(({ type }) => type)],
    grain: Math.max(4096, Math.ceil(grain / 64) * 64),
    flat: undefined,
    kernels: new Map(),
  };
}

/**
 * Emits the map kernel: parameters are one pointer per operand, the scalars,
 * then strides in bytes of the strided operands (rank 0), or the address of a
 * table (rank > 0). The table holds the length of the innermost loop, a stride
 * for each operand, and the odometer's part. Items are elements or rows.
 */
function emitMap(
  runtime: Runtime,
  plan: Plan,
  operandWalks: readonly Walk[],
  rank: number,
): Kernel {
  const { program, types } = plan;
  const module = new ModuleBuilder(runtime.target);
  const strided = operandWalks.filter((walk) => walk === walks.strided);
  const parameters: WasmType[] = [
    ...types.map(() => "ptr" as const),
    ...Array.from({ length: program.scalars }, () => "f32" as const),
    ...(rank > 0 ? ["ptr" as const] : strided.map(() => "f64" as const)),
    "i32",
    "i32",
    "ptr",
  ];
  module.export("map", parameters, undefined, (f, ...locals) => {
    const [begin, end] = locals.slice(-3);
    const pointers = locals.slice(0, types.length);
    const scalars = locals.slice(types.length, types.length + program.scalars);
    const extra = locals.slice(types.length + program.scalars, -3);
    const known = hoist(
      f,
      program.outputs,
      scalarValues(f, program, scalars),
    );
    const operandsAt = (
      pointers: readonly Local[],
      strides: readonly (Local | undefined)[],
    ): Operand[] =>
      types.map((type, at) => ({
        type,
        walk: operandWalks[at],
        pointer: pointers[at],
        stride: strides[at],
      }));
    const loop = (operands: Operand[], count: Local): void => {
      const inputs = operands.slice(0, program.inputs.length);
      const outputs = operands.slice(program.inputs.length);
      const store: Consume = (computed) => {
        const groups = [...computed];
        outputs.forEach((output, at) => {
          groups.forEach((values, group) =>
            storeGroup(f, output, group, values[at])
          );
        });
      };
      elementLoop(f, program, known, inputs, outputs, count, {
        groups: 2,
        block: store,
        vector: store,
        element: ([values]) =>
          outputs.forEach((output, at) => storeElement(f, output, values[at])),
      });
    };

    if (rank === 0) {
      let next = 0;
      const strides = operandWalks.map((walk) =>
        walk === walks.strided ? f.let(f.truncated(extra[next++])) : undefined
      );
      const operands = operandsAt(pointers, strides);
      for (const { pointer, stride, walk, type } of operands) {
        if (walk === walks.repeated) continue;
        f.add(pointer, f.times(begin, stride ?? bytesOfType[type]));
      }
      loop(operands, f.let(scalar("i32.sub", end, begin)));
      return;
    }
    const [table] = extra;
    const length = f.let(f.load("i32", table));
    const strides = types.map((_, at) =>
      operandWalks[at] === walks.strided
        ? f.let(f.loadPointer(table, 8 + 8 * at))
        : undefined
    );
    const outer = f.let(f.offset(table, 8 + 8 * types.length));
    const odometer = new Odometer(
      f,
      outer,
      rank,
      types.length,
      pointers.map((pointer, place) => ({ pointer, place })),
    );
    odometer.seek(begin);
    const row = f.local("i32");
    const inner = pointers.map(() => f.local("ptr"));
    f.for(row, begin, end, 1, () => {
      inner.forEach((pointer, at) => f.set(pointer, pointers[at]));
      loop(operandsAt(inner, strides), length);
      odometer.next();
    });
  });
  return runtime.load(module.build()).map;
}

/** A number for each variant: its rank, and two bits for each operand. */
function variantNumber(layout: Layout): number {
  const last = layout.extents.length - 1;
  let number = Math.max(0, last);
  for (const strides of layout.strides) {
    number = 4 * number + (last < 0 ? walks.contiguous : walkOf(strides[last]));
  }
  return number;
}

/** Makes the map kernels. */
export function createMapKernels(runtime: Runtime): Pick<Kernels, "map"> {
  const findPlan = createPlanCache(planOf);
  const table = new TableWriter(
    new Int32Array(runtime.memory.buffer, tableAddress, tableWords),
  );

  const transpose = createTranspose(runtime);

  function findKernel(plan: Plan, layout: Layout): Kernel {
    const number = variantNumber(layout);
    let kernel = plan.kernels.get(number);
    if (kernel === undefined) {
      const last = layout.extents.length - 1;
      const operandWalks = layout.strides.map((strides) =>
        last < 0 ? walks.contiguous : walkOf(strides[last])
      );
      kernel = emitMap(runtime, plan, operandWalks, Math.max(0, last));
      plan.kernels.set(number, kernel);
    }
    return kernel;
  }

  /** Runs the outermost loop here, around launches. */
  function launchOuter(
    plan: Plan,
    layout: Layout,
    addresses: number[],
    scalars: readonly number[],
  ): void {
    const [extent, ...extents] = layout.extents;
    const inner = {
      extents,
      strides: layout.strides.map((strides) => strides.slice(1)),
    };
    for (let position = 0; position < extent; position++) {
      const moved = addresses.map((address, at) =>
        address + position * layout.strides[at][0] * bytesOfType[plan.types[at]]
      );
      launchLayout(plan, inner, moved, scalars);
    }
  }

  function launchLayout(
    plan: Plan,
    layout: Layout,
    addresses: number[],
    scalars: readonly number[],
  ): void {
    const { extents, strides } = layout;
    const { types, grain } = plan;
    const last = extents.length - 1;
    const length = last < 0 ? 1 : extents[last];
    if (last > 0 && length >= longRow) {
      launchOuter(plan, layout, addresses, scalars);
      return;
    }
    const kernel = findKernel(plan, layout);
    const args = [...addresses, ...scalars];
    if (last <= 0) {
      for (let at = 0; at < types.length; at++) {
        const stride = last < 0 ? 1 : strides[at][0];
        if (walkOf(stride) === walks.strided) {
          args.push(stride * bytesOfType[types[at]]);
        }
      }
      runtime.launch(kernel, args, length, grain);
      return;
    }
    table.restart();
    table.put(length);
    for (let at = 0; at < types.length; at++) {
      table.put(strides[at][last] * bytesOfType[types[at]]);
    }
    const rows = {
      extents: extents.slice(0, last),
      strides: strides.map((stride) => stride.slice(0, last)),
    };
    table.putLoops(rows, types.map((type) => bytesOfType[type]));
    args.push(tableAddress);
    runtime.launch(
      kernel,
      args,
      sizeOf(rows.extents),
      grainOf(length, grain),
    );
  }

  /** Launches with copies of the inputs that are transposed matrices. */
  function launchUntransposed(
    plan: Plan,
    layout: Layout,
    addresses: number[],
    scalars: readonly number[],
  ): void {
    const { extents } = layout;
    const inputs = plan.program.inputs.length;
    const contiguous = contiguousStrides(extents);
    const strides = [...layout.strides];
    const copies: number[] = [];
    try {
      for (let at = 0; at < inputs; at++) {
        if (
          bytesOfType[plan.types[at]] !== 4 || strides[at].includes(0) ||
          transposedAxis(layout, at, inputs) === undefined
        ) continue;
        const copy = runtime.temporary(4 * sizeOf(extents));
        copies.push(copy);
        const pair = { extents, strides: [strides[at], contiguous] };
        transpose(pair, addresses[at], copy);
        strides[at] = contiguous;
        addresses[at] = copy;
      }
      const plain = copies.length === 0
        ? layout
        : collapse(extents, strides, (axis) => -axis);
      launchLayout(plan, plain, addresses, scalars);
    } finally {
      copies.forEach((copy) => runtime.release(copy));
    }
  }

  function map(
    program: Elementwise,
    inputs: readonly View[],
    outputs: readonly View[],
    scalars: readonly number[],
  ): void {
    const { shape } = outputs[0];
    const size = sizeOf(shape);
    if (size === 0) return;
    const plan = findPlan(program);
    const views = [...inputs, ...outputs];
    const addresses: number[] = [];
    let flat = true;
    for (const view of views) {
      addresses.push(runtime.address(view));
      flat &&= isContiguous(view.shape, view.strides);
    }
    if (flat) {
      plan.flat ??= findKernel(plan, {
        extents: [],
        strides: views.map(() => []),
      });
      for (const value of scalars) addresses.push(value);
      runtime.launch(plan.flat, addresses, size, plan.grain);
      return;
    }
    const lead = outputs[0].strides;
    const layout = collapse(
      shape,
      views.map(({ strides }) => strides),
      (axis) => Math.abs(lead[axis]),
    );
    if (plan.copies && transposedAxis(layout, 0, 1) !== undefined) {
      transpose(layout, addresses[0], addresses[1]);
    } else launchUntransposed(plan, layout, addresses, scalars);
  }

  return { map };
}
