/**
 * A study from the first line that is printed to the last: three runs as those
 * of `train`, and a report that compares them.
 *
 * @module
 */

import type { Device } from "../tensor/mod.ts";
import {
  againstSerial,
  type ComparedName,
  comparedNames,
  type Comparison,
  percentWords,
} from "../train/comparison.ts";
import { summarize } from "../train/mod.ts";
import { studyCharts, studyReport } from "../train/study_report.ts";
import {
  readComparison,
  stepsDone,
  trainPart,
  writeCharts,
} from "./compared_runs.ts";
import { listenForInterruption } from "./interruption.ts";
import { flagName } from "./option.ts";
import { describeDevice } from "./open_device.ts";
import { bold, faint, type Output } from "./output.ts";
import { shellWord } from "./path.ts";
import { configurationRows } from "./report_details.ts";
import { claimRun } from "./run_claim.ts";
import { studyCommand, type StudyValues } from "./study_command.ts";
import { type StudyRequest, trainValues, writeStudy } from "./study_request.ts";
import type { PreparedTask } from "./tasks/task_kind.ts";

/** What `--json` prints. */
export interface StudySummary {
  /** Where the report lies. */
  readonly report: string;
  /** Whether all three runs are done. */
  readonly done: boolean;
  /** What became of each run. */
  readonly runs: Readonly<Record<ComparedName, StudiedRun>>;
}

/** What became of a run. */
export interface StudiedRun {
  /** Steps done. */
  readonly steps: number;
  /** Last validation loss in nats per token; NaN if none was measured. */
  readonly valLoss: number;
  /** Its relative difference to the serial run's; NaN if there is none yet. */
  readonly againstSerial: number;
  /** Time spent in training steps. */
  readonly seconds: number;
  /** How often accuracy control acted. */
  readonly switches: number;
}

/** Trains what is missing, and writes the report. */
export async function studyAndTell(
  request: StudyRequest,
  prepared: PreparedTask,
  device: Device,
  output: Output,
): Promise<StudySummary> {
  const { values, folder } = request;
  using _claim = await claimRun(folder);
  await writeStudy(request);
  // Each run says that it stops; this one is for the moments between.
  using interruption = listenForInterruption(() => {});
  let done = true;
  for (const [i, name] of comparedNames.entries()) {
    const run = `${folder}/${name}`;
    if (await stepsDone(run) >= values.steps) continue;
    output.write(`${bold(output, `Run ${i + 1} of 3: ${name}`)}\n`);
    done = await trainPart(
      {
        values: trainValues(values, name),
        folder: run,
        serial: name === "serial" ? undefined : `${folder}/serial`,
      },
      prepared,
      device,
      output,
      interruption.signal,
    );
    if (!done) break;
  }
  const runs = await readComparison(folder);
  const report = `${folder}/report.html`;
  await Deno.writeTextFile(
    report,
    studyReport(runs, detailsOf(request, prepared, device)),
  );
  await writeCharts(folder, studyCharts(runs));
  const summary = { report, done, runs: summaryOf(runs) };
  writeEnding(request, summary, output);
  return summary;
}

function detailsOf(
  { values }: StudyRequest,
  { name, data }: PreparedTask,
  device: Device,
): Parameters<typeof studyReport>[1] {
  const layers = values.before + values.layers + values.after;
  return {
    title: `A study of ${layers} layers on ${name}`,
    machine: describeDevice(device),
    corpus: data,
    configuration: configurationRows(studyCommand, values),
    command: studyCall(values),
  };
}

/** The command that makes the same study. */
function studyCall(values: StudyValues): string {
  const changed = Object.entries(studyCommand.options).flatMap(
    ([name, { lifetime, default: usual }]) => {
      const value = values[name as keyof StudyValues];
      if (lifetime === "session" || value === undefined) return [];
      if (JSON.stringify(value) === JSON.stringify(usual)) return [];
      if (name === "data") return values.data.map((path) => `--data ${path}`);
      return [`--${flagName(name)}${value === true ? "" : ` ${value}`}`];
    },
  );
  return ["deno task study", ...changed].join(" ");
}

function summaryOf(runs: Comparison): StudySummary["runs"] {
  const of = (name: ComparedName): StudiedRun => {
    const { steps, validationLoss, trainingSeconds } = summarize(runs[name]);
    return {
      steps,
      valLoss: validationLoss,
      againstSerial: againstSerial(runs, name),
      seconds: trainingSeconds,
      switches: runs[name].switches.length,
    };
  };
  return { serial: of("serial"), fixed: of("fixed"), adaptive: of("adaptive") };
}

function writeEnding(
  { folder }: StudyRequest,
  { report, done, runs }: StudySummary,
  output: Output,
): void {
  for (const name of comparedNames) {
    const { valLoss, againstSerial } = runs[name];
    const loss = Number.isFinite(valLoss) ? valLoss.toFixed(3) : "–";
    const difference = name === "serial"
      ? ""
      : `   ${percentWords(againstSerial)} against serial`;
    output.write(
      `${bold(output, `${name.padEnd(10)} validation ${loss}`)}${difference}\n`,
    );
  }
  output.write(`${faint(output, "report  ")}${report}\n`);
  if (!done) {
    output.write(
      `${faint(output, "resume  ")}deno task study --resume ${
        shellWord(folder)
      }   goes on with the whole study\n`,
    );
  }
}
