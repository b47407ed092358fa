/**
 * Functions that bring their own pullback.
 *
 * @example Clip the gradient that passes
 * ```ts
 * import { customVjp, grad } from "@layerbraid/layerbraid/autograd";
 * import { clamp, copy, device, square, sum, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const clipped = (x: Tensor): Tensor =>
 *   customVjp("clip gradient", (given: Tensor) => ({
 *     value: copy(given),
 *     pullback: (cotangent: Tensor) => clamp(cotangent, -1, 1),
 *   }), x);
 * const gradient = grad((x) => sum(square(clipped(x))))(tensor([0.25, 3]));
 * console.log(await gradient.array()); // [ 0.5, 1 ]
 * ```
 *
 * @module
 */

import {
  alias,
  apply,
  currentScope,
  leaves,
  type Operation,
  replaceLeaves,
  scope,
  type Tensor,
  tracked,
  type Tree,
  unobserved,
  zerosLike,
} from "../tensor/internal.ts";
import { defineRule } from "./rule.ts";
import { vjp } from "./vjp.ts";

/** What the forward pass of a custom function leaves for its backward pass. */
export interface CustomVjp<I extends Tree, O extends Tree> {
  /** The function's value. */
  readonly value: O;
  /** From the value's cotangent to the inputs'; called once at most. */
  readonly pullback: (cotangent: O) => I;
  /** Frees what `pullback` holds; called once, after it or instead of it. */
  readonly release?: () => void;
}

interface CustomAttributes {
  readonly name: string;
  readonly outputs: readonly Tensor[];
  readonly pullback: (cotangents: readonly Tensor[]) => readonly Tensor[];
  readonly release: () => void;
}

const customOperation: Operation<CustomAttributes> = {
  name: "custom",
  forward: (_, { outputs }) => [...outputs],
};

defineRule(customOperation, {
  saves: () => ({ inputs: [] }),
  pullback: ({ outputs, attributes }, cotangents) =>
    attributes.pullback(
      cotangents.map((x, i) => x ?? zerosLike(outputs[i])),
    ),
  once: true,
  release: ({ release }) => release(),
});

/**
 * Applies a function whose author knows its derivative: to tapes it is one
 * operation. `forward` runs unseen by tapes and returns the value with its
 * pullback; `needed` tells it whether the pullback may be called at all. The
 * inputs that it gets live until then; whatever else the pullback reads must be
 * kept with `retain` and freed by `release`.
 *
 * @param name For messages.
 * @param inputs All tensors through which gradients flow.
 */
export function customVjp<I extends Tree, O extends Tree>(
  name: string,
  forward: (inputs: I, needed: boolean) => CustomVjp<I, O>,
  inputs: I,
): O {
  const tensors = leaves(inputs);
  if (!tensors.some(tracked)) {
    const { value, release } = unobserved(() => forward(inputs, false));
    release?.();
    return value;
  }
  const held = tensors.map((x) => x.retain());
  const letGo = (why?: string): void => held.forEach((x) => x.dispose(why));
  const { value, pullback, release } = unobserved(() => {
    try {
      return forward(replaceLeaves(inputs, held), true);
    } catch (error) {
      letGo();
      throw error;
    }
  });
  // A tensor that was there before would keep its gradient of before, and must
  // not be freed with the result.
  const given = new Set(tensors.map(({ id }) => id));
  const own = currentScope();
  const isNew = (x: Tensor): boolean => x.scope === own && !given.has(x.id);
  const results = unobserved(() =>
    leaves(value).map((x) => isNew(x) ? x : alias(x))
  );
  const outputs = apply(customOperation, tensors, {
    name,
    outputs: results,
    pullback: (cotangents) =>
      leaves(pullback(replaceLeaves(value, cotangents))),
    release: () => {
      release?.();
      letGo("its pullback ran");
    },
  });
  return replaceLeaves(value, outputs);
}

/**
 * The same function, whose intermediate results are not kept but computed
 * again in the backward pass (Griewank 1992; Chen et al. 2016).
 *
 * @param f Its tensors must come in through its arguments: gradients don't flow
 *   into what it captures.
 */
export function checkpoint<I extends readonly Tree[], O extends Tree>(
  f: (...inputs: I) => O,
): (...inputs: I) => O {
  return (...inputs) =>
    customVjp("checkpoint", (given: Tree) => ({
      value: scope(() => f(...(given as unknown as I))),
      pullback: (cotangent: O): Tree => {
        const { value, pullback } = vjp(f, ...(given as unknown as I));
        leaves(value).forEach((x) => x.dispose());
        return pullback(cotangent) as unknown as Tree;
      },
    }), inputs as unknown as Tree);
}
