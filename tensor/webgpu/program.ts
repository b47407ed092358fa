/**
 * Elementwise programs as WGSL: statements on one number or on four at a time.
 *
 * Real numbers are f32, integers i32, truth values bool. Inputs are `x0`, `x1`,
 * …, scalar parameters `parameters.s0`, ….
 *
 * @example
 * ```ts
 * import { elementwise, mul, tanh } from "../expression.ts";
 * import { wgslProgram } from "./program.ts";
 *
 * const program = elementwise("f", ["float"], ([x]) => [mul(tanh(x), 2)]);
 * const { statements, results } = wgslProgram(program, 4);
 * console.log(statements.includes("accurate_tanh4(x0)")); // true
 * console.log(results.length); // 1
 * ```
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
import { floatLiteral } from "./function_templates.ts";
import type { LaneFunction, ScalarFunction } from "./scalar_functions.ts";
import type { ShaderParameter } from "./shader.ts";

/** How many numbers a kernel computes at a time. */
export type Lanes = 1 | 4;

/** A program as text. */
export interface WgslProgram {
  /** Functions that it calls, for `wgslFunctions`. */
  readonly functions: readonly ScalarFunction[];
  /** Computes the results, as constants, from the inputs `xN` that are used. */
  readonly statements: string;
  /** One expression for each output. */
  readonly results: readonly string[];
}

const scalarTypes = { float: "f32", int: "i32", bool: "bool" } as const;

/** The WGSL type of one value, or of four. */
export function wgslType(type: ValueType, lanes: Lanes): string {
  return lanes === 4 ? `vec4<${scalarTypes[type]}>` : scalarTypes[type];
}

/** The parameters of a shader that a program's scalars are. */
export function scalarParameters(program: Elementwise): ShaderParameter[] {
  return Array.from(
    { length: program.scalars },
    (_, i) => ({ name: `s${i}`, type: "f32" }),
  );
}

const calls: Partial<Record<UnaryOp, LaneFunction>> = {
  sign: "sign_of",
  exp: "accurate_exp",
  expm1: "accurate_expm1",
  log: "accurate_log",
  log1p: "accurate_log1p",
  rsqrt: "accurate_rsqrt",
  tanh: "accurate_tanh",
  sigmoid: "accurate_sigmoid",
  softplus: "accurate_softplus",
  erf: "accurate_erf",
  sin: "accurate_sin",
  cos: "accurate_cos",
  toInt: "to_int",
};

const builtins: readonly UnaryOp[] = ["abs", "floor", "round", "sqrt"];

const operators: Partial<Record<BinaryOp, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  equal: "==",
  less: "<",
  lessEqual: "<=",
};

const truthOperators: Partial<
  Record<BinaryOp, (a: string, b: string) => string>
> = {
  and: (a, b) => `${a} & ${b}`,
  min: (a, b) => `${a} & ${b}`,
  or: (a, b) => `${a} | ${b}`,
  max: (a, b) => `${a} | ${b}`,
  equal: (a, b) => `${a} == ${b}`,
  less: (a, b) => `!${a} & ${b}`,
  lessEqual: (a, b) => `!${a} | ${b}`,
};

/** xⁿ for the constant exponents that have a short form. */
const constantPowers: ReadonlyMap<number, (x: string) => string> = new Map([
  [1, (x) => x],
  [2, (x) => `${x} * ${x}`],
  [3, (x) => `${x} * ${x} * ${x}`],
  [4, (x) => `(${x} * ${x}) * (${x} * ${x})`],
  [0.5, (x) => `sqrt(${x})`],
  [-1, (x) => `1.0 / ${x}`],
  [-2, (x) => `1.0 / (${x} * ${x})`],
]);

function unsupported(expression: Expression): TypeError {
  const types = expression.args.map((arg) => arg.type).join(", ");
  return new TypeError(
    `webgpu device: ${expression.op} of ${types} is not defined`,
  );
}

/** Whether an expression is a constant other than NaN. */
function isNumber(expression: Expression): boolean {
  return expression.op === "constant" && !Number.isNaN(expression.value);
}

/** Writes the statements of one program. */
class ProgramWriter {
  readonly functions = new Set<ScalarFunction>();
  readonly statements: string[] = [];
  readonly #lanes: Lanes;
  readonly #names = new Map<Expression, string>();

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** A name, or an expression that needs no brackets. */
  nameOf(expression: Expression): string {
    return this.#names.get(expression)!;
  }

  add(expression: Expression): void {
    const text = this.#textOf(expression);
    if (expression.op === "input") {
      this.#names.set(expression, text);
      return;
    }
    // Constants too: what is named is computed at run time, and compilers
    // refuse constant expressions that overflow.
    const name = `v${this.#names.size}`;
    this.statements.push(`let ${name} = ${text};`);
    this.#names.set(expression, name);
  }

  #textOf(expression: Expression): string {
    const { op, value, args, type } = expression;
    if (op === "input") return `x${value}`;
    if (op === "scalar") return this.#wide(type, `parameters.s${value}`);
    if (op === "constant") return this.#constant(expression);
    const [a, b, c] = args.map((arg) => this.nameOf(arg));
    if (op === "select") return `select(${c}, ${b}, ${a})`;
    const text = args.length === 1
      ? this.#unary(op as UnaryOp, args[0].type, a)
      : this.#binary(op as BinaryOp, args, a, b);
    if (text === undefined) throw unsupported(expression);
    return text;
  }

  #wide(type: ValueType, text: string): string {
    return `${wgslType(type, this.#lanes)}(${text})`;
  }

  #constant({ type, value }: Expression): string {
    if (type === "int") return this.#wide(type, `${value | 0}`);
    if (type === "bool") return this.#wide(type, `${value !== 0}`);
    const single = Math.fround(value);
    if (Number.isFinite(single)) return this.#wide(type, floatLiteral(single));
    if (Number.isNaN(single)) {
      this.functions.add("not_a_number");
      return this.#wide(type, "not_a_number()");
    }
    this.functions.add("infinity");
    return this.#wide(type, single > 0 ? "infinity()" : "-infinity()");
  }

  #call(name: LaneFunction, ...args: string[]): string {
    const callee: ScalarFunction = this.#lanes === 4 ? `${name}4` : name;
    this.functions.add(callee);
    return `${callee}(${args.join(", ")})`;
  }

  #unary(op: UnaryOp, from: ValueType, x: string): string | undefined {
    if (op === "not") return from === "bool" ? `!${x}` : undefined;
    if (op === "neg") return from === "bool" ? undefined : `-${x}`;
    if (op === "toFloat") return this.#wide("float", x);
    if (op === "toBool") {
      const zero = this.#wide("int", "0");
      if (from === "int") return `${x} != ${zero}`;
      // By its bits: to compilers, a NaN may be neither equal nor unequal to 0.
      const bits = `bitcast<${wgslType("int", this.#lanes)}>(${x})`;
      return `(${bits} & ${this.#wide("int", "0x7fffffff")}) != ${zero}`;
    }
    if (op === "toInt" && from === "bool") return this.#wide("int", x);
    if (from === "int") {
      return op === "abs" || op === "sign" ? `${op}(${x})` : undefined;
    }
    if (from === "bool") return undefined;
    if (builtins.includes(op)) return `${op}(${x})`;
    const call = calls[op];
    return call && this.#call(call, x);
  }

  #binary(
    op: BinaryOp,
    [left, right]: readonly Expression[],
    a: string,
    b: string,
  ): string | undefined {
    if (left.type === "bool") return truthOperators[op]?.(a, b);
    if (left.type === "float") {
      if (op === "pow") {
        const short = right.op === "constant"
          ? constantPowers.get(right.value)
          : undefined;
        return short?.(a) ?? this.#call("accurate_pow", a, b);
      }
      if (op === "max" || op === "min") return this.#extreme(op, left, right);
    } else if (op === "div") {
      return undefined;
    } else if (op === "max" || op === "min") {
      return `${op}(${a}, ${b})`;
    }
    const operator = operators[op];
    return operator && `${a} ${operator} ${b}`;
  }

  /** Built-in extremes may drop a NaN; a constant needs no test for one. */
  #extreme(op: "max" | "min", left: Expression, right: Expression): string {
    const [a, b] = [this.nameOf(left), this.nameOf(right)];
    const other = isNumber(right) ? a : isNumber(left) ? b : undefined;
    if (other === undefined) {
      return this.#call(op === "max" ? "larger" : "smaller", a, b);
    }
    const test = this.#call("is_nan", other);
    return `select(${op}(${a}, ${b}), ${other}, ${test})`;
  }
}

/**
 * Compiles a program for one number or four at a time.
 *
 * @throws {TypeError} If an operation isn't defined for its types.
 */
export function wgslProgram(program: Elementwise, lanes: Lanes): WgslProgram {
  const writer = new ProgramWriter(lanes);
  for (const expression of topologicalOrder(program.outputs)) {
    writer.add(expression);
  }
  return {
    functions: [...writer.functions],
    statements: writer.statements.join("\n"),
    results: program.outputs.map((output) => writer.nameOf(output)),
  };
}
