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
  type Tree,
} from "../tensor/internal.ts";
import { type LayerRow, layersOf, parametersOf } from "./layer_row.ts";
import { type Chain, multigrid, type Solution } from "./multigrid.ts";
import type { MultigridOptions } from "./multigrid_options.ts";
import type { Propagator } from "./propagator.ts";
import { advance, type OdeBlock, stepSize } from "./ode_block.ts";
import {
  adjointPlace,
  type Execution,
  forwardPlace,
  type PlaceOf,
  rowPropagator,
  type RowStep,
} from "./row_propagator.ts";
import { assertStacked } from "./section.ts";
import { stackedTrees, stackStates } from "./stacked_states.ts";
import { trees } from "./state_space.ts";

/** A block with its parameters and context: all that a step depends on. */
export interface BlockProblem<X extends Tree, P extends Tree, C> {
  /** What is integrated. */
  readonly block: OdeBlock<X, P, C>;
  /** Stacked: every leaf has the layer as its first axis. */
  readonly parameters: P;
  /** What else the layers see; constant. */
  readonly context: C;
  /** How the independent steps of a sweep are taken; default `sequential`. */
  readonly execution?: Execution;
  /** Whether residuals' norms are computed; default true. */
  readonly measure?: boolean;
}

/** The ways back through rows of layers of a final sweep. */
export class RowPullbacks<X extends Tree, P extends Tree>
  implements Disposable {
  #pullbacks = new Map<string, Pullback<[X, P], X>>();

  /** Keeps the way back through a row. */
  set(
    { first, spacing, count }: LayerRow,
    pullback: Pullback<[X, P], X>,
  ): void {
    this.#pullbacks.set(`${first} ${spacing} ${count}`, pullback);
  }

  /** The way back through a row, if it was computed as one. */
  get({ first, spacing, count }: LayerRow): Pullback<[X, P], X> | undefined {
    return this.#pullbacks.get(`${first} ${spacing} ${count}`);
  }

  /** Frees those that weren't called. */
  [Symbol.dispose](): void {
    for (const pullback of this.#pullbacks.values()) {
      pullback[Symbol.dispose]();
    }
  }
}

/** One step of `stride` · h with the parameters of a row of layers. */
function rowStep<X extends Tree, P extends Tree, C>(
  { block, context }: BlockProblem<X, P, C>,
  row: LayerRow,
  stride: number,
): (x: X, parameters: P) => X {
  const h = stride * stepSize(block);
  const layers = layersOf(row);
  return (x, parameters) =>
    advance(block, x, parameters, h, { ...context, layers });
}

/** The chain of a block in one direction, from a first state. */
function chainOf<X extends Tree, P extends Tree, C>(
  { block, execution = "sequential", measure }: BlockProblem<X, P, C>,
  first: X,
  placeOf: PlaceOf,
  step: RowStep<X>,
  finalStep: RowStep<X>,
): Chain<X> {
  const [{ device }] = leaves(first);
  const propagatorOf = (step: RowStep<X>): Propagator<X> =>
    rowPropagator({ execution, placeOf, step, sections: block.sections });
  return {
    steps: block.layers,
    space: execution === "stacked" ? stackedTrees<X>() : trees<X>(),
    propagator: propagatorOf(step),
    finalPropagator: propagatorOf(finalStep),
    launches: () => device.launches,
    measure,
  };
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
  pullbacks?: RowPullbacks<X, P>,
): Solution<X> {
  const { block, parameters } = problem;
  assertStacked(parameters, block);
  const { sections } = block;
  const step: RowStep<X> = (state, row, stride) =>
    rowStep(problem, row, stride)(
      state,
      parametersOf(parameters, row, sections),
    );
  const recordedStep: RowStep<X> = (state, row, stride) => {
    const { value, pullback } = vjp<[X, P], X>(
      rowStep(problem, row, stride),
      state,
      parametersOf(parameters, row, sections),
    );
    pullbacks?.set(row, pullback);
    return value;
  };
  const finalStep = pullbacks === undefined ? step : recordedStep;
  const chain = chainOf(problem, x, forwardPlace, step, finalStep);
  return multigrid(chain, x, options);
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
  pullbacks?: RowPullbacks<X, P>,
): AdjointSolution<X, P> {
  const { block, parameters } = problem;
  const { sections } = block;
  const gradient = mapTree(
    (leaf) => empty(leaf.device, leaf.dtype, leaf.shape, "solve"),
    parameters,
  );
  const pointOf = (row: LayerRow, points: readonly X[]): X =>
    row.count === 1
      ? points[row.first]
      : stackStates(layersOf(row).map((layer) => points[layer]));
  const step: RowStep<X> = (w, row, stride, { index }) => {
    const recorded = index === 0 ? pullbacks?.get(row) : undefined;
    if (recorded?.repeatable) return recorded.first(w);
    const weights = parametersOf(parameters, row, sections);
    const { value, pullback } = vjp<[X], X>(
      (x) => rowStep(problem, row, stride)(x, weights),
      pointOf(row, index === 0 ? forward.inputs : forward.states),
    );
    dispose(value);
    return pullback(w)[0];
  };
  const evaluated = (row: LayerRow): Pullback<[X, P], X> => {
    const { value, pullback } = vjp<[X, P], X>(
      rowStep(problem, row, 1),
      pointOf(row, forward.inputs),
      parametersOf(parameters, row, sections),
    );
    dispose(value);
    return pullback;
  };
  const finalStep: RowStep<X> = (w, row) => {
    const pullback = pullbacks?.get(row) ?? evaluated(row);
    const place = parametersOf(gradient, row, sections);
    return pullback.into(w, [undefined, place])[0];
  };
  const chain = chainOf(
    problem,
    cotangent,
    adjointPlace(block.layers),
    step,
    finalStep,
  );
  const solution = multigrid(chain, cotangent, options);
  return { ...solution, parameters: gradient };
}
