/**
 * Places: memory where cotangents are wanted, so that rules can write them there
 * instead of making new tensors that are copied.
 *
 * @module
 */

import {
  assertOneDevice,
  contiguousStrides,
  type Elementwise,
  empty,
  expression as e,
  matmul,
  mul,
  observed,
  type Operation,
  realDtype,
  reduceTensors,
  reshape,
  reshapedView,
  reshapeOperation,
  type Shape,
  sumTo,
  type Tensor,
  type View,
  withoutScope,
} from "../tensor/internal.ts";

/** What is asked of an application: who reads what, and what comes out. */
interface Reading {
  readonly operation: Operation<unknown>;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly wanted: readonly boolean[];
}

/**
 * The places of all tensors that have one, by id: those given, and what they are
 * to the reshaped views of their tensors. Only tensors with a single reader have
 * places, for cotangents of several readers add up. Those not given are in no
 * scope.
 */
export function placesOf(
  given: ReadonlyMap<number, Tensor>,
  readings: readonly Reading[],
): Map<number, Tensor> {
  const readers = new Map<number, number>();
  for (const id of given.keys()) readers.set(id, 0);
  for (const { operation, inputs, outputs, wanted } of readings) {
    inputs.forEach(({ id }, i) => {
      const count = readers.get(id);
      if (count !== undefined && wanted[i]) readers.set(id, count + 1);
    });
    if (operation === reshapeOperation && readers.has(inputs[0].id)) {
      readers.set(outputs[0].id, 0);
    }
  }
  const places = new Map<number, Tensor>();
  for (const [id, place] of given) {
    if (readers.get(id) === 1) places.set(id, place);
  }
  for (const { operation, inputs: [x], outputs: [y] } of readings) {
    const place = operation === reshapeOperation && readers.get(y.id) === 1
      ? places.get(x.id)
      : undefined;
    const view = place && reshapedView(place, y.shape);
    if (place === undefined || view === undefined) continue;
    const { shape, strides, offset } = view;
    places.set(y.id, withoutScope(() => place.view(shape, strides, offset)));
  }
  return places;
}

/** Sees to it that a cotangent, zero if `undefined`, lies in its place. */
export function settle(cotangent: Tensor | undefined, place: Tensor): void {
  if (cotangent === undefined) place.device.fill(place, 0);
  else if (!liesIn(cotangent, place)) place.device.assign(place, cotangent);
}

function liesIn(x: Tensor, place: Tensor): boolean {
  return x.storage === place.storage && x.offset === place.offset &&
    x.shape.every((extent, axis) =>
      extent === 1 || x.strides[axis] === place.strides[axis]
    );
}

/** Factors as they are stored, and the factor of their product. */
interface ProductOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha: number;
}

/** α · a b, summed to `shape`, in its place where one kernel can do that. */
export function productIn(
  place: Tensor | undefined,
  a: Tensor,
  b: Tensor,
  options: ProductOptions,
  shape: Shape,
): Tensor {
  const left = options.transposeA ? transposed(a) : a;
  const right = options.transposeB ? transposed(b) : b;
  if (observed() || !isProduct(left, right, shape)) {
    return sumTo(matmul(a, b, options), shape);
  }
  assertOneDevice("matmul", [a, b]);
  const out = place?.strides[shape.length - 1] === 1
    ? place
    : empty(a.device, realDtype(a.device, [a, b]), shape, "matmul");
  const { alpha } = options;
  a.device.backend.matmul({ a: left, b: right, out, alpha });
  return out;
}

/** The last two axes change places. */
function transposed({ buffer, dtype, shape, strides, offset }: Tensor): View {
  const swapped = (list: Shape): number[] => {
    const last = list.length - 1;
    return list.with(last, list[last - 1]).with(last - 1, list[last]);
  };
  return {
    buffer,
    dtype,
    shape: swapped(shape),
    strides: swapped(strides),
    offset,
  };
}

/** Whether products of equally many matrices have this shape, without sums. */
function isProduct(a: View, b: View, shape: Shape): boolean {
  const last = shape.length - 1;
  return a.shape.length === shape.length && b.shape.length === shape.length &&
    shape.every((extent, axis) =>
      axis === last ? extent === b.shape[axis] : extent === a.shape[axis] &&
        (axis === last - 1 || extent === b.shape[axis])
    );
}

const plain: Elementwise = e.elementwise("sum", ["float"], ([x]) => [x]);
const scaled: Elementwise = e.elementwise(
  "sum",
  ["float"],
  ([x], [factor]) => [e.mul(x, factor)],
  1,
);

/** α · x, summed to `shape`, in its place where one kernel can do that. */
export function sumIn(
  place: Tensor | undefined,
  x: Tensor,
  alpha: number,
  shape: Shape,
): Tensor {
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((extent, axis) =>
    axis < lead || (shape[axis - lead] === 1 && extent !== 1) ? [axis] : []
  );
  if (axes.length === 0) return alpha === 1 ? x : mul(x, alpha);
  const [program, scalars] = alpha === 1 ? [plain, []] : [scaled, [alpha]];
  if (!place?.contiguous) {
    return reshape(reduceTensors("sum", program, [x], axes, scalars), shape);
  }
  const kept = x.shape.map((extent, axis) => axes.includes(axis) ? 1 : extent);
  using out = place.view(kept, contiguousStrides(kept), place.offset);
  place.device.backend.reduce("sum", program, [x], out, scalars);
  return place;
}
