/**
 * Residual networks as ordinary differential equations: a block integrates
 * dx/dt = F(x; θ(t)) over [0, T] with N forward-Euler steps of h = T/N, one
 * for each layer.
 *
 * @example Euler's method for dx/dt = −x
 * ```ts
 * import { residualBlock, solve } from "@layerbraid/layerbraid/mgrit";
 * import { add, device, full, mul, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const block = residualBlock({
 *   layers: 4,
 *   endTime: 1,
 *   branches: [(x, rate: Tensor, _, residual, factor) =>
 *     add(residual, mul(factor, mul(rate, x)))],
 *   discretization: "outer",
 * });
 * const end = solve(block, tensor([1]), full([4, 1], -1), {});
 * console.log(await end.item()); // (1 − 1/4)⁴ = 0.316…
 * ```
 *
 * @module
 */

import {
  alias,
  currentScope,
  formatShape,
  fuse,
  leaves,
  mapTree,
  sameShape,
  type Tensor,
  type Tree,
} from "../tensor/internal.ts";
import * as e from "../tensor/expression.ts";
import type { Section } from "./section.ts";

/** Which layers a call computes. */
export interface LayerContext {
  /**
   * Indices of the layers: one for a single layer, L for a stack whose state and
   * parameters have a leading axis of extent L.
   */
  readonly layers: readonly number[];
}

/**
 * Residual layers of one kind. The functions work for one layer's state and
 * parameters and, unchanged, for a stack of L layers with a leading axis: a bias
 * [width] is [L, width] then, which `linear` knows what to do with, but `add`
 * would broadcast along another axis.
 */
export interface OdeLayers<X extends Tree, P extends Tree, C> {
  /** N ≥ 1. */
  readonly layers: number;
  /** F(x; θ): the time derivative of the state, shaped as the state. */
  readonly rightHandSide: (x: X, parameters: P, context: C & LayerContext) => X;
  /**
   * One step of size h, where it isn't x + h F(x) (split steps) or is computed
   * faster (fused).
   */
  readonly step?: (
    x: X,
    parameters: P,
    h: number,
    context: C & LayerContext,
  ) => X;
}

/** A stack of N residual layers that integrates over [0, T]. */
export interface OdeBlock<X extends Tree, P extends Tree, C>
  extends OdeLayers<X, P, C> {
  /** T > 0; T = N is an ordinary residual network, with h = 1. */
  readonly endTime: number;
  /**
   * Consecutive layers with trees of parameters of their own, as
   * `sectionedBlock` makes them: P is `{ [section]: tree }` then, and the
   * functions get the tree of their layers' section. Default: all layers are of
   * one kind.
   */
  readonly sections?: readonly Section[];
}

const axpy = fuse("euler step", (x, h, f) => e.add(x, e.mul(h, f)));

/** One step of size h: the block's own, or x + h F(x). */
export function eulerStep<X extends Tree, P extends Tree, C>(
  block: OdeLayers<X, P, C>,
  x: X,
  parameters: P,
  h: number,
  context: C & LayerContext,
): X {
  if (block.step !== undefined) return block.step(x, parameters, h, context);
  const derivative = block.rightHandSide(x, parameters, context);
  return mapTree((a, f) => axpy(a, h, f), x, derivative);
}

/**
 * One step of size h, which must keep the state's shapes.
 *
 * @throws {RangeError} If the step doesn't keep the state's shape.
 */
export function advance<X extends Tree, P extends Tree, C>(
  block: OdeBlock<X, P, C>,
  x: X,
  parameters: P,
  h: number,
  context: C & LayerContext,
): X {
  const next = eulerStep(block, x, parameters, h, context);
  assertSameShapes(leaves(x), leaves(next));
  // Who frees the result must not free a tensor that a step hands on.
  const own = currentScope();
  return mapTree((leaf) => leaf.scope === own ? leaf : alias(leaf), next);
}

function assertSameShapes(
  given: readonly Tensor[],
  next: readonly Tensor[],
): void {
  if (
    given.length === next.length &&
    given.every(({ shape }, i) => sameShape(shape, next[i].shape))
  ) return;
  const shapes = [given, next].map((tensors) =>
    tensors.map(({ shape }) => formatShape(shape)).join(", ") || "no tensors"
  );
  throw new RangeError(
    `ODE block: a step turns a state of shape ${shapes[0]} into ` +
      `${shapes[1]}; rightHandSide and step must keep it`,
  );
}

/**
 * Step size h = T/N.
 *
 * @throws {RangeError} If the block has no layers or no positive end time.
 */
export function stepSize(
  { layers, endTime }: { readonly layers: number; readonly endTime: number },
): number {
  if (!Number.isInteger(layers) || layers < 1) {
    throw new RangeError(`ODE block: layers ${layers} must be an integer ≥ 1`);
  }
  if (!(endTime > 0 && endTime < Infinity)) {
    throw new RangeError(`ODE block: endTime ${endTime} must be positive`);
  }
  return endTime / layers;
}

/**
 * A residual branch φ: returns residual + factor · φ(x; θ), in one kernel where
 * that is possible.
 */
export type Branch<P extends Tree, C> = (
  x: Tensor,
  parameters: P,
  context: C & LayerContext,
  residual: Tensor,
  factor: number,
) => Tensor;

/** Where the step size stands in a layer of several branches. */
export type Discretization = "outer" | "split";

/** What a block of residual branches is made of. */
export interface ResidualBlockOptions<P extends Tree, C> {
  /** N. */
  readonly layers: number;
  /** T. */
  readonly endTime: number;
  /** φ₁, φ₂, …: applied one after the other, as in a transformer layer. */
  readonly branches: readonly Branch<P, C>[];
  /**
   * `outer`: x + h F(x) with F the sum of all branches within the layer, each
   * seeing the ones before unscaled (Layer-Parallel Training for Transformers,
   * eq. for E-outer). `split`: every branch is a step, x ← x + h φₖ(x). Equal
   * at h = 1.
   */
  readonly discretization: Discretization;
}

const difference = fuse("right-hand side", (y, x) => e.sub(y, x));
const blend = fuse(
  "euler step",
  (x, y, h) => e.add(x, e.mul(h, e.sub(y, x))),
);

/**
 * A block whose layers are residual branches: with Φ the ordinary layer
 * (h = 1), F(x) = Φ(x) − x.
 */
export function residualBlock<P extends Tree, C>(
  { layers, endTime, branches, discretization }: ResidualBlockOptions<P, C>,
): OdeBlock<Tensor, P, C> {
  const layer = (
    x: Tensor,
    parameters: P,
    h: number,
    context: C & LayerContext,
  ): Tensor =>
    branches.reduce(
      (y, branch) => branch(y, parameters, context, y, h),
      x,
    );
  return {
    layers,
    endTime,
    rightHandSide: (x, parameters, context) =>
      difference(layer(x, parameters, 1, context), x),
    step: (x, parameters, h, context) =>
      h === 1 || discretization === "split"
        ? layer(x, parameters, h, context)
        : blend(x, layer(x, parameters, 1, context), h),
  };
}

/** What a block of whole layers is made of. */
export interface LayerMapBlockOptions<X extends Tree, P extends Tree, C> {
  /** N. */
  readonly layers: number;
  /** T. */
  readonly endTime: number;
  /** Φ: the layer, which keeps the shapes of its state. */
  readonly map: (x: X, parameters: P, context: C & LayerContext) => X;
}

/**
 * A block of any layers that keep the shape of their state, such as post-LN
 * ones: F(x) = Φ(x) − x, so that h = 1 makes the network that the layers are,
 * and another h the step x + h (Φ(x) − x).
 *
 * @example
 * ```ts
 * import { layerMapBlock, solve } from "@layerbraid/layerbraid/mgrit";
 * import { device, full, mul, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const map = (x: Tensor, factor: Tensor): Tensor => mul(factor, x);
 * const block = layerMapBlock({ layers: 3, endTime: 3, map });
 * const end = solve(block, tensor([1]), full([3, 1], 2), {});
 * console.log(await end.item()); // 8
 * ```
 */
export function layerMapBlock<X extends Tree, P extends Tree, C>(
  { layers, endTime, map }: LayerMapBlockOptions<X, P, C>,
): OdeBlock<X, P, C> {
  return {
    layers,
    endTime,
    rightHandSide: (x, parameters, context) => {
      const next = map(x, parameters, context);
      return mapTree((y, x) => difference(y, x), next, x);
    },
    step: (x, parameters, h, context) => {
      const next = map(x, parameters, context);
      return h === 1 ? next : mapTree((x, y) => blend(x, y, h), x, next);
    },
  };
}
