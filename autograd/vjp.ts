/**
 * Reverse-mode differentiation of functions of trees of tensors.
 *
 * @module
 */

import {
  alias,
  currentScope,
  formatShape,
  isFloat,
  leaves,
  mapTree,
  observed,
  onesLike,
  replaceLeaves,
  sameShape,
  scope,
  Tensor,
  type Tree,
  unobserved,
  withObserver,
  zerosLike,
} from "../tensor/internal.ts";
import "./rules_elementwise.ts";
import "./rules_kernels.ts";
import "./rules_movement.ts";
import { Tape } from "./tape.ts";

/**
 * From a cotangent of the value to cotangents of the inputs. It can be called
 * once, and frees what it holds as it runs; if it isn't called, dispose it.
 */
export interface Pullback<I extends readonly Tree[], O extends Tree>
  extends Disposable {
  /** Runs the rules backward. */
  (cotangent: O): I;
  /**
   * As calling it, but cotangents of inputs that have a place are written there,
   * by the kernels that compute them where that is possible; the places
   * themselves are returned.
   *
   * @param places For every input, tensors of its structure, shapes, dtype and
   *   device that nobody else reads, or `undefined`. On nobody's tape.
   * @throws {RangeError} If places don't fit the inputs.
   */
  readonly into: (
    cotangent: O,
    places: { readonly [K in keyof I]: I[K] | undefined },
  ) => I;
  /**
   * The cotangent of the first input alone, without the work that the others
   * would take. Frees nothing: it can be called any number of times, until the
   * pullback itself is called.
   *
   * @throws {TypeError} If it isn't `repeatable`.
   */
  readonly first: (cotangent: O) => I[0];
  /**
   * Whether there is `first`: not where a function brings a pullback of its own,
   * which runs once, as those of `customVjp`, `checkpoint` and `solve` do.
   */
  readonly repeatable: boolean;
}

/** A function's value and the way back. */
export interface Vjp<I extends readonly Tree[], O extends Tree> {
  /** What the function returned. */
  readonly value: O;
  /** Vector-Jacobian product at the inputs. */
  readonly pullback: Pullback<I, O>;
}

/**
 * Evaluates `f` and prepares its vector-Jacobian product: `pullback(v)` is
 * vᵀ ∂f/∂inputs, in the structure of the inputs.
 *
 * @throws {TypeError} If an input holds no real numbers.
 *
 * @example
 * ```ts
 * import { vjp } from "@layerbraid/layerbraid/autograd";
 * import { device, mul, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const { value, pullback } = vjp(mul, tensor([2, 3]), tensor([5, 7]));
 * const [da, db] = pullback(tensor([1, 1]));
 * console.log(await value.array(), await da.array(), await db.array());
 * // [ 10, 21 ] [ 5, 7 ] [ 2, 3 ]
 * ```
 */
export function vjp<I extends readonly Tree[], O extends Tree>(
  f: (...inputs: I) => O,
  ...inputs: I
): Vjp<I, O> {
  for (const x of leaves(inputs)) {
    if (!isFloat(x.dtype)) {
      throw new TypeError(
        `vjp: an input ${formatShape(x.shape)} is ${x.dtype}; only real ` +
          `numbers have gradients, so pass it by closure`,
      );
    }
  }
  let tape: Tape | undefined;
  const value = scope(() => {
    const aliases = mapTree(alias, inputs as Tree) as unknown as I;
    tape = new Tape(leaves(aliases));
    try {
      return assertTree(withObserver(tape, () => f(...aliases)));
    } catch (error) {
      tape.dispose();
      throw error;
    }
  });
  const outputs = leaves(value).map(({ id, shape }) => ({ id, shape }));
  const begin = (cotangent: O): { tape: Tape; cotangents: Tensor[] } => {
    if (tape === undefined) {
      throw new ReferenceError(
        "pullback: it was called or disposed already; call vjp again",
      );
    }
    const cotangents = leaves(cotangent);
    checkCotangents(outputs, cotangents);
    return { tape, cotangents };
  };
  const isRepeatable = (): boolean => tape?.repeatable ?? false;
  const repeatable = isRepeatable();
  const pullback = (cotangent: O): I => {
    const { tape: running, cotangents } = begin(cotangent);
    tape = undefined;
    const results = running.pullback(outputs, cotangents);
    return arrange(inputs as Tree, results) as unknown as I;
  };
  const into: Pullback<I, O>["into"] = (cotangent, places) => {
    const flat = inputs.flatMap((input, i) => placesFor(input, places[i]));
    const { tape: running, cotangents } = begin(cotangent);
    tape = undefined;
    const results = running.pullback(outputs, cotangents, flat);
    return inputs.map((input, i) => {
      const own = results.splice(0, leaves(input).length);
      return places[i] ?? arrange(input, own);
    }) as unknown as I;
  };
  return {
    value,
    pullback: Object.assign(pullback, {
      repeatable,
      into,
      first: (cotangent: O): I[0] => {
        const { tape, cotangents } = begin(cotangent);
        if (!repeatable) {
          throw new TypeError(
            "pullback.first: the function calls one that brings a pullback of " +
              "its own, which runs once; call the pullback itself",
          );
        }
        const [input] = inputs;
        const positions = [...leaves(input).keys()];
        const results = tape.pullbackTo(positions, outputs, cotangents);
        return arrange(input, results);
      },
      [Symbol.dispose]: (): void => {
        tape?.dispose();
        tape = undefined;
      },
    }),
  };
}

/** Cotangents in the structure of the inputs, zeros where there are none. */
function arrange<T extends Tree>(
  inputs: T,
  cotangents: readonly (Tensor | undefined)[],
): T {
  const scope = currentScope();
  let position = 0;
  return mapTree((x) => {
    const cotangent = cotangents[position++];
    if (cotangent === undefined) return zerosLike(x);
    if (scope !== undefined) cotangent.moveTo(scope);
    return cotangent;
  }, inputs);
}

/** The places of an input's leaves, in their order. */
function placesFor(
  input: Tree,
  places: Tree | undefined,
): (Tensor | undefined)[] {
  const tensors = leaves(input);
  if (places === undefined) return tensors.map(() => undefined);
  const result = leaves(places);
  if (
    result.length !== tensors.length ||
    result.some((x, i) =>
      !sameShape(x.shape, tensors[i].shape) ||
      x.dtype !== tensors[i].dtype || x.device !== tensors[i].device
    )
  ) {
    throw new RangeError(
      `pullback.into: places ${formatShapes(result)} must have the input's ` +
        `shapes ${formatShapes(tensors)}, and its dtype and device`,
    );
  }
  return result;
}

function formatShapes(
  tensors: readonly { readonly shape: readonly number[] }[],
): string {
  return tensors.map(({ shape }) => formatShape(shape)).join(", ");
}

/** Refuses what is no tree of tensors: numbers, promises, undefined, … */
function assertTree<O>(value: O): O {
  const visit = (node: unknown): void => {
    if (node instanceof Tensor) return;
    if (node instanceof Promise) {
      throw new TypeError("vjp: the function is async; it must return tensors");
    }
    if (node === null || typeof node !== "object") {
      throw new TypeError(`vjp: the function must return tensors, not ${node}`);
    }
    Object.values(node).forEach(visit);
  };
  visit(value);
  return value;
}

function checkCotangents(
  outputs: readonly { readonly shape: readonly number[] }[],
  cotangents: readonly Tensor[],
): void {
  if (
    cotangents.length !== outputs.length ||
    cotangents.some((x, i) => !sameShape(x.shape, outputs[i].shape))
  ) {
    throw new RangeError(
      `pullback: the cotangent must have the value's shapes ` +
        `${formatShapes(outputs)}, not ${formatShapes(cotangents)}`,
    );
  }
}

/** A value and a gradient. */
export interface ValueAndGradient<T extends Tree> {
  /** What the function returned, of one element. */
  readonly value: Tensor;
  /** Derivatives by the first argument, in its structure. */
  readonly gradient: T;
}

/**
 * A function that computes `f` and its gradient by its first argument.
 * Everything made on the way is freed; only the results are handed out.
 *
 * @param f Returns a tensor of one element; further arguments are passed on.
 *
 * @example
 * ```ts
 * import { valueAndGrad } from "@layerbraid/layerbraid/autograd";
 * import { device, square, sum, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const f = valueAndGrad(({ x }: { x: Tensor }) => sum(square(x)));
 * const { value, gradient } = f({ x: tensor([1, 2, 3]) });
 * console.log(await value.item(), await gradient.x.array()); // 14 [ 2, 4, 6 ]
 * ```
 */
export function valueAndGrad<A extends readonly unknown[]>(
  f: (argument: Tensor, ...rest: A) => Tensor,
): (argument: Tensor, ...rest: A) => ValueAndGradient<Tensor>;
/** The same for a tree of tensors. */
export function valueAndGrad<T extends Tree, A extends readonly unknown[]>(
  f: (argument: T, ...rest: A) => Tensor,
): (argument: T, ...rest: A) => ValueAndGradient<T>;
export function valueAndGrad<T extends Tree, A extends readonly unknown[]>(
  f: (argument: T, ...rest: A) => Tensor,
): (argument: T, ...rest: A) => ValueAndGradient<T> {
  return (argument, ...rest) =>
    scope(() => {
      const { value, pullback } = vjp((x: T) => f(x, ...rest), argument);
      if (value.size !== 1) {
        pullback[Symbol.dispose]();
        throw new RangeError(
          `valueAndGrad: the function must return one element, not ${
            formatShape(value.shape)
          }; sum it up, or use vjp`,
        );
      }
      const [gradient] = pullback(onesLike(value));
      // A number at rest on the host is the garbage collector's: a loop that
      // forgets its losses leaves nothing on the device.
      if (!observed()) value.rest();
      return { value, gradient };
    });
}

/** A function that computes the gradient of `f` by its first argument. */
export function grad<A extends readonly unknown[]>(
  f: (argument: Tensor, ...rest: A) => Tensor,
): (argument: Tensor, ...rest: A) => Tensor;
/** The same for a tree of tensors. */
export function grad<T extends Tree, A extends readonly unknown[]>(
  f: (argument: T, ...rest: A) => Tensor,
): (argument: T, ...rest: A) => T;
export function grad<T extends Tree, A extends readonly unknown[]>(
  f: (argument: T, ...rest: A) => Tensor,
): (argument: T, ...rest: A) => T {
  const both = valueAndGrad(f);
  return (argument, ...rest) => {
    const { value, gradient } = both(argument, ...rest);
    value.dispose();
    return gradient;
  };
}

/** Runs `f` without gradients in a scope of its own: only its result stays. */
export function evaluate<T>(f: () => T): T {
  return scope(() => unobserved(f));
}

/** The same values, through which no gradient flows. */
export function stopGradient<T extends Tree>(x: T): T {
  return replaceLeaves(x, unobserved(() => leaves(x).map(alias)));
}
