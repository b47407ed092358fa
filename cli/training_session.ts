/**
 * A training run from the first line that is printed to the last.
 *
 * @module
 */

import { type Device, DeviceError, type Tree } from "../tensor/mod.ts";
import {
  adamW,
  cosineWarmup,
  gptDecay,
  history,
  listCheckpoints,
  readMetrics,
  refinedBeginning,
  type StartEvent,
  type StopEvent,
  summarize,
  type Summary,
  train,
  type TrainingRun,
  type TrainOptions,
} from "../train/mod.ts";
import { metricName, metricValue } from "../train/metric_words.ts";
import { formatDuration } from "../train/report_format.ts";
import { solverWords } from "../train/report_words.ts";
import { UsageError } from "./failure.ts";
import { frozenBy } from "./freezing.ts";
import { listenForInterruption } from "./interruption.ts";
import { describeDevice } from "./open_device.ts";
import { bold, faint, type Output } from "./output.ts";
import { createProgress } from "./progress.ts";
import { reportDetails, resumeCall } from "./report_details.ts";
import { claimRun } from "./run_claim.ts";
import { damageNotes, newRunFolder } from "./run_folder.ts";
import { writeReport } from "./run_report.ts";
import { trainingSolver } from "./solver_values.ts";
import { shellWord } from "./path.ts";
import type { PreparedTask } from "./tasks/task_kind.ts";
import type { TaskName, TrainValues } from "./train_command.ts";
import {
  savedOptions,
  type TrainRequest,
  warmupSteps,
} from "./train_request.ts";

/** What `--json` prints. */
export interface TrainingSummary {
  /** Folder of the run. */
  readonly run: string;
  /** What was trained. */
  readonly task: TaskName;
  /** Steps done. */
  readonly steps: number;
  /** Smoothed training loss in nats per token. */
  readonly loss: number;
  /** Last validation loss in nats per token; NaN if none was measured. */
  readonly valLoss: number;
  /** The task's own measures of the last validation, by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Median duration of a step. */
  readonly msPerStep: number;
  /** Tokens, images or sentences a second at this duration. */
  readonly tokensPerSecond: number;
  /** Number of trained scalars. */
  readonly parameters: number;
  /** Where it ran. */
  readonly device: string;
  /** Threads that shared the work. */
  readonly threads: number;
  /** How kernels were built. */
  readonly mode: string;
}

/** What a session is made of. */
interface Session {
  readonly values: TrainValues;
  readonly prepared: PreparedTask;
  readonly folder: string;
  readonly device: Device;
  readonly output: Output;
}

/**
 * Trains, prints how it goes, and writes the report.
 *
 * @param signal Stops the run as Ctrl-C does, for who listens to that already.
 */
export async function trainAndTell(
  { values, resumed, coarse, reference }: TrainRequest,
  prepared: PreparedTask,
  device: Device,
  output: Output,
  signal?: AbortSignal,
): Promise<TrainingSummary> {
  const session: Session = {
    values,
    prepared,
    folder: resumed?.folder ?? values.out ??
      await newRunFolder(prepared.name, new Date()),
    device,
    output,
  };
  const { folder } = session;
  if (values.precision === "f16" && !device.halves) {
    throw new UsageError(
      `--precision f16: the device ${device.name} stores no numbers of 16 ` +
        `bits; choose another --device, or --precision f32`,
    );
  }
  using _claim = await claimRun(folder);
  const before = resumed?.checkpoint.manifest.settings.dataSize;
  // Runs of old have no such number.
  if (before !== undefined && before !== prepared.dataSize) {
    output.write(
      `Note: the data has changed since the run began: its size was ` +
        `${before} then, and is ${prepared.dataSize} now.\n`,
    );
  }

  const progress = createProgress({ ...output, now: () => performance.now() });
  let isTraining = true;
  using interruption = listenForInterruption(() => {
    progress.end();
    const when = isTraining ? "after this step" : "here";
    output.write(`Stopping ${when}; again to stop at once.\n`);
  });
  const stopping = signal === undefined
    ? interruption.signal
    : AbortSignal.any([interruption.signal, signal]);
  const run = startRun(session, {
    resume: resumed !== undefined,
    begin: coarse && !resumed
      ? await refinedBeginning(coarse.checkpoint, coarse.refinement)
      : undefined,
    signal: stopping,
  });
  let start: StartEvent | undefined;
  let stop: StopEvent | undefined;
  try {
    for await (const event of run) {
      if (event.type === "start") {
        start = event;
        writeIntroduction(session, event);
      }
      if (event.type === "stop") stop = event;
      progress.update(event);
    }
  } catch (error) {
    throw await withWayOn(error, session);
  } finally {
    progress.end();
    isTraining = false;
  }

  const samples = stop?.reason === "interrupted"
    ? []
    : await prepared.showSamples?.(
      run.parameters,
      output,
      interruption.signal,
    ) ?? [];
  const events = await readMetrics(folder);
  const summary = summarize(history(events));
  const machine = describeDevice(device);
  const kind = device.name as TrainValues["device"];
  const report = await writeReport(
    folder,
    reportDetails({
      values: { ...values, device: kind },
      prepared,
      folder,
      machine,
      samples,
      reference,
    }),
    events,
  );
  // What a run is part of says itself how it goes on.
  writeEnding(session, summary, stop, report, signal !== undefined);
  return {
    run: folder,
    task: values.task,
    steps: summary.steps,
    loss: summary.loss,
    valLoss: summary.validationLoss,
    metrics: summary.metrics,
    msPerStep: summary.millisecondsPerStep,
    tokensPerSecond: summary.tokensPerSecond,
    parameters: start?.parameters ?? 0,
    device: device.name,
    threads: device.threads,
    mode: device.mode,
  };
}

/** A device's or the system's fault, and how the run goes on after it. */
async function withWayOn(
  error: unknown,
  { folder, device: { name }, values: { precision } }: Session,
): Promise<unknown> {
  const isDevices = error instanceof DeviceError;
  const isSystems = error instanceof Error && /\(os error/.test(error.message);
  if (!isDevices && !isSystems) return error;
  const saved = (await listCheckpoints(folder)).at(-1);
  const other = !isDevices ? "" : [
    name === "wasm" ? "" : " --device wasm",
    precision === "f32" ? "" : " --precision f32",
  ].join("");
  const wayOn = saved === undefined
    ? `nothing was saved yet; begin again${other && `, with${other}`}`
    : `step ${saved.step} is saved, and ${resumeCall(folder)}${other} goes on`;
  const words = `${error.message.replace(/[.;\s]+$/, "")}: ${wayOn}`;
  return isDevices
    ? new DeviceError(error.kind, words, error.operation, { cause: error })
    : new Error(`${folder}: ${words}`, { cause: error });
}

/** Too large for some models, which find out in their first steps. */
const firstLossScale = 2 ** 16;

function startRun(
  { values, prepared, folder, device }: Session,
  how: Pick<TrainOptions, "resume" | "begin" | "signal">,
): TrainingRun<Tree> {
  const { steps } = values;
  return train(prepared.task, {
    frozen: frozenBy(values.freeze, prepared.task.initialize),
    optimizer: adamW({
      learningRate: values.lr,
      beta2: values.beta2,
      weightDecay: values.weightDecay,
      decay: gptDecay,
    }),
    schedule: cosineWarmup({ warmup: warmupSteps(values), total: steps }),
    steps,
    clipNorm: values.clip,
    lossScale: values.precision === "f16" ? firstLossScale : undefined,
    accumulation: values.accumulate,
    evaluationInterval: values.evaluateEvery,
    evaluationBatches: values.evaluationBatches,
    readInterval: values.readEvery,
    patience: values.patience,
    folder,
    checkpointInterval: values.saveEvery,
    keep: values.keep,
    solver: trainingSolver(values),
    settings: {
      options: savedOptions({
        ...values,
        device: device.name as TrainValues["device"],
      }),
      dataSize: prepared.dataSize,
    },
    ...how,
  });
}

function writeIntroduction(
  { values, prepared, folder, device, output }: Session,
  { step, parameters, frozen = 0, checkpoint = "", damaged, solver }:
    StartEvent,
): void {
  for (const note of damageNotes(checkpoint, damaged)) {
    output.write(`Note: ${note}.\n`);
  }
  const lines = [
    ["data", `${prepared.data}, ${prepared.dataDetails}`],
    [
      "model",
      `${prepared.model}: ${parameters.toLocaleString("en")} parameters` +
      (frozen === 0 ? "" : `, and ${frozen.toLocaleString("en")} frozen ones`),
    ],
    ["solver", solver === undefined ? "serial" : solverWords(solver)],
    [
      "device",
      `${describeDevice(device)}${values.precision === "f16" ? ", f16" : ""}`,
    ],
    ["run", step === 0 ? folder : `${folder}, from step ${step} on`],
  ];
  for (const [name, value] of lines) {
    output.write(`${faint(output, name.padEnd(8))}${value}\n`);
  }
  output.write("\n");
}

function writeEnding(
  { values, prepared, folder, output }: Session,
  summary: Summary,
  stop: StopEvent | undefined,
  report: string,
  isPart: boolean,
): void {
  const loss = (value: number): string =>
    Number.isFinite(value) ? value.toFixed(3) : "–";
  const parts = [
    `${summary.steps.toLocaleString("en")} steps`,
    `loss ${loss(summary.loss)}`,
    `validation ${loss(summary.validationLoss)}`,
    ...Object.entries(summary.metrics).map(([name, value]) =>
      `${metricName(name)} ${metricValue(value)}`
    ),
    formatDuration(summary.trainingSeconds),
    `${
      Math.round(summary.tokensPerSecond).toLocaleString("en")
    } ${summary.unit}/s`,
  ];
  output.write(`\n${bold(output, parts.join("   "))}\n`);
  const lines = [["report", report]];
  if (stop?.reason === "interrupted") {
    if (!isPart) lines.push(["resume", resumeCall(folder)]);
    output.write(
      `Stopped after step ${summary.steps} of ${values.steps}; ` +
        `everything is saved.\n`,
    );
  } else {
    if (stop?.reason === "early") {
      output.write("Stopped early: the validation loss no longer falls.\n");
    }
    const [next] = prepared.commands(shellWord(folder));
    if (next !== undefined) lines.push(["then", next[0]]);
  }
  for (const [name, value] of lines) {
    output.write(`${faint(output, name.padEnd(8))}${value}\n`);
  }
}
