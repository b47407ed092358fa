/**
 * Reductions over axes, and what is made of them.
 *
 * @module
 */

import type { ReduceKind } from "../backend.ts";
import { isFloat } from "../dtype.ts";
import { type Elementwise, elementwise } from "../expression.ts";
import * as e from "../expression.ts";
import { apply, type Operation } from "../operation.ts";
import { broadcastShapes, normalizeAxes, type Shape } from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import {
  add,
  broadcastView,
  fuse,
  log,
  sub,
  valueType,
} from "./elementwise.ts";
import { reshape } from "./movement.ts";
import { assertReal } from "./operands.ts";

/** What a reduction combines, and over which axes. */
export interface ReduceAttributes {
  /** Sum, max or min. */
  readonly kind: ReduceKind;
  /** Computes the elements that are combined. */
  readonly program: Elementwise;
  /** The program's scalar parameters. */
  readonly scalars: readonly number[];
  /** Axes of the broadcast inputs, ascending from the front. */
  readonly axes: readonly number[];
}

/** Combines elements of an elementwise program; reduced axes keep extent 1. */
export const reduceOperation: Operation<ReduceAttributes> = {
  name: "reduce",
  forward: (inputs, { kind, program, scalars, axes }) => {
    const [{ device }] = inputs;
    const shape = broadcastShapes(program.name, inputs.map((x) => x.shape));
    const out = empty(
      device,
      program.outputs[0].type === "float" ? device.floatDtype : "i32",
      shape.map((extent, axis) => axes.includes(axis) ? 1 : extent),
      program.name,
    );
    const views = inputs.map((x) => broadcastView(x, shape));
    device.backend.reduce(kind, program, views, out, scalars);
    return [out];
  },
};

/** Applies a program and combines its results over axes, in one pass. */
export function reduceTensors(
  kind: ReduceKind,
  program: Elementwise,
  inputs: readonly Tensor[],
  axes: readonly number[],
  scalars: readonly number[] = [],
): Tensor {
  return apply(reduceOperation, inputs, { kind, program, scalars, axes })[0];
}

/** Which axes a reduction takes away, and whether they stay with extent 1. */
export interface ReductionOptions {
  /** Reduced axes keep extent 1; default false. */
  readonly keepdims?: boolean;
}

/** One axis, several, or all when undefined. */
export type Axes = number | readonly number[] | undefined;

function withoutAxes(
  x: Tensor,
  axes: readonly number[],
  options: ReductionOptions,
): Tensor {
  return options.keepdims
    ? x
    : reshape(x, x.shape.filter((_, axis) => !axes.includes(axis)));
}

type Programs = Readonly<Record<"float" | "int" | "bool", Elementwise>>;

function programs(
  name: string,
  build: (x: e.Expression, scalars: e.Expression[]) => e.Expression,
  scalars = 0,
): Programs {
  const make = (type: "float" | "int" | "bool"): Elementwise =>
    elementwise(name, [type], ([x], s) => [build(x, s)], scalars);
  return { float: make("float"), int: make("int"), bool: make("bool") };
}

const number = (x: e.Expression): e.Expression =>
  x.type === "bool" ? e.toInt(x) : x;

const sumPrograms = programs("sum", number);
const meanPrograms = programs("mean", (x, [s]) => e.mul(e.toFloat(x), s), 1);
const maxPrograms = programs("max", number);
const minPrograms = programs("min", number);

function reduction(
  kind: ReduceKind,
  name: string,
  table: Programs,
  x: Tensor,
  axes: Axes,
  options: ReductionOptions,
  scalars: (count: number) => number[] = () => [],
): Tensor {
  const list = normalizeAxes(name, axes, x.rank);
  const count = list.reduce((product, axis) => product * x.shape[axis], 1);
  if (count === 0 && kind !== "sum") {
    throw new RangeError(`${name}: there are no elements to reduce`);
  }
  const result = reduceTensors(
    kind,
    table[valueType(x.dtype)],
    [x],
    list,
    scalars(count),
  );
  return withoutAxes(result, list, options);
}

/** Sum over axes; of integers and truth values, an i32. */
export function sum(
  x: Tensor,
  axes?: Axes,
  options: ReductionOptions = {},
): Tensor {
  return reduction("sum", "sum", sumPrograms, x, axes, options);
}

/** Mean over axes, a real number. */
export function mean(
  x: Tensor,
  axes?: Axes,
  options: ReductionOptions = {},
): Tensor {
  const scale = (count: number): number[] => [1 / count];
  return reduction("sum", "mean", meanPrograms, x, axes, options, scale);
}

/** Largest over axes; equal elements share the gradient. */
export function max(
  x: Tensor,
  axes?: Axes,
  options: ReductionOptions = {},
): Tensor {
  return reduction("max", "max", maxPrograms, x, axes, options);
}

/** Smallest over axes; equal elements share the gradient. */
export function min(
  x: Tensor,
  axes?: Axes,
  options: ReductionOptions = {},
): Tensor {
  return reduction("min", "min", minPrograms, x, axes, options);
}

const squaredDifference = elementwise(
  "variance",
  ["float", "float"],
  ([a, b], [scale]) => {
    const difference = e.sub(a, b);
    return [e.mul(e.mul(difference, difference), scale)];
  },
  1,
);

/** Options of `variance`. */
export interface VarianceOptions extends ReductionOptions {
  /** Taken from the count in the divisor: 0 (default) or 1 (Bessel). */
  readonly ddof?: number;
}

/**
 * Variance over axes, in two passes: Σ (x − mean)² / (count − ddof).
 *
 * @throws {RangeError} If there are no more elements than ddof.
 * @throws {TypeError} If x holds no real numbers.
 */
export function variance(
  x: Tensor,
  axes?: Axes,
  options: VarianceOptions = {},
): Tensor {
  assertReal("variance", x);
  const list = normalizeAxes("variance", axes, x.rank);
  const count = list.reduce((product, axis) => product * x.shape[axis], 1);
  const divisor = count - (options.ddof ?? 0);
  if (divisor <= 0) {
    throw new RangeError(
      `variance: ${count} elements with ddof ${options.ddof ?? 0} leave ` +
        `divisor ${divisor}; it must be positive`,
    );
  }
  const center = mean(x, list, { keepdims: true });
  const result = reduceTensors("sum", squaredDifference, [x, center], list, [
    1 / divisor,
  ]);
  return withoutAxes(result, list, options);
}

/**
 * Mean of (a − b)² over all elements; a and b broadcast.
 *
 * @throws {TypeError} If an operand holds no real numbers.
 */
export function meanSquaredError(a: Tensor, b: Tensor): Tensor {
  assertReal("meanSquaredError", a);
  assertReal("meanSquaredError", b);
  const shape = broadcastShapes("meanSquaredError", [a.shape, b.shape]);
  const axes = normalizeAxes("meanSquaredError", undefined, shape.length);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const result = reduceTensors("sum", squaredDifference, [a, b], axes, [
    1 / count,
  ]);
  return withoutAxes(result, axes, {});
}

const squareProgram = elementwise("norm", ["float"], ([x]) => [e.mul(x, x)]);

/** Sum of squares over all elements. */
export function squaredNorm(x: Tensor): Tensor {
  const axes = normalizeAxes("squaredNorm", undefined, x.rank);
  return withoutAxes(reduceTensors("sum", squareProgram, [x], axes), axes, {});
}

const expDifference = fuse("exp difference", (x, m) => e.exp(e.sub(x, m)));

/** log Σ eˣ over one axis, without overflow. */
export function logSumExp(
  x: Tensor,
  axis = -1,
  options: ReductionOptions = {},
): Tensor {
  const list = normalizeAxes("logSumExp", axis, x.rank);
  // The result doesn't depend on the shift, so no gradient flows through it.
  const shift = largest(x, list);
  const total = sum(expDifference(x, shift), list, { keepdims: true });
  return withoutAxes(add(log(total), shift), list, options);
}

/** log softmax over an axis: x − logSumExp x. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return sub(x, logSumExp(x, axis, { keepdims: true }));
}

/** The largest elements, unseen by any tape. */
function largest(x: Tensor, axes: readonly number[]): Tensor {
  return reduceOperation.forward([x], {
    kind: "max",
    program: maxPrograms[valueType(x.dtype)],
    scalars: [],
    axes,
  })[0];
}

/** Whether every element of a float tensor is finite, as bool `[]`. */
export function allFinite(x: Tensor): Tensor {
  if (!isFloat(x.dtype)) {
    throw new TypeError(`allFinite: needs real numbers, not ${x.dtype}`);
  }
  const axes = normalizeAxes("allFinite", undefined, x.rank);
  const finite = reduceTensors("min", finiteProgram, [x], axes);
  return reshape(toTruth(finite), []);
}

// x − x is 0 for finite x, NaN otherwise.
const finiteProgram = elementwise("allFinite", ["float"], ([x]) => [
  e.select(e.equal(e.sub(x, x), 0), e.constant(1), e.constant(0)),
]);
const toTruth = fuse("allFinite", (x) => e.less(0.5, x));

/** Sums over leading and repeated axes so that the result has `shape`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((extent, axis) =>
    axis < lead || (shape[axis - lead] === 1 && extent !== 1) ? [axis] : []
  );
  if (axes.length === 0) return reshape(x, shape);
  return reshape(sum(x, axes, { keepdims: true }), shape);
}
