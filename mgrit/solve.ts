/**
 * Solving an ODE block: from the state before its first layer to the state
 * after its last, as one differentiable function.
 *
 * @module
 */

import { customVjp, vjp } from "../autograd/mod.ts";
import { empty, leaves, mapTree, scope, type Tree } from "../tensor/mod.ts";
import {
  advance,
  assertStacked,
  type OdeBlock,
  stepSize,
} from "./ode_block.ts";

/** How a block is solved. */
export interface SolveOptions {
  /**
   * Keep only the states between layers and compute the layers again in the
   * backward pass: less memory, a third more time. Default false.
   */
  readonly remat?: boolean;
}

/**
 * Marches through the layers one after the other.
 *
 * @param block What is integrated.
 * @param x The state before the first layer.
 * @param parameters Stacked: every leaf has the layer as its first axis.
 * @param context What else the layers see: masks, dropout, …; constant.
 * @returns The state after the last layer. Gradients flow to `x` and
 *   `parameters`.
 *
 * @example
 * ```ts
 * import { solve } from "@layerbraid/layerbraid/mgrit";
 * import { device, mul, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference", { dtype: "f64" });
 * // dx/dt = λ x with a λ for each of four steps: x(1) ≈ e^λ
 * const block = {
 *   layers: 4,
 *   endTime: 1,
 *   rightHandSide: (x: Tensor, rate: Tensor) => mul(rate, x),
 * };
 * const rates = tensor([1, 1, 1, 1]);
 * const x = solve(block, tensor([1]), rates, {});
 * console.log(await x.item()); // 1.25⁴ = 2.44140625
 * ```
 */
export function solve<X extends Tree, P extends Tree, C>(
  block: OdeBlock<X, P, C>,
  x: X,
  parameters: P,
  context: C,
  options: SolveOptions = {},
): X {
  const h = stepSize(block);
  assertStacked(parameters, block.layers);
  const step = (n: number) => (state: X, layer: P): X =>
    advance(block, state, layer, h, { ...context, layers: [n] });
  return customVjp<{ x: X; parameters: P }, X>(
    "solve",
    (inputs, needed) => {
      if (!needed) return marchOnly(block.layers, step, inputs);
      return options.remat
        ? marchWithStates(block.layers, step, inputs)
        : marchWithTapes(block.layers, step, inputs);
    },
    { x, parameters },
  );
}

interface Inputs<X extends Tree, P extends Tree> {
  readonly [name: string]: Tree;
  readonly x: X;
  readonly parameters: P;
}

interface March<X extends Tree, P extends Tree> {
  readonly value: X;
  readonly pullback: (cotangent: X) => Inputs<X, P>;
  readonly release: () => void;
}

type Step<X extends Tree, P extends Tree> = (
  n: number,
) => (state: X, layer: P) => X;

/** The parameters of layer n, as views. */
export function layerOf<P extends Tree>(parameters: P, n: number): P {
  return mapTree((leaf) =>
    leaf.view(
      leaf.shape.slice(1),
      leaf.strides.slice(1),
      leaf.offset + n * leaf.strides[0],
    ), parameters);
}

function disposeTree(tree: Tree): void {
  for (const leaf of leaves(tree)) leaf.dispose();
}

/** Replaces the state by the next, freeing it unless it is the first. */
function march<X extends Tree>(
  layers: number,
  first: X,
  advanceLayer: (n: number, state: X) => X,
): X {
  let state = first;
  for (let n = 0; n < layers; n++) {
    const next = scope(() => advanceLayer(n, state));
    if (n > 0) disposeTree(state);
    state = next;
  }
  return state;
}

/** Without gradients: keeps nothing. */
function marchOnly<X extends Tree, P extends Tree>(
  layers: number,
  step: Step<X, P>,
  { x, parameters }: Inputs<X, P>,
): March<X, P> {
  return {
    value: march(
      layers,
      x,
      (n, state) => step(n)(state, layerOf(parameters, n)),
    ),
    pullback: () => {
      throw new ReferenceError("solve: nothing was kept for a pullback");
    },
    release: () => {},
  };
}

/** Plain backpropagation: a tape for each layer. */
function marchWithTapes<X extends Tree, P extends Tree>(
  layers: number,
  step: Step<X, P>,
  { x, parameters }: Inputs<X, P>,
): March<X, P> {
  const pullbacks: ReturnType<typeof vjp<[X, P], X>>["pullback"][] = [];
  const value = march(layers, x, (n, state) => {
    const layer = layerOf(parameters, n);
    const { value, pullback } = vjp<[X, P], X>(step(n), state, layer);
    pullbacks.push(pullback);
    return value;
  });
  return {
    value,
    pullback: (cotangent) =>
      marchBack(layers, parameters, cotangent, (n, w) => pullbacks[n](w)),
    release: () => pullbacks.forEach((pullback) => pullback[Symbol.dispose]()),
  };
}

/** Keeps the states, and computes each layer again on the way back. */
function marchWithStates<X extends Tree, P extends Tree>(
  layers: number,
  step: Step<X, P>,
  { x, parameters }: Inputs<X, P>,
): March<X, P> {
  const states: X[] = [];
  const hold = <T extends Tree>(tree: T): T =>
    mapTree((leaf) => leaf.retain(), tree);
  const value = march(layers, x, (n, state) => {
    states.push(hold(state));
    return step(n)(state, layerOf(parameters, n));
  });
  return {
    value,
    pullback: (cotangent) =>
      marchBack(layers, parameters, cotangent, (n, w) => {
        const layer = layerOf(parameters, n);
        const { value, pullback } = vjp<[X, P], X>(step(n), states[n], layer);
        disposeTree(value);
        return pullback(w);
      }),
    release: () => states.forEach(disposeTree),
  };
}

/** λₙ = (∂Φₙ/∂x)ᵀ λₙ₊₁ from the last layer to the first, gₙ = (∂Φₙ/∂θ)ᵀ λₙ₊₁. */
function marchBack<X extends Tree, P extends Tree>(
  layers: number,
  parameters: P,
  cotangent: X,
  pull: (n: number, w: X) => readonly [X, P],
): Inputs<X, P> {
  const gradient = mapTree(
    (leaf) => empty(leaf.device, leaf.dtype, leaf.shape, "solve"),
    parameters,
  );
  let w = cotangent;
  for (let n = layers - 1; n >= 0; n--) {
    const next = scope(() => {
      const [state, layer] = pull(n, w);
      const targets = leaves(layerOf(gradient, n));
      leaves(layer).forEach((g, i) => g.device.assign(targets[i], g));
      return state;
    });
    if (n < layers - 1) disposeTree(w);
    w = next;
  }
  return { x: w, parameters: gradient };
}
