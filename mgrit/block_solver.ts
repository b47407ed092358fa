/**
 * An ODE block's chain of layers and its adjoint, for the multigrid solver.
 *
 * @module
 */

import { type Pullback, vjp } from "../autograd/mod.ts";
import {
  dispose,
  empty,
  leaves,
  mapTree,
  scope,
  type Tree,
} from "../tensor/internal.ts";
import {
  multigrid,
  type MultigridOptions,
  type Solution,
} from "./multigrid.ts";
import {
  advance,
  assertStacked,
  type OdeBlock,
  stepSize,
} from "./ode_block.ts";
import { adjointPropagator, forwardPropagator } from "./propagator.ts";
import { trees } from "./state_space.ts";

/** A block with its parameters and context: all that a step depends on. */
export interface BlockProblem<X extends Tree, P extends Tree, C> {
  /** What is integrated. */
  readonly block: OdeBlock<X, P, C>;
  /** Stacked: every leaf has the layer as its first axis. */
  readonly parameters: P;
  /** What else the layers see; constant. */
  readonly context: C;
}

/** The way back through each layer of a final sweep. */
export type LayerPullbacks<X extends Tree, P extends Tree> = Pullback<
  [X, P],
  X
>[];

/** The parameters of layer n, as views. */
export function layerOf<P extends Tree>(parameters: P, n: number): P {
  return mapTree((leaf) =>
    leaf.view(
      leaf.shape.slice(1),
      leaf.strides.slice(1),
      leaf.offset + n * leaf.strides[0],
    ), parameters);
}

/** Writes one layer's leaves into layer n of stacked ones. */
export function assignLayer<P extends Tree>(
  stacked: P,
  n: number,
  layer: P,
): void {
  const targets = leaves(layerOf(stacked, n));
  leaves(layer).forEach((x, i) => x.device.assign(targets[i], x));
}

/** One step of `stride` · h with the parameters of a layer. */
function layerStep<X extends Tree, P extends Tree, C>(
  { block, context }: BlockProblem<X, P, C>,
  layer: number,
  stride: number,
): (x: X, parameters: P) => X {
  const h = stride * stepSize(block);
  return (x, parameters) =>
    advance(block, x, parameters, h, { ...context, layers: [layer] });
}

/**
 * Solves a block forward.
 *
 * @param x The state before the first layer.
 * @param pullbacks Is filled with the way back through the layers as the final
 *   sweep evaluates them, if given.
 */
export function solveForward<X extends Tree, P extends Tree, C>(
  problem: BlockProblem<X, P, C>,
  x: X,
  options: MultigridOptions<X>,
  pullbacks?: LayerPullbacks<X, P>,
): Solution<X> {
  const { block, parameters } = problem;
  assertStacked(parameters, block.layers);
  const propagator = forwardPropagator<X>((state, layer, stride) =>
    scope(() =>
      layerStep(problem, layer, stride)(state, layerOf(parameters, layer))
    )
  );
  const recording = forwardPropagator<X>((state, layer, stride) =>
    scope(() => {
      const { value, pullback } = vjp<[X, P], X>(
        layerStep(problem, layer, stride),
        state,
        layerOf(parameters, layer),
      );
      pullbacks![layer] = pullback;
      return value;
    })
  );
  return multigrid(
    {
      steps: block.layers,
      space: trees<X>(),
      propagator,
      finalPropagator: pullbacks === undefined ? propagator : recording,
    },
    x,
    options,
  );
}

/** What an adjoint solve found; all of it is the caller's to free. */
export interface AdjointSolution<X extends Tree, P extends Tree>
  extends Solution<X> {
  /**
   * Gradients by the parameters: each layer's is the vector-Jacobian product at
   * its recorded input of the cotangent that the final sweep fed into it.
   */
  readonly parameters: P;
}

/**
 * Solves the adjoint of a block: the same solver on the reversed chain. States
 * and inputs are in the adjoint's order: `states[j]` is the cotangent of the
 * block's state N − j.
 *
 * @param forward What the steps are linearized about: the recorded inputs on
 *   the finest level, the states on the coarser ones.
 * @param cotangent Of the state after the last layer.
 * @param pullbacks From {@linkcode solveForward}, at `forward.inputs`; used up.
 *   Layers are evaluated again where absent.
 */
export function solveAdjoint<X extends Tree, P extends Tree, C>(
  problem: BlockProblem<X, P, C>,
  forward: Pick<Solution<X>, "inputs" | "states">,
  cotangent: X,
  options: MultigridOptions<X>,
  pullbacks?: LayerPullbacks<X, P>,
): AdjointSolution<X, P> {
  const { block, parameters } = problem;
  const gradient = mapTree(
    (leaf) => empty(leaf.device, leaf.dtype, leaf.shape, "solve"),
    parameters,
  );
  const propagator = adjointPropagator<X>(
    block.layers,
    (w, layer, stride) =>
      scope(() => {
        const weights = layerOf(parameters, layer);
        const { value, pullback } = vjp<[X], X>(
          (x) => layerStep(problem, layer, stride)(x, weights),
          (stride === 1 ? forward.inputs : forward.states)[layer],
        );
        dispose(value);
        return pullback(w)[0];
      }),
  );
  const pullbackOf = (layer: number): Pullback<[X, P], X> => {
    if (pullbacks !== undefined) return pullbacks[layer];
    const { value, pullback } = vjp<[X, P], X>(
      layerStep(problem, layer, 1),
      forward.inputs[layer],
      layerOf(parameters, layer),
    );
    dispose(value);
    return pullback;
  };
  const finalPropagator = adjointPropagator<X>(
    block.layers,
    (w, layer) =>
      scope(() => {
        const [state, weights] = pullbackOf(layer)(w);
        assignLayer(gradient, layer, weights);
        return state;
      }),
  );
  const solution = multigrid(
    {
      steps: block.layers,
      space: trees<X>(),
      propagator,
      finalPropagator,
    },
    cotangent,
    options,
  );
  return { ...solution, parameters: gradient };
}
