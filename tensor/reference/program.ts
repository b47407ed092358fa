/**
 * Interpreter of elementwise programs: a list of steps on registers, one for
 * each distinct subexpression.
 *
 * @module
 */

import {
  type BinaryOp,
  type Elementwise,
  type Expression,
  topologicalOrder,
  type UnaryOp,
} from "../expression.ts";
import { binaryFunctions, unaryFunctions } from "./scalar_functions.ts";

/** Computes the outputs of one element from its inputs. */
export type Evaluate = (inputs: Float64Array, outputs: Float64Array) => void;

type Step = (inputs: Float64Array) => number;

function stepOf(
  expression: Expression,
  registers: Float64Array,
  registerOf: (expression: Expression) => number,
  scalars: readonly number[],
): Step {
  const { op, type, value, args } = expression;
  if (op === "input") return (inputs) => inputs[value];
  if (op === "constant") return () => value;
  if (op === "scalar") return () => scalars[value];
  const [a, b, c] = args.map(registerOf);
  if (op === "select") {
    return () => registers[a] !== 0 ? registers[b] : registers[c];
  }
  if (op === "mul" && type === "int") {
    return () => Math.imul(registers[a], registers[b]);
  }
  const step = args.length === 1
    ? unaryStep(unaryFunctions[op as UnaryOp], registers, a)
    : binaryStep(binaryFunctions[op as BinaryOp], registers, a, b);
  return type === "int" ? (inputs) => step(inputs) | 0 : step;
}

function unaryStep(
  apply: (x: number) => number,
  registers: Float64Array,
  a: number,
): Step {
  return () => apply(registers[a]);
}

function binaryStep(
  apply: (a: number, b: number) => number,
  registers: Float64Array,
  a: number,
  b: number,
): Step {
  return () => apply(registers[a], registers[b]);
}

/** Turns a program into a function of one element. */
export function interpret(
  program: Elementwise,
  scalars: readonly number[],
): Evaluate {
  const order = topologicalOrder(program.outputs);
  const places = new Map(order.map((expression, place) => [expression, place]));
  const registerOf = (expression: Expression): number =>
    places.get(expression)!;
  const registers = new Float64Array(order.length);
  const steps = order.map((expression) =>
    stepOf(expression, registers, registerOf, scalars)
  );
  const results = program.outputs.map(registerOf);
  return (inputs, outputs) => {
    for (let i = 0; i < steps.length; i++) registers[i] = steps[i](inputs);
    for (let i = 0; i < results.length; i++) outputs[i] = registers[results[i]];
  };
}
