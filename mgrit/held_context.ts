/**
 * Contexts that outlive the scope they were made in.
 *
 * @module
 */

import { dispose, Tensor } from "../tensor/internal.ts";

/** A context whose tensors live until they are released. */
export interface HeldContext<C> {
  /** The same values. */
  readonly context: C;
  /** Frees the tensors. */
  readonly release: () => void;
}

/**
 * Holds the tensors among the entries of a context, such as masks: backward
 * passes take the steps again, when the scope of the loss has ended.
 */
export function heldContext<C>(context: C): HeldContext<C> {
  const handles: Tensor[] = [];
  const entries = Object.entries(context ?? {}).map(([name, value]) => {
    if (!(value instanceof Tensor)) return [name, value];
    const handle = value.retain();
    handles.push(handle);
    return [name, handle];
  });
  return {
    context: Object.fromEntries(entries),
    release: () => dispose(handles),
  };
}
