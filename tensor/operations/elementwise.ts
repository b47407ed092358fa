/**
 * Elementwise operations: all of them are one primitive, `map`, with different
 * programs.
 *
 * @module
 */

import { type Dtype, isFloat } from "../dtype.ts";
import {
  type Elementwise,
  elementwise,
  type ValueType,
} from "../expression.ts";
import * as e from "../expression.ts";
import { apply, type Operation } from "../operation.ts";
import {
  broadcastShapes,
  broadcastStrides,
  sameShape,
  type Shape,
} from "../shape.ts";
import type { View } from "../backend.ts";
import type { Device } from "../devices.ts";
import { empty, Tensor } from "../tensor.ts";

/** What a map computes. */
export interface MapAttributes {
  /** The program. */
  readonly program: Elementwise;
  /** Its scalar parameters. */
  readonly scalars: readonly number[];
}

/** The value type of the elements of a dtype. */
export function valueType(dtype: Dtype): ValueType {
  return isFloat(dtype) ? "float" : dtype === "i32" ? "int" : "bool";
}

/**
 * The dtype of real numbers computed from operands: f16 where all real ones
 * are, else the device's.
 */
export function realDtype(device: Device, operands: readonly View[]): Dtype {
  let halves = false;
  for (const { dtype } of operands) {
    if (dtype === "f16") halves = true;
    else if (isFloat(dtype)) return device.floatDtype;
  }
  return halves ? "f16" : device.floatDtype;
}

/** A tensor seen with a larger shape: repeated axes have stride 0. */
export function broadcastView(x: View, shape: Shape): View {
  return sameShape(x.shape, shape) ? x : {
    buffer: x.buffer,
    dtype: x.dtype,
    shape,
    strides: broadcastStrides(x.shape, x.strides, shape),
    offset: x.offset,
  };
}

/** Applies an elementwise program to tensors that broadcast. */
export const mapOperation: Operation<MapAttributes> = {
  name: "map",
  forward: (inputs, { program, scalars }) => {
    const [{ device }] = inputs;
    const shape = broadcastShapes(program.name, inputs.map((x) => x.shape));
    const views = inputs.map((x) => broadcastView(x, shape));
    const outputs = program.outputs.map(({ type }) =>
      empty(
        device,
        type === "float"
          ? realDtype(device, views)
          : type === "int"
          ? "i32"
          : "bool",
        shape,
        program.name,
      )
    );
    device.backend.map(program, views, outputs, scalars);
    return outputs;
  },
};

/** Applies a program to tensors; its first output. */
export function mapTensors(
  program: Elementwise,
  inputs: readonly Tensor[],
  scalars: readonly number[] = [],
): Tensor {
  return apply(mapOperation, inputs, { program, scalars })[0];
}

/** A tensor or a number that stands for a tensor full of it. */
export type TensorOrNumber = Tensor | number;

/**
 * Makes an elementwise function of tensors from a function of scalar
 * expressions: one kernel, forward and backward, however long the formula.
 * Numbers may stand for tensors. Integers become real numbers where they meet
 * any, and stay integers among themselves; truth values stay truth values.
 *
 * @param name For messages.
 * @param build The formula, from the functions of `expression`.
 *
 * @example
 * ```ts
 * import { device, expression as e, fuse, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const mish = fuse("mish", (x) => e.mul(x, e.tanh(e.softplus(x))));
 * console.log(await mish(tensor([1])).item()); // 0.865…
 * ```
 */
export function fuse(
  name: string,
  build: (...operands: e.Expression[]) => e.Expression,
): (...operands: TensorOrNumber[]) => Tensor {
  const programs = new Map<string, Elementwise>();
  return (...operands) => {
    const tensors = operands.filter((x) => x instanceof Tensor);
    if (tensors.length === 0) {
      throw new TypeError(
        `${name}: needs a tensor; got only numbers (${operands.join(", ")})`,
      );
    }
    const integers = tensors.every((x) => !isFloat(x.dtype)) &&
      operands.every((x) => x instanceof Tensor || Number.isInteger(x));
    let signature = integers ? "int" : "float";
    const scalars: number[] = [];
    for (const operand of operands) {
      if (operand instanceof Tensor) signature += ` ${operand.dtype}`;
      else {
        signature += " number";
        scalars.push(operand);
      }
    }
    let program = programs.get(signature);
    if (program === undefined) {
      program = specialize(name, build, operands, integers);
      programs.set(signature, program);
    }
    return mapTensors(program, tensors, scalars);
  };
}

function specialize(
  name: string,
  build: (...operands: e.Expression[]) => e.Expression,
  operands: readonly TensorOrNumber[],
  integers: boolean,
): Elementwise {
  const tensors = operands.filter((x) => x instanceof Tensor);
  return elementwise(
    name,
    tensors.map((x) => valueType(x.dtype)),
    (inputs, scalars) => {
      let [nextInput, nextScalar] = [0, 0];
      return [
        build(...operands.map((operand) => {
          if (!(operand instanceof Tensor)) {
            const x = scalars[nextScalar++];
            return integers ? e.toInt(x) : x;
          }
          const x = inputs[nextInput++];
          return integers || x.type === "bool" ? x : e.toFloat(x);
        })),
      ];
    },
    operands.length - tensors.length,
  );
}

/** An elementwise function of one tensor. */
export type UnaryFunction = (x: Tensor) => Tensor;
/** An elementwise function of two operands that broadcast. */
export type BinaryFunction = (a: TensorOrNumber, b: TensorOrNumber) => Tensor;

function unary(
  name: string,
  build: (x: e.Expression) => e.Expression,
): UnaryFunction {
  const f = fuse(name, (x) => build(x));
  return (x) => f(x);
}

/** As `unary`, for functions of real numbers: converts integers first. */
function real(
  name: string,
  build: (x: e.Expression) => e.Expression,
): UnaryFunction {
  return unary(name, (x) => build(e.toFloat(x)));
}

function binary(
  name: string,
  build: (a: e.Expression, b: e.Expression) => e.Expression,
): BinaryFunction {
  const f = fuse(name, (a, b) => build(a, b));
  return (a, b) => f(a, b);
}

// Truth values among real numbers or integers, as 0 and 1.
const number = (x: e.Expression): e.Expression =>
  x.type === "bool" ? e.toFloat(x) : x;

/** a + b */
export const add: BinaryFunction = binary(
  "add",
  (a, b) => e.add(number(a), number(b)),
);
/** a − b */
export const sub: BinaryFunction = binary(
  "sub",
  (a, b) => e.sub(number(a), number(b)),
);
/** a · b */
export const mul: BinaryFunction = binary(
  "mul",
  (a, b) => e.mul(number(a), number(b)),
);
/** a / b, of real numbers */
export const div: BinaryFunction = binary(
  "div",
  (a, b) => e.div(e.toFloat(a), e.toFloat(b)),
);
/** aᵇ; a negative base needs an integer exponent, otherwise NaN. */
export const pow: BinaryFunction = binary(
  "pow",
  (a, b) => e.pow(e.toFloat(a), e.toFloat(b)),
);
/** The larger of a and b; ties share the gradient. */
export const maximum: BinaryFunction = binary("maximum", e.max);
/** The smaller of a and b; ties share the gradient. */
export const minimum: BinaryFunction = binary("minimum", e.min);
/** a = b, as bool */
export const equal: BinaryFunction = binary(
  "equal",
  (a, b) => e.equal(number(a), number(b)),
);
/** a < b, as bool */
export const less: BinaryFunction = binary(
  "less",
  (a, b) => e.less(number(a), number(b)),
);
/** a ≤ b, as bool */
export const lessEqual: BinaryFunction = binary(
  "lessEqual",
  (a, b) => e.lessEqual(number(a), number(b)),
);
/** a ∧ b, of truth values (numbers are true unless 0) */
export const logicalAnd: BinaryFunction = binary(
  "logicalAnd",
  (a, b) => e.and(e.toBool(a), e.toBool(b)),
);
/** a ∨ b, of truth values (numbers are true unless 0) */
export const logicalOr: BinaryFunction = binary(
  "logicalOr",
  (a, b) => e.or(e.toBool(a), e.toBool(b)),
);
/** ¬x */
export const logicalNot: UnaryFunction = unary(
  "logicalNot",
  (x) => e.not(e.toBool(x)),
);

/** −x */
export const neg: UnaryFunction = unary("neg", (x) => e.neg(number(x)));
/** |x| */
export const abs: UnaryFunction = unary("abs", (x) => e.abs(number(x)));
/** −1, 0 or 1 */
export const sign: UnaryFunction = unary("sign", (x) => e.sign(number(x)));
/** Largest integer not above x */
export const floor: UnaryFunction = real("floor", e.floor);
/** Nearest integer, halves to even */
export const round: UnaryFunction = real("round", e.round);
/** eˣ */
export const exp: UnaryFunction = real("exp", e.exp);
/** eˣ − 1, accurate near 0 */
export const expm1: UnaryFunction = real("expm1", e.expm1);
/** Natural logarithm */
export const log: UnaryFunction = real("log", e.log);
/** log(1 + x), accurate near 0 */
export const log1p: UnaryFunction = real("log1p", e.log1p);
/** √x */
export const sqrt: UnaryFunction = real("sqrt", e.sqrt);
/** 1 / √x */
export const rsqrt: UnaryFunction = real("rsqrt", e.rsqrt);
/** x² */
export const square: UnaryFunction = unary(
  "square",
  (x) => e.mul(number(x), number(x)),
);
/** 1 / x */
export const reciprocal: UnaryFunction = real("reciprocal", (x) => e.div(1, x));
/** Hyperbolic tangent */
export const tanh: UnaryFunction = real("tanh", e.tanh);
/** Error function */
export const erf: UnaryFunction = real("erf", e.erf);
/** Sine of radians */
export const sin: UnaryFunction = real("sin", e.sin);
/** Cosine of radians */
export const cos: UnaryFunction = real("cos", e.cos);
/** 1 / (1 + e⁻ˣ) */
export const sigmoid: UnaryFunction = real("sigmoid", e.sigmoid);
/** log(1 + eˣ) */
export const softplus: UnaryFunction = real("softplus", e.softplus);
/** max(x, 0), with derivative 0 at 0 */
export const relu: UnaryFunction = real(
  "relu",
  (x) => e.select(e.less(0, x), x, 0),
);
/** x σ(x), also called swish */
export const silu: UnaryFunction = real("silu", (x) => e.mul(x, e.sigmoid(x)));
/** x Φ(x) = x (1 + erf(x/√2)) / 2, exact GELU (Hendrycks & Gimpel 2016) */
const geluExact: UnaryFunction = real(
  "gelu",
  (x) => e.mul(e.mul(0.5, x), e.add(1, e.erf(e.mul(Math.SQRT1_2, x)))),
);
/** GELU's tanh approximation: x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 */
const geluTanh: UnaryFunction = real("gelu", (x) => {
  const inner = e.mul(
    Math.sqrt(2 / Math.PI),
    e.mul(x, e.add(1, e.mul(0.044715, e.mul(x, x)))),
  );
  return e.mul(e.mul(0.5, x), e.add(1, e.tanh(inner)));
});

/** How GELU is computed: by erf, or by its tanh approximation. */
export type GeluApproximation = "none" | "tanh";

/** Gaussian error linear unit; exact unless told. */
export function gelu(
  x: Tensor,
  approximate: GeluApproximation = "none",
): Tensor {
  return approximate === "tanh" ? geluTanh(x) : geluExact(x);
}

const clampBoth = fuse(
  "clamp",
  (x, low, high) =>
    e.select(e.less(x, low), low, e.select(e.less(high, x), high, x)),
);

/** x limited to [low, high]; the derivative is 1 inside and at the limits. */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  if (!(low <= high)) {
    throw new RangeError(`clamp: low ${low} must not be above high ${high}`);
  }
  return clampBoth(x, low, high);
}

const select = fuse("where", (condition, a, b) => {
  const [yes, no] = a.type === b.type ? [a, b] : [number(a), number(b)];
  return e.select(e.toBool(condition), yes, no);
});

/** Elements of `a` where the condition holds, of `b` elsewhere; broadcasts. */
export function where(
  condition: Tensor,
  a: TensorOrNumber,
  b: TensorOrNumber,
): Tensor {
  return select(condition, a, b);
}

const toFloat = unary("cast", e.toFloat);
const toInt = unary("cast", e.toInt);
const toBool = unary("cast", e.toBool);

/** Which dtype real numbers get. */
export interface ConvertAttributes {
  /** The new dtype. */
  readonly dtype: Dtype;
}

/** Stores real numbers in another dtype. */
export const convertOperation: Operation<ConvertAttributes> = {
  name: "cast",
  forward: ([x], { dtype }) => {
    const out = empty(x.device, dtype, x.shape, "cast");
    x.device.assign(out, x);
    return [out];
  },
};

/**
 * Elements converted to real numbers (of the device's dtype), to integers
 * (toward zero) or to truth values (≠ 0); or to real numbers that are stored in
 * 16 bits, `f16`, on devices that have them. Arithmetic is done in f32 all the
 * same; what is computed from f16 alone is stored so, too.
 *
 * @throws {TypeError} If the device stores no f16.
 */
export function cast(x: Tensor, type: ValueType | "f16"): Tensor {
  if (type === "int") return toInt(x);
  if (type === "bool") return toBool(x);
  const { device } = x;
  if (type === "f16" && !device.halves) {
    throw new TypeError(
      `cast: the device "${device.name}" (${device.mode}) stores no f16; ` +
        `leave the numbers in ${device.floatDtype}`,
    );
  }
  if (x.dtype === type) return x;
  const real = isFloat(x.dtype) ? x : toFloat(x);
  const dtype = type === "f16" ? type : device.floatDtype;
  if (real.dtype === dtype) return real;
  return apply(convertOperation, [real], { dtype })[0];
}
