/**
 * Layer-wise adaptive rate scaling.
 *
 * @example One step, a tenth of the weights' length
 * ```ts
 * import { grad } from "@layerbraid/layerbraid/autograd";
 * import { device, square, sum, tensor } from "@layerbraid/layerbraid/tensor";
 * import { lars } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const optimizer = lars({ learningRate: 1, trust: 0.1 });
 * const weights = tensor([3, -4]);
 * const gradient = grad((x) => sum(square(x)))(weights);
 * const state = optimizer.init(weights);
 * const { parameters } = optimizer.update(weights, gradient, state);
 * console.log(await parameters.array()); // about [ 2.7, -3.6 ]
 * ```
 *
 * @module
 */

import {
  type Elementwise,
  expression as e,
  mapTensors,
  reduceTensors,
} from "../tensor/internal.ts";
import { type Optimizer, optimizerOf } from "./optimizer.ts";
import {
  type NamePredicate,
  noTensor,
  type Predicate,
  requireNumber,
} from "./optimizer_options.ts";
import {
  axesOf,
  gradientProgram,
  sumWithGradient,
  updateWithGradient,
} from "./optimizer_programs.ts";

/** Options of {@linkcode lars}. */
export interface LarsOptions {
  /** Factor of the update, > 0. */
  readonly learningRate: number;
  /** How much of the last step stays, in [0, 1); default 0.9. */
  readonly momentum?: number;
  /** Times the parameter, added to its gradient; ≥ 0, default 0. */
  readonly weightDecay?: number;
  /** Trust: size of a step relative to the parameter, > 0; default 0.001. */
  readonly trust?: number;
  /**
   * Tensors that take plain steps with momentum, without trust and decay
   * (commonly biases and norms); default none.
   */
  readonly exclude?: Predicate;
  /** Tensors whose leading axis is the layer: norms are a layer's. */
  readonly stacked?: NamePredicate;
}

const squaredParameter: Elementwise = e.elementwise(
  "lars norm",
  ["float"],
  ([p]) => [e.mul(p, p)],
);

const squaredGradient = gradientProgram(
  "lars norm",
  0,
  0,
  (_, g) => [e.mul(g, g)],
);

const ratio: Elementwise = e.elementwise(
  "lars trust",
  ["float", "float"],
  ([p2, g2], [trust, decay]) => {
    const [p, g] = [e.sqrt(p2), e.sqrt(g2)];
    return [e.select(
      e.or(e.equal(p, 0), e.equal(g, 0)),
      1,
      e.div(e.mul(trust, p), e.add(g, e.mul(decay, p))),
    )];
  },
  2,
);

const adapted = gradientProgram(
  "lars",
  3,
  3,
  ([p, v, factor], g, [rate, momentum, decay]) => {
    const step = e.mul(e.mul(rate, factor), e.add(g, e.mul(decay, p)));
    const next = e.add(e.mul(momentum, v), step);
    return [e.sub(p, next), next];
  },
);

const excluded = gradientProgram(
  "lars",
  2,
  2,
  ([p, v], g, [rate, momentum]) => {
    const next = e.add(e.mul(momentum, v), e.mul(rate, g));
    return [e.sub(p, next), next];
  },
);

/**
 * LARS (You, Gitman & Ginsburg 2017, algorithm 1), for each tensor or layer:
 * λ = trust · ‖p‖ / (‖g‖ + weightDecay · ‖p‖), 1 where a norm is 0;
 * v ← momentum · v + learningRate · λ · (g + weightDecay · p); p ← p − v.
 * Its state is `momentum`.
 *
 * @throws {RangeError} If an option is out of range.
 */
export function lars(options: LarsOptions): Optimizer {
  const {
    learningRate,
    momentum = 0.9,
    weightDecay = 0,
    trust = 0.001,
    exclude = noTensor,
    stacked = noTensor,
  } = options;
  requireNumber("lars", "momentum", momentum, "in [0, 1)");
  requireNumber("lars", "weightDecay", weightDecay, "a finite number ≥ 0");
  requireNumber("lars", "trust", trust, "a finite number > 0");
  return optimizerOf({
    name: "lars",
    learningRate,
    slots: (_, { shape }) => ({ momentum: shape }),
    update: (leaf) => {
      const { name, parameter, slots, learningRate } = leaf;
      const targets = [parameter, slots.momentum];
      if (exclude(name, parameter)) {
        const scalars = [learningRate, momentum];
        updateWithGradient(excluded, leaf, targets, [], scalars);
        return;
      }
      const axes = axesOf(parameter, stacked(name));
      const factor = mapTensors(ratio, [
        reduceTensors("sum", squaredParameter, [parameter], axes),
        sumWithGradient(squaredGradient, leaf, [], axes),
      ], [trust, weightDecay]);
      updateWithGradient(adapted, leaf, targets, [factor], [
        learningRate,
        momentum,
        weightDecay,
      ]);
    },
  });
}
