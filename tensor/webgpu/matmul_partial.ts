/**
 * Products with a long inner axis and a small result: parts of the inner axis
 * are one more batch axis of a product into scratch memory, and a second kernel
 * adds the parts, in order.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import type { Gpu } from "./gpu.ts";
import { gpuBytesPerElement } from "./view_memory.ts";
import { type MatmulProblem, partOf } from "./matmul_problem.ts";
import {
  finishFunctions,
  type MatmulText,
  parameterValues,
  resultKeyOf,
  resultOperands,
  shaderParameters,
  startsText,
  textOf,
} from "./matmul_shader.ts";
import type { Shader, ShaderOperand } from "./shader.ts";

const workgroup = 64;

/** Bytes of scratch memory for `parts` parts of a problem. */
export function partialBytes(
  { extents }: MatmulProblem,
  parts: number,
): number {
  return parts * sizeOf(extents.slice(0, -1)) * gpuBytesPerElement.f32;
}

/**
 * Computes a problem in about `parts` parts of its inner axis.
 *
 * @param multiply Computes the products of the parts.
 */
export function multiplyInParts(
  gpu: Gpu,
  problem: MatmulProblem,
  parts: number,
  multiply: (part: MatmulProblem) => void,
): void {
  const { extents, a, b } = problem;
  const axis = extents.length - 1;
  const inner = extents[axis];
  // Multiples of 4 keep vectors whole.
  const steps = Math.ceil(inner / parts / 4) * 4;
  const whole = Math.floor(inner / steps);
  const all = Math.ceil(inner / steps);
  const result = extents.slice(0, -1);
  const size = sizeOf(result);
  const buffer = gpu.pool.allocate(partialBytes(problem, all), "matmul");
  const strides = contiguousStrides(result);
  const partial = (first: number): View => ({
    buffer,
    dtype: "f32",
    shape: extents,
    strides: [...strides, 0],
    offset: first * size,
  });
  const bare = { bias: undefined, residual: undefined, alpha: 1 };
  const shape = [whole, ...extents.with(axis, steps)];
  const split = (view: View, stride: number): View => ({
    buffer: view.buffer,
    dtype: view.dtype,
    offset: view.offset,
    shape,
    strides: [stride, ...view.strides],
  });
  multiply({
    ...bare,
    extents: shape,
    a: split(a, steps * a.strides[axis]),
    b: split(b, steps * b.strides[axis]),
    out: split(partial(0), size),
  });
  if (all > whole) {
    const rest = partOf(problem, axis, whole * steps, inner);
    const out = { ...partial(whole), shape: rest.extents };
    multiply({ ...rest, ...bare, out });
  }
  combine(gpu, problem, {
    ...partial(0),
    shape: [...result, all],
    strides: [...strides, size],
  });
  gpu.pool.free(buffer);
}

/** result = residual + alpha · (Σ partial + bias). */
function combine(
  gpu: Gpu,
  problem: MatmulProblem,
  partial: View,
): void {
  const { out, bias, residual, alpha } = problem;
  const extents = partial.shape;
  const [rows, columns] = extents.slice(-3);
  const text = textOf(problem);
  const views = [partial, out];
  if (bias !== undefined) views.push(bias);
  if (residual !== undefined) views.push(residual);
  const shader = gpu.shader(
    `matmul partial ${columns % 4 === 0} ${resultKeyOf(text)}`,
    () => combineShader(text, columns % 4 === 0),
  );
  const groups = Math.ceil(columns / 4) * rows;
  const batch = sizeOf(extents.slice(0, -3));
  gpu.launch(shader, views, parameterValues(extents, alpha, views), [
    Math.ceil(groups / workgroup),
    batch,
    1,
  ]);
}

/** A thread adds four neighbouring columns. */
function combineShader(text: MatmulText, vector: boolean): Shader {
  const operands: ShaderOperand[] = [
    { name: "partial", access: "read", vector },
    ...resultOperands(text),
  ];
  const four = vector
    ? "load4_partial(at)"
    : `vec4f(${
      [0, 1, 2, 3].map((i) => `load_partial(min(at + ${i}u, last))`).join(", ")
    })`;
  const bias = text.bias === "none"
    ? ""
    : "sum += bias4(bias_start, row, column);";
  return {
    operation: "matmul",
    operands,
    parameters: shaderParameters(text.batch, operands),
    code: `${finishFunctions(text)}
@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let across = (parameters.columns + 3u) / 4u;
  let row = id.x / across;
  let column = 4u * (id.x % across);
  if (row >= parameters.rows) { return; }
  ${startsText(text.batch, operands, "id.y")}
  var sum = vec4f();
  for (var part = 0u; part < parameters.inner; part++) {
    let start = partial_start + part * parameters.partial_inner;
    let at = start + row * parameters.partial_rows + column;
    ${
      vector
        ? ""
        : "let last = start + (row + 1u) * parameters.partial_rows - 1u;"
    }
    sum += ${four};
  }
  ${bias}
  finish(out_start, ${
      text.residual === "none" ? "" : "residual_start, "
    }row, column, sum);
}`,
  };
}
