/**
 * Scalar expressions: what a map or a reduction computes for one element.
 *
 * An {@linkcode Elementwise} program is a small graph of primitive scalar functions. Devices
 * compile it to a kernel (WebAssembly, WGSL) or interpret it, so every chain of
 * elementwise operations is one pass over memory on every device, and its
 * derivative is again such a program (see {@linkcode pullbackOf}).
 *
 * Expressions are interned: equal subexpressions are one object, which makes
 * common subexpressions free and `id`s usable as cache keys.
 *
 * @example
 * ```ts
 * import { add, elementwise, mul, tanh } from "./expression.ts";
 *
 * const program = elementwise("gate", ["float", "float"], ([x, y]) => [
 *   mul(tanh(x), add(y, 1)),
 * ]);
 * console.log(program.outputs.length); // 1
 * ```
 *
 * @module
 */

/** What a scalar is: a real number, a 32-bit integer, or a truth value. */
export type ValueType = "float" | "int" | "bool";

/** Leaves of an expression; `value` is the index, or the constant. */
export type LeafOp = "input" | "scalar" | "constant";

/** Primitive functions of one argument. */
export type UnaryOp =
  | "neg"
  | "abs"
  | "sign"
  | "floor"
  | "round"
  | "exp"
  | "expm1"
  | "log"
  | "log1p"
  | "sqrt"
  | "rsqrt"
  | "tanh"
  | "sigmoid"
  | "softplus"
  | "erf"
  | "sin"
  | "cos"
  | "not"
  | "toFloat"
  | "toInt"
  | "toBool";

/** Primitive functions of two arguments of one type. */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "pow"
  | "max"
  | "min"
  | "equal"
  | "less"
  | "lessEqual"
  | "and"
  | "or";

/** All operations of expressions. `select(c, a, b)` is `c ? a : b`. */
export type ExpressionOp = LeafOp | UnaryOp | BinaryOp | "select";

/** A node of a scalar expression. Build it with the functions of this module. */
export interface Expression {
  /** Unique among all expressions of this process. */
  readonly id: number;
  /** What is computed. */
  readonly op: ExpressionOp;
  /** The type of the result. */
  readonly type: ValueType;
  /** The operands. */
  readonly args: readonly Expression[];
  /** The value of a constant, the index of an input or scalar, otherwise 0. */
  readonly value: number;
}

/** A program for one element: from inputs and scalars to outputs. */
export interface Elementwise {
  /** The name that errors and profiles show. */
  readonly name: string;
  /** Identifies the computation: equal keys, equal kernels. */
  readonly key: string;
  /** Types of the inputs, one per tensor read. */
  readonly inputs: readonly ValueType[];
  /** How many scalar parameters (learning rate, exponent, …) it takes. */
  readonly scalars: number;
  /** What is computed, one per tensor written. */
  readonly outputs: readonly Expression[];
}

const interned = new Map<string, Expression>();

function node(
  op: ExpressionOp,
  type: ValueType,
  args: readonly Expression[],
  value = 0,
): Expression {
  const tag = Object.is(value, -0) ? "-0" : value;
  const key = `${op}:${type}:${args.map((arg) => arg.id).join()}:${tag}`;
  let result = interned.get(key);
  if (result === undefined) {
    result = { id: interned.size, op, type, args, value };
    interned.set(key, result);
  }
  return result;
}

/** An operand: an expression, or a number that becomes a constant. */
export type Operand = Expression | number;

function lift(x: Operand, type: ValueType): Expression {
  return typeof x === "number" ? constant(x, type) : x;
}

function typeOf(a: Operand, b: Operand): ValueType {
  if (typeof a !== "number") return a.type;
  return typeof b === "number" ? "float" : b.type;
}

function is(x: Expression, value: number): boolean {
  return x.op === "constant" && x.value === value;
}

/** Element of input tensor number `index`. */
export function input(index: number, type: ValueType): Expression {
  return node("input", type, [], index);
}

/** Scalar parameter number `index`, a real number given at launch. */
export function scalar(index: number): Expression {
  return node("scalar", "float", [], index);
}

/** A constant. */
export function constant(value: number, type: ValueType = "float"): Expression {
  return node("constant", type, [], value);
}

function unary(op: UnaryOp, type: ValueType, x: Expression): Expression {
  return node(op, type, [x]);
}

function binary(
  op: BinaryOp,
  a: Operand,
  b: Operand,
  result?: ValueType,
): Expression {
  const type = typeOf(a, b);
  const [left, right] = [lift(a, type), lift(b, type)];
  if (left.type !== right.type) {
    throw new TypeError(
      `${op}: operands are ${left.type} and ${right.type}; convert one`,
    );
  }
  return node(op, result ?? type, [left, right]);
}

/** a + b */
export function add(a: Operand, b: Operand): Expression {
  const [x, y] = [lift(a, typeOf(a, b)), lift(b, typeOf(a, b))];
  if (is(x, 0)) return y;
  if (is(y, 0)) return x;
  return binary("add", x, y);
}

/** a − b */
export function sub(a: Operand, b: Operand): Expression {
  const [x, y] = [lift(a, typeOf(a, b)), lift(b, typeOf(a, b))];
  if (is(y, 0)) return x;
  if (is(x, 0)) return neg(y);
  return binary("sub", x, y);
}

/** a · b */
export function mul(a: Operand, b: Operand): Expression {
  const [x, y] = [lift(a, typeOf(a, b)), lift(b, typeOf(a, b))];
  if (is(x, 0) || is(y, 0)) return constant(0, x.type);
  if (is(x, 1)) return y;
  if (is(y, 1)) return x;
  if (is(x, -1)) return neg(y);
  if (is(y, -1)) return neg(x);
  return binary("mul", x, y);
}

/** a / b, of real numbers */
export function div(a: Operand, b: Operand): Expression {
  const [x, y] = [lift(a, typeOf(a, b)), lift(b, typeOf(a, b))];
  if (is(y, 1) || is(x, 0)) return x;
  return binary("div", x, y);
}

/** a ᵇ; negative bases need an integer exponent. */
export function pow(a: Operand, b: Operand): Expression {
  return binary("pow", a, b);
}

/** The larger; NaN if either is. */
export function max(a: Operand, b: Operand): Expression {
  return binary("max", a, b);
}

/** The smaller; NaN if either is. */
export function min(a: Operand, b: Operand): Expression {
  return binary("min", a, b);
}

/** a = b */
export function equal(a: Operand, b: Operand): Expression {
  return binary("equal", a, b, "bool");
}

/** a < b */
export function less(a: Operand, b: Operand): Expression {
  return binary("less", a, b, "bool");
}

/** a ≤ b */
export function lessEqual(a: Operand, b: Operand): Expression {
  return binary("lessEqual", a, b, "bool");
}

/** a ∧ b, of truth values */
export function and(a: Expression, b: Expression): Expression {
  return binary("and", a, b);
}

/** a ∨ b, of truth values */
export function or(a: Expression, b: Expression): Expression {
  return binary("or", a, b);
}

/** ¬x */
export function not(x: Expression): Expression {
  return unary("not", "bool", x);
}

/** condition ? a : b */
export function select(
  condition: Expression,
  a: Operand,
  b: Operand,
): Expression {
  const type = typeOf(a, b);
  const [yes, no] = [lift(a, type), lift(b, type)];
  if (yes === no) return yes;
  return node("select", type, [condition, yes, no]);
}

/** −x */
export function neg(x: Expression): Expression {
  if (x.op === "neg") return x.args[0];
  if (x.op === "constant") return constant(-x.value, x.type);
  return unary("neg", x.type, x);
}

/** |x| */
export function abs(x: Expression): Expression {
  return unary("abs", x.type, x);
}

/** −1, 0 or 1 */
export function sign(x: Expression): Expression {
  return unary("sign", x.type, x);
}

/** Largest integer not above x */
export function floor(x: Expression): Expression {
  return unary("floor", "float", x);
}

/** Nearest integer, halves to even */
export function round(x: Expression): Expression {
  return unary("round", "float", x);
}

/** eˣ */
export function exp(x: Expression): Expression {
  return unary("exp", "float", x);
}

/** eˣ − 1, accurate near 0 */
export function expm1(x: Expression): Expression {
  return unary("expm1", "float", x);
}

/** Natural logarithm */
export function log(x: Expression): Expression {
  return unary("log", "float", x);
}

/** log(1 + x), accurate near 0 */
export function log1p(x: Expression): Expression {
  return unary("log1p", "float", x);
}

/** √x */
export function sqrt(x: Expression): Expression {
  return unary("sqrt", "float", x);
}

/** 1 / √x */
export function rsqrt(x: Expression): Expression {
  return unary("rsqrt", "float", x);
}

/** Hyperbolic tangent */
export function tanh(x: Expression): Expression {
  return unary("tanh", "float", x);
}

/** 1 / (1 + e⁻ˣ), without overflow */
export function sigmoid(x: Expression): Expression {
  return unary("sigmoid", "float", x);
}

/** log(1 + eˣ), without overflow */
export function softplus(x: Expression): Expression {
  return unary("softplus", "float", x);
}

/** Error function 2/√π ∫₀ˣ e^(−t²) dt */
export function erf(x: Expression): Expression {
  return unary("erf", "float", x);
}

/** Sine of radians */
export function sin(x: Expression): Expression {
  return unary("sin", "float", x);
}

/** Cosine of radians */
export function cos(x: Expression): Expression {
  return unary("cos", "float", x);
}

/** As a real number; truth values become 0 and 1 */
export function toFloat(x: Expression): Expression {
  return x.type === "float" ? x : unary("toFloat", "float", x);
}

/** As a 32-bit integer, rounded toward zero */
export function toInt(x: Expression): Expression {
  return x.type === "int" ? x : unary("toInt", "int", x);
}

/** Whether x is not 0 */
export function toBool(x: Expression): Expression {
  return x.type === "bool" ? x : unary("toBool", "bool", x);
}

/**
 * Makes a program from a function of expressions.
 *
 * @param name What errors and profiles call it.
 * @param inputs Types of the tensors read.
 * @param build From inputs and scalar parameters to the values written.
 * @param scalars Number of scalar parameters.
 */
export function elementwise(
  name: string,
  inputs: readonly ValueType[],
  build: (inputs: Expression[], scalars: Expression[]) => Expression[],
  scalars = 0,
): Elementwise {
  const outputs = build(
    inputs.map((type, index) => input(index, type)),
    Array.from({ length: scalars }, (_, index) => scalar(index)),
  );
  const ids = outputs.map((output) => output.id).join();
  return {
    name,
    key: `${inputs.join()}>${ids}`,
    inputs,
    scalars,
    outputs,
  };
}

/** The expressions below `roots`, every one once, operands first. */
export function topologicalOrder(roots: readonly Expression[]): Expression[] {
  const seen = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (seen.has(expression)) return;
    for (const arg of expression.args) visit(arg);
    seen.add(expression);
  };
  roots.forEach(visit);
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The same operation on other operands of the same types. */
export function withArgs(
  expression: Expression,
  args: readonly Expression[],
): Expression {
  return node(expression.op, expression.type, args, expression.value);
}

/** Which inputs the roots read. */
export function inputsUsed(
  roots: readonly Expression[],
  count: number,
): boolean[] {
  const used = new Array<boolean>(count).fill(false);
  for (const { op, value } of topologicalOrder(roots)) {
    if (op === "input") used[value] = true;
  }
  return used;
}
