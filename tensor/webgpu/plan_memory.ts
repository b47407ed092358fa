/**
 * What launches need, remembered by how their views lie in memory: training
 * asks for the same launches in every step.
 *
 * @module
 */

import type { Dtype } from "../dtype.ts";
import type { View } from "../backend.ts";

/** How a view lies; but for where exactly, on which plans don't depend. */
interface Lie {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Offset modulo 4: whether vectors can be read. */
  readonly shift: number;
}

interface Known<P> {
  readonly lies: readonly (Lie | undefined)[];
  readonly plan: P;
}

/** Plans that are kept, the oldest of which makes room for a new one. */
const most = 64;

/** Remembers plans of one kernel. */
export class PlanMemory<P> {
  readonly #known: Known<P>[] = [];
  #next = 0;

  /** The plan of views that lie like these; absent operands count too. */
  find(views: readonly (View | undefined)[]): P | undefined {
    for (let i = 0; i < this.#known.length; i++) {
      const { lies, plan } = this.#known[i];
      if (lieAlike(views, lies)) return plan;
    }
    return undefined;
  }

  /** Keeps the plan of views that `find` didn't know. */
  keep(views: readonly (View | undefined)[], plan: P): P {
    // Not the views themselves, which would keep tensors from being collected.
    const lies = views.map((view): Lie | undefined =>
      view && {
        dtype: view.dtype,
        shape: view.shape,
        strides: view.strides,
        shift: view.offset & 3,
      }
    );
    this.#known[this.#next] = { lies, plan };
    this.#next = (this.#next + 1) % most;
    return plan;
  }
}

function lieAlike(
  views: readonly (View | undefined)[],
  lies: readonly (Lie | undefined)[],
): boolean {
  if (views.length !== lies.length) return false;
  for (let i = 0; i < lies.length; i++) {
    const view = views[i];
    const lie = lies[i];
    if (view === undefined || lie === undefined) {
      if (view !== lie) return false;
    } else if (
      view.dtype !== lie.dtype || (view.offset & 3) !== lie.shift ||
      !sameNumbers(view.shape, lie.shape) ||
      !sameNumbers(view.strides, lie.strides)
    ) return false;
  }
  return true;
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
