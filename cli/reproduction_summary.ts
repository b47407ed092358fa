/**
 * What a reproduction found in few words.
 *
 * @module
 */

import { shellWord } from "./path.ts";
import { comparedNames } from "../train/comparison.ts";
import { differenceWords } from "../train/metric_difference.ts";
import { metricName, metricValue } from "../train/metric_words.ts";
import { summarize } from "../train/mod.ts";
import type {
  FineTuning,
  Measured,
  ReproducedTask,
} from "../train/reproduction.ts";
import { bold, faint, type Output } from "./output.ts";

/** What `--json` prints. */
export interface ReproductionSummary {
  /** Where the report lies. */
  readonly report: string;
  /** Whether all runs are trained and measured. */
  readonly done: boolean;
  /** What became of each run, by task. */
  readonly tasks: Readonly<
    Record<string, Readonly<Record<string, ReproducedRun>>>
  >;
  /** What the fine-tuned models are worth, by what they began with. */
  readonly fineTuning: Readonly<Record<string, Measured | null>>;
}

/** What became of a run. */
export interface ReproducedRun {
  /** Steps done. */
  readonly steps: number;
  /** Time spent in training steps. */
  readonly seconds: number;
  /** How often accuracy control acted. */
  readonly switches: number;
  /** What the model is worth; `null` until it is measured. */
  readonly measured: Measured | null;
}

/** The part of the summary that the runs give. */
export function summarizeTasks(
  tasks: readonly ReproducedTask[],
  fineTuning: FineTuning | undefined,
): Pick<ReproductionSummary, "tasks" | "fineTuning"> {
  return {
    tasks: Object.fromEntries(tasks.map((task) => [task.name, runsOf(task)])),
    fineTuning: Object.fromEntries(
      (fineTuning?.models ?? []).map(({ from, measured }) => [
        from,
        withoutExamples(measured),
      ]),
    ),
  };
}

function runsOf(
  { runs, measured }: ReproducedTask,
): Readonly<Record<string, ReproducedRun>> {
  return Object.fromEntries(comparedNames.map((name) => {
    const { steps, trainingSeconds } = summarize(runs[name]);
    return [name, {
      steps,
      seconds: trainingSeconds,
      switches: runs[name].switches.length,
      measured: withoutExamples(measured[name]),
    }];
  }));
}

function withoutExamples(measured: Measured | undefined): Measured | null {
  if (measured === undefined) return null;
  const { loss, metrics } = measured;
  return { loss, metrics };
}

/** Prints what was found, and how to go on. */
export function writeSummary(
  folder: string,
  { report, done, tasks, fineTuning }: ReproductionSummary,
  output: Output,
): void {
  const models = [
    ...Object.entries(tasks).map(([task, runs]) =>
      [
        task,
        Object.entries(runs).map(([name, { measured }]) =>
          [name, measured] as const
        ),
      ] as const
    ),
    ["classify", Object.entries(fineTuning)] as const,
  ];
  for (const [task, measured] of models) {
    for (const [i, line] of metricLines(measured).entries()) {
      const name = (i === 0 ? task : "").padEnd(column);
      output.write(`${bold(output, name)}${line}\n`);
    }
  }
  const line = (name: string, text: string): void =>
    output.write(`${faint(output, name.padEnd(column))}${text}\n`);
  line("report", report);
  if (done) return;
  line("resume", `deno task reproduce --resume ${shellWord(folder)}`);
}

const column = 13;

/** A line for each metric: of all models, the first of which is the reference. */
function metricLines(
  models: readonly (readonly [name: string, measured: Measured | null])[],
): string[] {
  const metrics = new Set(
    models.flatMap(([, measured]) => Object.keys(measured?.metrics ?? {})),
  );
  return [...metrics].map((metric) => {
    const value = (measured: Measured | null): number =>
      measured?.metrics[metric] ?? NaN;
    const reference = value(models[0][1]);
    const words = models.map(([name, measured], i) => {
      const own = value(measured);
      const difference = i === 0
        ? ""
        : ` (${differenceWords(metric, own, reference)})`;
      return `${name} ${metricValue(own)}${difference}`;
    });
    return `${metricName(metric)}: ${words.join(", ")}`;
  });
}
