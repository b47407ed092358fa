/**
 * Cases for the elementwise kernels of every device: programs on tensors of any
 * shapes and strides.
 *
 * @module
 */

import type { ReduceKind, View } from "../../tensor/backend.ts";
import type { Dtype } from "../../tensor/dtype.ts";
import * as expression from "../../tensor/expression.ts";
import {
  add,
  and,
  type Elementwise,
  elementwise,
  equal,
  floor,
  less,
  lessEqual,
  max,
  min,
  mul,
  neg,
  not,
  or,
  round,
  select,
  toBool,
  toFloat,
  toInt,
  type ValueType,
} from "../../tensor/expression.ts";
import { sizeOf } from "../../tensor/shape.ts";
import {
  assertNear,
  integers,
  numbers,
  type Subject,
} from "./kernel_subjects.ts";

let state = 1;

/** An integer in a … b, the same in every run. */
function draw(a: number, b: number): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return a + Math.floor((state >>> 8) / 2 ** 23 * (b - a + 1));
}

/** The dtype that holds values of a type. */
const dtypes: Record<ValueType, Dtype> = {
  float: "f32",
  int: "i32",
  bool: "bool",
};

/** How a view lies in its buffer, and how large that must be. */
interface Placement {
  readonly strides: number[];
  readonly offset: number;
  readonly length: number;
}

/**
 * Strides that permute the axes, leave gaps, run backwards and, where
 * allowed, repeat.
 */
function placement(shape: number[], repeats: boolean): Placement {
  const axes = shape.map((_, axis) => axis);
  if (draw(0, 1)) {
    for (let i = axes.length - 1; i > 0; i--) {
      const j = draw(0, i);
      [axes[i], axes[j]] = [axes[j], axes[i]];
    }
  }
  const strides = shape.map(() => 0);
  let length = draw(0, 4) ? 1 : draw(1, 3);
  let offset = draw(0, 3);
  const sparse = repeats && draw(0, 2) === 0;
  for (const axis of axes) {
    if (sparse && draw(0, 1)) continue;
    strides[axis] = length;
    length *= Math.max(1, shape[axis]);
    if (!draw(0, 9)) length += draw(1, 3);
    if (!draw(0, 9) && shape[axis] > 0) {
      offset += (shape[axis] - 1) * strides[axis];
      strides[axis] *= -1;
    }
  }
  return { strides, offset, length: length + offset };
}

/** Small numbers that look random. */
function valuesOfType(type: ValueType, length: number): ArrayLike<number> {
  if (type === "float") return numbers(length, draw(1, 1e6), 2);
  if (type === "bool") return integers(length, 2, draw(1, 1e6));
  return integers(length, 11, draw(1, 1e6)).map((x) => x - 5);
}

/** Programs of all types of values. */
export const mapPrograms: Elementwise[] = [
  elementwise("affine", ["float", "float"], ([x, y]) => [add(mul(x, y), 1)]),
  elementwise("select", ["float", "int", "bool"], ([x, y, z]) => [
    select(z, x, toFloat(y)),
    add(y, 3),
  ]),
  elementwise("logic", ["bool", "bool"], ([x, y]) => [
    ...[and(x, not(y)), or(x, y), equal(x, y), less(x, y), lessEqual(x, y)],
  ]),
  elementwise("hoisted", ["float"], ([x], [s]) => [
    mul(x, mul(expression.exp(neg(s)), add(s, 1))),
  ], 1),
  elementwise("integers", ["int", "int"], ([x, y]) => [
    ...[max(x, y), min(x, y), mul(x, y), neg(x), expression.abs(x)],
    ...[expression.sign(y), toBool(x), less(x, y)],
  ]),
  elementwise("reals", ["float", "float"], ([x, y]) => [
    ...[max(x, y), min(x, 0), toInt(x), floor(x), round(y), less(x, y)],
  ]),
  elementwise("copy", ["float"], ([x]) => [x]),
  elementwise("copy", ["bool"], ([x]) => [x]),
  elementwise("fill", [], (_, [s]) => [s, toInt(s), toBool(s)], 1),
];

/** Up to seven axes; rarely there is an empty one. */
export function randomShape(): number[] {
  const rank = draw(0, 7);
  const most = rank > 4 ? 3 : rank > 3 ? 5 : 11;
  return Array.from(
    { length: rank },
    () => draw(0, 24) === 0 ? 0 : draw(1, most),
  );
}

/** x */
export const identity = elementwise("identity", ["float"], ([x]) => [x]);

/** Reductions of all types of values. */
export const reductions: [ReduceKind, Elementwise][] = [
  ...(["sum", "max", "min"] as const).map((
    kind,
  ): [ReduceKind, Elementwise] => [kind, identity]),
  [
    "sum",
    elementwise("product", ["float", "float"], ([x, y], [s]) => [
      mul(mul(x, y), s),
    ], 1),
  ],
  ["sum", elementwise("increment", ["int"], ([x]) => [add(x, 1)])],
  ["max", elementwise("increment", ["int"], ([x]) => [add(x, 1)])],
  [
    "max",
    elementwise("test", ["bool", "float"], ([x, y]) => [and(x, less(y, 2))]),
  ],
  ["min", elementwise("keep", ["bool"], ([x]) => [x])],
  [
    "sum",
    elementwise("masked", ["bool", "int"], ([x, y]) => [
      select(x, toFloat(y), 0),
    ]),
  ],
];

/** What cases run on. */
export type Machine = Pick<Subject<"map" | "reduce">, "kernels" | "tensor">;

function place(
  { tensor }: Machine,
  type: ValueType,
  shape: number[],
  { strides, offset, length }: Placement,
  values: ArrayLike<number>,
): View {
  const view = tensor(dtypes[type], [length], values);
  return { ...view, shape, strides, offset };
}

/** A program on tensors that lie anyhow: inputs, then outputs. */
export interface MapTrial {
  readonly program: Elementwise;
  readonly shape: number[];
  readonly placements: readonly Placement[];
  readonly data: readonly ArrayLike<number>[];
  readonly scalars: readonly number[];
}

function typesOf({ inputs, outputs }: Elementwise): ValueType[] {
  return [...inputs, ...outputs.map(({ type }) => type)];
}

/** Places tensors of that shape for a program. */
export function mapTrial(shape: number[], program: Elementwise): MapTrial {
  const types = typesOf(program);
  const placements = types.map((_, at) =>
    placement(shape, at < program.inputs.length)
  );
  const data = types.map((type, at) =>
    valuesOfType(type, placements[at].length)
  );
  const scalars = [...numbers(program.scalars, draw(1, 1e6))];
  return { program, shape, placements, data, scalars };
}

/** Runs a trial; returns views of all the memory of each operand. */
export function launchMap(on: Machine, trial: MapTrial): View[] {
  const { program, shape, placements, data, scalars } = trial;
  const views = typesOf(program).map((type, at) =>
    place(on, type, shape, placements[at], data[at])
  );
  const count = program.inputs.length;
  on.kernels.map(program, views.slice(0, count), views.slice(count), scalars);
  return views.map((view, at) => ({
    ...view,
    shape: [placements[at].length],
    strides: [1],
    offset: 0,
  }));
}

/** Compares the memory of all operands after a trial. */
export function assertMapped(
  { program, shape, placements }: MapTrial,
  actual: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
  what: string,
): void {
  actual.forEach((values, at) => {
    // Multiply-adds are rounded once or twice; operands are below 30.
    const bound = { absolute: 4e-6, relative: 3e-7 };
    const layout = JSON.stringify([shape, placements[at]]);
    const name = `${what} ${program.name} ${layout}`;
    assertNear(values, expected[at], bound, name);
  });
}

/** A reduction of tensors that lie anyhow. */
export interface ReduceTrial {
  readonly kind: ReduceKind;
  readonly program: Elementwise;
  readonly shape: number[];
  readonly outShape: number[];
  readonly placements: readonly Placement[];
  readonly data: readonly ArrayLike<number>[];
  readonly scalars: readonly number[];
}

/**
 * Places tensors of that shape for a reduction over some of the axes;
 * undefined if there would be no results.
 */
export function reduceTrial(
  shape: number[],
  [kind, program]: readonly [ReduceKind, Elementwise],
): ReduceTrial | undefined {
  const outShape = shape.map((extent) => draw(0, 1) ? 1 : extent);
  if (sizeOf(outShape) === 0) return undefined;
  const placements = program.inputs.map(() => placement(shape, true));
  const data = program.inputs.map((type, at) =>
    valuesOfType(type, placements[at].length)
  );
  const scalars = [...numbers(program.scalars, draw(1, 1e6))];
  return { kind, program, shape, outShape, placements, data, scalars };
}

/** Runs a trial; returns the result's view. */
export function launchReduce(on: Machine, trial: ReduceTrial): View {
  const { kind, program, shape, outShape, placements, data, scalars } = trial;
  const inputs = program.inputs.map((type, at) =>
    place(on, type, shape, placements[at], data[at])
  );
  const out = on.tensor(dtypes[program.outputs[0].type], outShape);
  on.kernels.reduce(kind, program, inputs, out, scalars);
  return out;
}

/** Compares the results of a trial. */
export function assertReduced(
  { kind, program, shape, outShape }: ReduceTrial,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
): void {
  const combined = sizeOf(shape) / Math.max(1, sizeOf(outShape));
  // Every sum on the way, of terms of size 4, is rounded by 6e-8 of itself.
  const bound = { absolute: 3e-7 * (1 + combined), relative: 1e-6 };
  const axes = JSON.stringify([shape, outShape]);
  const name = `${what} ${kind} of ${program.name} ${axes}`;
  assertNear(actual, expected, bound, name);
}

/** Shapes of tensors that take more than one workgroup, thread or chunk. */
export const largeMapShapes: readonly number[][] = [
  ...[[80_003], [2, 33_001], [20, 33, 65], [157, 200], [5000, 5]],
];

/** Shapes of long reductions. */
export const largeReduceShapes: readonly number[][] = [
  ...[[70_001], [3, 20_011], [5000, 33], [40, 30, 50], [2, 1500, 9]],
];
