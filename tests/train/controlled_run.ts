/**
 * Runs whose accuracy is controlled, and what they say.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type {
  ControlOptions,
  DirectionState,
  MultigridOptions,
} from "../../mgrit/mod.ts";
import { namedLeaves, type Tree } from "../../tensor/mod.ts";
import {
  type ProbeEvent,
  sgd,
  type SwitchEvent,
  train,
  type TrainingEvent,
  type TrainingSolver,
  type TrainOptions,
} from "../../train/mod.ts";
import { blownUpGpt, multigrid } from "./blown_up_gpt.ts";

/** Both directions with the same number of iterations, probed at each step. */
export function solver(
  iterations: number,
  control: Partial<ControlOptions> = {},
  more: Partial<MultigridOptions<never>> = {},
): TrainingSolver {
  return {
    forward: multigrid(iterations, more),
    backward: multigrid(iterations, more),
    control: { interval: 1, ...control },
  };
}

/** A run on plain gradient descent. */
export function options(steps: number, solver: TrainingSolver): TrainOptions {
  return { optimizer: sgd({ learningRate: 1e-3 }), steps, solver };
}

/** The events of a run on a network that is blown up by a factor. */
export async function collect(
  factor: number | ((batch: number) => number),
  given: TrainOptions,
): Promise<TrainingEvent[]> {
  const task = blownUpGpt(typeof factor === "number" ? () => factor : factor);
  return await Array.fromAsync(train(task, given));
}

export function probes(events: readonly TrainingEvent[]): ProbeEvent[] {
  return events.filter((event) => event.type === "probe");
}

/** Switches, as `step direction reason: before → after`. */
export function switches(events: readonly TrainingEvent[]): string[] {
  const mode = ({ serial, iterations }: DirectionState): string =>
    serial ? "serial" : `${iterations}`;
  return events.filter((event) => event.type === "switch").map((
    { step, direction, reason, from, to }: SwitchEvent,
  ) => `${step} ${direction} ${reason}: ${mode(from)} → ${mode(to)}`);
}

/**
 * Weights five times as large: two iterations converge, but the gradient's
 * cosine is far from 1, and four iterations mend it.
 */
export const blownUp = 5;

/** The same tensors, bit for bit. */
export async function assertSame(actual: Tree, expected: Tree): Promise<void> {
  const others = namedLeaves(expected);
  for (const [i, [name, x]] of namedLeaves(actual).entries()) {
    assertEquals(await x.data(), await others[i][1].data(), name);
  }
}
