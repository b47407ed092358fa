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

/** Which layers a call computes. */
export interface LayerContext {
  /**
   * Indices of the layers: one for a single layer, L for a stack whose state and
   * parameters have a leading axis of extent L.
   */
  readonly layers: readonly number[];
}

/**
 * A stack of N residual layers. The functions work for one layer's state and
 * parameters and, unchanged, for a stack of L layers with a leading axis: a bias
 * [width] is [L, width] then, which `linear` knows what to do with, but `add`
 * would broadcast along another axis.
 */
export interface OdeBlock<X extends Tree, P extends Tree, C> {
  /** N ≥ 1. */
  readonly layers: number;
  /** T > 0; T = N is an ordinary residual network, with h = 1. */
  readonly endTime: number;
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

const axpy = fuse("euler step", (x, h, f) => e.add(x, e.mul(h, f)));

/**
 * One step of size h: the block's own, or x + h F(x).
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
  const next = block.step === undefined
    ? mapTree(
      (a, f) => axpy(a, h, f),
      x,
      block.rightHandSide(x, parameters, context),
    )
    : block.step(x, parameters, h, context);
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

/**
 * Checks that every leaf of stacked parameters has N layers.
 *
 * @throws {RangeError} If one hasn't.
 */
export function assertStacked(parameters: Tree, layers: number): void {
  for (const leaf of leaves(parameters)) {
    if (leaf.shape[0] !== layers) {
      throw new RangeError(
        `ODE block: a parameter of shape ${
          formatShape(leaf.shape)
        } must have ` +
          `the ${layers} layers as its first axis`,
      );
    }
  }
}
