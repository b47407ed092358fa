/**
 * A study from the first line that is printed to the last: three runs as those
 * of `train`, and a report that compares them.
 *
 * @module
 */

import type { Device } from "../tensor/mod.ts";
import { chartFile } from "../train/chart_file.ts";
import {
  history,
  listCheckpoints,
  loadCheckpoint,
  readMetrics,
  summarize,
} from "../train/mod.ts";
import {
  studyCharts,
  type StudyRunName,
  studyRunNames,
  type StudyRuns,
} from "../train/study_charts.ts";
import {
  againstSerial,
  percentWords,
  studyReport,
} from "../train/study_report.ts";
import { listenForInterruption } from "./interruption.ts";
import { flagName } from "./option.ts";
import { describeDevice } from "./open_device.ts";
import { bold, faint, type Output } from "./output.ts";
import type { PreparedText } from "./prepare_text.ts";
import { configurationRows, formatBytes } from "./report_details.ts";
import { claimRun } from "./run_claim.ts";
import { studyCommand, type StudyValues } from "./study_command.ts";
import {
  type StudyRequest,
  trainValues,
  writeSettings,
} from "./study_request.ts";
import type { TrainRequest } from "./train_request.ts";
import { trainAndTell } from "./training_session.ts";

/** What `--json` prints. */
export interface StudySummary {
  /** Where the report lies. */
  readonly report: string;
  /** Whether all three runs are done. */
  readonly done: boolean;
  /** What became of each run. */
  readonly runs: Readonly<Record<StudyRunName, StudiedRun>>;
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
  text: PreparedText,
  device: Device,
  output: Output,
): Promise<StudySummary> {
  const { values, folder } = request;
  using _claim = await claimRun(folder);
  await writeSettings(request);
  // Each run says that it stops; this one is for the moments between.
  using interruption = listenForInterruption(() => {});
  let done = true;
  for (const [i, name] of studyRunNames.entries()) {
    const run = `${folder}/${name}`;
    if (await stepsDone(run) >= values.steps) continue;
    output.write(`${bold(output, `Run ${i + 1} of 3: ${name}`)}\n`);
    const { steps } = await trainAndTell(
      await trainRequest(request, name),
      text,
      device,
      output,
      interruption.signal,
    );
    output.write("\n");
    done = steps >= values.steps;
    if (!done) break;
  }
  const runs = await readRuns(folder);
  const report = `${folder}/report.html`;
  await Deno.writeTextFile(
    report,
    studyReport(runs, detailsOf(request, text, device)),
  );
  for (const { chart } of studyCharts(runs)) {
    await Deno.writeTextFile(`${folder}/${chart.id}.svg`, chartFile(chart));
  }
  const summary = { report, done, runs: summaryOf(runs) };
  writeEnding(request, summary, output);
  return summary;
}

/** One of the runs, as a request to `train`. */
async function trainRequest(
  { values, folder }: StudyRequest,
  name: StudyRunName,
): Promise<TrainRequest> {
  const run = `${folder}/${name}`;
  const begun = (await listCheckpoints(run)).length > 0;
  return {
    values: { ...trainValues(values, name), out: run },
    resumed: begun
      ? { folder: run, checkpoint: await loadCheckpoint(run) }
      : undefined,
    reference: name === "serial" ? undefined : {
      name: "serial",
      events: await readMetrics(`${folder}/serial`),
    },
  };
}

/** Steps of a run that its newest checkpoint has done. */
async function stepsDone(run: string): Promise<number> {
  if ((await listCheckpoints(run)).length === 0) return 0;
  return (await loadCheckpoint(run)).manifest.progress.step;
}

async function readRuns(folder: string): Promise<StudyRuns> {
  const [serial, fixed, adaptive] = await Promise.all(
    studyRunNames.map(async (name) =>
      history(await readMetrics(`${folder}/${name}`))
    ),
  );
  return { serial, fixed, adaptive };
}

function detailsOf(
  { values }: StudyRequest,
  { corpus }: PreparedText,
  device: Device,
): Parameters<typeof studyReport>[1] {
  const layers = values.before + values.layers + values.after;
  return {
    title: `A study of ${layers} layers on ${corpus.name}`,
    machine: describeDevice(device),
    corpus: `${corpus.name}, ${formatBytes(corpus.byteLength)}`,
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

function summaryOf(runs: StudyRuns): StudySummary["runs"] {
  const of = (name: StudyRunName): StudiedRun => {
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
  for (const name of studyRunNames) {
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
      `${
        faint(output, "resume  ")
      }deno task study --resume ${folder}   goes on with the whole study\n`,
    );
  }
}
