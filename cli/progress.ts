/**
 * The line that tells how a training run is getting on: rewritten in place in
 * a terminal, printed now and then elsewhere. What the solver's accuracy
 * control finds and changes has lines of its own, above it.
 *
 * @module
 */

import { type ControlState, directions } from "../mgrit/mod.ts";
import type {
  EvaluationEvent,
  ProbeEvent,
  StartEvent,
  StepEvent,
  TrainingEvent,
} from "../train/event.ts";
import { metricName, metricValue } from "../train/metric_words.ts";
import { formatDuration } from "../train/report_format.ts";
import {
  probeWords,
  ratioWords,
  shortMode,
  switchWords,
} from "../train/report_words.ts";
import { movingAverage, quantile } from "../train/smoothing.ts";
import type { Validation } from "../train/task.ts";

/** Where progress is shown. */
export interface ProgressOptions {
  /** Takes what is to be shown. */
  readonly write: (text: string) => void;
  /** Columns of the terminal; `undefined` where it isn't one. */
  readonly columns: (() => number) | undefined;
  /** Whether to use colours. */
  readonly colours: boolean;
  /** A clock in milliseconds. */
  readonly now: () => number;
}

/** Shows progress. */
export interface Progress {
  /** Takes the next event of the run. */
  readonly update: (event: TrainingEvent) => void;
  /** Ends the line, so that what is printed next begins a new one. */
  readonly end: () => void;
}

const redrawMilliseconds = 80;
const plainMilliseconds = 10_000;
/** Steps that the speed is the median of. */
const speedSteps = 21;

/** A progress line. */
export function createProgress(options: ProgressOptions): Progress {
  const { write, columns, colours, now } = options;
  const average = movingAverage();
  const durations: number[] = [];
  let start: StartEvent | undefined;
  let last: StepEvent | undefined;
  let evaluation: EvaluationEvent | undefined;
  let probe: ProbeEvent | undefined;
  let solverState: ControlState | undefined;
  let loss = NaN;
  let firstStep = { step: 0, time: 0 };
  let shown = -Infinity;
  let isOpen = false;

  const secondsLeft = (step: number, steps: number): number =>
    (now() - firstStep.time) / (step - firstStep.step) * (steps - step) / 1000;

  const show = (): void => {
    if (start === undefined || last === undefined) return;
    const { steps, tokensPerStep, unit } = start;
    const parts = progressParts({
      step: last.step,
      steps,
      loss,
      validation: evaluation,
      speed: tokensPerStep * 1000 / quantile(durations, 0.5),
      unit,
      secondsLeft: secondsLeft(last.step, steps),
      solver: solverState,
      probe,
    });
    shown = now();
    if (columns === undefined) {
      write(`${joinParts(parts, Infinity, false)}\n`);
    } else {
      const line = joinParts(parts, columns() - 1, colours);
      // Back to the first column, the line, then clear what was behind it.
      write(`\r${line}\x1b[K`);
      isOpen = true;
    }
  };

  /** A line that stays, above the one that is rewritten. */
  const tell = (line: string): void => {
    write(columns === undefined ? `${line}\n` : `\r${line}\x1b[K\n`);
    isOpen = false;
    if (columns !== undefined) show();
  };

  const update = (event: TrainingEvent): void => {
    switch (event.type) {
      case "start":
        start = event;
        solverState = event.solver?.state;
        break;
      case "step": {
        const isFirst = last === undefined;
        last = event;
        loss = average(event.loss);
        durations.push(event.milliseconds);
        if (durations.length > speedSteps) durations.shift();
        if (isFirst) firstStep = { step: event.step, time: now() };
        const pause = columns === undefined
          ? plainMilliseconds
          : redrawMilliseconds;
        if (now() - shown >= pause) show();
        break;
      }
      case "probe":
        probe = event;
        tell(`step ${count(event.step)}: probe: ${probeWords(event)}`);
        break;
      case "switch": {
        const { step, direction, to } = event;
        if (solverState !== undefined) {
          solverState = { ...solverState, [direction]: to };
        }
        const found = probe?.step === step ? probe : undefined;
        const words = switchWords(event, found, start?.solver?.control);
        tell(`step ${count(step)}: switch: ${words}`);
        break;
      }
      case "evaluation":
        evaluation = event;
        show();
        break;
      case "stop":
        if (columns !== undefined) show();
        break;
    }
  };
  const end = (): void => {
    if (isOpen) write("\n");
    isOpen = false;
  };
  return { update, end };
}

/** What a progress line tells. */
export interface ProgressState {
  /** Steps done. */
  readonly step: number;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Smoothed training loss. */
  readonly loss: number;
  /** The newest validation, if there is one. */
  readonly validation: Validation | undefined;
  /** Speed of the last steps: so many of `unit` in a second. */
  readonly speed: number;
  /** What is counted, in the plural. */
  readonly unit: string;
  /** Time until the last step; NaN where nothing is known yet. */
  readonly secondsLeft: number;
  /** How multigrid solves; absent where it doesn't. */
  readonly solver: ControlState | undefined;
  /** The newest probe of it. */
  readonly probe: ProbeEvent | undefined;
}

function count(value: number): string {
  return value.toLocaleString("en");
}

/** Name and value of each part of the line, the most important first. */
function progressParts(
  state: ProgressState,
): (readonly [name: string, value: string, width: number])[] {
  const { step, steps, loss, validation, speed, unit, secondsLeft } = state;
  const { solver, probe } = state;
  const total = count(steps);
  const done = count(step).padStart(total.length);
  return [
    ["step", `${done}/${total}`, 0],
    ["loss", loss.toFixed(3), 6],
    ["validation", validation?.loss.toFixed(3) ?? "–", 6],
    ...Object.entries(validation?.metrics ?? {}).map(([name, value]) =>
      [metricName(name), metricValue(value), 5] as const
    ),
    [`${unit}/s`, count(Math.round(speed)), 7],
    [
      "left",
      step === steps || !Number.isFinite(secondsLeft)
        ? "–"
        : formatDuration(secondsLeft),
      0,
    ],
    ...(solver === undefined ? [] : [
      ["mgrit", shortMode(solver), 0] as const,
    ]),
    ...(probe === undefined ? [] : [
      [
        "ρ",
        directions.map((direction) => ratioWords(probe, direction)).join("/"),
        0,
      ] as const,
    ]),
  ];
}

/** As many parts as fit into the columns, one behind the other. */
function joinParts(
  parts: ReturnType<typeof progressParts>,
  columns: number,
  colours: boolean,
): string {
  let line = "";
  let length = 0;
  for (const [name, value, width] of parts) {
    const padded = value.padStart(width);
    const gap = line === "" ? "" : "   ";
    length += gap.length + name.length + 1 + padded.length;
    if (length > columns) break;
    line += colours
      ? `${gap}\x1b[2m${name}\x1b[22m \x1b[1m${padded}\x1b[22m`
      : `${gap}${name} ${padded}`;
  }
  return line;
}
