/**
 * Elementwise programs as WebAssembly: expressions on four lanes at a time, and
 * the loads and stores of their operands.
 *
 * Real numbers are f32 lanes, integers i32 lanes, truth values masks (all bits
 * or none) in registers and bytes 0 and 1 in memory.
 *
 * @module
 */

import {
  type BinaryOp,
  type Elementwise,
  type Expression,
  topologicalOrder,
  type UnaryOp,
  type ValueType,
} from "../expression.ts";
import {
  type FunctionBuilder,
  i32,
  lane,
  type Local,
  scalar,
  simd,
  type SimdName,
  splat,
  type Value,
} from "./assembler.ts";
import { type Walk, walks } from "../layout.ts";
import * as math from "./vector_math.ts";

/** Bytes in memory of an element. */
export const bytesOfType: Readonly<Record<ValueType, number>> = {
  float: 4,
  int: 4,
  bool: 1,
};

/** A tensor that a loop reads or writes. */
export interface Operand {
  /** Type of its elements. */
  readonly type: ValueType;
  /** How it moves along the loop. */
  readonly walk: Walk;
  /** Address of the current element; the loop advances it. */
  readonly pointer: Local;
  /** Distance of elements in bytes, where the walk is strided. */
  readonly stride: Local | undefined;
}

/** Values of expressions that are known already. */
export type Known = ReadonlyMap<Expression, Value>;

function unsupported(expression: Expression): TypeError {
  const types = expression.args.map((arg) => arg.type).join(", ");
  return new TypeError(
    `wasm device: ${expression.op} of ${types} is not defined`,
  );
}

const floatUnary: Partial<Record<UnaryOp, SimdName>> = {
  neg: "f32x4.neg",
  abs: "f32x4.abs",
  floor: "f32x4.floor",
  round: "f32x4.nearest",
  sqrt: "f32x4.sqrt",
};

const floatFunctions: Partial<
  Record<UnaryOp, (f: FunctionBuilder, x: Value) => Value>
> = {
  sign: math.sign,
  exp: math.exp,
  expm1: math.expm1,
  log: math.log,
  log1p: math.log1p,
  rsqrt: math.rsqrt,
  tanh: math.tanh,
  sigmoid: math.sigmoid,
  softplus: math.softplus,
  erf: math.erf,
  sin: math.sin,
  cos: math.cos,
};

const binaryNames: Readonly<
  Record<ValueType, Partial<Record<BinaryOp, SimdName>>>
> = {
  float: {
    add: "f32x4.add",
    sub: "f32x4.sub",
    mul: "f32x4.mul",
    div: "f32x4.div",
    equal: "f32x4.eq",
    less: "f32x4.lt",
    lessEqual: "f32x4.le",
  },
  int: {
    add: "i32x4.add",
    sub: "i32x4.sub",
    mul: "i32x4.mul",
    max: "i32x4.max_s",
    min: "i32x4.min_s",
    equal: "i32x4.eq",
    less: "i32x4.lt_s",
    lessEqual: "i32x4.le_s",
  },
  bool: {
    max: "v128.or",
    min: "v128.and",
    or: "v128.or",
    and: "v128.and",
    equal: "i32x4.eq",
    // As integers true is −1, so the order is reversed.
    less: "i32x4.gt_s",
    lessEqual: "i32x4.ge_s",
  },
};

function unaryOperation(
  f: FunctionBuilder,
  expression: Expression,
  x: Value,
): Value {
  const op = expression.op as UnaryOp;
  const from = expression.args[0].type;
  if (from === "bool") {
    if (op === "not") return simd("v128.not", x);
    if (op === "toFloat") return simd("v128.and", x, f.constant(1));
    if (op === "toInt") return simd("v128.and", x, f.constant(1, "i32"));
  } else if (from === "int") {
    if (op === "neg") return simd("i32x4.neg", x);
    if (op === "abs") return simd("i32x4.abs", x);
    if (op === "toFloat") return simd("f32x4.convert_i32x4_s", x);
    if (op === "toBool") return simd("i32x4.ne", x, f.constant(0, "i32"));
    if (op === "sign") {
      const low = simd("i32x4.max_s", x, f.constant(-1, "i32"));
      return simd("i32x4.min_s", low, f.constant(1, "i32"));
    }
  } else {
    if (op === "toInt") return simd("i32x4.trunc_sat_f32x4_s", x);
    if (op === "toBool") return simd("f32x4.ne", x, f.constant(0));
    const name = floatUnary[op];
    if (name !== undefined) return simd(name, x);
    const emit = floatFunctions[op];
    if (emit !== undefined) return emit(f, x);
  }
  throw unsupported(expression);
}

/** xⁿ for the constant exponents that have a short form. */
function constantPower(
  f: FunctionBuilder,
  x: Value,
  exponent: number,
): Value | undefined {
  const multiply = (a: Value, b: Value): Local =>
    f.let(simd("f32x4.mul", a, b));
  switch (exponent) {
    case 0:
      return f.constant(1);
    case 1:
      return x;
    case 2:
      return multiply(x, x);
    case 3:
      return multiply(multiply(x, x), x);
    case 4: {
      const square = multiply(x, x);
      return multiply(square, square);
    }
    case 0.5:
      return simd("f32x4.sqrt", x);
    case -0.5:
      return math.rsqrt(f, x);
    case -1:
      return simd("f32x4.div", f.constant(1), x);
    case -2:
      return simd("f32x4.div", f.constant(1), multiply(x, x));
  }
}

/**
 * The larger or smaller, or NaN if either is: a pseudo-maximum, which keeps a
 * NaN in `a`, and all bits set where `b` is NaN. Three instructions, where
 * `f32x4.max` becomes eight.
 */
export function extreme(op: "max" | "min", a: Value, b: Value): Value {
  const chosen = simd(op === "max" ? "f32x4.pmax" : "f32x4.pmin", a, b);
  return simd("v128.or", chosen, simd("f32x4.ne", b, b));
}

/** Whether an expression is a constant other than NaN. */
function isNumber(expression: Expression): boolean {
  return expression.op === "constant" && !Number.isNaN(expression.value);
}

function binaryOperation(
  f: FunctionBuilder,
  expression: Expression,
  a: Value,
  b: Value,
): Value {
  const op = expression.op as BinaryOp;
  const [left, right] = expression.args;
  if (left.type === "float") {
    if (op === "pow") {
      const short = right.op === "constant"
        ? constantPower(f, a, right.value)
        : undefined;
      return short ?? math.pow(f, a, b);
    }
    if (op === "max" || op === "min") {
      const name = op === "max" ? "f32x4.pmax" : "f32x4.pmin";
      if (isNumber(right)) return simd(name, a, b);
      if (isNumber(left)) return simd(name, b, a);
      return extreme(op, a, b);
    }
  }
  const name = binaryNames[left.type][op];
  if (name === undefined) throw unsupported(expression);
  return simd(name, a, b);
}

function constantValue(f: FunctionBuilder, expression: Expression): Value {
  const { type, value } = expression;
  if (type === "float") return f.constant(value);
  return f.constant(type === "int" ? value : value === 0 ? 0 : -1, "i32");
}

function operation(
  f: FunctionBuilder,
  expression: Expression,
  args: readonly Value[],
): Value {
  if (expression.op === "select") {
    return math.selectLanes(args[0], args[1], args[2]);
  }
  return args.length === 1
    ? unaryOperation(f, expression, args[0])
    : binaryOperation(f, expression, args[0], args[1]);
}

/** Emits what `roots` need beyond what is known; returns all values. */
export function evaluate(
  f: FunctionBuilder,
  roots: readonly Expression[],
  known: Known,
): Map<Expression, Value> {
  const values = new Map(known);
  for (const expression of pending(roots, known)) {
    if (expression.op === "constant") {
      values.set(expression, constantValue(f, expression));
      continue;
    }
    const args = expression.args.map((arg) => valueOf(values, arg));
    values.set(expression, f.let(operation(f, expression, args)));
  }
  return values;
}

/** The value of an expression that was evaluated. */
export function valueOf(
  values: Known,
  expression: Expression,
): Value {
  const value = values.get(expression);
  if (value === undefined) {
    throw new Error(`${expression.op} is used before it is computed`);
  }
  return value;
}

/** The expressions below `roots` that are not known, operands first. */
function pending(
  roots: readonly Expression[],
  known: Known,
): Expression[] {
  const needed = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (known.has(expression) || needed.has(expression)) return;
    expression.args.forEach(visit);
    needed.add(expression);
  };
  roots.forEach(visit);
  return [...needed];
}

/** A value that is equal in all lanes, as a splat, which V8 can widen. */
function splatted(f: FunctionBuilder, type: ValueType, value: Value): Local {
  return f.let(splat(lane(type === "float" ? "f32" : "i32", value, 0)));
}

/**
 * Adds to `known` whatever follows from known values that are equal in all
 * lanes: done once, before a loop.
 */
export function hoist(
  f: FunctionBuilder,
  roots: readonly Expression[],
  known: Known,
): Map<Expression, Value> {
  const values = new Map(known);
  const fixed = new Set<Expression>(known.keys());
  for (const expression of topologicalOrder(roots)) {
    const { op, args, type } = expression;
    if (fixed.has(expression)) continue;
    if (op === "constant") {
      fixed.add(expression);
      values.set(expression, constantValue(f, expression));
    } else if (args.length > 0 && args.every((arg) => fixed.has(arg))) {
      const operands = args.map((arg) => valueOf(values, arg));
      const value = f.let(operation(f, expression, operands));
      fixed.add(expression);
      values.set(expression, splatted(f, type, value));
    }
  }
  return values;
}

/** The scalar parameters of a program, given as f32, in all lanes. */
export function scalarValues(
  f: FunctionBuilder,
  program: Elementwise,
  parameters: readonly Local[],
): Map<Expression, Value> {
  const values = new Map<Expression, Value>();
  for (const expression of topologicalOrder(program.outputs)) {
    if (expression.op !== "scalar") continue;
    values.set(expression, f.let(splat(parameters[expression.value])));
  }
  return values;
}

/** The inputs that a program reads, as expressions. */
export function inputsOf(program: Elementwise): Expression[] {
  return topologicalOrder(program.outputs).filter(({ op }) => op === "input");
}

function maskOfBytes(f: FunctionBuilder, bytes: Value): Value {
  const words = simd(
    "i32x4.extend_low_i16x8_u",
    simd("i16x8.extend_low_i8x16_u", bytes),
  );
  return simd("i32x4.ne", words, f.constant(0, "i32"));
}

function bytesOfMask(f: FunctionBuilder, mask: Value): Value {
  const ones = f.let(simd("v128.and", mask, f.constant(1, "i32")));
  const words = f.let(simd("i16x8.narrow_i32x4_u", ones, ones));
  return f.let(simd("i8x16.narrow_i16x8_u", words, words));
}

/** The element that a repeated operand holds, in all lanes. */
export function loadRepeated(f: FunctionBuilder, operand: Operand): Local {
  if (operand.type !== "bool") return f.let(f.loadSplat(operand.pointer));
  const byte = f.load("u8", operand.pointer);
  return f.let(
    splat(scalar("i32.sub", i32(0), scalar("i32.ne", byte, i32(0)))),
  );
}

/** Addresses of the four elements of group number `group`. */
function lanePointers(
  f: FunctionBuilder,
  operand: Operand,
  group: number,
): Value[] {
  const stride = operand.stride as Local;
  let pointer: Local = operand.pointer;
  const pointers: Value[] = [];
  for (let element = 0; element < 4 * group + 4; element++) {
    if (element >= 4 * group) pointers.push(pointer);
    if (element < 4 * group + 3) pointer = f.let(f.offset(pointer, stride));
  }
  return pointers;
}

/** Loads group `group` of four elements from the current one on. */
export function loadGroup(
  f: FunctionBuilder,
  operand: Operand,
  group: number,
): Local {
  const { type, pointer } = operand;
  if (operand.walk === walks.contiguous) {
    return f.let(
      type === "bool"
        ? maskOfBytes(f, f.loadZero(pointer, 4 * group))
        : f.loadVector(pointer, 16 * group),
    );
  }
  const [first, ...others] = lanePointers(f, operand, group);
  const zero = f.constant(0, "i32");
  let value = f.let(
    type === "bool" ? f.loadByteLane(zero, 0, first) : f.loadZero(first),
  );
  others.forEach((address, at) => {
    value = f.let(
      type === "bool"
        ? f.loadByteLane(value, at + 1, address)
        : f.loadLane(value, at + 1, address),
    );
  });
  return type === "bool" ? f.let(maskOfBytes(f, value)) : value;
}

/** Loads the current element alone, into lane 0. */
export function loadElement(f: FunctionBuilder, operand: Operand): Local {
  const { type, pointer } = operand;
  if (type !== "bool") return f.let(f.loadZero(pointer));
  const byte = f.loadByteLane(f.constant(0, "i32"), 0, pointer);
  return f.let(maskOfBytes(f, byte));
}

/** Stores group `group` of four elements. */
export function storeGroup(
  f: FunctionBuilder,
  operand: Operand,
  group: number,
  value: Value,
): void {
  const { type, pointer } = operand;
  const stored = type === "bool" ? bytesOfMask(f, value) : value;
  if (operand.walk === walks.contiguous) {
    if (type === "bool") f.storeLane(pointer, stored, 0, 4 * group);
    else f.storeVector(pointer, stored, 16 * group);
    return;
  }
  const kept = f.let(stored);
  lanePointers(f, operand, group).forEach((address, at) => {
    if (type === "bool") f.storeByteLane(address, kept, at);
    else f.storeLane(address, kept, at);
  });
}

/** Stores lane 0 as the current element. */
export function storeElement(
  f: FunctionBuilder,
  operand: Operand,
  value: Value,
): void {
  const { type, pointer } = operand;
  if (type === "bool") f.storeByteLane(pointer, bytesOfMask(f, value), 0);
  else f.storeLane(pointer, value, 0);
}

/** Moves a pointer over `elements` elements. */
export function advance(
  f: FunctionBuilder,
  operand: Operand,
  elements: number,
): void {
  const { walk, pointer, stride, type } = operand;
  if (walk === walks.repeated) return;
  if (walk === walks.contiguous) {
    f.add(pointer, elements * bytesOfType[type]);
  } else {
    f.add(
      pointer,
      elements === 1 ? stride as Local : f.times(stride as Local, elements),
    );
  }
}

/** How costly a program is, in additions per element. */
export function weightOf(program: Elementwise): number {
  let weight = program.inputs.length + program.outputs.length;
  for (const { op } of topologicalOrder(program.outputs)) {
    const costly = op in floatFunctions || op === "pow" || op === "div";
    weight += costly ? 12 : 1;
  }
  return weight;
}
