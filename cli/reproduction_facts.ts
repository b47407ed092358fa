/**
 * What is found out about a task before it is trained: its words for model and
 * data, and what a layer costs on this device.
 *
 * @module
 */

import { dispose } from "../tensor/mod.ts";
import { measureCosts } from "../train/tune_costs.ts";
import {
  serialTime,
  solverTime,
  type TrainingCosts,
} from "../train/tune_setting.ts";
import type { Speedup } from "../train/reproduction.ts";
import { isMissing } from "./path.ts";
import { trainingSolver } from "./solver_values.ts";
import type { PreparedTask } from "./tasks/task_kind.ts";
import type { TrainValues } from "./train_command.ts";

/** What is known of a task. */
export interface TaskFacts {
  /** The model in words. */
  readonly model: string;
  /** The data in words. */
  readonly data: string;
  /** Layers that the solver is for. */
  readonly layers: number;
  /** Milliseconds of one layer and of the rest of a training step. */
  readonly costs: TrainingCosts;
}

/** Numbers of devices that times are modelled for. */
const deviceCounts = [1, 2, 4, 8, 16, 32, 64] as const;

function factsPath(folder: string): string {
  return `${folder}/task.json`;
}

/** What was found out earlier, in the folder of the task's runs. */
export async function readFacts(
  folder: string,
): Promise<TaskFacts | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(factsPath(folder)));
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Measures what a layer costs, and keeps it in the folder of the task's runs. */
export async function findFacts(
  folder: string,
  { task, model, data, dataDetails }: PreparedTask,
  { coarsening }: TrainValues,
): Promise<TaskFacts> {
  const { block } = task;
  if (block === undefined) {
    throw new TypeError(`reproduce: the task "${task.name}" has no block`);
  }
  const parameters = task.initialize();
  const { costs } = await measureCosts({ task, parameters, block }, {
    levels: 2,
    coarsening: coarsening[0],
    relaxation: "F",
    guess: "input",
    forward: 1,
    backward: 1,
  });
  dispose(parameters);
  const facts: TaskFacts = {
    model,
    data: `${data}, ${dataDetails}`,
    layers: block.layers,
    costs,
  };
  await Deno.mkdir(folder, { recursive: true });
  const text = JSON.stringify(facts, undefined, 2);
  await Deno.writeTextFile(factsPath(folder), `${text}\n`);
  return facts;
}

/** Modelled speed-ups of a solver with fixed iterations. */
export function modelledSpeedups(
  { layers, costs }: TaskFacts,
  values: TrainValues,
): Speedup[] {
  const solver = trainingSolver(values);
  if (solver === undefined) return [];
  const serial = serialTime(layers, costs);
  return deviceCounts.map((devices) => ({
    devices,
    factor: serial / solverTime(layers, solver, costs, devices),
  }));
}

/** Modelled milliseconds of a training step on one device, without its update. */
export function modelledStep(
  { layers, costs }: TaskFacts,
  values: TrainValues,
): number {
  const solver = trainingSolver(values);
  return values.accumulate *
    (solver === undefined
      ? serialTime(layers, costs)
      : solverTime(layers, solver, costs, 1));
}
