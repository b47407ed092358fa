/**
 * What a reproduction found in few words.
 *
 * @module
 */

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
  for (const [task, runs] of Object.entries(tasks)) {
    const models = Object.entries(runs).map(([name, { measured }]) =>
      [name, measured] as const
    );
    output.write(`${bold(output, task.padEnd(12))}${modelWords(models)}\n`);
  }
  for (const [from, measured] of Object.entries(fineTuning)) {
    output.write(
      `${bold(output, "classify".padEnd(12))}${
        modelWords([[from, measured]])
      }\n`,
    );
  }
  output.write(`${faint(output, "report".padEnd(12))}${report}\n`);
  if (done) return;
  const call = `deno task reproduce --resume ${folder}`;
  output.write(
    `${faint(output, "resume".padEnd(12))}${call}   goes on with all of it\n`,
  );
}

/** The measure that counts, of each model: the first one is the reference. */
function modelWords(
  models: readonly (readonly [name: string, measured: Measured | null])[],
): string {
  const reference = models[0][1];
  const metric = Object.keys(reference?.metrics ?? {})[0];
  if (metric === undefined) return "–";
  const words = models.map(([name, measured], i) => {
    const value = measured?.metrics[metric] ?? NaN;
    const difference = i === 0
      ? ""
      : ` (${differenceWords(metric, value, reference!.metrics[metric])})`;
    return `${name} ${metricValue(value)}${difference}`;
  });
  return `${metricName(metric)}: ${words.join(", ")}`;
}
