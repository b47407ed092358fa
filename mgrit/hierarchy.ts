/**
 * The grids of the multigrid: every level keeps each c-th point of the one
 * below.
 *
 * @module
 */

/** One grid: points 0 … steps, with a step between neighbours. */
export interface Level {
  /** 0 is the finest. */
  readonly index: number;
  /** Number of steps; there is a point more. */
  readonly steps: number;
  /** Finest steps in one of its steps: point i is finest point i · stride. */
  readonly stride: number;
  /**
   * c: the points 0, c, 2c, … are C-points, shared with the next level; the
   * others are F-points. On the coarsest level c = steps.
   */
  readonly factor: number;
}

/** How points are coarsened. */
export interface Coarsening {
  /** L ≥ 1: number of grids; with one, the solver is the serial march. */
  readonly levels: number;
  /** c ≥ 2 for every level but the coarsest; of a list, the last repeats. */
  readonly coarsening: number | readonly number[];
}

/** A coarsest grid of a single step would make the coarse solve the fine one. */
const fewestSteps = 2;

/** Element `index` of a list whose last element repeats. */
export function ofLevel<T extends number | string>(
  option: T | readonly T[],
  index: number,
): T {
  if (typeof option !== "object") return option;
  return option[Math.min(index, option.length - 1)];
}

/**
 * The grids for a chain of steps, finest first.
 *
 * @param steps N ≥ 1, which c needn't divide: trailing F-points are allowed.
 * @throws {RangeError} If levels or factors are no such integers, or too many
 *   for the chain.
 *
 * @example
 * ```ts
 * import { hierarchy } from "@layerbraid/layerbraid/mgrit";
 *
 * const [fine, coarse] = hierarchy(32, { levels: 2, coarsening: 4 });
 * console.log(fine.steps, coarse.steps, coarse.stride); // 32 8 4
 * ```
 */
export function hierarchy(
  steps: number,
  { levels, coarsening }: Coarsening,
): Level[] {
  assertInteger("steps", steps, 1);
  assertInteger("levels", levels, 1);
  if (typeof coarsening === "object" && coarsening.length === 0) {
    throw new RangeError("multigrid: coarsening [] names no factor");
  }
  const result: Level[] = [];
  let level = { index: 0, steps, stride: 1 };
  while (level.index < levels - 1) {
    const factor = ofLevel(coarsening, level.index);
    assertInteger("coarsening", factor, 2);
    result.push({ ...level, factor });
    level = {
      index: level.index + 1,
      steps: Math.floor(level.steps / factor),
      stride: level.stride * factor,
    };
    if (level.steps < fewestSteps) {
      throw new RangeError(
        `multigrid: levels ${levels} with coarsening ${coarsening} leaves ` +
          `${level.steps} ${level.steps === 1 ? "step" : "steps"} on level ` +
          `${level.index} of a chain of ${steps}; at least ${fewestSteps} ` +
          `are needed`,
      );
    }
  }
  return [...result, { ...level, factor: level.steps }];
}

/** @throws {RangeError} If an option isn't an integer ≥ `least`. */
export function assertInteger(
  name: string,
  value: number,
  least: number,
): void {
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(
      `multigrid: ${name} ${value} must be an integer ≥ ${least}`,
    );
  }
}
