/**
 * Kernels of optimizers: elementwise programs that read a gradient, and run in
 * place or are reduced to norms and means.
 *
 * @module
 */

import {
  broadcastView,
  type Elementwise,
  type Expression,
  expression as e,
  reduceTensors,
  type Tensor,
} from "../tensor/internal.ts";
import type { LeafUpdate } from "./optimizer.ts";

/** A program for gradients as they are, and one for gradients to be scaled. */
export interface GradientProgram {
  /** Its last input is the gradient. */
  readonly plain: Elementwise;
  /** Its last inputs are the gradient and its factor. */
  readonly scaled: Elementwise;
}

/**
 * Makes a program of a gradient.
 *
 * @param name What profiles call it.
 * @param operands How many tensors it reads besides the gradient.
 * @param scalars How many scalars it takes.
 * @param build From operands, the scaled gradient and scalars to outputs.
 */
export function gradientProgram(
  name: string,
  operands: number,
  scalars: number,
  build: (
    operands: Expression[],
    gradient: Expression,
    scalars: Expression[],
  ) => Expression[],
): GradientProgram {
  const floats = (count: number): "float"[] => Array(count).fill("float");
  return {
    plain: e.elementwise(
      name,
      floats(operands + 1),
      (x, s) => build(x.slice(0, operands), x[operands], s),
      scalars,
    ),
    scaled: e.elementwise(
      name,
      floats(operands + 2),
      (x, s) =>
        build(x.slice(0, operands), e.mul(x[operands], x[operands + 1]), s),
      scalars,
    ),
  };
}

/** A program's variant for a leaf, and what it reads. */
function specialize(
  { plain, scaled }: GradientProgram,
  { gradient, scale }: LeafUpdate,
  operands: readonly Tensor[],
): [Elementwise, Tensor[]] {
  return scale === undefined
    ? [plain, [...operands, gradient]]
    : [scaled, [...operands, gradient, scale]];
}

/**
 * Runs a program whose first operands are `targets`, and its outputs their new
 * values, which they take unless the leaf's factor is negative; further
 * operands broadcast.
 */
export function updateWithGradient(
  program: GradientProgram,
  leaf: LeafUpdate,
  targets: readonly Tensor[],
  others: readonly Tensor[],
  scalars: readonly number[],
): void {
  const [variant, inputs] = specialize(program, leaf, [...targets, ...others]);
  mapInPlace(
    leaf.scale === undefined ? variant : guarded(variant, inputs.length - 1),
    targets,
    inputs.slice(targets.length),
    scalars,
  );
}

/** As `updateWithGradient`, of a program that reads no gradient. */
export function updateWithout(
  program: Elementwise,
  { scale }: LeafUpdate,
  targets: readonly Tensor[],
  others: readonly Tensor[],
  scalars: readonly number[],
): void {
  if (scale === undefined) mapInPlace(program, targets, others, scalars);
  else {
    const variant = guarded(program, program.inputs.length);
    mapInPlace(variant, targets, [...others, scale], scalars);
  }
}

const guards = new WeakMap<Elementwise, Elementwise>();

/**
 * A program whose outputs are new values of its first inputs, which stay as
 * they are where the input `place` is negative or NaN.
 */
function guarded(program: Elementwise, place: number): Elementwise {
  const { name, inputs, scalars, outputs } = program;
  const known = guards.get(program);
  if (known !== undefined) return known;
  const types = inputs.toSpliced(place, 1, "float");
  const result = e.elementwise(name, types, (x) => {
    const isTaken = e.lessEqual(0, x[place]);
    return outputs.map((next, i) => e.select(isTaken, next, x[i]));
  }, scalars);
  guards.set(program, result);
  return result;
}

/** Runs a program whose first operands are `targets`, in place. */
export function mapInPlace(
  program: Elementwise,
  targets: readonly Tensor[],
  others: readonly Tensor[],
  scalars: readonly number[],
): void {
  const [{ device, shape }] = targets;
  // A factor [1, 1] broadcasts to a parameter [n] too.
  const views = others.map((x) =>
    x.size === 1
      ? {
        buffer: x.buffer,
        dtype: x.dtype,
        shape,
        strides: shape.map(() => 0),
        offset: x.offset,
      }
      : broadcastView(x, shape)
  );
  device.backend.map(program, [...targets, ...views], targets, scalars);
}

/** Sums a program's output over axes, which keep extent 1. */
export function sumWithGradient(
  program: GradientProgram,
  leaf: LeafUpdate,
  operands: readonly Tensor[],
  axes: readonly number[],
  scalars: readonly number[] = [],
): Tensor {
  const [variant, inputs] = specialize(program, leaf, operands);
  return reduceTensors("sum", variant, inputs, axes, scalars);
}

/** All axes of a tensor, but for the layer axis of a stack. */
export function axesOf(x: Tensor, stacked: boolean): number[] {
  return x.shape.map((_, axis) => axis).slice(stacked ? 1 : 0);
}
