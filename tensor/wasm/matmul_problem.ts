/**
 * Matrix products as launches see them: few batch axes, strides, addresses.
 *
 * @module
 */

import type { MatmulArguments, View } from "../backend.ts";
import type { Runtime } from "./runtime.ts";

/** A batch of matrices as a launch needs it: addresses and element strides. */
export interface Matrices {
  /** Byte address of the first one. */
  readonly address: number;
  /** Strides of the batch axes. */
  batch: number[];
  /** Stride of rows. */
  row: number;
  /** Stride of columns. */
  column: number;
}

/** A batch of products: extents and operands; see `MatmulArguments`. */
export interface Problem {
  /** Extents of the batch axes. */
  readonly batch: number[];
  /** Rows of `a`. */
  m: number;
  /** Columns of `b`. */
  readonly n: number;
  /** Columns of `a`, rows of `b`. */
  readonly k: number;
  /** Factor of the product and the bias. */
  readonly alpha: number;
  /** Left factors. */
  readonly a: Matrices;
  /** Right factors. */
  readonly b: Matrices;
  /** Results. */
  readonly out: Matrices;
  /** What is added last. */
  residual: Matrices | undefined;
  /** What is added to the product. */
  bias: Matrices | undefined;
}

function matrices(runtime: Runtime, view: View): Matrices {
  const { strides } = view;
  const rank = strides.length;
  return {
    address: runtime.address(view),
    batch: strides.slice(0, -2),
    row: strides[rank - 2],
    column: strides[rank - 1],
  };
}

/** What `args` ask for, with as few batch axes as possible. */
export function problemOf(runtime: Runtime, args: MatmulArguments): Problem {
  const { a, b, out, residual, bias, alpha } = args;
  const rank = out.shape.length;
  const [m, n] = [out.shape[rank - 2], out.shape[rank - 1]];
  const k = a.shape[rank - 1];
  const problem: Problem = {
    batch: out.shape.slice(0, -2),
    m,
    n,
    k,
    alpha,
    a: matrices(runtime, a),
    b: matrices(runtime, b),
    out: matrices(runtime, out),
    residual: residual && matrices(runtime, residual),
    bias: bias && matrices(runtime, bias),
  };
  if (rank > 2) mergeBatch(problem);
  // Along an axis of extent 1 any stride will do: take what needs no packing.
  if (problem.k === 1) {
    problem.a.column = 1;
    problem.b.row = n;
  }
  if (n === 1) {
    for (const operand of operandsOf(problem)) {
      if (operand !== undefined && operand !== problem.a) operand.column = 1;
    }
  }
  return problem;
}

/** The operands in the order of addresses. */
function operandsOf(problem: Problem): (Matrices | undefined)[] {
  const { a, b, out, residual, bias } = problem;
  return [a, b, out, residual, bias];
}

/**
 * Drops batch axes of extent 1, joins neighbours that step alike, and turns
 * trailing ones over which b repeats into rows.
 */
function mergeBatch(problem: Problem): void {
  const { batch, b } = problem;
  const operands = operandsOf(problem).filter((x) => x !== undefined);
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const extent = batch[axis];
    const inner = batch[axis + 1];
    const joins = inner !== undefined &&
      operands.every((x) => x.batch[axis] === inner * x.batch[axis + 1]);
    if (extent === 1 || joins) {
      if (joins && extent !== 1) {
        batch[axis + 1] = inner * extent;
      }
      batch.splice(axis, 1);
      for (const operand of operands) operand.batch.splice(axis, 1);
    }
  }
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const { m } = problem;
    const rest = operands.filter((x) => x !== b);
    const isRows = b.batch[axis] === 0 &&
      (m === 1 || rest.every((x) => x.batch[axis] === m * x.row));
    if (!isRows) break;
    if (m === 1) {
      for (const operand of rest) operand.row = operand.batch[axis];
    }
    problem.m *= batch[axis];
    batch.pop();
    for (const operand of operands) operand.batch.pop();
  }
}

/**
 * Byte addresses of all matrices of a batch: a, b, out, residual and bias of
 * the first product, then those of the next; 0 for what is missing.
 */
export function batchAddresses(problem: Problem): number[] {
  const { batch } = problem;
  const operands = operandsOf(problem);
  const addresses: number[] = [];
  const counter = batch.map(() => 0);
  const at = operands.map((operand) => operand?.address ?? 0);
  for (;;) {
    addresses.push(...at);
    let axis = batch.length - 1;
    for (; axis >= 0; axis--) {
      counter[axis]++;
      for (let i = 0; i < at.length; i++) {
        at[i] += 4 * (operands[i]?.batch[axis] ?? 0);
      }
      if (counter[axis] < batch[axis]) break;
      for (let i = 0; i < at.length; i++) {
        at[i] -= 4 * counter[axis] * (operands[i]?.batch[axis] ?? 0);
      }
      counter[axis] = 0;
    }
    if (axis < 0) return addresses;
  }
}
