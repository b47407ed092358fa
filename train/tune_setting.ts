/**
 * The ways of solving a block that tuning compares.
 *
 * @module
 */

import {
  defaultMultigrid,
  type Direction,
  type MultigridOptions,
  parallelTime,
  type Relaxation,
  type StepCosts,
} from "../mgrit/mod.ts";

/** Guesses that a single batch can judge. */
export type TunedGuess = "input" | "zero" | "skip" | "nested";

/** K of a direction, or that it isn't solved by multigrid. */
export type TunedIterations = number | "serial";

/** One way of solving a block. */
export interface TuneSetting {
  /** L ≥ 2. */
  readonly levels: number;
  /** c of all levels. */
  readonly coarsening: number;
  /** Of the finest level; those below have FCF. */
  readonly relaxation: Relaxation;
  /** Where iterations start. */
  readonly guess: TunedGuess;
  /** Of the forward pass. */
  readonly forward: TunedIterations;
  /** Of the backward pass. */
  readonly backward: TunedIterations;
}

/** What settings are combined of. */
export interface TuneCandidates {
  /** Numbers of levels, ≥ 2. */
  readonly levels: readonly number[];
  /** Factors, ≥ 2. */
  readonly coarsening: readonly number[];
  /** Relaxations of the finest level. */
  readonly relaxation: readonly Relaxation[];
  /** Guesses. */
  readonly guess: readonly TunedGuess[];
  /** Iterations forward and backward. */
  readonly iterations: readonly (readonly [TunedIterations, TunedIterations])[];
}

/**
 * All combinations that a block of so many layers allows: with at least two
 * steps on the coarsest level, and an iteration at least where `skip` is the
 * first one. Of combinations that come to the same, only the first.
 */
export function tuneSettings(
  layers: number,
  candidates: TuneCandidates,
): TuneSetting[] {
  const { levels, coarsening, relaxation, guess, iterations } = candidates;
  const combinations = levels.flatMap((levels) =>
    coarsening.flatMap((coarsening) =>
      relaxation.flatMap((relaxation) =>
        guess.flatMap((guess) =>
          iterations.map(([forward, backward]): TuneSetting => ({
            levels,
            coarsening,
            relaxation,
            guess,
            forward,
            backward,
          }))
        )
      )
    )
  ).filter((setting) => isPossible(layers, setting));
  const first = new Map<string, TuneSetting>();
  for (const setting of combinations) {
    const key = JSON.stringify(whatMatters(setting));
    if (!first.has(key)) first.set(key, setting);
  }
  return [...first.values()];
}

const fewestCoarseSteps = 2;

function isPossible(
  layers: number,
  { levels, coarsening, guess, forward, backward }: TuneSetting,
): boolean {
  return layers / coarsening ** (levels - 1) >= fewestCoarseSteps &&
    !(forward === "serial" && backward === "serial") &&
    !(guess === "skip" && (forward === 0 || backward === 0));
}

/** Without cycles there is no relaxation, and no coarse level but for `skip`. */
function whatMatters(setting: TuneSetting): Partial<TuneSetting> {
  const { guess, forward, backward } = setting;
  const cyclesFrom = guess === "skip" ? 2 : 1;
  const hasCycles = [forward, backward].some((iterations) =>
    iterations !== "serial" && iterations >= cyclesFrom
  );
  if (hasCycles || guess === "nested") return setting;
  const { relaxation: _, levels, ...rest } = setting;
  return guess === "skip" ? { levels, ...rest } : rest;
}

/** How a direction is solved. */
export function directionOptions(
  setting: TuneSetting,
  direction: Direction,
): MultigridOptions<never> {
  const { levels, coarsening, guess } = setting;
  const iterations = setting[direction];
  const relaxation: Relaxation[] = [setting.relaxation, "FCF"];
  return iterations === "serial"
    ? { ...defaultMultigrid, levels: 1 }
    : { levels, coarsening, relaxation, iterations, guess };
}

/** What a training step costs apart from its block's layers. */
export interface TrainingCosts extends StepCosts {
  /** Embeddings, buffer layers, head and loss, there and back. */
  readonly rest: number;
}

/** The modelled time of a training step on so many devices. */
export function trainingTime(
  layers: number,
  setting: TuneSetting,
  costs: TrainingCosts,
  devices: number,
): number {
  const solver = {
    forward: directionOptions(setting, "forward"),
    backward: directionOptions(setting, "backward"),
  };
  return solverTime(layers, solver, costs, devices);
}

/** The same of any solver. */
export function solverTime(
  layers: number,
  solver: Readonly<Record<Direction, MultigridOptions<never>>>,
  costs: TrainingCosts,
  devices: number,
): number {
  const time = (direction: Direction): number =>
    parallelTime(direction, layers, solver[direction], costs, devices);
  return time("forward") + time("backward") + costs.rest;
}

/**
 * The modelled time of a serial training step on one device. It is what settings
 * are compared with, rather than a time measured as a whole: noise in the time
 * of a layer is then on both sides.
 */
export function serialTime(
  layers: number,
  { forward, fullVjp, rest }: TrainingCosts,
): number {
  return layers * (forward + fullVjp) + rest;
}
