/**
 * Rules of maps and reductions: programs differentiate themselves.
 *
 * @module
 */

import {
  broadcastShapes,
  cast,
  convertOperation,
  type Derivative,
  div,
  type Elementwise,
  equal,
  expand,
  mapOperation,
  mapTensors,
  mul,
  pullbackOf,
  reduceOperation,
  reduceTensors,
  reshape,
  sameShape,
  type Shape,
  sum,
  type Tensor,
} from "../tensor/internal.ts";
import { defineRule, type Saved } from "./rule.ts";

const derivatives = new WeakMap<Elementwise, Map<number, Derivative>>();

/** The derivative by one input, computed once. */
function derivative(program: Elementwise, index: number): Derivative {
  let table = derivatives.get(program);
  if (table === undefined) derivatives.set(program, table = new Map());
  let result = table.get(index);
  if (result === undefined) {
    result = pullbackOf(program, [index]);
    table.set(index, result);
  }
  return result;
}

function savedInputs(
  program: Elementwise,
  wanted: readonly boolean[],
): Saved {
  const inputs = program.inputs.map(() => false);
  wanted.forEach((isWanted, index) => {
    if (!isWanted) return;
    for (const read of derivative(program, index).reads) {
      if (read < inputs.length) inputs[read] = true;
    }
  });
  return { inputs };
}

/**
 * Cotangents of a program's inputs: Σ_k dy_k ∂y_k/∂x_i in one kernel each, summed
 * over the axes along which the input was repeated in that same kernel.
 */
function pullProgram(
  program: Elementwise,
  scalars: readonly number[],
  inputs: readonly Tensor[],
  cotangents: readonly Tensor[],
  shape: Shape,
  wanted: readonly boolean[],
): (Tensor | undefined)[] {
  const operands = [...inputs, ...cotangents];
  return inputs.map((x, index) => {
    if (!wanted[index]) return undefined;
    const { program: backward, reads } = derivative(program, index);
    const lead = shape.length - x.rank;
    const axes = shape.flatMap((extent, axis) =>
      axis < lead || (x.shape[axis - lead] === 1 && extent !== 1) ? [axis] : []
    );
    if (reads.length === 0) return undefined; // constant, so zero
    const read = reads.map((i) => operands[i]);
    // A cotangent that is repeated still has the shape of the result.
    const anchor = read.some((y) =>
        sameShape(y.shape, shape)
      ) || axes.length === 0
      ? read
      : [expand(read[0], shape), ...read.slice(1)];
    if (axes.length === 0) {
      if (isIdentity(backward)) return reshapeLike(anchor[0], shape);
      const result = mapTensors(backward, anchor, scalars);
      return sameShape(result.shape, shape) ? result : expand(result, shape);
    }
    return reshape(
      reduceTensors("sum", backward, anchor, axes, scalars),
      x.shape,
    );
  });
}

function isIdentity(program: Elementwise): boolean {
  return program.outputs[0].op === "input" && program.inputs.length === 1;
}

function reshapeLike(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : expand(x, shape);
}

defineRule(mapOperation, {
  saves: ({ program }, wanted) => savedInputs(program, wanted),
  pullback: ({ inputs, outputs, attributes, wanted }, [cotangent]) =>
    cotangent === undefined ? [] : pullProgram(
      attributes.program,
      attributes.scalars,
      inputs,
      [cotangent],
      outputs[0].shape,
      wanted,
    ),
});

defineRule(convertOperation, {
  saves: () => ({}),
  pullback: ({ inputs: [x] }, [cotangent]) => [
    cotangent && cast(cotangent, x.dtype === "f16" ? "f16" : "float"),
  ],
});

defineRule(reduceOperation, {
  saves: ({ kind, program }, wanted) =>
    kind === "sum"
      ? savedInputs(program, wanted)
      : { inputs: [true], outputs: [true] },
  pullback: ({ inputs, outputs, attributes, wanted }, [cotangent]) => {
    if (cotangent === undefined) return [];
    const { kind, program, scalars, axes } = attributes;
    if (kind === "sum") { // d Σ f(x) = Σ f'(x) dx
      const shape = broadcastShapes(
        program.name,
        inputs.map((x) => [...x.shape]),
      );
      return pullProgram(program, scalars, inputs, [cotangent], shape, wanted);
    }
    // The largest (smallest) elements share the cotangent.
    const chosen = cast(equal(inputs[0], outputs[0]), "float");
    const count = sum(chosen, axes, { keepdims: true });
    return [mul(chosen, div(cotangent, count))];
  },
});
