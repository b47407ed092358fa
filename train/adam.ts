/**
 * Adam and its kin.
 *
 * @example One step of AdamW
 * ```ts
 * import { grad } from "@layerbraid/layerbraid/autograd";
 * import { device, square, sum, tensor } from "@layerbraid/layerbraid/tensor";
 * import { adamW } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const optimizer = adamW({ learningRate: 0.1 });
 * const weights = tensor([1, -2]);
 * const gradient = grad((x) => sum(square(x)))(weights);
 * const state = optimizer.init(weights);
 * const { parameters } = optimizer.update(weights, gradient, state);
 * console.log(await parameters.array()); // about [ 0.899, -1.898 ]
 * ```
 *
 * @module
 */

import { type Expression, expression as e } from "../tensor/internal.ts";
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

/** Options of {@linkcode adamW}. */
export interface AdamWOptions {
  /** Factor of the update, > 0. */
  readonly learningRate: number;
  /** How much of the mean gradient stays, in [0, 1); default 0.9. */
  readonly beta1?: number;
  /** How much of the mean squared gradient stays, in [0, 1); default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the mean square, > 0; default 1e-8. */
  readonly epsilon?: number;
  /** ≥ 0; default 0.01 for AdamW, 0 for Adam. */
  readonly weightDecay?: number;
  /** Which tensors decay; default all. */
  readonly decay?: Predicate;
}

/** Options of {@linkcode adam}. */
export interface AdamOptions extends AdamWOptions {
  /** Divide by the largest mean square so far (Reddi, Kale & Kumar 2018). */
  readonly amsgrad?: boolean;
}

/**
 * Adam (Kingma & Ba 2015) with torch.optim.Adam's semantics: weight decay is
 * added to the gradient; m and v are means of g and g²;
 * p ← p − learningRate/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
 * Its state is `first`, `second` and, with AMSGrad, `largest`.
 *
 * @throws {RangeError} If an option is out of range.
 */
export function adam(options: AdamOptions): Optimizer {
  return adamOptimizer("adam", { weightDecay: 0, ...options });
}

/**
 * AdamW (Loshchilov & Hutter 2019) with torch.optim.AdamW's semantics: Adam,
 * but weight decay multiplies parameters by 1 − learningRate · weightDecay.
 *
 * @throws {RangeError} If an option is out of range.
 */
export function adamW(options: AdamWOptions): Optimizer {
  return adamOptimizer("adamW", { weightDecay: 0.01, ...options });
}

function adamOptimizer(
  name: "adam" | "adamW",
  options: AdamOptions & { readonly weightDecay: number },
): Optimizer {
  const {
    learningRate,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay,
    decay = everyTensor,
    amsgrad = false,
  } = options;
  requireNumber(name, "beta1", beta1, "in [0, 1)");
  requireNumber(name, "beta2", beta2, "in [0, 1)");
  requireNumber(name, "epsilon", epsilon, "a finite number > 0");
  requireNumber(name, "weightDecay", weightDecay, "a finite number ≥ 0");
  const coupled = name === "adam";
  const program = adamProgram(name, { beta1, beta2, epsilon, amsgrad });
  return optimizerOf({
    name,
    learningRate,
    slots: (_, { shape }) => ({
      first: shape,
      second: shape,
      ...(amsgrad ? { largest: shape } : {}),
    }),
    update: (leaf) => {
      const { parameter, slots, step, learningRate } = leaf;
      const decayed = decay(leaf.name, parameter) ? weightDecay : 0;
      updateWithGradient(
        program,
        leaf,
        [parameter, ...Object.values(slots)],
        [],
        [
          // In double precision here, for 1 − β₂ᵗ cancels.
          learningRate / (1 - beta1 ** step),
          1 / Math.sqrt(1 - beta2 ** step),
          coupled ? decayed : 1 - learningRate * decayed,
        ],
      );
    },
  });
}

interface AdamConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly amsgrad: boolean;
}

function adamProgram(
  name: "adam" | "adamW",
  { beta1, beta2, epsilon, amsgrad }: AdamConstants,
): GradientProgram {
  return gradientProgram(
    name,
    amsgrad ? 4 : 3,
    3,
    ([p, m, v, ...rest], gradient, [rate, correction, decay]) => {
      const coupled = name === "adam";
      const g = coupled ? e.add(gradient, e.mul(decay, p)) : gradient;
      const shrunk = coupled ? p : e.mul(decay, p);
      const first = mix(beta1, m, g);
      const second = mix(beta2, v, e.mul(g, g));
      const largest = rest.map((x) => e.max(x, second));
      const root = e.sqrt(amsgrad ? largest[0] : second);
      const scale = e.add(e.mul(root, correction), epsilon);
      return [
        e.sub(shrunk, e.mul(rate, e.div(first, scale))),
        first,
        second,
        ...largest,
      ];
    },
  );
}

/** β a + (1 − β) b */
function mix(beta: number, a: Expression, b: Expression): Expression {
  return e.add(e.mul(beta, a), e.mul(1 - beta, b));
}
