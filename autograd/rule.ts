/**
 * Gradient rules: how cotangents go back through a primitive.
 *
 * @example A primitive of one's own: gradients change sign on their way back
 * ```ts
 * import { defineRule, grad } from "@layerbraid/layerbraid/autograd";
 * import { apply, device, neg, type Operation, sum, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const reversal: Operation<null> = {
 *   name: "gradient reversal",
 *   forward: ([x]) => [x.view(x.shape, x.strides, x.offset)],
 * };
 * defineRule(reversal, {
 *   saves: () => ({}),
 *   pullback: (_, [cotangent]) => [cotangent && neg(cotangent)],
 * });
 * const f = grad((x) => sum(apply(reversal, [x], null)[0]));
 * const gradient = f(tensor([1, 2]));
 * console.log(await gradient.array()); // [ -1, -1 ]
 * ```
 *
 * @module
 */

import type { Operation, Tensor } from "../tensor/mod.ts";

/** What a rule asks the tape to keep alive for it. */
export interface Saved {
  /** Which inputs; none by default. */
  readonly inputs?: readonly boolean[];
  /** Which outputs; none by default. */
  readonly outputs?: readonly boolean[];
}

/** An application, as its rule sees it; only what was saved can be read. */
export interface Applied<A> {
  /** Inputs; shapes and dtypes always, values where saved. */
  readonly inputs: readonly Tensor[];
  /** Outputs; shapes and dtypes always, values where saved. */
  readonly outputs: readonly Tensor[];
  /** Attributes. */
  readonly attributes: A;
  /** Which inputs' cotangents are wanted. */
  readonly wanted: readonly boolean[];
}

/** How cotangents go back through one primitive. */
export interface Rule<A> {
  /** What `pullback` will read. */
  readonly saves: (attributes: A, wanted: readonly boolean[]) => Saved;
  /**
   * Cotangents of the inputs, given those of the outputs; `undefined` stands
   * for zero, going in and coming out. Made of operations that have rules
   * themselves wherever gradients of gradients are to work.
   *
   * Some inputs have places: memory where their cotangents are wanted in the
   * end. A rule may write one there and return the place itself, which saves a
   * copy; those that don't know of places are as right.
   */
  readonly pullback: (
    applied: Applied<A>,
    cotangents: readonly (Tensor | undefined)[],
    places: readonly (Tensor | undefined)[],
  ) => readonly (Tensor | undefined)[];
  /**
   * A shortcut for operations with one output, which is a part of the only
   * differentiable input, the first: adds the input's cotangent into `target`
   * in place. Not used for a part that is as large as the whole.
   */
  readonly accumulate?: (
    applied: Applied<A>,
    cotangent: Tensor,
    target: Tensor,
  ) => void;
  /** Whether `pullback` can run once only for an application; default false. */
  readonly once?: boolean;
  /** Frees what the attributes hold, when the tape lets go of an entry. */
  readonly release?: (attributes: A) => void;
}

// deno-lint-ignore no-explicit-any -- attributes differ from rule to rule
const rules = new Map<Operation<any>, Rule<any> | "constant">();

/** Says how cotangents go back through `operation`. */
export function defineRule<A>(operation: Operation<A>, rule: Rule<A>): void {
  rules.set(operation, rule);
}

/** Says that the outputs of `operation` don't change with small changes of its inputs. */
export function defineConstant<A>(operation: Operation<A>): void {
  rules.set(operation, "constant");
}

/** The rule of an operation, if it has one. */
export function ruleOf<A>(
  operation: Operation<A>,
): Rule<A> | "constant" | undefined {
  return rules.get(operation);
}
