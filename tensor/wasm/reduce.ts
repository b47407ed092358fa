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

import type { Kernels, ReduceKind, View } from "../device.ts";
import {
  type Elementwise,
  elementwise,
  type ValueType,
} from "../expression.ts";
import { sizeOf } from "../shape.ts";
import {
  type FunctionBuilder,
  i32,
  type Local,
  ModuleBuilder,
  scalar,
  shuffle,
  simd,
  type SimdName,
  type Value,
  type WasmType,
} from "./assembler.ts";
import { elementLoop, evaluator, isStrided, Odometer } from "./element_loop.ts";
import { grainOf } from "./grain.ts";
import {
  collapse,
  type Layout,
  tableBytes,
  type Walk,
  walkOf,
  walks,
  writeTable,
} from "./layout.ts";
import {
  advance,
  bytesOfType,
  hoist,
  type Known,
  type Operand,
  scalarValues,
  storeElement,
  storeGroup,
  weightOf,
} from "./program.ts";
import type { Kernel, Runtime } from "./runtime.ts";
import { tableAddress, tableWords } from "./threads.ts";

/** Columns that are combined together where the innermost axis is kept. */
const stripColumns = 32;

/** Elements combined in one go along the innermost axis, and across rows. */
const blockElements = 8192;
const blockRows = 512;

/** Elements of a launch's chunk for a program that costs nothing. */
const chunkElements = 1 << 18;

const combinations: Readonly<
  Record<ReduceKind, Partial<Record<ValueType, [SimdName, number]>>>
> = {
  sum: { float: ["f32x4.add", 0], int: ["i32x4.add", 0] },
  max: {
    float: ["f32x4.max", -Infinity],
    int: ["i32x4.max_s", -0x80000000],
    bool: ["v128.or", 0],
  },
  min: {
    float: ["f32x4.min", Infinity],
    int: ["i32x4.min_s", 0x7fffffff],
    bool: ["v128.and", -1],
  },
};

/** What a kernel is made for. */
interface Variant {
  readonly kind: ReduceKind;
  /** Walks of the inputs, then the output, along the innermost axis. */
  readonly walks: readonly Walk[];
  /** Loops over kept axes, without the innermost. */
  readonly keptRank: number;
  /** Loops over combined axes, without the innermost. */
  readonly combinedRank: number;
  /** Whether the innermost axis is kept. */
  readonly keepsInnermost: boolean;
}

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

/** A layout of some of its axes only. */
function pick(layout: Layout, axes: readonly number[]): Layout {
  return {
    extents: axes.map((axis) => layout.extents[axis]),
    strides: layout.strides.map((strides) => axes.map((axis) => strides[axis])),
  };
}

/** The parts of a reduction kernel that both forms share. */
interface Frame {
  readonly f: FunctionBuilder;
  readonly program: Elementwise;
  readonly known: Known;
  /** Extent of the innermost axis. */
  readonly length: Local;
  /** Operands that start at the current output, inputs first. */
  readonly operands: readonly Operand[];
  /** The loops over combined axes, on those pointers. */
  readonly combined: Odometer;
  readonly combine: (a: Value, b: Value) => Value;
  readonly initial: Local;
  readonly scratch: Local;
  /** Whether vectors pass through memory so that V8 pairs them. */
  readonly paired: boolean;
}

function fresh(frame: Frame, count: number): Local[] {
  return Array.from(
    { length: count },
    () => frame.f.let(frame.initial),
  );
}

/** Runs `body` for every iteration of the combined loops. */
function overCombined(
  { f, combined }: Frame,
  pointers: readonly Local[],
  body: () => void,
): void {
  const starts = pointers.map((pointer) => f.let(pointer));
  combined.reset();
  const turn = f.local("i32");
  f.for(turn, i32(0), f.let(combined.size()), 1, () => {
    body();
    combined.next();
  });
  starts.forEach((start, at) => f.set(pointers[at], start));
}

/** Combines a row: the innermost axis is one of the combined. */
function emitRow(frame: Frame): void {
  const { f, program, known, length, operands, combine } = frame;
  const output = operands[operands.length - 1];
  const inputs = operands.slice(0, -1);
  const parts = fresh(frame, 4);
  const [tail] = fresh(frame, 1);
  overCombined(frame, inputs.map(({ pointer }) => pointer), () => {
    const inner = inputs.map((operand) => ({
      ...operand,
      pointer: f.let(operand.pointer),
    }));
    elementLoop(f, program, known, inner, [], length, {
      groups: parts.length,
      block: (groups) =>
        groups.forEach(([x], at) => f.set(parts[at], combine(parts[at], x))),
      vector: ([[x]]) => f.set(parts[0], combine(parts[0], x)),
      element: ([[x]]) => f.set(tail, combine(tail, x)),
    });
  });
  if (frame.paired) {
    // V8 pairs vectors that are stored side by side, and all that leads there.
    parts.forEach((x, at) => f.storeVector(frame.scratch, x, 16 * at));
    parts.forEach((x, at) => f.set(x, f.loadVector(frame.scratch, 16 * at)));
  }
  const [a, b, c, d] = parts;
  const sum = f.let(combine(f.let(combine(a, b)), f.let(combine(c, d))));
  const half = f.let(combine(sum, shuffle(sum, sum, [2, 3, 0, 1])));
  const all = f.let(combine(half, shuffle(half, half, [1, 0, 3, 2])));
  storeElement(f, output, f.let(combine(all, tail)));
}

/** Combines the columns of a strip: the innermost axis is kept. */
function emitStrip(frame: Frame, strip: Value): void {
  const { f, program, known, length, operands, combine } = frame;
  const output = operands[operands.length - 1];
  const inputs = operands.slice(0, -1);
  const pointers = inputs.map(({ pointer }) => pointer);
  const left = f.let(
    scalar("i32.sub", length, scalar("i32.mul", strip, i32(stripColumns))),
  );
  const columns = (groups: number): void => {
    const parts = fresh(frame, groups);
    overCombined(frame, pointers, () => {
      const values = evaluator(f, program, known, inputs).groups(groups);
      values.forEach(([x], at) => f.set(parts[at], combine(parts[at], x)));
    });
    parts.forEach((x, at) => storeGroup(f, output, at, x));
  };
  const move = (elements: number): void => {
    for (const operand of operands) advance(f, operand, elements);
    f.add(left, -elements);
  };
  if (isStrided(operands)) f.set(left, minimum(left, stripColumns));
  else {
    f.if(scalar("i32.ge_s", left, i32(stripColumns)), () => {
      columns(stripColumns / 4);
      f.set(left, i32(0));
    });
  }
  f.while(scalar("i32.ge_s", left, i32(4)), () => {
    columns(1);
    move(4);
  });
  f.while(scalar("i32.ge_s", left, i32(1)), () => {
    const [part] = fresh(frame, 1);
    overCombined(frame, pointers, () => {
      const [x] = evaluator(f, program, known, inputs).element();
      f.set(part, combine(part, x));
    });
    storeElement(f, output, part);
    move(1);
  });
}

function minimum(x: Value, limit: number): Value {
  return {
    type: "i32",
    code: [
      ...x.code,
      ...i32(limit).code,
      ...scalar("i32.lt_s", x, i32(limit)).code,
      0x1b,
    ],
  };
}

/**
 * Emits a reduction kernel: parameters are one pointer per input and one for
 * the output, the scalars and the address of a table. The table holds the
 * length of the innermost axis, a stride for each operand, and the odometers of
 * the kept and of the combined axes. Items are outputs, or strips of them.
 */
function emitReduce(
  runtime: Runtime,
  program: Elementwise,
  variant: Variant,
): Kernel {
  const [output] = program.outputs;
  const types = [...program.inputs, output.type];
  const combination = combinations[variant.kind][output.type];
  if (combination === undefined) {
    throw new TypeError(
      `wasm device: ${variant.kind} of ${output.type} is not defined`,
    );
  }
  const [name, start] = combination;
  const keptRank = variant.keptRank + (variant.keepsInnermost ? 1 : 0);
  const module = new ModuleBuilder(runtime.target);
  const parameters: WasmType[] = [
    ...types.map(() => "ptr" as const),
    ...Array.from({ length: program.scalars }, () => "f32" as const),
    "ptr",
    "i32",
    "i32",
    "ptr",
  ];
  module.export("reduce", parameters, undefined, (f, ...locals) => {
    const [table, begin, end, scratch] = locals.slice(-4);
    const pointers = locals.slice(0, types.length);
    const scalars = locals.slice(types.length, -4);
    const length = f.let(f.load("i32", table));
    const keptTable = f.let(f.offset(table, 8 + 8 * types.length));
    const combinedTable = f.let(
      f.offset(keptTable, tableBytes(keptRank, types.length)),
    );
    const kept = new Odometer(
      f,
      keptTable,
      keptRank,
      types.length,
      pointers.map((pointer, place) => ({ pointer, place })),
    );
    const current = pointers.map(() => f.local("ptr"));
    const combined = new Odometer(
      f,
      combinedTable,
      variant.combinedRank,
      types.length,
      current.slice(0, -1).map((pointer, place) => ({ pointer, place })),
    );
    const frame: Frame = {
      f,
      program,
      known: hoist(
        f,
        program.outputs,
        scalarValues(f, program, scalars),
      ),
      length,
      operands: types.map((type, at) => ({
        type,
        walk: variant.walks[at],
        pointer: current[at],
        stride: variant.walks[at] === walks.strided
          ? f.let(f.loadPointer(table, 8 + 8 * at))
          : undefined,
      })),
      combined,
      combine: (a, b) => simd(name, a, b),
      initial: f.constant(start, output.type === "float" ? "f32" : "i32"),
      scratch,
      paired: runtime.mode === "turbo",
    };
    kept.seek(begin);
    const item = f.local("i32");
    f.for(item, begin, end, 1, () => {
      current.forEach((pointer, at) => f.set(pointer, pointers[at]));
      if (variant.keepsInnermost) emitStrip(frame, kept.innermost);
      else emitRow(frame);
      kept.next();
    });
  });
  return runtime.load(module.build()).reduce;
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

const kinds: readonly ReduceKind[] = ["sum", "max", "min"];

function variantNumber(variant: Variant): number {
  let number = kinds.indexOf(variant.kind);
  number = 16 * number + variant.keptRank;
  number = 16 * number + variant.combinedRank;
  number = 2 * number + Number(variant.keepsInnermost);
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
  const plans = new WeakMap<Elementwise, Plan>();
  const plansByKey = new Map<string, Plan>();
  const words = new Int32Array(
    runtime.memory.buffer,
    tableAddress,
    tableWords,
  );

  function findPlan(program: Elementwise): Plan {
    let plan = plans.get(program) ?? plansByKey.get(program.key);
    if (plan === undefined) {
      plan = {
        program,
        types: [...program.inputs, program.outputs[0].type],
        weight: weightOf(program),
        kernels: new Map(),
      };
    }
    plans.set(program, plan);
    plansByKey.set(program.key, plan);
    return plan;
  }

  function findKernel(plan: Plan, variant: Variant): Kernel {
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
    const kernel = findKernel(plan, {
      kind,
      keptRank: kept.length,
      combinedRank: combined.length,
      keepsInnermost,
      walks: layout.strides.map((strides) => walkOf(strides[innermost])),
    });
    const bytes = types.map((type) => bytesOfType[type]);
    let word = 0;
    const put = (value: number): void => {
      words[word++] = value;
      words[word++] = Math.floor(value / 2 ** 32);
    };
    put(length);
    types.forEach((_, at) => put(layout.strides[at][innermost] * bytes[at]));
    const rows = pick(layout, kept);
    const outer = keepsInnermost
      ? {
        extents: [...rows.extents, Math.ceil(length / stripColumns)],
        strides: rows.strides.map((strides, at) => [
          ...strides,
          layout.strides[at][innermost] * stripColumns,
        ]),
      }
      : rows;
    word = writeTable(words, word, outer, 0, outer.extents.length, bytes);
    writeTable(words, word, pick(layout, combined), 0, combined.length, bytes);
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
