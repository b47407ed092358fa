/**
 * Stochastic gradient descent.
 *
 * @example One step
 * ```ts
 * import { grad } from "@layerbraid/layerbraid/autograd";
 * import { device, square, sum, tensor } from "@layerbraid/layerbraid/tensor";
 * import { sgd } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
 * const weights = tensor([1, -2]);
 * const gradient = grad((x) => sum(square(x)))(weights);
 * const state = optimizer.init(weights);
 * const { parameters } = optimizer.update(weights, gradient, state);
 * console.log(await parameters.array()); // about [ 0.8, -1.6 ]
 * ```
 *
 * @module
 */

import { expression as e, type Shape } from "../tensor/internal.ts";
import { type Optimizer, optimizerOf } from "./optimizer.ts";
import {
  everyTensor,
  type Predicate,
  requireNumber,
} from "./optimizer_options.ts";
import {
  type GradientProgram,
  gradientProgram,
  updateWithGradient,
} from "./optimizer_programs.ts";

/** Options of {@linkcode sgd}. */
export interface SgdOptions {
  /** Factor of the update, > 0. */
  readonly learningRate: number;
  /** How much of the last step's direction stays, in [0, 1); default 0. */
  readonly momentum?: number;
  /** Looks one step ahead; needs momentum and no dampening. */
  readonly nesterov?: boolean;
  /** What the gradient loses on entering the momentum, in [0, 1); default 0. */
  readonly dampening?: number;
  /** Times the parameter, added to its gradient; ≥ 0, default 0. */
  readonly weightDecay?: number;
  /** Which tensors decay; default all. */
  readonly decay?: Predicate;
}

/**
 * Stochastic gradient descent, with torch.optim.SGD's semantics:
 * g ← g + weightDecay · p; b ← momentum · b + (1 − dampening) · g, at the first
 * step b = g; p ← p − learningRate · b, or of g + momentum · b with Nesterov.
 * Its state is `momentum`, if it has any.
 *
 * @throws {RangeError} If an option is out of range.
 */
export function sgd(options: SgdOptions): Optimizer {
  const {
    learningRate,
    momentum = 0,
    nesterov = false,
    dampening = 0,
    weightDecay = 0,
    decay = everyTensor,
  } = options;
  requireNumber("sgd", "momentum", momentum, "in [0, 1)");
  requireNumber("sgd", "dampening", dampening, "in [0, 1)");
  requireNumber("sgd", "weightDecay", weightDecay, "a finite number ≥ 0");
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    throw new RangeError(
      `sgd: nesterov needs momentum > 0 and dampening 0, not ${momentum} ` +
        `and ${dampening}`,
    );
  }
  const program = momentum === 0 ? plain : withMomentum(momentum, nesterov);
  return optimizerOf({
    name: "sgd",
    learningRate,
    slots: (_, { shape }): Readonly<Record<string, Shape>> =>
      momentum === 0 ? {} : { momentum: shape },
    update: (leaf) => {
      const { name, parameter, slots, step, learningRate } = leaf;
      updateWithGradient(
        program,
        leaf,
        [parameter, ...Object.values(slots)],
        [],
        [
          learningRate,
          decay(name, parameter) ? weightDecay : 0,
          step === 1 ? 1 : 1 - dampening,
        ],
      );
    },
  });
}

const plain: GradientProgram = gradientProgram(
  "sgd",
  1,
  3,
  ([p], g, [rate, decay]) => [
    e.sub(p, e.mul(rate, e.add(g, e.mul(decay, p)))),
  ],
);

function withMomentum(momentum: number, nesterov: boolean): GradientProgram {
  return gradientProgram("sgd", 2, 3, ([p, b], g, [rate, decay, part]) => {
    const direction = e.add(g, e.mul(decay, p));
    const next = e.add(e.mul(momentum, b), e.mul(part, direction));
    const used = nesterov ? e.add(direction, e.mul(momentum, next)) : next;
    return [e.sub(p, e.mul(rate, used)), next];
  });
}
