/**
 * A reproduction: several tasks, each of which was trained serially, with fixed
 * multigrid iterations and with accuracy control, and what came of it.
 *
 * @module
 */

import type { ComparedName, Comparison } from "./comparison.ts";
import type { History } from "./history.ts";
import type { ConfigurationRow } from "./report_configuration.ts";
import type { TrainingCosts } from "./tune_setting.ts";

/** What a trained model was found to be worth. */
export interface Measured {
  /** Mean loss. */
  readonly loss: number;
  /** All measures of its task by name, the one that counts first. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a training step costs on the device of the reproduction. */
export interface MeasuredStep {
  /** Layers that the solver is for. */
  readonly layers: number;
  /** Milliseconds of one of them and of the rest of a step. */
  readonly costs: TrainingCosts;
}

/** The modelled speed-up on so many devices. */
export interface Speedup {
  /** P. */
  readonly devices: number;
  /** Time of a serial training step on one device, over that on P. */
  readonly factor: number;
}

/** A task and its three runs. */
export interface ReproducedTask {
  /** What it is called: `bert`. */
  readonly name: string;
  /** The model in words. */
  readonly model: string;
  /** The data in words. */
  readonly data: string;
  /** The runs, as far as they got. */
  readonly runs: Comparison;
  /** What the trained models are worth, of those that were measured. */
  readonly measured: Readonly<Partial<Record<ComparedName, Measured>>>;
  /** What a training step costs; `undefined` until that is measured. */
  readonly costs: MeasuredStep | undefined;
  /** Of the fixed solver, as the costs say; none where there are none. */
  readonly speedups: readonly Speedup[];
  /** The options that the runs share. */
  readonly configuration: readonly ConfigurationRow[];
}

/** A model that was trained for another task than it began with. */
export interface FineTunedModel {
  /** What it began with: `BERT, trained serially`. */
  readonly from: string;
  /** Its run. */
  readonly run: History;
  /** What it is worth, once that was measured. */
  readonly measured: Measured | undefined;
}

/** Models for the same task from different beginnings, the reference first. */
export interface FineTuning {
  /** What the task is called: `classify`. */
  readonly name: string;
  /** The model in words. */
  readonly model: string;
  /** The data in words. */
  readonly data: string;
  /** The models. */
  readonly models: readonly FineTunedModel[];
  /** The options that the runs share. */
  readonly configuration: readonly ConfigurationRow[];
}
