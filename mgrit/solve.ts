/**
 * Solving an ODE block: from the state before its first layer to the state
 * after its last, as one differentiable function.
 *
 * @module
 */

import { customVjp } from "../autograd/mod.ts";
import {
  dispose,
  leaves,
  mapTree,
  scope,
  tracked,
  type Tree,
} from "../tensor/internal.ts";
import {
  type BlockProblem,
  RowPullbacks,
  solveAdjoint,
  solveForward,
} from "./block_solver.ts";
import type { Direction } from "./control_options.ts";
import { heldContext } from "./held_context.ts";
import { hierarchy } from "./hierarchy.ts";
import {
  type Inputs,
  type March,
  marchOnly,
  marchWithStates,
  marchWithTapes,
  unneeded,
} from "./march.ts";
import type { Solution } from "./multigrid.ts";
import { assertOneOf, type MultigridOptions } from "./multigrid_options.ts";
import { advance, type OdeBlock, stepSize } from "./ode_block.ts";
import type { Execution } from "./row_propagator.ts";
import { assertStacked } from "./section.ts";
import { keepInMemory, type SolveMemory, withMemory } from "./solve_memory.ts";
import { type Measurement, trees } from "./state_space.ts";
import { varyingBlock } from "./varying_parameters.ts";

/** What a solve by multigrid measured. */
export interface SolveReport extends
  Pick<
    Solution<unknown>,
    | "residuals"
    | "finalResidual"
    | "evaluations"
    | "exactIterations"
    | "sweeps"
  > {
  /** Of the states or of their cotangents. */
  readonly direction: Direction;
  /**
   * Norm of the states at the C-points, √(Σ ‖uᵢ‖²): what residuals are small or
   * large against.
   */
  readonly scale: Measurement;
}

/** How a block is solved. */
export interface SolveOptions<X = never> {
  /**
   * The forward pass by multigrid. Default, and with one level: the serial
   * march, exact.
   */
  readonly forward?: MultigridOptions<X>;
  /**
   * The backward pass by multigrid. Default, and with one level: plain
   * backpropagation.
   */
  readonly backward?: MultigridOptions<X>;
  /**
   * How the independent steps of a sweep are taken: `sequential` (default) or
   * `stacked`, as one batched call. Serial passes are always sequential.
   */
  readonly execution?: Execution;
  /** Where the guess `previous` finds the states of the last call. */
  readonly memory?: SolveMemory<X & Tree>;
  /**
   * Hears of every pass, if one of them is by multigrid. Residuals' norms are
   * computed only if it is there, or for a tolerance.
   */
  readonly onSolve?: (report: SolveReport) => void;
  /**
   * Keep only the states between layers and compute the layers again in the
   * backward pass: less memory, a third more time. Default false.
   */
  readonly remat?: boolean;
}

/**
 * Takes a state through the layers of a block: one after the other, or by
 * multigrid over the layers, each direction as its options say. Both are the
 * same function to rounding once multigrid has done enough iterations.
 *
 * @param block What is integrated.
 * @param x The state before the first layer.
 * @param parameters Stacked: every leaf has the layer as its first axis. For
 *   a block of sections, such a tree for each.
 * @param context What else the layers see: masks, dropout, …; constant.
 * @returns The state after the last layer. Gradients flow to `x` and
 *   `parameters`, and are computed of those alone that a tape follows.
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
  options: SolveOptions<X> = {},
): X {
  const h = stepSize(block);
  assertStacked(parameters, block);
  const isFollowed = leaves([x, parameters]).some(tracked);
  if (!isFollowed) {
    return solveBy(block, h, { x, parameters }, context, options);
  }
  const held = heldContext(context);
  if (leaves(parameters).every(tracked)) {
    const inputs = { x, parameters };
    return solveBy(block, h, inputs, held.context, options, held.release);
  }
  const own = varyingBlock(block, parameters);
  const inputs = { x, parameters: own.parameters };
  return solveBy(own.block, h, inputs, held.context, options, () => {
    own.release();
    held.release();
  });
}

/** Solves, with gradients to all inputs; `release` comes last of all. */
function solveBy<X extends Tree, P extends Tree, C>(
  block: OdeBlock<X, P, C>,
  h: number,
  { x, parameters }: Inputs<X, P>,
  context: C,
  options: SolveOptions<X>,
  release: () => void = () => {},
): X {
  const step = (n: number) => (state: X, layer: P): X =>
    advance(block, state, layer, h, { ...context, layers: [n] });
  const problem = { block, context };
  const march = (inputs: Inputs<X, P>, needed: boolean): March<X, P> => {
    if (isMultigrid(options.forward) || isMultigrid(options.backward)) {
      return solveInParallel(problem, inputs, options, needed);
    }
    if (!needed) return marchOnly(block, step, inputs);
    return options.remat
      ? marchWithStates(block, step, inputs)
      : marchWithTapes(block, step, inputs);
  };
  return customVjp<Inputs<X, P>, X>(
    "solve",
    (inputs, needed) => {
      const solved = orRelease(() => march(inputs, needed), release);
      return {
        ...solved,
        pullback: (cotangent) => {
          refuseFollowers([inputs, cotangent]);
          return solved.pullback(cotangent);
        },
        release: () => {
          solved.release();
          release();
        },
      };
    },
    { x, parameters },
  );
}

/** What a function returns; what it needs is freed if it throws. */
function orRelease<T>(f: () => T, release: () => void): T {
  try {
    return f();
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * What a tape would see of a backward pass is not all that happens there, and a
 * gradient of it would be wrong.
 *
 * @throws {TypeError} If a tape follows what the backward pass starts from.
 */
function refuseFollowers(tensors: Tree): void {
  if (!leaves(tensors).some(tracked)) return;
  throw new TypeError(
    "solve: gradients of gradients aren't available through it; apply the " +
      "layers one by one instead",
  );
}

const executions: readonly Execution[] = ["sequential", "stacked"];

/** One level: states everywhere by a serial march. */
const serial: MultigridOptions<never> = {
  levels: 1,
  coarsening: 2,
  relaxation: "F",
  iterations: 0,
  guess: "input",
};

function isMultigrid<X>(
  options: MultigridOptions<X> | undefined,
): options is MultigridOptions<X> {
  return options !== undefined && options.levels !== 1;
}

/** Multigrid in one direction or both. */
function solveInParallel<X extends Tree, P extends Tree, C>(
  equation: Omit<BlockProblem<X, P, C>, "parameters">,
  { x, parameters }: Inputs<X, P>,
  options: SolveOptions<X>,
  needed: boolean,
): March<X, P> {
  const { execution = "sequential", memory, onSolve } = options;
  const [forward, backward] = [options.forward, options.backward].map((given) =>
    isMultigrid(given) ? given : serial
  );
  assertOneOf("execution", execution, executions);
  const problem = { ...equation, parameters, execution };
  const measured = (options: MultigridOptions<X>): BlockProblem<X, P, C> => ({
    ...problem,
    measure: onSolve !== undefined || options.tolerance !== undefined,
  });
  const { layers } = problem.block;
  const pullbacks = needed && !options.remat &&
      (execution !== "stacked" || sameRows(layers, forward, backward))
    ? new RowPullbacks<X, P>()
    : undefined;
  const release = (): void => pullbacks?.[Symbol.dispose]();
  try {
    return scope(() => {
      const found = solveForward(
        measured(forward),
        x,
        withMemory(forward, memory, "forward", x),
        pullbacks,
      );
      keepInMemory(forward, memory, "forward", found.states);
      onSolve?.(reportOf("forward", found, forward));
      const value = found.states[layers];
      if (!needed) return { value, pullback: unneeded, release };
      const hold = (tree: X): X => mapTree((leaf) => leaf.retain(), tree);
      const inputs = found.inputs.map(hold);
      const states = found.states.map(hold);
      return {
        value,
        pullback: (cotangent: X) =>
          scope(() => {
            const solution = solveAdjoint(
              measured(backward),
              { inputs, states },
              cotangent,
              withMemory(backward, memory, "backward", cotangent),
              pullbacks,
            );
            const { states: cotangents, parameters } = solution;
            keepInMemory(backward, memory, "backward", cotangents);
            onSolve?.(reportOf("backward", solution, backward));
            return { x: cotangents[layers], parameters };
          }),
        release: () => {
          release();
          [...inputs, ...states].forEach(dispose);
        },
      };
    });
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Whether both directions' final sweeps compute the same rows of layers: where
 * they don't, a stacked backward pass has no use for the forward's tapes.
 */
function sameRows<X>(
  layers: number,
  forward: MultigridOptions<X>,
  backward: MultigridOptions<X>,
): boolean {
  const points = [forward, backward].map((options) => [
    0,
    ...hierarchy(layers, options)[0].coarsePoints,
  ]);
  const reversed = points[1].map((point) => layers - point).reverse();
  return points[0].join() === reversed.join();
}

/** What a pass tells of itself. */
function reportOf<X extends Tree>(
  direction: Direction,
  solution: Solution<X>,
  options: MultigridOptions<X>,
): SolveReport {
  const { states, residuals, finalResidual, evaluations } = solution;
  const { exactIterations, sweeps } = solution;
  const [{ coarsePoints }] = hierarchy(states.length - 1, options);
  const scale = trees<X>().norm(coarsePoints.map((point) => states[point]));
  return {
    direction,
    residuals,
    finalResidual,
    scale,
    evaluations,
    exactIterations,
    sweeps,
  };
}
