/**
 * When multigrid's accuracy is looked at, what counts as too little of it, and
 * what is done about that.
 *
 * @module
 */

/** A pass through the layers. */
export type Direction = "forward" | "backward";

/** Both passes. */
export const directions: readonly Direction[] = ["forward", "backward"];

/**
 * What happens to a direction that is no longer accurate enough. `double`: it
 * gets twice the iterations, up to a cap, then it becomes serial. `serial`: it
 * becomes serial. `fixed`: nothing, it is only reported.
 */
export type ControlPolicy = "double" | "serial" | "fixed";

/**
 * What is looked at. `ratio`: the convergence factor of the last iteration, for
 * each direction (Layer-Parallel Training for Transformers, §3.2.3). It says
 * whether more iterations help, not how wrong the gradient is. `gradient`: the
 * gradient in use against that of doubled iterations, on the same batch.
 */
export type Indicator = "ratio" | "gradient" | "both";

/** How accuracy is controlled. */
export interface ControlOptions {
  /**
   * Batches from one probe to the next, from batch 0 on; ≥ 1. In training, steps:
   * one may take several batches.
   */
  readonly interval: number;
  /** What to do. */
  readonly policy: ControlPolicy;
  /** What to look at. */
  readonly indicator: Indicator;
  /** ρ from which on a direction doesn't converge, > 0. */
  readonly largestRatio: number;
  /** Cosine below which a gradient is too wrong, in [−1, 1]. */
  readonly smallestCosine: number;
  /** Iterations at most, ≥ 1. */
  readonly mostIterations: number;
  /** Probes in a row that must speak against a mode before it changes, ≥ 1. */
  readonly patience: number;
  /**
   * ρ below which a direction that became serial tries multigrid again, in
   * (0, `largestRatio`]. Absent: never.
   */
  readonly wayBack?: number;
}

/** Both indicators every 500 batches; up to 4 iterations, then serial. */
export const defaultControl: ControlOptions = {
  interval: 500,
  policy: "double",
  indicator: "both",
  largestRatio: 1,
  smallestCosine: 0.9,
  mostIterations: 4,
  patience: 1,
};

/** Whether an indicator compares gradients. */
export function comparesGradients(indicator: Indicator): boolean {
  return indicator !== "ratio";
}

/**
 * Fills in what is left open with {@linkcode defaultControl}.
 *
 * @throws {RangeError} If an option is out of range.
 *
 * @example
 * ```ts
 * import { completeControl } from "@layerbraid/layerbraid/mgrit";
 *
 * console.log(completeControl({ interval: 50 }).largestRatio); // 1
 * ```
 */
export function completeControl(
  options: Partial<ControlOptions> = {},
): ControlOptions {
  const given = Object.entries(options).filter(([, x]) => x !== undefined);
  const complete: ControlOptions = {
    ...defaultControl,
    ...Object.fromEntries(given),
  };
  for (const [name, choices] of Object.entries(choicesOf)) {
    const value = complete[name as keyof typeof choicesOf];
    if (!choices.includes(value)) {
      fail(name, value, `one of ${choices.join(", ")}`);
    }
  }
  for (const name of ["interval", "mostIterations", "patience"] as const) {
    if (!Number.isInteger(complete[name]) || complete[name] < 1) {
      fail(name, complete[name], "an integer ≥ 1");
    }
  }
  const { largestRatio, smallestCosine, wayBack } = complete;
  if (!(largestRatio > 0 && largestRatio < Infinity)) {
    fail("largestRatio", largestRatio, "a finite number > 0");
  }
  if (!(smallestCosine >= -1 && smallestCosine <= 1)) {
    fail("smallestCosine", smallestCosine, "in [−1, 1]");
  }
  if (wayBack !== undefined && !(wayBack > 0 && wayBack <= largestRatio)) {
    fail("wayBack", wayBack, `in (0, ${largestRatio}], up to largestRatio`);
  }
  return complete;
}

const choicesOf = {
  policy: ["double", "serial", "fixed"],
  indicator: ["ratio", "gradient", "both"],
};

function fail(name: string, value: unknown, demand: string): never {
  throw new RangeError(`control: ${name} is ${value}; it must be ${demand}`);
}
