/**
 * What a multigrid solve costs: the steps that it evaluates, and the time that
 * it takes where several devices share the layers.
 *
 * Nothing here repeats the cycle: {@linkcode rehearse} lets the solver itself
 * run on a chain without content and notes which steps it asks for together.
 *
 * @example A training step of 64 layers on 8 devices, in units of a forward step
 * ```ts
 * import { defaultMultigrid, parallelTime } from "@layerbraid/layerbraid/mgrit";
 *
 * const costs = { forward: 1, stateVjp: 2, fullVjp: 2, communication: 0 };
 * const options = { ...defaultMultigrid, coarsening: 8, guess: "skip" } as const;
 * const twice = { ...options, iterations: 2 };
 * const time = parallelTime("forward", 64, twice, costs, 8) +
 *   parallelTime("backward", 64, options, costs, 8);
 * console.log(64 * 3 / time); // 2.63…: the speed-up over serial training
 * ```
 *
 * @module
 */

import type { Direction } from "./control_options.ts";
import {
  assertInteger,
  hierarchy,
  type Level,
  pointsFrom,
} from "./hierarchy.ts";
import { multigrid } from "./multigrid.ts";
import type { Guess, MultigridOptions } from "./multigrid_options.ts";
import type { Propagator } from "./propagator.ts";
import { numbers } from "./state_space.ts";
import type { Sweep } from "./sweep.ts";

/** Steps that a solve takes together, for none depends on another. */
export interface Round {
  /** The level they are on. */
  readonly level: Level;
  /** n of each, from point n of the level to point n + 1. */
  readonly steps: readonly number[];
  /** Whether they are of the final sweep. */
  readonly final: boolean;
}

/** What a solve does. */
export interface Rehearsal {
  /** One after the other. */
  readonly rounds: readonly Round[];
  /** Its pieces; `launches` counts the rounds of each. */
  readonly sweeps: readonly Sweep[];
}

/**
 * What a solve would do, found out without doing it. All iterations are counted:
 * where a tolerance ends it sooner nobody can tell.
 *
 * @param steps N ≥ 1.
 * @throws {RangeError} If an option is out of its range.
 */
export function rehearse(
  steps: number,
  options: MultigridOptions<never>,
): Rehearsal {
  const rounds: Round[] = [];
  const record = (final: boolean): Propagator<number> => (level, asked) => {
    rounds.push({ level, steps: asked.map(({ n }) => n), final });
    return asked.map(() => 0);
  };
  const { sweeps } = multigrid(
    {
      steps,
      space: numbers,
      propagator: record(false),
      finalPropagator: record(true),
      launches: () => rounds.length,
    },
    0,
    {
      ...options,
      guess: withoutStates(options.guess),
      tolerance: undefined,
    },
  );
  return { rounds, sweeps };
}

/** A guess of the same cost that needs no states. */
function withoutStates(guess: Guess<never>): Guess<number> {
  return typeof guess === "function" || guess === "previous" ? "input" : guess;
}

/**
 * Steps evaluated on each level, finest first; with two levels, F-relaxation
 * repeated ν + 1 times and s = 1 for the guess `skip`,
 *
 *     N ((ν + 1) (K − s) + 1)  and  (N/c) (2 (K − s) + s)
 *
 * if c divides N: on the coarse level one for the right-hand side and one for
 * the march.
 *
 * @param steps N ≥ 1.
 * @throws {RangeError} If an option is out of its range.
 */
export function evaluationCounts(
  steps: number,
  options: MultigridOptions<never>,
): number[] {
  const counts = new Array<number>(options.levels).fill(0);
  for (const { level, steps: together } of rehearse(steps, options).rounds) {
    counts[level.index] += together.length;
  }
  return counts;
}

/** What one device needs for one layer, and for a message; in any unit of time. */
export interface StepCosts {
  /** A step forward. */
  readonly forward: number;
  /** A vector-Jacobian product by the state, of a layer evaluated before. */
  readonly stateVjp: number;
  /** The same by the state and the parameters. */
  readonly fullVjp: number;
  /** Handing one state to another device. */
  readonly communication: number;
}

/** Time of one step on one device. */
function stepCost(
  direction: Direction,
  { level, final }: Round,
  { forward, stateVjp, fullVjp }: StepCosts,
): number {
  if (direction === "forward") return forward;
  if (level.index > 0) return forward + stateVjp;
  return final ? fullVjp : stateVjp;
}

/**
 * The time of a solve on P devices, each with a run of neighbouring intervals of
 * the finest level, as equal as can be: the sum over its rounds of what the
 * busiest device does, and of one message wherever a state changes hands (those
 * of a round travel at once).
 *
 * A relaxation sweep of M intervals thus takes ⌈M/P⌉ (c − 1) steps, and the
 * march on the coarsest level all its steps and P − 1 messages. More devices
 * than intervals don't help. With P = 1 it is what
 * {@linkcode evaluationCounts} says times the costs; where P divides N/c,
 * without communication, with F-relaxation repeated ν + 1 times and s = 1 for
 * the guess `skip`, two levels take
 *
 *     (N/P) ((ν + 1) (K − s) + 1) + (K − s) N/(c P) + K N/c
 *
 * steps, the last ones being those of the marches.
 *
 * Backward, the final sweep takes full vector-Jacobian products, every other step
 * on the finest level those by the state, from what the forward pass recorded;
 * coarse steps evaluate the layer first. The arithmetic between states is not
 * counted.
 *
 * @param steps N ≥ 1.
 * @param devices P ≥ 1.
 * @throws {RangeError} If an option is out of its range.
 */
export function parallelTime(
  direction: Direction,
  steps: number,
  options: MultigridOptions<never>,
  costs: StepCosts,
  devices: number,
): number {
  assertInteger("devices", devices, 1);
  const owner = owners(steps, options, devices);
  let time = 0;
  for (const round of rehearse(steps, options).rounds) {
    const { level: { points }, steps: together } = round;
    const shares = new Map<number, number>();
    let changesHands = false;
    for (const n of together) {
      const device = owner[points[n]];
      shares.set(device, (shares.get(device) ?? 0) + 1);
      changesHands ||= device !== owner[points[n + 1]];
    }
    time += Math.max(...shares.values()) * stepCost(direction, round, costs) +
      (changesHands ? costs.communication : 0);
  }
  return time;
}

/**
 * The device that has each point of the finest level. Where a serial march
 * shares its layers among devices, they count singly.
 */
function owners(
  steps: number,
  options: MultigridOptions<never>,
  devices: number,
): readonly number[] {
  const [{ coarsePoints }] = hierarchy(steps, options);
  const ends = options.levels === 1 ? pointsFrom(1, steps, 1) : coarsePoints;
  const intervals = ends.length + (ends.at(-1) === steps ? 0 : 1);
  let interval = 0;
  return pointsFrom(0, steps, 1).map((point) => {
    if (point === ends[interval]) interval++;
    const own = Math.min(interval, intervals - 1);
    return Math.floor(own * devices / intervals);
  });
}
