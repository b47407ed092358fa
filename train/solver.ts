/**
 * How a task's block is solved in training.
 *
 * @module
 */

import {
  completeControl,
  type ControlOptions,
  type ControlState,
  type Direction,
  type DirectionIterations,
  directions,
  type Execution,
  hierarchy,
  iterationsOf,
  type MultigridOptions,
  type SolveMemory,
  type SolveOptions,
  startControl,
} from "../mgrit/mod.ts";
import { assertMultigridOptions } from "../mgrit/multigrid_options.ts";
import type { TrainingTask } from "./task.ts";

/** How the block of a task is solved. */
export interface TrainingSolver {
  /** The forward pass; one level is serial. */
  readonly forward: MultigridOptions<never>;
  /** The backward pass; one level is serial. */
  readonly backward: MultigridOptions<never>;
  /** How independent steps are taken; default `sequential`. */
  readonly execution?: Execution;
  /**
   * How accuracy is looked after; what is left open is as in `defaultControl`.
   * Absent: not at all.
   */
  readonly control?: Partial<ControlOptions>;
}

/** A solver with its defaults filled in. */
export interface CompleteTrainingSolver extends TrainingSolver {
  /** How independent steps are taken. */
  readonly execution: Execution;
  /** How accuracy is looked after; absent: not at all. */
  readonly control?: ControlOptions;
}

/** What a run says of its solver when it begins. */
export interface SolverDescription extends CompleteTrainingSolver {
  /** N of the block. */
  readonly layers: number;
  /** How each direction is solved now, after all switches so far. */
  readonly state: ControlState;
}

/**
 * Fills in what is left open.
 *
 * @throws {RangeError} If an option is out of range.
 * @throws {TypeError} If the task has no block to solve.
 */
export function completeSolver(
  solver: TrainingSolver,
  { name, block }: Pick<TrainingTask<never>, "name" | "block">,
): CompleteTrainingSolver {
  if (block === undefined) {
    throw new TypeError(
      `train: solver needs a task with a block of layers, but "${name}" names ` +
        `none; give it a block, or leave solver out`,
    );
  }
  const { forward, backward, execution = "sequential", control } = solver;
  for (const options of [forward, backward]) {
    hierarchy(block.layers, options);
    if (options.levels > 1) assertMultigridOptions(options);
  }
  return {
    forward,
    backward,
    execution,
    ...(control && { control: completeControl(control) }),
  };
}

/** K of each direction, as the options say. */
export function configuredIterations(
  solver: TrainingSolver,
): DirectionIterations {
  return iterationsOf((direction) =>
    solver[direction].levels === 1 ? undefined : solver[direction].iterations
  );
}

/** Whether solves start from what the last ones found. */
export function needsMemory(solver: TrainingSolver): boolean {
  return directions.some((direction) => {
    const { levels, guess } = solver[direction];
    return levels > 1 && guess === "previous";
  });
}

/** What a checkpoint keeps of control; nothing if there is none. */
export function savedControl(
  { control, forward, backward }: TrainingSolver,
  state: ControlState,
): Partial<ControlState> | undefined {
  return control && {
    ...(forward.levels !== 1 && { forward: state.forward }),
    ...(backward.levels !== 1 && { backward: state.backward }),
  };
}

/** Where control stands when a run begins or goes on. */
export function controlAtStart(
  solver: TrainingSolver,
  saved: Partial<ControlState> = {},
): ControlState {
  const start = startControl(solver);
  return { ...start, ...savedControl(solver, { ...start, ...saved }) };
}

/** Options of a solve with so many iterations. */
export function solveOptions(
  solver: CompleteTrainingSolver,
  iterations: DirectionIterations,
  memory: SolveMemory<never> | undefined,
  onSolve?: SolveOptions<never>["onSolve"],
): SolveOptions<never> {
  const { execution } = solver;
  const of = (direction: Direction): MultigridOptions<never> | undefined => {
    const count = iterations[direction];
    return count === undefined
      ? undefined
      : { ...solver[direction], iterations: count };
  };
  return {
    execution,
    memory,
    onSolve,
    forward: of("forward"),
    backward: of("backward"),
  };
}
