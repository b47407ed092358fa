/**
 * From options of `train` to the solver of its layers.
 *
 * @module
 */

import { hierarchy } from "../mgrit/mod.ts";
import type { TrainingSolver } from "../train/mod.ts";
import { UsageError } from "./failure.ts";
import { flagName } from "./option.ts";
import { solverOptions } from "./solver_options.ts";
import { taskKind } from "./tasks/mod.ts";
import type { TrainValues } from "./train_command.ts";

/** The solver that options ask for; `undefined` where all is serial. */
export function trainingSolver(
  values: TrainValues,
): TrainingSolver | undefined {
  const [forward, backward] = levelsOf(values);
  if (Math.max(forward, backward) === 1) return undefined;
  const { relaxation, cycle, guess } = values;
  const shared = {
    coarsening: simplest(values.coarsening),
    relaxation: simplest(relaxation),
    cycle,
    guess,
  };
  return {
    forward: {
      ...shared,
      levels: forward,
      iterations: values.forwardIterations,
    },
    backward: {
      ...shared,
      levels: backward,
      iterations: values.backwardIterations,
    },
    execution: values.execution,
    control: values.probeEvery === 0 ? undefined : {
      interval: values.probeEvery,
      policy: values.policy,
      indicator: values.indicator,
      largestRatio: values.largestRatio,
      smallestCosine: values.smallestCosine,
      mostIterations: values.mostIterations,
      patience: values.controlPatience,
      wayBack: values.wayBack,
    },
  };
}

/** Layers that the solver is for. */
function solvedLayers(values: TrainValues): number {
  return taskKind(values.task).solvedLayers?.(values) ?? values.layers;
}

/** Whether the layers are too few for a second level. */
export function isShallow(values: TrainValues): boolean {
  return solvedLayers(values) < 2 * values.coarsening[0];
}

/** Levels forward and backward. Where nobody says, two if that is possible. */
function levelsOf(
  values: TrainValues,
): readonly [forward: number, backward: number] {
  const { solver, levels } = values;
  if (solver === "serial") return [1, 1];
  const [forward, backward = forward] = levels ?? [isShallow(values) ? 1 : 2];
  return [forward, backward];
}

/** A list of one value as that value. */
function simplest<T>(list: readonly T[]): T | readonly T[] {
  return list.length === 1 ? list[0] : list;
}

/**
 * Refuses options of the solver that don't go together.
 *
 * @param asked Those that were given, in a run that goes on now.
 * @throws {UsageError} Naming the options, and what to do.
 */
export function checkSolver(
  values: TrainValues,
  asked: Partial<TrainValues>,
): void {
  const names = Object.keys(solverOptions) as (keyof typeof solverOptions)[];
  const given = names.filter((name) => asked[name] !== undefined);
  const own = given.find((name) => name !== "solver");
  if (values.solver === "serial") {
    if (own === undefined) return;
    throw new UsageError(
      `--${flagName(own)} ${asked[own]} is for --solver mgrit, not for serial`,
    );
  }
  // Who asks for multigrid doesn't want to do without it.
  const levels = given.length > 0 && values.levels === undefined
    ? [2, 2]
    : levelsOf(values);
  const { coarsening, guess, largestRatio, wayBack } = values;
  const layers = solvedLayers(values);
  const note = values.levels === undefined ? " (the default)" : "";
  for (const count of levels) requireLevels(layers, count, coarsening, note);
  const most = Math.max(...levels) - 1;
  const factors = asked.coarsening?.length ?? 0;
  if (factors > Math.max(1, most)) {
    throw new UsageError(
      `--coarsening ${asked.coarsening} has ${factors} factors, one for each ` +
        `level but the coarsest, but --levels ${values.levels ?? 2} has use ` +
        `for ${most}`,
    );
  }
  if (guess === "skip") {
    const names = ["forwardIterations", "backwardIterations"] as const;
    for (const [direction, name] of names.entries()) {
      if (levels[direction] === 1 || values[name] > 0) continue;
      throw new UsageError(
        `--${flagName(name)} 0 leaves no room for --guess skip, whose coarse ` +
          `solve is the first iteration; give it one, or another guess`,
      );
    }
  }
  if (wayBack !== undefined && wayBack > largestRatio) {
    throw new UsageError(
      `--way-back ${wayBack} is more than --largest-ratio ${largestRatio}, ` +
        `with which a direction would leave multigrid again; lower it`,
    );
  }
}

function requireLevels(
  layers: number,
  levels: number,
  coarsening: readonly number[],
  note: string,
): void {
  try {
    hierarchy(layers, { levels, coarsening: simplest(coarsening) });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(
      error.message.replace(
        /^multigrid: levels: \d+/,
        `--levels ${levels}${note}`,
      ) +
        `; take fewer levels, a smaller --coarsening, or more --layers`,
    );
  }
}
