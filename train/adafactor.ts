/**
 * Adafactor: second moments of matrices from their row and column means.
 *
 * @example One step
 * ```ts
 * import { grad } from "@layerbraid/layerbraid/autograd";
 * import { device, square, sum, tensor } from "@layerbraid/layerbraid/tensor";
 * import { adafactor } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const optimizer = adafactor({ learningRate: 0.1 });
 * const weights = tensor([[1, -2]]);
 * const gradient = grad((x) => sum(square(x)))(weights);
 * const state = optimizer.init(weights);
 * const { parameters } = optimizer.update(weights, gradient, state);
 * console.log(await parameters.array()); // about [ [ 0.9, -1.9 ] ]
 * ```
 *
 * @module
 */

import {
  type Elementwise,
  type Expression,
  expression as e,
  mean,
  type Shape,
  type Tensor,
} from "../tensor/internal.ts";
import { type LeafUpdate, type Optimizer, optimizerOf } from "./optimizer.ts";
import {
  everyTensor,
  type NamePredicate,
  noTensor,
  type Predicate,
  requireNumber,
} from "./optimizer_options.ts";
import {
  axesOf,
  type GradientProgram,
  gradientProgram,
  sumWithGradient,
  updateWithGradient,
  updateWithout,
} from "./optimizer_programs.ts";

/** Options of {@linkcode adafactor}. */
export interface AdafactorOptions {
  /** Factor of the update, > 0. */
  readonly learningRate: number;
  /** Added to squared gradients, > 0; default 1e-30. */
  readonly epsilon?: number;
  /** Largest root mean square of a tensor's update, > 0; default 1. */
  readonly clipThreshold?: number;
  /** Moments keep 1 − tᵈᵉᶜᵃʸᴿᵃᵗᵉ of their past at step t; < 0, default −0.8. */
  readonly decayRate?: number;
  /** Parameters shrink by learningRate times this; ≥ 0, default 0. */
  readonly weightDecay?: number;
  /** Which tensors decay; default all. */
  readonly decay?: Predicate;
  /** Tensors whose leading axis is the layer: moments and clipping are a layer's. */
  readonly stacked?: NamePredicate;
}

/**
 * Adafactor (Shazeer & Stern 2018, algorithms 4 and 5) without first moment,
 * relative step or parameter scale. Of tensors with two axes or more (matrices
 * over the last two, one for each place of the others), r and c are means of
 * g² + ε over columns and rows, and u = g / √(r / mean(r)) / √c; of others,
 * v is the mean of g² + ε and u = g / √v. Then u ← u / max(1, rms(u) /
 * clipThreshold); p ← (1 − learningRate · weightDecay) · p − learningRate · u.
 * Its state is `row` and `column`, or `second`.
 *
 * @throws {RangeError} If an option is out of range.
 */
export function adafactor(options: AdafactorOptions): Optimizer {
  const {
    learningRate,
    epsilon = 1e-30,
    clipThreshold = 1,
    decayRate = -0.8,
    weightDecay = 0,
    decay = everyTensor,
    stacked = noTensor,
  } = options;
  const check = requireNumber;
  check("adafactor", "epsilon", epsilon, "a finite number > 0");
  check("adafactor", "clipThreshold", clipThreshold, "a finite number > 0");
  check("adafactor", "decayRate", decayRate, "a finite number < 0");
  check("adafactor", "weightDecay", weightDecay, "a finite number ≥ 0");
  return optimizerOf({
    name: "adafactor",
    learningRate,
    slots: (name, x) => slotShapes(x.shape, stacked(name)),
    update: (leaf) => {
      const { name, parameter, slots, step, learningRate } = leaf;
      const beta = 1 - step ** decayRate;
      const [kernels, moments] = "second" in slots
        ? [full, fullMoment(leaf, beta, epsilon)]
        : [factored, factoredMoments(leaf, beta, epsilon)];
      const axes = axesOf(parameter, stacked(name));
      const count = axes.reduce((n, axis) => n * parameter.shape[axis], 1);
      const square = sumWithGradient(kernels.square, leaf, moments, axes, [
        1 / count,
      ]);
      const decayed = decay(name, parameter) ? weightDecay : 0;
      updateWithGradient(
        kernels.update,
        leaf,
        [parameter],
        [...moments, square],
        [learningRate, 1 - learningRate * decayed, 1 / clipThreshold],
      );
    },
  });
}

/** With extent 1 on the axes averaged over, so that they broadcast. */
function slotShapes(
  shape: Shape,
  stacked: boolean,
): Readonly<Record<string, Shape>> {
  const rank = shape.length;
  if (rank - Number(stacked) < 2) return { second: shape };
  return {
    row: shape.with(rank - 1, 1),
    column: shape.with(rank - 2, 1),
  };
}

const squared = gradientProgram(
  "adafactor mean",
  0,
  2,
  (_, g, [share, epsilon]) => [e.mul(share, e.add(e.mul(g, g), epsilon))],
);

const mixed: Elementwise = e.elementwise(
  "adafactor moment",
  ["float", "float"],
  ([moment, x], [beta]) => [mix(beta, moment, x)],
  1,
);

const mixedSquare = gradientProgram(
  "adafactor moment",
  1,
  2,
  ([second], g, [beta, epsilon]) => [
    mix(beta, second, e.add(e.mul(g, g), epsilon)),
  ],
);

/** β a + (1 − β) b */
function mix(beta: Expression, a: Expression, b: Expression): Expression {
  return e.add(e.mul(beta, a), e.mul(e.sub(1, beta), b));
}

/** Brings `row` and `column` up to date; with them, the mean of `row`. */
function factoredMoments(
  leaf: LeafUpdate,
  beta: number,
  epsilon: number,
): Tensor[] {
  const { parameter: { shape, rank }, slots: { row, column } } = leaf;
  const bring = (moment: Tensor, axis: number): void => {
    const scalars = [1 / shape[axis], epsilon];
    const now = sumWithGradient(squared, leaf, [], [axis], scalars);
    updateWithout(mixed, leaf, [moment], [now], [beta]);
  };
  bring(row, rank - 1);
  bring(column, rank - 2);
  return [row, column, mean(row, rank - 2, { keepdims: true })];
}

/** Brings `second` up to date. */
function fullMoment(
  leaf: LeafUpdate,
  beta: number,
  epsilon: number,
): Tensor[] {
  const { second } = leaf.slots;
  updateWithGradient(mixedSquare, leaf, [second], [], [beta, epsilon]);
  return [second];
}

interface Kernels {
  /** Share of an element in the mean of u². */
  readonly square: GradientProgram;
  /** The new parameter. */
  readonly update: GradientProgram;
}

/** Both kernels, given u from the moments and the gradient. */
function kernels(
  moments: number,
  direction: (moments: Expression[], g: Expression) => Expression,
): Kernels {
  return {
    square: gradientProgram("adafactor rms", moments, 1, (x, g, [share]) => {
      const u = direction(x, g);
      return [e.mul(share, e.mul(u, u))];
    }),
    update: gradientProgram(
      "adafactor",
      moments + 2,
      3,
      ([p, ...rest], g, [rate, shrink, inverseThreshold]) => {
        const u = direction(rest.slice(0, moments), g);
        const rms = e.sqrt(rest[moments]);
        const excess = e.max(1, e.mul(rms, inverseThreshold));
        return [e.sub(e.mul(shrink, p), e.mul(rate, e.div(u, excess)))];
      },
    ),
  };
}

const full = kernels(1, ([second], g) => e.mul(g, e.rsqrt(second)));

const factored = kernels(
  3,
  ([row, column, rowMean], g) =>
    e.mul(e.mul(g, e.rsqrt(e.div(row, rowMean))), e.rsqrt(column)),
);
