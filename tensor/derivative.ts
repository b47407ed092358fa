/**
 * Symbolic derivatives of scalar expressions.
 *
 * @module
 */

import {
  add,
  constant,
  cos,
  div,
  type Elementwise,
  equal,
  exp,
  type Expression,
  input,
  inputsUsed,
  less,
  log,
  mul,
  neg,
  pow,
  select,
  sigmoid,
  sign,
  sin,
  sub,
  topologicalOrder,
  type UnaryOp,
  withArgs,
} from "./expression.ts";

/** d op(x) / dx, given y = op(x); operations without one have derivative 0. */
const unaryDerivatives: Partial<
  Record<UnaryOp, (x: Expression, y: Expression) => Expression>
> = {
  neg: () => constant(-1), // −1
  abs: (x) => sign(x), // sign x
  exp: (_, y) => y, // eˣ
  expm1: (_, y) => add(y, 1), // eˣ = (eˣ − 1) + 1
  log: (x) => div(1, x), // 1 / x
  log1p: (x) => div(1, add(x, 1)), // 1 / (1 + x)
  sqrt: (_, y) => div(0.5, y), // 1 / 2√x
  rsqrt: (_, y) => mul(-0.5, mul(y, mul(y, y))), // −x^(−3/2) / 2
  tanh: (_, y) => sub(1, mul(y, y)), // 1 − tanh²x
  sigmoid: (_, y) => mul(y, sub(1, y)), // σ(1 − σ)
  softplus: (x) => sigmoid(x), // σ(x)
  erf: (x) => mul(2 / Math.sqrt(Math.PI), exp(neg(mul(x, x)))), // 2/√π e^(−x²)
  sin: (x) => cos(x), // cos x
  cos: (x) => neg(sin(x)), // −sin x
};

/** The two partial derivatives of op(a, b), times the cotangent g. */
function binaryCotangents(
  node: Expression,
  g: Expression,
): [Expression, Expression] {
  const [a, b] = node.args;
  switch (node.op) {
    case "add":
      return [g, g];
    case "sub":
      return [g, neg(g)];
    case "mul": // d(ab) = b da + a db
      return [mul(g, b), mul(g, a)];
    case "div": // d(a/b) = da / b − (a/b) db / b
      return [div(g, b), neg(div(mul(g, node), b))];
    case "pow": // d(aᵇ) = b a^(b−1) da + aᵇ log a db
      return [
        mul(g, mul(b, pow(a, sub(b, 1)))),
        // 0ᵇ log 0 is 0 in the limit, not NaN.
        mul(g, select(equal(a, 0), 0, mul(node, log(a)))),
      ];
    case "max":
    case "min": {
      // The chosen operand gets the cotangent; ties share it.
      const [wins, loses] = node.op === "max"
        ? [less(b, a), less(a, b)]
        : [less(a, b), less(b, a)];
      const half = mul(0.5, g);
      return [
        select(wins, g, select(loses, 0, half)),
        select(loses, g, select(wins, 0, half)),
      ];
    }
    default: // comparisons and logic have no derivative
      return [constant(0), constant(0)];
  }
}

/**
 * Cotangents of the inputs of `outputs`, given those of the outputs, by reverse
 * accumulation over the graph.
 */
function reverse(
  outputs: readonly Expression[],
  cotangents: readonly Expression[],
): Map<Expression, Expression> {
  const sums = new Map<Expression, Expression>();
  const contribute = (to: Expression, amount: Expression): void => {
    if (to.type !== "float") return;
    const sum = sums.get(to);
    sums.set(to, sum === undefined ? amount : add(sum, amount));
  };
  outputs.forEach((output, i) => contribute(output, cotangents[i]));
  for (const node of topologicalOrder(outputs).reverse()) {
    const g = sums.get(node);
    if (g === undefined || (g.op === "constant" && g.value === 0)) continue;
    if (node.op === "select") {
      const [condition, a, b] = node.args;
      contribute(a, select(condition, g, 0));
      contribute(b, select(condition, 0, g));
    } else if (node.args.length === 2) {
      const [left, right] = binaryCotangents(node, g);
      contribute(node.args[0], left);
      contribute(node.args[1], right);
    } else if (node.args.length === 1) {
      const derivative = unaryDerivatives[node.op as UnaryOp];
      if (derivative !== undefined) {
        const [x] = node.args;
        contribute(x, mul(g, derivative(x, node)));
      }
    }
  }
  return sums;
}

/** A derivative program and the inputs that it reads. */
export interface Derivative {
  /** Computes the cotangents asked for, one output each. */
  readonly program: Elementwise;
  /**
   * The program's inputs: positions among the inputs of the program that was
   * differentiated, then, counted on from there, among its cotangents.
   */
  readonly reads: readonly number[];
}

/**
 * The program that computes the cotangents of some inputs of `program` from
 * its inputs and the cotangents of its outputs.
 *
 * @param wanted Positions of the inputs whose cotangents are wanted.
 */
export function pullbackOf(
  program: Elementwise,
  wanted: readonly number[],
): Derivative {
  const count = program.inputs.length;
  const sums = reverse(
    program.outputs,
    program.outputs.map((_, k) => input(count + k, "float")),
  );
  const results = wanted.map((index) =>
    sums.get(input(index, program.inputs[index])) ?? constant(0)
  );
  return compact(
    `${program.name} backward`,
    [...program.inputs, ...program.outputs.map(() => "float" as const)],
    results,
    program.scalars,
  );
}

/** Renumbers inputs so that only those in use remain. */
function compact(
  name: string,
  types: Elementwise["inputs"],
  outputs: readonly Expression[],
  scalars: number,
): Derivative {
  const used = inputsUsed(outputs, types.length);
  const reads = used.flatMap((isUsed, index) => isUsed ? [index] : []);
  const renumbered = new Map<Expression, Expression>();
  for (const node of topologicalOrder(outputs)) {
    renumbered.set(
      node,
      node.op === "input"
        ? input(reads.indexOf(node.value), node.type)
        : withArgs(node, node.args.map((arg) => renumbered.get(arg) ?? arg)),
    );
  }
  const results = outputs.map((output) => renumbered.get(output) ?? output);
  return {
    reads,
    program: {
      name,
      key: `${reads.map((index) => types[index]).join()}>${
        results.map((output) => output.id).join()
      }`,
      inputs: reads.map((index) => types[index]),
      scalars,
      outputs: results,
    },
  };
}
