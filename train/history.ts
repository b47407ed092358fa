/**
 * What happened in a run: its events in order, without what was undone when
 * the run went back to a checkpoint.
 *
 * @module
 */

import type {
  EvaluationEvent,
  ProbeEvent,
  StartEvent,
  StepEvent,
  StopEvent,
  SwitchEvent,
  TrainingEvent,
} from "./event.ts";
import { movingAverage, quantile } from "./smoothing.ts";

/** A run as its last session left it. */
export interface History {
  /** The last beginning; `undefined` if there is none. */
  readonly start: StartEvent | undefined;
  /** Each step once, in order. */
  readonly steps: readonly StepEvent[];
  /** Validations, in order. */
  readonly evaluations: readonly EvaluationEvent[];
  /** Looks at multigrid's accuracy, in order. */
  readonly probes: readonly ProbeEvent[];
  /** What followed from them, in order. */
  readonly switches: readonly SwitchEvent[];
  /** After which steps the run was taken up again. */
  readonly resumed: readonly number[];
  /** How the last session ended; `undefined` if it goes on, or broke off. */
  readonly stop: StopEvent | undefined;
}

/**
 * Sorts the events of all sessions of a run. What came after the checkpoint
 * that a later session began with is left out.
 */
export function history(events: Iterable<TrainingEvent>): History {
  let start: StartEvent | undefined;
  let stop: StopEvent | undefined;
  let steps: StepEvent[] = [];
  let evaluations: EvaluationEvent[] = [];
  let probes: ProbeEvent[] = [];
  let switches: SwitchEvent[] = [];
  const resumed: number[] = [];
  for (const event of events) {
    switch (event.type) {
      case "start":
        start = event;
        stop = undefined;
        steps = until(event.step, steps);
        evaluations = until(event.step, evaluations);
        probes = until(event.step, probes);
        switches = until(event.step, switches);
        if (event.step > 0) resumed.push(event.step);
        break;
      case "step":
        steps.push(event);
        break;
      case "evaluation":
        evaluations.push(event);
        break;
      case "probe":
        probes.push(event);
        break;
      case "switch":
        switches.push(event);
        break;
      case "stop":
        stop = event;
        break;
    }
  }
  return { start, steps, evaluations, probes, switches, resumed, stop };
}

function until<E extends TrainingEvent>(last: number, events: E[]): E[] {
  return events.filter(({ step }) => step <= last);
}

/** The figures of a run that people ask for. */
export interface Summary {
  /** Steps done. */
  readonly steps: number;
  /** Training loss, smoothed; NaN before the first step. */
  readonly loss: number;
  /** Last validation loss; NaN if none was measured. */
  readonly validationLoss: number;
  /** Lowest validation loss; NaN if none was measured. */
  readonly bestValidationLoss: number;
  /** The task's other measures at the last validation, by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The highest value of each of them in the run. */
  readonly bestMetrics: Readonly<Record<string, number>>;
  /** Median duration of a step in milliseconds. */
  readonly millisecondsPerStep: number;
  /** Tokens (or whatever `unit` says) of a step per second of that. */
  readonly tokensPerSecond: number;
  /** What is counted, in the plural: `tokens`, `images`, `sentences`. */
  readonly unit: string;
  /** Time spent in training steps, in seconds; evaluation isn't in it. */
  readonly trainingSeconds: number;
}

/** Sums a run up. */
export function summarize(
  { start, steps, evaluations }: History,
): Summary {
  const average = movingAverage();
  const losses = steps.map(({ loss }) => average(loss));
  const durations = steps.map(({ milliseconds }) => milliseconds);
  const millisecondsPerStep = quantile(durations, 0.5);
  return {
    steps: steps.at(-1)?.step ?? start?.step ?? 0,
    loss: losses.at(-1) ?? NaN,
    validationLoss: evaluations.at(-1)?.loss ?? NaN,
    bestValidationLoss: evaluations.length === 0
      ? NaN
      : Math.min(...evaluations.map(({ loss }) => loss)),
    metrics: evaluations.at(-1)?.metrics ?? {},
    bestMetrics: bestMetrics(evaluations),
    millisecondsPerStep,
    tokensPerSecond: (start?.tokensPerStep ?? NaN) / millisecondsPerStep * 1000,
    unit: start?.unit ?? "tokens",
    trainingSeconds: durations.reduce((sum, time) => sum + time, 0) / 1000,
  };
}

function bestMetrics(
  evaluations: readonly EvaluationEvent[],
): Readonly<Record<string, number>> {
  const best: Record<string, number> = {};
  for (const { metrics } of evaluations) {
    for (const [name, value] of Object.entries(metrics)) {
      best[name] = Math.max(best[name] ?? -Infinity, value);
    }
  }
  return best;
}
