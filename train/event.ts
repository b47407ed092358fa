/**
 * What a training run reports as it goes: one stream of events, which progress
 * bars, metric files, reports and tests listen to.
 *
 * @module
 */

import type { ControlSwitch, Probe } from "../mgrit/mod.ts";
import type { SolverDescription } from "./solver.ts";

/** A run begins, or goes on after a checkpoint. */
export interface StartEvent {
  /** Kind of event. */
  readonly type: "start";
  /** Steps done before; 0 for a new run. */
  readonly step: number;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Number of trained scalars. */
  readonly parameters: number;
  /** Number of scalars that stay as they are; absent: none. */
  readonly frozen?: number;
  /** Tokens (or whatever `unit` says) of a training step. */
  readonly tokensPerStep: number;
  /** What they are, in the plural: `tokens`, `images`, `sentences`. */
  readonly unit: string;
  /** The checkpoint that the run goes on from. */
  readonly checkpoint?: string;
  /** Newer checkpoints that are damaged, and how; usually none. */
  readonly damaged?: readonly string[];
  /** How the block is solved, if not one layer after the other. */
  readonly solver?: SolverDescription;
}

/** A training step is done. */
export interface StepEvent {
  /** Kind of event. */
  readonly type: "step";
  /** Steps done, from 1 on. */
  readonly step: number;
  /** Training loss, before this step's update. */
  readonly loss: number;
  /** Learning rate of this step. */
  readonly learningRate: number;
  /** Norm of all gradients together, before clipping. */
  readonly gradientNorm: number;
  /** What the loss was multiplied by on its way back, where it was. */
  readonly lossScale?: number;
  /**
   * Duration of the step in milliseconds; where several steps are read together,
   * their mean.
   */
  readonly milliseconds: number;
}

/** The accuracy of multigrid was looked at; comes after the batch's step. */
export interface ProbeEvent extends Probe {
  /** Kind of event. */
  readonly type: "probe";
  /** Steps done. */
  readonly step: number;
  /**
   * Duration in milliseconds of the solves that the probe alone needs; it is
   * part of the step's. On a device that computes in the background, until all
   * of it was handed over.
   */
  readonly milliseconds: number;
}

/** A direction is solved otherwise from the next batch on. */
export interface SwitchEvent extends ControlSwitch {
  /** Kind of event. */
  readonly type: "switch";
  /** Steps done. */
  readonly step: number;
}

/** The model was measured on data that is not trained on. */
export interface EvaluationEvent {
  /** Kind of event. */
  readonly type: "evaluation";
  /** Steps done. */
  readonly step: number;
  /** Mean validation loss. */
  readonly loss: number;
  /** What else the task measures, by name: the greater, the better. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether the loss is the lowest of the run. */
  readonly best: boolean;
}

/** A checkpoint was written. */
export interface CheckpointEvent {
  /** Kind of event. */
  readonly type: "checkpoint";
  /** Steps done. */
  readonly step: number;
  /** Where it lies. */
  readonly path: string;
}

/** The run ends. */
export interface StopEvent {
  /** Kind of event. */
  readonly type: "stop";
  /** Steps done. */
  readonly step: number;
  /** All steps done; interrupted by the user; no improvement any more. */
  readonly reason: "done" | "interrupted" | "early";
}

/** Anything that a run reports. */
export type TrainingEvent =
  | StartEvent
  | StepEvent
  | ProbeEvent
  | SwitchEvent
  | EvaluationEvent
  | CheckpointEvent
  | StopEvent;
