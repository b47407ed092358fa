/**
 * Primitive operations and who watches them.
 *
 * A primitive is a name and a forward function on tensors. Everything else is
 * made of primitives. Observers see every application, which is all that
 * automatic differentiation needs to know of this package.
 *
 * @module
 */

import type { Tensor } from "./tensor.ts";

/** A primitive: tensors and attributes in, tensors out. */
export interface Operation<A> {
  /** For messages and profiles. */
  readonly name: string;
  /** Computes the outputs; must not apply operations. */
  readonly forward: (inputs: readonly Tensor[], attributes: A) => Tensor[];
}

/** Sees what is computed. */
export interface Observer {
  /** Whether it follows what becomes of a tensor. */
  tracks(x: Tensor): boolean;
  /** Called after every application, innermost observer first. */
  observe<A>(
    operation: Operation<A>,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    attributes: A,
  ): void;
}

let observers: readonly Observer[] = [];

/** Whether anybody watches. */
export function observed(): boolean {
  return observers.length > 0;
}

/** Whether anybody follows what becomes of a tensor. */
export function tracked(x: Tensor): boolean {
  return observers.some((observer) => observer.tracks(x));
}

/**
 * Refuses operands on different devices.
 *
 * @throws {TypeError} If there are any.
 */
export function assertOneDevice(
  operation: string,
  operands: readonly Tensor[],
): void {
  for (let i = 1; i < operands.length; i++) {
    const a = operands[0].device;
    const b = operands[i].device;
    if (a === b) continue;
    throw new TypeError(
      `${operation}: operands live on different devices, ${a.name} and ` +
        `${b.name}; all must be on one`,
    );
  }
}

/** Applies a primitive. */
export function apply<A>(
  operation: Operation<A>,
  inputs: readonly Tensor[],
  attributes: A,
): Tensor[] {
  assertOneDevice(operation.name, inputs);
  const outputs = operation.forward(inputs, attributes);
  for (let i = observers.length - 1; i >= 0; i--) {
    observers[i].observe(operation, inputs, outputs, attributes);
  }
  return outputs;
}

/** Runs `f` with one more observer. */
export function withObserver<T>(observer: Observer, f: () => T): T {
  const outer = observers;
  observers = [...outer, observer];
  try {
    return f();
  } finally {
    observers = outer;
  }
}

/** Runs `f` with nobody watching. */
export function unobserved<T>(f: () => T): T {
  const outer = observers;
  observers = [];
  try {
    return f();
  } finally {
    observers = outer;
  }
}
