/**
 * How far a gradient of stacked layers is from a better one.
 *
 * @module
 */

import {
  contiguousStrides,
  empty,
  expression as e,
  formatShape,
  leaves,
  sameShape,
  type Tensor,
  type Tree,
  withoutScope,
} from "../tensor/internal.ts";
import type { GradientProbe } from "./probe.ts";
import type { Section } from "./section.ts";

const square = e.elementwise("compareGradients", ["float"], ([x]) => [
  e.mul(x, x),
]);
const squaredDifference = e.elementwise(
  "compareGradients",
  ["float", "float"],
  ([x, y]) => {
    const difference = e.sub(x, y);
    return [e.mul(difference, difference)];
  },
);

/**
 * Relative error ‖g − g*‖ / ‖g*‖ and cosine of two gradients, of all layers
 * together and of each one. Three sums for each leaf and layer are all that
 * leaves the device. Gradients that are both zero are equal; if one of them is,
 * the cosine is 0. NaN if a square leaves the range of numbers.
 *
 * @param gradient g. Stacked: every leaf has the layer as its first axis. It
 *   may be freed as soon as the function has returned its promise.
 * @param better g*, in the same shapes; likewise.
 * @param sections Of the block, if it has any: gradients are `{ [section]: tree }`
 *   then, and layers count through all sections. A section without gradients
 *   may be absent.
 * @throws {RangeError} If shapes differ, or leaves have different numbers of
 *   layers.
 *
 * @example
 * ```ts
 * import { compareGradients } from "@layerbraid/layerbraid/mgrit";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const gradient = { weight: tensor([[3, 4], [0, 1]]) };
 * const better = { weight: tensor([[3, 4], [1, 0]]) };
 * const { cosine, layers } = await compareGradients(gradient, better);
 * console.log(cosine, layers.cosine); // 0.96… [ 1, 0 ]
 * ```
 */
export async function compareGradients(
  gradient: Tree,
  better: Tree,
  sections?: readonly Section[],
): Promise<GradientProbe> {
  const pairs = sections === undefined
    ? leafPairs(gradient, better)
    : sectionPairs(gradient, better, sections);
  const layers = sections?.reduce((sum, section) => sum + section.layers, 0) ??
    pairs[0].x.shape[0];
  const sums = withoutScope(() => sumsOf(pairs, layers));
  const [quantities, count] = sums.shape;
  const values = await sums.data();
  sums.dispose();
  const squaresOf = (quantity: number, layer: number): number => {
    let sum = 0;
    for (let leaf = 0; leaf < count; leaf++) {
      sum += values[(quantity * count + leaf) * layers + layer];
    }
    return sum;
  };
  const squares = Array.from(
    { length: layers },
    (_, layer) =>
      Array.from({ length: quantities }, (_, i) => squaresOf(i, layer)),
  );
  const total = Array.from(
    { length: quantities },
    (_, i) => squares.reduce((sum, layer) => sum + layer[i], 0),
  );
  return {
    relativeError: relativeError(total),
    cosine: cosine(total),
    layers: {
      relativeError: squares.map(relativeError),
      cosine: squares.map(cosine),
    },
  };
}

/** A leaf of both gradients. */
interface LeafPair {
  readonly x: Tensor;
  readonly y: Tensor;
  /** Which layer of the block its first one is. */
  readonly start: number;
}

function leafPairs(gradient: Tree, better: Tree, start = 0): LeafPair[] {
  const [xs, ys] = [leaves(gradient), leaves(better)];
  assertComparable(xs, ys);
  return xs.map((x, i) => ({ x, y: ys[i], start }));
}

function sectionPairs(
  gradient: Tree,
  better: Tree,
  sections: readonly Section[],
): LeafPair[] {
  type Trees = Readonly<Record<string, Tree | undefined>>;
  let start = 0;
  return sections.flatMap(({ name, layers }) => {
    const part = (gradient as Trees)[name] ?? {};
    const pairs = leaves(part).length === 0
      ? []
      : leafPairs(part, (better as Trees)[name] ?? {}, start);
    start += layers;
    return pairs;
  });
}

/** ‖gₙ − g*ₙ‖², ‖gₙ‖² and ‖g*ₙ‖² as `[3, leaves, layers]`. */
function sumsOf(pairs: readonly LeafPair[], layers: number): Tensor {
  const [{ x: { device } }] = pairs;
  const shape = [3, pairs.length, layers];
  const sums = empty(device, device.floatDtype, shape, "compareGradients");
  if (pairs.some(({ x }) => x.shape[0] < layers)) device.fill(sums, 0);
  pairs.forEach(({ x, y, start }, leaf) => {
    const shape = x.shape.map((extent, axis) => axis === 0 ? extent : 1);
    const sum = (quantity: number): Tensor =>
      sums.view(
        shape,
        contiguousStrides(shape),
        (quantity * pairs.length + leaf) * layers + start,
      );
    const { backend } = device;
    const views = [sum(0), sum(1), sum(2)];
    backend.reduce("sum", squaredDifference, [x, y], views[0], []);
    backend.reduce("sum", square, [x], views[1], []);
    backend.reduce("sum", square, [y], views[2], []);
    views.forEach((view) => view.dispose());
  });
  return sums;
}

type Squares = readonly number[];

function relativeError([difference, own, better]: Squares): number {
  return own === 0 && better === 0 ? 0 : Math.sqrt(difference / better);
}

/** By the law of cosines: exact where gradients are close. */
function cosine([difference, own, better]: Squares): number {
  if (own === 0 || better === 0) return own === better ? 1 : 0;
  const product = (own + better - difference) / 2;
  const cosine = product / (Math.sqrt(own) * Math.sqrt(better));
  return Math.max(-1, Math.min(1, cosine));
}

function assertComparable(
  gradient: readonly Tensor[],
  better: readonly Tensor[],
): void {
  const shapes = gradient.map(({ shape }) => shape);
  if (
    shapes.length === 0 || shapes.length !== better.length ||
    shapes.some((shape, i) =>
      !sameShape(shape, better[i].shape) || shape[0] !== shapes[0][0]
    )
  ) {
    throw new RangeError(
      `compareGradients: gradients of shapes ` +
        `${shapes.map(formatShape).join(", ")} and ${
          better.map(({ shape }) => formatShape(shape)).join(", ")
        } must be the same, with the layers as first axis of each`,
    );
  }
}
