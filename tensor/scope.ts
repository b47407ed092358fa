/**
 * Scopes: every tensor made inside one is freed at its end, except those that
 * are handed out.
 *
 * @example
 * ```ts
 * import { add, device, mul, scope, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const x = tensor([1, 2, 3]);
 * const y = scope(() => add(mul(x, x), 1)); // the product is freed, y is not
 * console.log(await y.data()); // Float32Array [ 2, 5, 10 ]
 * ```
 *
 * @module
 */

import type { Tensor } from "./tensor.ts";

/** A list of the tensors made while it is the innermost scope. */
export class Scope {
  #tensors = new Set<Tensor>();
  #parent: Scope | undefined;
  #ending = false;

  /** Opens a scope inside the current one; see {@linkcode scope}. */
  constructor() {
    this.#parent = current;
    current = this;
  }

  /** Takes charge of a tensor. */
  adopt(tensor: Tensor): void {
    this.#tensors.add(tensor);
  }

  /** Hears that a tensor was freed, or is in other hands. */
  forget(tensor: Tensor): void {
    // At the end all are forgotten at once.
    if (!this.#ending) this.#tensors.delete(tensor);
  }

  /** Hands a tensor out to the scope around this one, or to nobody's care. */
  keep(tensor: Tensor): void {
    if (tensor.scope === this) tensor.moveTo(this.#parent);
  }

  /** Frees what was made inside and not kept. */
  [Symbol.dispose](): void {
    this.#ending = true;
    for (const tensor of this.#tensors) tensor.dispose();
    this.#tensors.clear();
    this.#ending = false;
    if (current === this) current = this.#parent;
    else unlink(this, this.#parent);
  }

  /** The scope around this one. */
  get parent(): Scope | undefined {
    return this.#parent;
  }

  /** Replaces the scope around this one, when that ended first. */
  set parent(scope: Scope | undefined) {
    this.#parent = scope;
  }
}

let current: Scope | undefined;

/** The innermost open scope. */
export function currentScope(): Scope | undefined {
  return current;
}

// Scopes of interleaved async functions may end out of order.
function unlink(scope: Scope, parent: Scope | undefined): void {
  for (let inner = current; inner !== undefined; inner = inner.parent) {
    if (inner.parent === scope) inner.parent = parent;
  }
}

/** Runs `f` with no scope open: what it makes is in nobody's care. */
export function withoutScope<T>(f: () => T): T {
  const outer = current;
  current = undefined;
  try {
    return f();
  } finally {
    current = outer;
  }
}
