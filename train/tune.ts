/**
 * Tuning: what each way of solving a block costs, and how good its gradients
 * are, measured with the model that is to be trained.
 *
 * @example
 * ```ts
 * import { tokensInMemory } from "@layerbraid/layerbraid/data";
 * import { gptConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import { gptTask, tune, tuneSettings } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const bytes = new TextEncoder().encode("to be, or not to be. ".repeat(20));
 * const task = gptTask({
 *   configuration: gptConfiguration({
 *     vocabulary: 256, context: 16, width: 16, heads: 2, layers: 32, endTime: 4,
 *   }),
 *   tokens: tokensInMemory(bytes),
 *   batch: 2,
 * });
 * const settings = tuneSettings(32, {
 *   levels: [2],
 *   coarsening: [4],
 *   relaxation: ["F"],
 *   guess: ["input"],
 *   iterations: [[1, 0], [1, 1]],
 * });
 * const options = { settings, batches: 1, devices: [1, 8], communication: 0 };
 * for await (const event of tune(task, task.initialize(), options)) {
 *   if (event.type === "costs") console.log(event.serial);
 *   else console.log(event.setting.backward, event.cosine, event.times);
 * }
 * ```
 *
 * @module
 */

import type { Direction } from "../mgrit/mod.ts";
import { dispose, type Tree } from "../tensor/internal.ts";
import { requireNumber } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";
import { measureCosts } from "./tune_costs.ts";
import {
  batchGradient,
  type GradientAccuracy,
  measureAccuracy,
  measureConvergence,
  ratiosOf,
} from "./tune_measurement.ts";
import {
  serialTime,
  type TrainingCosts,
  trainingTime,
  type TuneSetting,
} from "./tune_setting.ts";

/** How tuning measures and models. */
export interface TuneOptions {
  /** What is compared; at least one. */
  readonly settings: readonly TuneSetting[];
  /** Batches that gradients are compared on, ≥ 1. */
  readonly batches: number;
  /** Numbers of devices that times are modelled for. */
  readonly devices: readonly number[];
  /** Milliseconds in which a state gets from one device to another. */
  readonly communication: number;
}

/** What was measured of the steps. */
export interface CostsEvent {
  /** Which event. */
  readonly type: "costs";
  /** In milliseconds. */
  readonly costs: TrainingCosts;
  /** A serial training step without its update, as these add up. */
  readonly serial: number;
  /** The same, measured as a whole. */
  readonly measuredSerial: number;
  /** Settings that are measured now. */
  readonly settings: number;
  /**
   * Settings that aren't: they would be slower than serial training on any
   * number of devices.
   */
  readonly slower: number;
}

/** What a setting is worth. */
export interface SettingEvent extends GradientAccuracy {
  /** Which event. */
  readonly type: "setting";
  /** The setting. */
  readonly setting: TuneSetting;
  /**
   * ρ of each direction at doubled iterations; absent where there is none to
   * speak of.
   */
  readonly ratio: Readonly<Partial<Record<Direction, number>>>;
  /** Modelled milliseconds of a training step for each number of devices. */
  readonly times: readonly number[];
}

/** What tuning tells: costs once, then setting by setting. */
export type TuneEvent = CostsEvent | SettingEvent;

/**
 * Measures settings one by one. Leaving the loop ends it.
 *
 * @param task Whose `block` is solved.
 * @param parameters The model's; they stay the caller's.
 * @throws {TypeError} If the task has no block.
 * @throws {RangeError} If an option is out of its range.
 */
export async function* tune<P extends Tree>(
  task: TrainingTask<P>,
  parameters: P,
  { settings, batches, devices, communication }: TuneOptions,
): AsyncGenerator<TuneEvent, void, void> {
  const { block } = task;
  if (block === undefined) {
    throw new TypeError(`tune: the task "${task.name}" has no block to solve`);
  }
  requireNumber("tune", "batches", batches, "an integer ≥ 1");
  requireNumber("tune", "settings.length", settings.length, "an integer ≥ 1");
  const { layers } = block;
  const subject = { task, parameters, block };
  const measured = await measureCosts(subject, settings[0]);
  const costs = { ...measured.costs, communication };
  const serial = serialTime(layers, costs);
  const timesOf = (setting: TuneSetting): number[] =>
    devices.map((count) => trainingTime(layers, setting, costs, count));
  const useful = settings.filter((setting) =>
    Math.min(...timesOf(setting)) < serial
  );
  const slower = settings.length - useful.length;
  yield {
    type: "costs",
    costs,
    serial,
    measuredSerial: measured.serial,
    settings: useful.length,
    slower,
  };
  const exact: Tree[] = [];
  try {
    for (let batch = 0; batch < batches; batch++) {
      exact.push((await batchGradient(subject, batch)).gradient);
    }
    for (const group of alikeButForIterations(useful)) {
      const history = await measureConvergence(subject, group, batches);
      for (const setting of group) {
        yield {
          type: "setting",
          setting,
          ...await measureAccuracy(subject, setting, exact),
          ratio: await ratiosOf(subject, setting, history),
          times: timesOf(setting),
        };
      }
    }
  } finally {
    exact.forEach(dispose);
  }
}

function alikeButForIterations(
  settings: readonly TuneSetting[],
): TuneSetting[][] {
  const groups = Map.groupBy(
    settings,
    ({ forward: _, backward: __, ...rest }) => JSON.stringify(rest),
  );
  return [...groups.values()];
}
