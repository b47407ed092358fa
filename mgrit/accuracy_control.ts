/**
 * Control of multigrid's accuracy while a network trains: a state machine over
 * plain data.
 *
 * Few iterations give gradients that are a little wrong. Early in training that
 * does no harm; later it can keep the loss from falling (Layer-Parallel
 * Training for Transformers, §3.2.3). So every few hundred batches one batch is
 * a probe: it is solved with twice the iterations, which shows how much each
 * iteration still gains, and how far the gradient in use is from a better one.
 * What a probe finds decides how the batches after it are solved.
 *
 * @example A backward pass that needs more iterations
 * ```ts
 * import { completeControl, decide } from "@layerbraid/layerbraid/mgrit";
 *
 * const state = {
 *   forward: { serial: true, iterations: 1, misses: 0 },
 *   backward: { serial: false, iterations: 1, misses: 0 },
 * };
 * const backward = {
 *   iterations: 2,
 *   residuals: [0.5, 0.2],
 *   finalResidual: 0.1,
 *   exactIterations: 8,
 *   ratio: 0.4,
 *   sweeps: [],
 * };
 * const gradient = {
 *   relativeError: 0.7,
 *   cosine: 0.8,
 *   layers: { relativeError: [0.7], cosine: [0.8] },
 * };
 * const { switches } = decide(
 *   completeControl(),
 *   state,
 *   { backward, gradient },
 *   { backward: 1 },
 * );
 * console.log(switches[0].reason, switches[0].to.iterations); // gradient 2
 * ```
 *
 * @module
 */

import {
  comparesGradients,
  type ControlOptions,
  type Direction,
  directions,
} from "./control_options.ts";
import type { MultigridOptions } from "./multigrid_options.ts";
import type { DirectionProbe, GradientProbe, Probe } from "./probe.ts";

/** How a direction is solved now; plain data, part of checkpoints. */
export interface DirectionState {
  /** Exactly, one layer after the other. */
  readonly serial: boolean;
  /** K of multigrid; of a serial direction, the one that it had last. */
  readonly iterations: number;
  /** Probes in a row, up to the last one, that spoke against this mode. */
  readonly misses: number;
  /** There is no way back from serial: multigrid's numbers weren't finite. */
  readonly locked?: true;
}

/** How both directions are solved now. */
export type ControlState = Readonly<Record<Direction, DirectionState>>;

/** K of each direction; absent: serial. */
export type DirectionIterations = Readonly<Partial<Record<Direction, number>>>;

/**
 * Why a direction is solved otherwise from now on: ρ was too large, the
 * gradient too wrong, numbers weren't finite, or multigrid converges again.
 */
export type SwitchReason = "ratio" | "gradient" | "non-finite" | "recovered";

/** A direction that is solved otherwise from now on. */
export interface ControlSwitch {
  /** Which one. */
  readonly direction: Direction;
  /** How it was solved. */
  readonly from: DirectionState;
  /** How it is solved now. */
  readonly to: DirectionState;
  /** Why. */
  readonly reason: SwitchReason;
}

/** Where control stands after a batch, and what changed. */
export interface Decision {
  /** For the batches to come. */
  readonly state: ControlState;
  /** Forward first. */
  readonly switches: readonly ControlSwitch[];
}

/** How a run begins: as its options say, where one level is serial. */
export function startControl(
  options: Readonly<
    Record<Direction, Pick<MultigridOptions<never>, "levels" | "iterations">>
  >,
): ControlState {
  const start = (direction: Direction): DirectionState => ({
    serial: options[direction].levels === 1,
    iterations: options[direction].iterations,
    misses: 0,
  });
  return { forward: start("forward"), backward: start("backward") };
}

/**
 * Directions that the next probe tries although they are serial: they were
 * multigrid once, and there is a way back.
 */
export function triedDirections(
  options: ControlOptions,
  state: ControlState,
  configured: DirectionIterations,
): Direction[] {
  if (options.wayBack === undefined) return [];
  return directions.filter((direction) => {
    const { serial, locked } = state[direction];
    return serial && !locked && configured[direction] !== undefined;
  });
}

/** How many iterations each direction does now. */
export function currentIterations(state: ControlState): DirectionIterations {
  return iterationsOf((direction) =>
    state[direction].serial ? undefined : state[direction].iterations
  );
}

/** The directions for which there is a K. */
export function iterationsOf(
  iterations: (direction: Direction) => number | undefined,
): DirectionIterations {
  return Object.fromEntries(
    directions.flatMap((direction) => {
      const found = iterations(direction);
      return found === undefined ? [] : [[direction, found]];
    }),
  );
}

/** Whether a batch, counted from 0, is a probe. */
export function probeIsDue(
  options: ControlOptions,
  state: ControlState,
  configured: DirectionIterations,
  batch: number,
): boolean {
  return batch % options.interval === 0 &&
    (directions.some((direction) => !state[direction].serial) ||
      triedDirections(options, state, configured).length > 0);
}

/**
 * What follows from a probe, for each direction on its own.
 *
 * - ρ ≥ `largestRatio` speaks against multigrid in that direction, and a cosine
 *   below `smallestCosine` against it in both. After `patience` probes in a row
 *   the policy acts. `double` doubles K if the gradient wants that and
 *   iterations help (ρ < `largestRatio`), or if ρ alone speaks; but at the cap,
 *   or where doubling makes multigrid as long as the exact solve, and where the
 *   gradient is wrong and iterations don't help, it makes the direction serial.
 * - A serial direction that was tried returns to its configured K after
 *   `patience` probes in a row with ρ < `wayBack` and a cosine at least halfway
 *   from `smallestCosine` to 1, so that it doesn't go back and forth.
 *
 * @param configured K to return to; absent where a direction is meant to be
 *   serial.
 */
export function decide(
  options: ControlOptions,
  state: ControlState,
  probe: Probe,
  configured: DirectionIterations,
): Decision {
  if (options.policy === "fixed") return { state, switches: [] };
  return decisionOf(state, (direction) => {
    const from = state[direction];
    const found = probe[direction];
    if (found === undefined) return { to: { ...from, misses: 0 } };
    return from.serial
      ? tryAgain(options, from, found, configured[direction])
      : keepAccurate(options, from, found, probe.gradient);
  });
}

/**
 * What follows from a batch whose numbers weren't finite: both directions are
 * serial from now on, without a way back.
 */
export function abandon(state: ControlState): Decision {
  return decisionOf(state, (direction) => {
    const from = state[direction];
    if (from.serial) return { to: from };
    const to: DirectionState = {
      ...from,
      serial: true,
      misses: 0,
      locked: true,
    };
    return { to, reason: "non-finite" };
  });
}

/** What a direction becomes; there is a reason if it is a switch. */
interface Outcome {
  readonly to: DirectionState;
  readonly reason?: SwitchReason;
}

function decisionOf(
  state: ControlState,
  outcomeOf: (direction: Direction) => Outcome,
): Decision {
  const forward = outcomeOf("forward");
  const backward = outcomeOf("backward");
  const outcomes = { forward, backward };
  return {
    state: { forward: forward.to, backward: backward.to },
    switches: directions.flatMap((direction) => {
      const { to, reason } = outcomes[direction];
      return reason === undefined
        ? []
        : [{ direction, from: state[direction], to, reason }];
    }),
  };
}

/** A direction that multigrid solves. */
function keepAccurate(
  options: ControlOptions,
  from: DirectionState,
  { ratio, exactIterations }: DirectionProbe,
  gradient: GradientProbe | undefined,
): Outcome {
  const { indicator, policy, largestRatio, smallestCosine } = options;
  const stalls = ratio !== undefined && ratio >= largestRatio;
  const wrong = comparesGradients(indicator) &&
    gradient !== undefined && gradient.cosine < smallestCosine;
  const speaks = stalls && indicator !== "gradient";
  if (!speaks && !wrong) return { to: { ...from, misses: 0 } };
  const misses = from.misses + 1;
  if (misses < options.patience) return { to: { ...from, misses } };
  const reason = speaks ? "ratio" : "gradient";
  const iterations = Math.min(
    Math.max(2 * from.iterations, 1),
    options.mostIterations,
  );
  const more = policy === "double" && !(stalls && wrong) &&
    iterations > from.iterations && iterations < exactIterations;
  return {
    to: more
      ? { ...from, iterations, misses: 0 }
      : { ...from, serial: true, misses: 0 },
    reason,
  };
}

/** A serial direction that tried multigrid at its configured iterations. */
function tryAgain(
  { wayBack, smallestCosine, patience }: ControlOptions,
  from: DirectionState,
  { ratio, gradient }: DirectionProbe,
  iterations: number | undefined,
): Outcome {
  const good = wayBack !== undefined && iterations !== undefined &&
    (ratio === undefined || ratio < wayBack) &&
    gradient !== undefined && gradient.cosine >= (1 + smallestCosine) / 2;
  if (!good) return { to: { ...from, misses: 0 } };
  const misses = from.misses + 1;
  if (misses < patience) return { to: { ...from, misses } };
  return {
    to: { serial: false, iterations, misses: 0 },
    reason: "recovered",
  };
}
