/**
 * Optimizers: from parameters, gradients and a state to new parameters and a
 * new state.
 *
 * An update is pure to its caller and in place underneath: it consumes what it
 * is given and hands out new tensors on the same memory, so a training loop
 * needs no more memory after the first step, and no `dispose`.
 *
 * @example
 * ```ts
 * import { valueAndGrad } from "@layerbraid/layerbraid/autograd";
 * import { device, square, sub, sum, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 * import { sgd } from "@layerbraid/layerbraid/train";
 *
 * await device("reference");
 * const loss = valueAndGrad(({ x }: { x: Tensor }) =>
 *   sum(square(sub(x, 3)))
 * );
 * const optimizer = sgd({ learningRate: 0.1 });
 * let parameters = { x: tensor([0, 1]) };
 * let state = optimizer.init(parameters);
 * for (let step = 0; step < 100; step++) {
 *   const { gradient } = loss(parameters);
 *   ({ parameters, state } = optimizer.update(parameters, gradient, state));
 * }
 * console.log(await parameters.x.data()); // Float32Array [ 3, 3 ], nearly
 * ```
 *
 * @module
 */

import {
  formatShape,
  isFloat,
  namedLeaves,
  replaceLeaves,
  sameShape,
  scope,
  type Shape,
  Tensor,
  tracked,
  type Tree,
  unobserved,
  zeros,
} from "../tensor/internal.ts";
import { requireNumber } from "./optimizer_options.ts";

/**
 * What an optimizer remembers of each parameter: for each kind of memory
 * (`momentum`, `first`, …), tensors by the parameters' paths.
 */
export type Slots = Readonly<Record<string, Readonly<Record<string, Tensor>>>>;

/** What an optimizer remembers; save its number and its named tensors. */
export interface OptimizerState {
  /** Updates done. */
  readonly step: number;
  /** Moments and the like. */
  readonly slots: Slots;
}

/** What may differ from update to update. */
export interface UpdateOptions {
  /** In place of the optimizer's own; finite, ≥ 0. */
  readonly learningRate?: number;
  /**
   * Multiplies all gradients; of one element, as `clipByGlobalNorm` makes it.
   * If it is negative or NaN, parameters and slots stay as they are, bit for
   * bit, whatever the gradients are. It is consumed.
   */
  readonly scale?: Tensor;
}

/** What an update returns. */
export interface Updated<P extends Tree> {
  /** The new parameters, in the memory of the old. */
  readonly parameters: P;
  /** The new state, in the memory of the old. */
  readonly state: OptimizerState;
}

/** A way to improve parameters with gradients. */
export interface Optimizer {
  /** For messages and reports. */
  readonly name: string;
  /** Factor of the update unless one is given to `update`. */
  readonly learningRate: number;
  /**
   * The state before the first update.
   *
   * @throws {TypeError} If a parameter holds no real numbers, repeats elements
   * or is there twice.
   */
  init(parameters: Tree): OptimizerState;
  /**
   * Improves the parameters. All tensors given are consumed: use those returned
   * in their place, which the scopes of the old ones look after.
   *
   * @throws {TypeError} If the trees or the state don't fit the parameters.
   * @throws {RangeError} If the learning rate is negative or not finite.
   * @throws {ReferenceError} If a tensor was freed or consumed before.
   */
  update<P extends Tree>(
    parameters: P,
    gradients: P,
    state: OptimizerState,
    options?: UpdateOptions,
  ): Updated<P>;
}

/** One tensor's part of an update. */
export interface LeafUpdate {
  /** Path of the parameter. */
  readonly name: string;
  /** To be written in place. */
  readonly parameter: Tensor;
  /** Of the parameter's shape. */
  readonly gradient: Tensor;
  /** Multiplies the gradient; if it is negative or NaN, nothing changes. */
  readonly scale: Tensor | undefined;
  /** The state of this parameter, to be written in place. */
  readonly slots: Readonly<Record<string, Tensor>>;
  /** 1 at the first update. */
  readonly step: number;
  /** Factor of the update. */
  readonly learningRate: number;
}

/** What makes an optimizer: how one tensor's state looks and is updated. */
export interface OptimizerRule {
  /** See {@linkcode Optimizer}. */
  readonly name: string;
  /** See {@linkcode Optimizer}. */
  readonly learningRate: number;
  /** Shapes of a parameter's slots, which are zero at first. */
  readonly slots: (
    name: string,
    parameter: Tensor,
  ) => Readonly<Record<string, Shape>>;
  /** Writes the parameter and its slots; what else it makes is freed. */
  readonly update: (leaf: LeafUpdate) => void;
}

/**
 * Makes an optimizer from its rule for one tensor; for optimizers of one's own.
 *
 * @throws {RangeError} If the learning rate isn't positive.
 */
export function optimizerOf(rule: OptimizerRule): Optimizer {
  const { name, learningRate } = rule;
  requireNumber(name, "learningRate", learningRate, "a finite number > 0");
  return {
    name,
    learningRate,
    init: (parameters) => initialState(rule, parameters),
    update: (parameters, gradients, state, options = {}) => {
      const rate = options.learningRate ?? learningRate;
      const operation = `${name}.update`;
      requireNumber(operation, "learningRate", rate, "a finite number ≥ 0");
      const step = state.step + 1;
      requireNumber(operation, "state.step", step, "an integer ≥ 1");
      const own = parameterLeaves(operation, parameters);
      const others = matchGradients(operation, own, gradients);
      const slots = matchSlots(operation, rule, own, state.slots);
      const { scale } = options;
      checkScale(operation, scale);
      requireAlive([...own, ...others, ...namedLeaves(state.slots)]);
      scale?.storage;
      unobserved(() =>
        own.forEach(([path, parameter], i) =>
          scope(() =>
            rule.update({
              name: path,
              parameter,
              gradient: others[i][1],
              scale,
              slots: slots[i],
              step,
              learningRate: rate,
            })
          )
        )
      );
      for (const [, gradient] of others) gradient.dispose(consumed(operation));
      scale?.dispose(consumed(operation));
      return {
        parameters: replaceLeaves(
          parameters,
          own.map(([, x]) => renew(operation, x)),
        ),
        state: { step, slots: renewSlots(operation, state.slots) },
      };
    },
  };
}

/** A leaf of a tree and its path. */
export type NamedTensor = readonly [name: string, tensor: Tensor];

/** Throws if a tensor was freed, before anything is written. */
export function requireAlive(tensors: readonly NamedTensor[]): void {
  for (const [, x] of tensors) x.storage;
}

function consumed(operation: string): string {
  return `it was given to ${operation}; use what that returned, ` +
    `or copy() before`;
}

/** A new handle on the memory of `x`, in its scope; `x` ends. */
export function renew(operation: string, x: Tensor): Tensor {
  const { device, storage, dtype, shape, strides, offset, scope } = x;
  const result = new Tensor(
    device,
    storage,
    dtype,
    shape,
    strides,
    offset,
    scope ?? null,
  );
  x.dispose(consumed(operation));
  return result;
}

function renewSlots(operation: string, slots: Slots): Slots {
  return mapRecord(
    slots,
    (slot) => mapRecord(slot, (x) => renew(operation, x)),
  );
}

function mapRecord<A, B>(
  record: Readonly<Record<string, A>>,
  f: (value: A) => B,
): Record<string, B> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, f(value)]),
  );
}

function initialState(rule: OptimizerRule, parameters: Tree): OptimizerState {
  const slots: Record<string, Record<string, Tensor>> = {};
  for (const [path, x] of parameterLeaves(`${rule.name}.init`, parameters)) {
    for (const [slot, shape] of Object.entries(rule.slots(path, x))) {
      slots[slot] ??= {};
      slots[slot][path] = zeros(shape, x);
    }
  }
  return { step: 0, slots };
}

/** The parameters by path, where they can be written in place. */
function parameterLeaves(operation: string, parameters: Tree): NamedTensor[] {
  const result = namedLeaves(parameters);
  const seen = new Set<string>();
  const places = new Map<number, string>();
  for (const [path, x] of result) {
    const fail = (problem: string): never => {
      throw new TypeError(`${operation}: parameter "${path}" ${problem}`);
    };
    if (seen.has(path)) fail("is not the only one of this path; rename one");
    seen.add(path);
    const twin = places.get(x.id);
    if (twin !== undefined) {
      fail(`is the same tensor as "${twin}"; keep it once and use it twice`);
    }
    places.set(x.id, path);
    if (!isFloat(x.dtype)) {
      fail(`is ${x.dtype}; only real numbers can be improved by gradients`);
    }
    if (x.shape.some((extent, axis) => extent > 1 && x.strides[axis] === 0)) {
      fail(
        `${formatShape(x.shape)} repeats its elements and can't be written ` +
          `in place; copy() it first`,
      );
    }
    if (tracked(x)) {
      fail(
        "is followed by a tape, but no gradient flows through an update; " +
          "call it outside vjp",
      );
    }
  }
  return result;
}

/** The gradients in the order of the parameters. */
export function matchGradients(
  operation: string,
  parameters: readonly NamedTensor[],
  gradients: Tree,
): NamedTensor[] {
  const found = new Map(namedLeaves(gradients));
  const result = parameters.map(([path, x]): NamedTensor => {
    const gradient = found.get(path);
    if (gradient === undefined) {
      throw new TypeError(`${operation}: there is no gradient of "${path}"`);
    }
    if (!sameShape(gradient.shape, x.shape) || gradient.dtype !== x.dtype) {
      throw new TypeError(
        `${operation}: the gradient of "${path}" is ` +
          `${formatShape(gradient.shape)} ${gradient.dtype}, but the ` +
          `parameter is ${formatShape(x.shape)} ${x.dtype}`,
      );
    }
    found.delete(path);
    return [path, gradient];
  });
  for (const path of found.keys()) {
    throw new TypeError(
      `${operation}: there is a gradient of "${path}", but no such parameter`,
    );
  }
  return result;
}

/** The slots of each parameter. */
function matchSlots(
  operation: string,
  rule: OptimizerRule,
  parameters: readonly NamedTensor[],
  slots: Slots,
): Record<string, Tensor>[] {
  const fail = (problem: string): never => {
    throw new TypeError(
      `${operation}: ${problem}; use the state that init or update returned ` +
        `with these parameters`,
    );
  };
  const unused = new Set(
    namedLeaves(slots).map(([name]) => name),
  );
  const result = parameters.map(([path, x]) =>
    Object.fromEntries(
      Object.entries(rule.slots(path, x)).map(([slot, shape]) => {
        const value = slots[slot]?.[path];
        if (value === undefined || !sameShape(value.shape, shape)) {
          fail(
            `the state has no "${slot}" ${formatShape(shape)} of "${path}"` +
              (value ? `, but one of ${formatShape(value.shape)}` : ""),
          );
        }
        unused.delete(`${slot}.${path}`);
        return [slot, value];
      }),
    )
  );
  for (const name of unused) fail(`the state's "${name}" belongs to nothing`);
  return result;
}

function checkScale(operation: string, scale: Tensor | undefined): void {
  if (scale !== undefined && scale.size !== 1) {
    throw new RangeError(
      `${operation}: scale must have one element, not shape ${
        formatShape(scale.shape)
      }`,
    );
  }
}
