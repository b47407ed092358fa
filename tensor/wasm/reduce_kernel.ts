/**
 * The kernels of reductions: rows combined along them, or strips of columns.
 *
 * @module
 */

import type { ReduceKind } from "../backend.ts";
import type { Elementwise, ValueType } from "../expression.ts";
import {
  choose,
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
import { tableBytes, type Walk, walks } from "../layout.ts";
import {
  advance,
  extreme,
  hoist,
  type Known,
  type Operand,
  scalarValues,
  storeElement,
  storeGroup,
} from "./program.ts";
import type { Kernel, Runtime } from "./runtime.ts";

/** Columns that are combined together where the innermost axis is kept. */
export const stripColumns: number = 32;

/** How two partial results become one, and what combining nothing gives. */
interface Combination {
  readonly combine: (a: Value, b: Value) => Value;
  readonly initial: number;
}

function instruction(name: SimdName, initial: number): Combination {
  return { combine: (a, b) => simd(name, a, b), initial };
}

const combinations: Readonly<
  Record<ReduceKind, Partial<Record<ValueType, Combination>>>
> = {
  sum: {
    float: instruction("f32x4.add", 0),
    int: instruction("i32x4.add", 0),
  },
  max: {
    float: { combine: (a, b) => extreme("max", a, b), initial: -Infinity },
    int: instruction("i32x4.max_s", -0x80000000),
    bool: instruction("v128.or", 0),
  },
  min: {
    float: { combine: (a, b) => extreme("min", a, b), initial: Infinity },
    int: instruction("i32x4.min_s", 0x7fffffff),
    bool: instruction("v128.and", -1),
  },
};

/** What a kernel is made for. */
export interface ReduceVariant {
  /** How elements are combined. */
  readonly kind: ReduceKind;
  /** Walks of the inputs, then the output, along the innermost axis. */
  readonly walks: readonly Walk[];
  /** Loops over kept axes, without the innermost. */
  readonly keptRank: number;
  /** Loops over combined axes, without the innermost. */
  readonly combinedRank: number;
  /** Whether the innermost axis is kept. */
  readonly keepsInnermost: boolean;
  /** Vectors of partial results along a row: 4, or 8 for long rows. */
  readonly parts: 4 | 8;
  /** Whether vectors pass through memory so that V8 pairs them. */
  readonly paired: boolean;
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

/** Combines the only output of each vector with its part. */
function combineEach(
  { f, combine }: Frame,
  parts: readonly Local[],
  groups: Iterable<readonly Value[]>,
): void {
  let at = 0;
  for (const [x] of groups) {
    f.set(parts[at], combine(parts[at], x));
    at++;
  }
}

/** Combines neighbours until one is left. */
function pairwise(
  f: FunctionBuilder,
  parts: readonly Local[],
  combine: Combination["combine"],
): Local {
  if (parts.length === 1) return parts[0];
  const halves = parts.slice(0, parts.length / 2);
  const combined = halves.map((_, at) =>
    f.let(combine(parts[2 * at], parts[2 * at + 1]))
  );
  return pairwise(f, combined, combine);
}

/** Combines a row: the innermost axis is one of the combined. */
function emitRow(frame: Frame, count: 4 | 8): void {
  const { f, program, known, length, operands, combine } = frame;
  const output = operands[operands.length - 1];
  const inputs = operands.slice(0, -1);
  const parts = fresh(frame, count);
  const [tail] = fresh(frame, 1);
  overCombined(frame, inputs.map(({ pointer }) => pointer), () => {
    const inner = inputs.map((operand) => ({
      ...operand,
      pointer: f.let(operand.pointer),
    }));
    elementLoop(f, program, known, inner, [], length, {
      groups: parts.length,
      block: (groups) => combineEach(frame, parts, groups),
      vector: (groups) => combineEach(frame, parts, groups),
      element: ([[x]]) => f.set(tail, combine(tail, x)),
    });
  });
  if (frame.paired) {
    // V8 pairs vectors that are stored side by side, and all that leads there.
    parts.forEach((x, at) => f.storeVector(frame.scratch, x, 16 * at));
    parts.forEach((x, at) => f.set(x, f.loadVector(frame.scratch, 16 * at)));
  }
  const sum = pairwise(f, parts, combine);
  const swapped = f.let(shuffle(sum, sum, [2, 3, 0, 1]));
  const half = f.let(combine(sum, swapped));
  const turned = f.let(shuffle(half, half, [1, 0, 3, 2]));
  const all = f.let(combine(half, turned));
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
      const compute = evaluator(f, program, known, inputs);
      combineEach(frame, parts, compute.groups(groups));
    });
    parts.forEach((x, at) => storeGroup(f, output, at, x));
  };
  const move = (elements: number): void => {
    for (const operand of operands) advance(f, operand, elements);
    f.add(left, -elements);
  };
  if (isStrided(operands)) {
    const most = i32(stripColumns);
    f.set(left, choose(scalar("i32.lt_s", left, most), left, most));
  } else {
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

/**
 * Emits a reduction kernel: parameters are one pointer per input and one for
 * the output, the scalars and the address of a table. The table holds the
 * length of the innermost axis, a stride for each operand, and the odometers of
 * the kept and of the combined axes. Items are outputs, or strips of them.
 */
export function emitReduce(
  runtime: Runtime,
  program: Elementwise,
  variant: ReduceVariant,
): Kernel {
  const [output] = program.outputs;
  const types = [...program.inputs, output.type];
  const combination = combinations[variant.kind][output.type];
  if (combination === undefined) {
    throw new TypeError(
      `wasm device: ${variant.kind} of ${output.type} is not defined`,
    );
  }
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
      combine: combination.combine,
      initial: f.constant(
        combination.initial,
        output.type === "float" ? "f32" : "i32",
      ),
      scratch,
      paired: variant.paired,
    };
    kept.seek(begin);
    const item = f.local("i32");
    f.for(item, begin, end, 1, () => {
      current.forEach((pointer, at) => f.set(pointer, pointers[at]));
      if (variant.keepsInnermost) emitStrip(frame, kept.innermost);
      else emitRow(frame, variant.parts);
      kept.next();
    });
  });
  return runtime.load(module.build()).reduce;
}
