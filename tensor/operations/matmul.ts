/**
 * Matrix products.
 *
 * @module
 */

import { apply, type Operation } from "../operation.ts";
import { broadcastShapes, formatShape, type Shape, sizeOf } from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import { broadcastView, cast, realDtype } from "./elementwise.ts";
import { reshape, transpose } from "./movement.ts";
import { assertReal } from "./operands.ts";
import { sum } from "./reductions.ts";

/** Which operands follow a and b, and the factor. */
export interface MatmulAttributes {
  /** A bias follows; it broadcasts to the product. */
  readonly bias: boolean;
  /** A residual follows; it has the product's shape. */
  readonly residual: boolean;
  /** Factor of product and bias. */
  readonly alpha: number;
}

/** residual + alpha (a b + bias) of `[…, M, K]` and `[…, K, N]`. */
export const matmulOperation: Operation<MatmulAttributes> = {
  name: "matmul",
  forward: (inputs, { bias, residual, alpha }) => {
    const [a, b] = inputs;
    const { device } = a;
    const batch = broadcastShapes("matmul", [
      a.shape.slice(0, -2),
      b.shape.slice(0, -2),
    ]);
    const [m, k] = a.shape.slice(-2);
    const n = b.shape[b.rank - 1];
    const shape = [...batch, m, n];
    const last = inputs.length - 1;
    const dtype = realDtype(device, residual ? [a, b, inputs[last]] : [a, b]);
    const out = empty(device, dtype, shape, "matmul");
    device.backend.matmul({
      a: broadcastView(a, [...batch, m, k]),
      b: broadcastView(b, [...batch, k, n]),
      out,
      bias: bias ? broadcastView(inputs[2], shape) : undefined,
      residual: residual ? broadcastView(inputs[last], shape) : undefined,
      alpha,
    });
    return [out];
  },
};

/** What a matrix product fuses. */
export interface MatmulOptions {
  /** Added to the product; broadcasts to it. */
  readonly bias?: Tensor;
  /** Added last; has the result's shape. */
  readonly residual?: Tensor;
  /** Factor of product and bias; default 1. */
  readonly alpha?: number;
  /** `a` is stored with its last two axes transposed. */
  readonly transposeA?: boolean;
  /** `b` is stored with its last two axes transposed. */
  readonly transposeB?: boolean;
}

/**
 * Matrix product `[…, M, K] × […, K, N] → […, M, N]`; leading axes broadcast.
 * A vector is a row on the left and a column on the right. With options,
 * residual + alpha (a b + bias) in one kernel.
 *
 * @throws {RangeError} If inner dimensions differ or leading axes don't
 *   broadcast.
 * @throws {TypeError} If an operand holds no real numbers.
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  options: MatmulOptions = {},
): Tensor {
  assertReal("matmul", a);
  assertReal("matmul", b);
  assertReal("matmul", options.bias);
  assertReal("matmul", options.residual);
  if (a.rank === 0 || b.rank === 0) {
    throw new RangeError(
      `matmul: ${formatShape(a.shape)} × ${formatShape(b.shape)}: scalars ` +
        `have no rows or columns; use mul`,
    );
  }
  if (a.rank === 1) {
    const row = matmul(reshape(a, [1, a.size]), b, vectorOptions(options));
    return reshape(row, dropAxis(row.shape, b.rank === 1 ? -1 : -2));
  }
  if (b.rank === 1) {
    const column = matmul(a, reshape(b, [b.size, 1]), vectorOptions(options));
    return reshape(column, dropAxis(column.shape, -1));
  }
  const left = options.transposeA ? transpose(a) : a;
  const right = options.transposeB ? transpose(b) : b;
  const [inner, other] = [
    left.shape[left.rank - 1],
    right.shape[right.rank - 2],
  ];
  if (inner !== other) {
    throw new RangeError(
      `matmul: ${formatShape(left.shape)} × ${formatShape(right.shape)}: ` +
        `inner dimensions ${inner} and ${other} differ`,
    );
  }
  return foldBatch(left, right, options);
}

function vectorOptions(options: MatmulOptions): MatmulOptions {
  if (options.bias !== undefined || options.residual !== undefined) {
    throw new TypeError(
      "matmul: bias and residual go with matrices, not with vectors",
    );
  }
  return { alpha: options.alpha };
}

function dropAxis(shape: Shape, axis: number): number[] {
  return shape.filter((_, i) => i !== shape.length + axis);
}

/**
 * Leading axes of `a` along which `b` doesn't vary become rows of one larger
 * product; so a batch of sequences times a weight is one matrix product, and
 * its gradient needs no sum over the batch.
 */
function foldBatch(a: Tensor, b: Tensor, options: MatmulOptions): Tensor {
  const rank = Math.max(a.rank, b.rank);
  const aShape = padShape(a.shape, rank);
  const bShape = padShape(b.shape, rank);
  let first = rank - 2;
  while (
    first > 0 && bShape[first - 1] === 1 &&
    (options.bias === undefined ||
      foldableBias(options.bias, rank, first - 1))
  ) first--;
  const lead = aShape.slice(0, first);
  const rows = aShape.slice(first, -1);
  const fold = first < rank - 2;
  if (!fold) return applyMatmul(a, b, options);
  const columns = bShape[rank - 1];
  const batch = broadcastShapes("matmul", [lead, bShape.slice(0, first)]);
  const merged = applyMatmul(
    reshape(a, [...lead, sizeOf(rows), aShape[rank - 1]]),
    reshape(b, [...bShape.slice(0, first), ...bShape.slice(-2)]),
    {
      ...options,
      bias: options.bias === undefined
        ? undefined
        : foldBias(options.bias, rank, first),
      residual: options.residual === undefined
        ? undefined
        : reshape(options.residual, [...batch, sizeOf(rows), columns]),
    },
  );
  return reshape(merged, [...batch, ...rows, columns]);
}

function padShape(shape: Shape, rank: number): number[] {
  return [...new Array<number>(rank - shape.length).fill(1), ...shape];
}

/** Whether the bias doesn't vary over rows from axis `first` on. */
function foldableBias(bias: Tensor, rank: number, first: number): boolean {
  return padShape(bias.shape, rank).slice(first, -1).every((e) => e === 1);
}

function foldBias(bias: Tensor, rank: number, first: number): Tensor {
  const shape = padShape(bias.shape, rank);
  return reshape(bias, [...shape.slice(0, first), 1, shape[rank - 1]]);
}

function applyMatmul(a: Tensor, b: Tensor, options: MatmulOptions): Tensor {
  const { bias, residual, alpha = 1 } = options;
  const inputs = [a, b];
  if (bias !== undefined) inputs.push(bias);
  if (residual !== undefined) inputs.push(residual);
  const attributes = {
    bias: bias !== undefined,
    residual: residual !== undefined,
    alpha,
  };
  return apply(matmulOperation, inputs, attributes)[0];
}

/** What a linear layer fuses after the product. */
export interface LinearOptions {
  /** Added last; has the result's shape. */
  readonly residual?: Tensor;
  /** Factor of product and bias; default 1. */
  readonly alpha?: number;
}

/**
 * Linear layer x W + b: `[…, in]` → `[…, out]`. Weights are `[in, out]` with
 * bias `[out]`, or a stack `[L, in, out]` with `[L, out]`, one for each slice
 * of x's leading axis `[L, …, in]`. Where weights are f16, x is cast to f16.
 *
 * @throws {RangeError} If shapes don't fit.
 * @throws {TypeError} If an operand holds no real numbers.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: LinearOptions = {},
): Tensor {
  assertReal("linear", x);
  assertReal("linear", weight);
  assertReal("linear", bias);
  assertReal("linear", options.residual);
  if (weight.dtype === "f16") x = cast(x, "f16");
  if (weight.rank === 2) return matmul(x, weight, { ...options, bias });
  const [layers, inner, outer] = weight.shape;
  if (weight.rank !== 3 || x.rank < 3 || x.shape[0] !== layers) {
    throw new RangeError(
      `linear: weight ${formatShape(weight.shape)} needs x of shape ` +
        `[${layers}, …, rows, ${inner}], not ${formatShape(x.shape)}`,
    );
  }
  const ones = new Array<number>(x.rank - 3).fill(1);
  return matmul(x, reshape(weight, [layers, ...ones, inner, outer]), {
    ...options,
    bias: bias && reshape(bias, [layers, ...ones, 1, outer]),
  });
}

/**
 * Sum of products named by Einstein's convention, for one or two operands:
 * `"bhtd,bhsd->bhts"`. Letters that the result lacks are summed over.
 *
 * @throws {RangeError} If the equation is malformed or doesn't fit the shapes.
 * @throws {TypeError} If one of two operands holds no real numbers.
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  const [left, result, extra] = equation.replaceAll(" ", "").split("->");
  const terms = (left ?? "").split(",");
  const fail = (reason: string): never => {
    throw new RangeError(
      `einsum: "${equation}" with ${
        operands.map((x) => formatShape(x.shape)).join(" and ")
      }: ${reason}`,
    );
  };
  if (result === undefined || extra !== undefined) {
    fail('the equation needs one "->"');
  }
  if (terms.length !== operands.length || terms.length > 2) {
    fail("it takes one or two operands, one for each term");
  }
  const extents = new Map<string, number>();
  terms.forEach((term, i) => {
    if (term.length !== operands[i].rank) {
      fail(`term "${term}" names ${term.length} axes`);
    }
    if (new Set(term).size !== term.length) fail(`"${term}" repeats a letter`);
    [...term].forEach((letter, axis) => {
      const extent = operands[i].shape[axis];
      if ((extents.get(letter) ?? extent) !== extent) {
        fail(`axis ${letter} has extents ${extents.get(letter)} and ${extent}`);
      }
      extents.set(letter, extent);
    });
  });
  for (const letter of result) {
    if (!extents.has(letter)) fail(`no operand has an axis ${letter}`);
  }
  if (new Set(result).size !== result.length) {
    fail("the result repeats a letter");
  }
  if (operands.length === 2) {
    for (const x of operands) assertReal("einsum", x);
  }
  // Letters of one operand alone that the result lacks are summed at once.
  const reduced = operands.map((x, i) => {
    const other = terms[1 - i] ?? "";
    const gone = [...terms[i]].flatMap((letter, axis) =>
      result.includes(letter) || other.includes(letter) ? [] : [axis]
    );
    const letters = [...terms[i]].filter((_, axis) => !gone.includes(axis));
    return { letters, x: gone.length === 0 ? x : sum(x, gone) };
  });
  if (reduced.length === 1) {
    const [{ letters, x }] = reduced;
    return permute(x, letters, [...result]);
  }
  return contract(reduced[0], reduced[1], [...result], extents);
}

interface Labelled {
  readonly letters: readonly string[];
  readonly x: Tensor;
}

function permute(
  x: Tensor,
  from: readonly string[],
  to: readonly string[],
): Tensor {
  const axes = to.map((letter) => from.indexOf(letter));
  return axes.every((axis, i) => axis === i) ? x : transpose(x, axes);
}

/** A product over two labelled tensors as one batched matrix product. */
function contract(
  a: Labelled,
  b: Labelled,
  result: readonly string[],
  extents: ReadonlyMap<string, number>,
): Tensor {
  const shared = a.letters.filter((letter) => b.letters.includes(letter));
  const batch = shared.filter((letter) => result.includes(letter));
  const inner = shared.filter((letter) => !result.includes(letter));
  const rows = a.letters.filter((letter) => !shared.includes(letter));
  const columns = b.letters.filter((letter) => !shared.includes(letter));
  const extentsOf = (letters: readonly string[]): number[] =>
    letters.map((letter) => extents.get(letter) ?? 1);
  const sizes = [rows, inner, columns].map((letters) =>
    sizeOf(extentsOf(letters))
  );
  const left = reshape(
    permute(a.x, a.letters, [...batch, ...rows, ...inner]),
    [...extentsOf(batch), sizes[0], sizes[1]],
  );
  const right = reshape(
    permute(b.x, b.letters, [...batch, ...inner, ...columns]),
    [...extentsOf(batch), sizes[1], sizes[2]],
  );
  const letters = [...batch, ...rows, ...columns];
  const product = reshape(matmul(left, right), extentsOf(letters));
  return permute(product, letters, result);
}
