/**
 * Running functions in scopes.
 *
 * @module
 */

import { Scope } from "./scope.ts";
import { leaves, type Tree } from "./tree.ts";
import { Tensor } from "./tensor.ts";

/**
 * Runs `f` in a scope of its own: tensors made inside are freed at its end,
 * those in the result (a tensor, or records and arrays with tensors somewhere)
 * are handed out to the scope around.
 *
 * @throws {TypeError} If `f` is async: its scope would end before its work.
 */
export function scope<T>(f: () => T): T {
  using inner = new Scope();
  const result = f();
  if (result instanceof Promise) {
    throw new TypeError(
      "scope: the function is async; write `using scope = device.scope()` " +
        "inside it instead",
    );
  }
  keepTensors(inner, result);
  return result;
}

/** Hands the tensors somewhere in a value out of a scope. */
export function keepTensors(scope: Scope, value: unknown): void {
  if (value instanceof Tensor) scope.keep(value);
  else if (Array.isArray(value)) value.forEach((x) => keepTensors(scope, x));
  else if (value !== null && typeof value === "object" && isRecord(value)) {
    Object.values(value).forEach((x) => keepTensors(scope, x));
  }
}

function isRecord(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Frees all tensors of a tree. */
export function dispose(tree: Tree): void {
  for (const leaf of leaves(tree)) leaf.dispose();
}
