/**
 * The grids of the multigrid: every level keeps some points of the one below,
 * mostly each c-th.
 *
 * @module
 */

/** One grid: points 0 … steps, with a step between neighbours. */
export interface Level {
  /** 0 is the finest. */
  readonly index: number;
  /** Number of steps; there is a point more. */
  readonly steps: number;
  /**
   * Where its points lie: point i is finest point `points[i]`, and step n takes
   * `points[n + 1] − points[n]` finest steps at once.
   */
  readonly points: readonly number[];
  /**
   * Its C-points, shared with the next level, by their indices here and without
   * the first, which is point 0 everywhere. On the coarsest level only the last
   * point.
   */
  readonly coarsePoints: readonly number[];
  /** Its F-points: all others. */
  readonly finePoints: readonly number[];
}

/** How points are coarsened. */
export interface Coarsening {
  /** L ≥ 1: number of grids; with one, the solver is the serial march. */
  readonly levels: number;
  /**
   * For every level but the coarsest; of a list, the last element repeats.
   * c ≥ 2: keep every c-th point. Or the indices of the points to keep, which
   * ascend from 0.
   */
  readonly coarsening: number | readonly (number | readonly number[])[];
  /**
   * Steps that the coarsest of several levels must have; default 2, for with a
   * single one the coarse solve is hardly more than the guess.
   */
  readonly fewestCoarseSteps?: number;
}

/** Element `index` of a list whose last element repeats. */
export function ofLevel<T>(option: T | readonly T[], index: number): T {
  if (!Array.isArray(option)) return option as T;
  return option[Math.min(index, option.length - 1)];
}

/**
 * The grids for a chain of steps, finest first.
 *
 * @param steps N ≥ 1, which c needn't divide: trailing F-points are allowed.
 * @throws {RangeError} If levels or factors are no such integers, or too many
 *   for the chain, or lists of points name others than there are.
 *
 * @example
 * ```ts
 * import { hierarchy } from "@layerbraid/layerbraid/mgrit";
 *
 * const [, coarse] = hierarchy(32, { levels: 2, coarsening: 4 });
 * console.log(coarse.points); // 0, 4, 8, … 32
 * const [fine] = hierarchy(5, { levels: 2, coarsening: [[0, 2, 3]] });
 * console.log(fine.coarsePoints); // 2, 3
 * ```
 */
export function hierarchy(steps: number, coarsening: Coarsening): Level[] {
  const { levels, fewestCoarseSteps = 2 } = coarsening;
  assertInteger("steps", steps, 1);
  assertInteger("levels", levels, 1);
  assertInteger("fewestCoarseSteps", fewestCoarseSteps, 1);
  assertNotEmpty("coarsening", coarsening.coarsening);
  const result: Level[] = [];
  let points = pointsFrom(0, steps, 1);
  while (result.length < levels - 1) {
    const level = result.length;
    const kept = keptPoints(coarsening, level, points.length - 1);
    if (kept.length - 1 < fewestCoarseSteps) {
      throw new RangeError(
        tooManyLevels(steps, coarsening, level + 1, kept.length - 1),
      );
    }
    result.push(levelOf(level, points, kept.slice(1)));
    points = kept.map((i) => points[i]);
  }
  return [...result, levelOf(result.length, points, [points.length - 1])];
}

function levelOf(
  index: number,
  points: readonly number[],
  coarsePoints: readonly number[],
): Level {
  const coarse = new Set(coarsePoints);
  const finePoints = pointsFrom(1, points.length - 1, 1).filter((i) =>
    !coarse.has(i)
  );
  return { index, steps: points.length - 1, points, coarsePoints, finePoints };
}

/** Indices of the points of a level that the next one keeps. */
function keptPoints(
  { coarsening }: Coarsening,
  index: number,
  steps: number,
): readonly number[] {
  const kept = ofLevel(coarsening, index);
  if (typeof kept !== "object") {
    assertInteger("coarsening", kept, 2);
    return pointsFrom(0, steps, kept);
  }
  const ascending = kept[0] === 0 &&
    kept.every((i, k) =>
      Number.isInteger(i) && i <= steps && (k === 0 || i > kept[k - 1])
    );
  if (!ascending) {
    throw new RangeError(
      `multigrid: coarsening [${kept}] of level ${index} must be indices that ` +
        `ascend from 0 to at most ${steps}`,
    );
  }
  return kept;
}

function tooManyLevels(
  steps: number,
  { levels, coarsening, fewestCoarseSteps = 2 }: Coarsening,
  level: number,
  left: number,
): string {
  const factors = typeof coarsening === "object"
    ? `factors ${
      coarsening.map((c) => typeof c === "object" ? `[${c}]` : c).join(", ")
    }`
    : `factor ${coarsening}`;
  return `multigrid: levels: ${levels} with coarsening ${factors} leaves ` +
    `${left} ${
      left === 1 ? "step" : "steps"
    } on level ${level} of a block of ` +
    `${steps} layers; at least ${fewestCoarseSteps} are needed`;
}

/** The points first, first + stride, … up to and including last. */
export function pointsFrom(
  first: number,
  last: number,
  stride: number,
): number[] {
  const count = Math.max(0, Math.floor((last - first) / stride) + 1);
  return Array.from({ length: count }, (_, k) => first + k * stride);
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

/** @throws {RangeError} If an option is a list without an element. */
export function assertNotEmpty(name: string, option: unknown): void {
  if (Array.isArray(option) && option.length === 0) {
    throw new RangeError(
      `multigrid: ${name} [] must have an element for every level but the ` +
        `coarsest, or one that repeats`,
    );
  }
}
