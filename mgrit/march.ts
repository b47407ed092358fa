/**
 * The serial march through the layers of a block, and plain backpropagation.
 *
 * @module
 */

import { vjp } from "../autograd/mod.ts";
import {
  dispose,
  empty,
  mapTree,
  scope,
  type Tree,
} from "../tensor/internal.ts";
import { parametersOf, singleLayer } from "./layer_row.ts";
import type { SectionedLayers } from "./section.ts";

/** What gradients flow to. */
export interface Inputs<X extends Tree, P extends Tree> {
  readonly [name: string]: Tree;
  readonly x: X;
  readonly parameters: P;
}

/** The state after the last layer, with the way back. */
export interface March<X extends Tree, P extends Tree> {
  readonly value: X;
  readonly pullback: (cotangent: X) => Inputs<X, P>;
  readonly release: () => void;
}

/** The step through layer n. */
type Step<X extends Tree, P extends Tree> = (
  n: number,
) => (state: X, layer: P) => X;

/** Replaces the state by the next, freeing it unless it is the first. */
function march<X extends Tree>(
  layers: number,
  first: X,
  advanceLayer: (n: number, state: X) => X,
): X {
  let state = first;
  for (let n = 0; n < layers; n++) {
    const next = scope(() => advanceLayer(n, state));
    if (n > 0) dispose(state);
    state = next;
  }
  return state;
}

/** Without gradients: keeps nothing. */
export function marchOnly<X extends Tree, P extends Tree>(
  { layers, sections }: SectionedLayers,
  step: Step<X, P>,
  { x, parameters }: Inputs<X, P>,
): March<X, P> {
  return {
    value: march(
      layers,
      x,
      (n, state) =>
        step(n)(state, parametersOf(parameters, singleLayer(n), sections)),
    ),
    pullback: unneeded,
    release: () => {},
  };
}

/** Plain backpropagation: a tape for each layer. */
export function marchWithTapes<X extends Tree, P extends Tree>(
  block: SectionedLayers,
  step: Step<X, P>,
  { x, parameters }: Inputs<X, P>,
): March<X, P> {
  const pullbacks: ReturnType<typeof vjp<[X, P], X>>["pullback"][] = [];
  const value = march(block.layers, x, (n, state) => {
    const layer = parametersOf(parameters, singleLayer(n), block.sections);
    const { value, pullback } = vjp<[X, P], X>(step(n), state, layer);
    pullbacks.push(pullback);
    return value;
  });
  return {
    value,
    pullback: (cotangent) =>
      marchBack(
        block,
        parameters,
        cotangent,
        (n, w, place) => pullbacks[n].into(w, [undefined, place])[0],
      ),
    release: () => pullbacks.forEach((pullback) => pullback[Symbol.dispose]()),
  };
}

/** Keeps the states, and computes each layer again on the way back. */
export function marchWithStates<X extends Tree, P extends Tree>(
  block: SectionedLayers,
  step: Step<X, P>,
  { x, parameters }: Inputs<X, P>,
): March<X, P> {
  const states: X[] = [];
  const hold = <T extends Tree>(tree: T): T =>
    mapTree((leaf) => leaf.retain(), tree);
  const value = march(block.layers, x, (n, state) => {
    states.push(hold(state));
    const layer = parametersOf(parameters, singleLayer(n), block.sections);
    return step(n)(state, layer);
  });
  return {
    value,
    pullback: (cotangent) =>
      marchBack(block, parameters, cotangent, (n, w, place) => {
        const layer = parametersOf(parameters, singleLayer(n), block.sections);
        const { value, pullback } = vjp<[X, P], X>(step(n), states[n], layer);
        dispose(value);
        return pullback.into(w, [undefined, place])[0];
      }),
    release: () => states.forEach(dispose),
  };
}

/** λₙ = (∂Φₙ/∂x)ᵀ λₙ₊₁ from the last layer to the first, gₙ = (∂Φₙ/∂θ)ᵀ λₙ₊₁. */
function marchBack<X extends Tree, P extends Tree>(
  { layers, sections }: SectionedLayers,
  parameters: P,
  cotangent: X,
  pull: (n: number, w: X, place: P) => X,
): Inputs<X, P> {
  const gradient = mapTree(
    (leaf) => empty(leaf.device, leaf.dtype, leaf.shape, "solve"),
    parameters,
  );
  let w = cotangent;
  for (let n = layers - 1; n >= 0; n--) {
    const next = scope(() =>
      pull(n, w, parametersOf(gradient, singleLayer(n), sections))
    );
    if (n < layers - 1) dispose(w);
    w = next;
  }
  return { x: w, parameters: gradient };
}

/** The pullback of a solve without gradients. */
export function unneeded(): never {
  throw new ReferenceError("solve: nothing was kept for a pullback");
}
