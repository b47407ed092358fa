/**
 * A reproduction from the first line that is printed to the last.
 *
 * @module
 */

import type { Device } from "../tensor/mod.ts";
import {
  type JsonRecord,
  listCheckpoints,
  loadModelCheckpoint,
  NonFiniteError,
} from "../train/mod.ts";
import { taskCharts } from "../train/reproduction_charts.ts";
import { reproductionReport } from "../train/reproduction_report.ts";
import { stepsDone, trainPart, writeCharts } from "./compared_runs.ts";
import { evaluationLines } from "./evaluation_text.ts";
import { listenForInterruption } from "./interruption.ts";
import { writeSettings } from "./kept_settings.ts";
import { measureAndKeep } from "./measuring.ts";
import { describeDevice } from "./open_device.ts";
import { bold, faint, type Output } from "./output.ts";
import { kept, type ReproduceRequest } from "./reproduce_request.ts";
import { createOutlook } from "./outlook.ts";
import {
  findFacts,
  modelledStep,
  readFacts,
  type TaskFacts,
} from "./reproduction_facts.ts";
import { type PlannedRun, plannedRuns } from "./reproduction_plan.ts";
import {
  readFineTuning,
  readMeasured,
  readTasks,
} from "./reproduction_results.ts";
import {
  type ReproductionSummary,
  summarizeTasks,
  writeSummary,
} from "./reproduction_summary.ts";
import { claimRun } from "./run_claim.ts";
import { taskKind } from "./tasks/mod.ts";
import type { PreparedTask } from "./tasks/task_kind.ts";

/** What a reproduction is made of. */
interface Session {
  readonly request: ReproduceRequest;
  readonly device: Device;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** All runs, in their order. */
  readonly runs: readonly PlannedRun[];
  /** The tasks that are open, by {@linkcode preparedName}. */
  readonly prepared: Map<string, PreparedTask>;
  /** Closes them. */
  readonly open: DisposableStack;
  /** Whether a run trains, which says itself that it stops. */
  isTraining: boolean;
}

/** Trains and measures what is missing, and writes the report. */
export async function reproduceAndTell(
  request: ReproduceRequest,
  device: Device,
  output: Output,
): Promise<ReproductionSummary> {
  const { folder, settings } = request;
  using _claim = await claimRun(folder);
  using interruption = listenForInterruption(() => {
    if (!session.isTraining) {
      output.write("\nStopping here; again to stop at once.\n");
    }
  });
  using open = new DisposableStack();
  const runs = plannedRuns(request);
  const session: Session = {
    request,
    device,
    output,
    signal: interruption.signal,
    runs,
    prepared: new Map(),
    open,
    isTraining: false,
  };
  const missing: PlannedRun[] = [];
  for (const run of runs) {
    const found = await readMeasured(run.folder, run.values);
    if (found === undefined) missing.push(run);
  }
  // What is wrong with one task shows before hours go into another.
  for (const run of firstOfTasks(session, missing)) await prepare(session, run);
  await writeSettings(folder, kept, settings);
  const outlook = createOutlook(await lookAhead(session, missing));
  for (const run of missing) {
    if (interruption.signal.aborted) break;
    const title = `Run ${runs.indexOf(run) + 1} of ${runs.length}: ` +
      `${run.task}, ${run.name}`;
    output.write(
      `${bold(output, title)}   ${faint(output, outlook.words())}\n`,
    );
    const begun = performance.now();
    await trainAndMeasure(session, run);
    outlook.finish(run, (performance.now() - begun) / 1000);
    await writeResults(session);
  }
  const summary = await writeResults(session);
  writeSummary(folder, summary, output);
  return summary;
}

async function isTrained({ folder, values }: PlannedRun): Promise<boolean> {
  return await stepsDone(folder) >= values.steps;
}

/** A run of each task that is missing: one without another's weights. */
function firstOfTasks(
  { runs }: Session,
  missing: readonly PlannedRun[],
): PlannedRun[] {
  const tasks = new Set(missing.map(({ task }) => task));
  return [...tasks].map((task) =>
    runs.find((run) => run.task === task && run.from === undefined)!
  );
}

/**
 * Measures what the layers of the tasks cost that are to be trained, and
 * returns the seconds that runs will take by that.
 */
async function lookAhead(
  session: Session,
  missing: readonly PlannedRun[],
): Promise<Map<PlannedRun, number>> {
  const { request, output, signal } = session;
  const facts = new Map<string, TaskFacts>();
  const seconds = new Map<PlannedRun, number>();
  for (const run of firstOfTasks(session, missing)) {
    if (signal.aborted) break;
    const folder = `${request.folder}/${run.task}`;
    const found = await readFacts(folder) ??
      await findFacts(folder, await prepare(session, run), run.values);
    facts.set(run.task, found);
    output.write(
      `${faint(output, run.task.padEnd(12))}${found.model}; ${found.data}\n`,
    );
  }
  for (const run of missing) {
    const known = facts.get(run.task);
    if (known === undefined) continue;
    const steps = run.values.steps - await stepsDone(run.folder);
    seconds.set(run, steps * modelledStep(known, run.values) / 1000);
  }
  output.write("\n");
  return seconds;
}

/** Runs of the same name share a task: only weights of another run are its own. */
function preparedName({ task, from }: PlannedRun): string {
  return from ?? task;
}

/** The task of a run, which stays open. */
async function prepare(
  session: Session,
  run: PlannedRun,
): Promise<PreparedTask> {
  const { prepared, open, runs } = session;
  const name = preparedName(run);
  const known = prepared.get(name);
  if (known !== undefined) return known;
  const shared = runs.filter((other) => preparedName(other) === name);
  const begun = await begunTask(shared.map(({ folder }) => folder));
  const task = open.use(await taskKind(run.task).prepare(run.values, begun));
  prepared.set(name, task);
  return task;
}

/** How the first of some runs that has a checkpoint describes its task. */
async function begunTask(
  folders: readonly string[],
): Promise<JsonRecord | undefined> {
  for (const folder of folders) {
    if ((await listCheckpoints(folder)).length === 0) continue;
    return (await loadModelCheckpoint(folder)).manifest.task.description;
  }
  return undefined;
}

/** Does what a run lacks; what can't be done is told, and left. */
async function trainAndMeasure(
  session: Session,
  run: PlannedRun,
): Promise<void> {
  const { device, output, signal } = session;
  const origin = session.runs.find(({ folder }) => folder === run.from);
  if (origin !== undefined && !await isTrained(origin)) {
    output.write(
      `Left out: it begins with ${origin.folder}, which isn't trained.\n\n`,
    );
    return;
  }
  if (!await isTrained(run)) {
    const prepared = await prepare(session, run);
    session.isTraining = true;
    try {
      await trainPart(run, prepared, device, output, signal);
    } catch (error) {
      // The others can go on without a run that diverges.
      if (!(error instanceof NonFiniteError)) throw error;
      output.write(`Given up: ${error.message}.\n\n`);
    } finally {
      session.isTraining = false;
    }
  }
  if (signal.aborted || !await isTrained(run)) return;
  const checkpoint = await loadModelCheckpoint(run.folder);
  const found = await measureAndKeep(checkpoint, run.values, output, signal);
  if (found === undefined) return;
  for (const line of evaluationLines({ ...found, samples: [] })) {
    output.write(`${line}\n`);
  }
  output.write("\n");
}

/** Writes the report of what there is, and its charts. */
async function writeResults(
  { request, device, runs }: Session,
): Promise<ReproductionSummary> {
  const { folder, settings } = request;
  const tasks = await readTasks(request);
  const fineTuning = await readFineTuning(request);
  const report = `${folder}/report.html`;
  await Deno.writeTextFile(
    report,
    reproductionReport(tasks, fineTuning, {
      title: `The paper's ${
        tasks.length === 1 ? "network" : "networks"
      }, serially and layer-parallel`,
      machine: describeDevice(device),
      command: settings.command,
    }),
  );
  for (const task of tasks) await writeCharts(folder, taskCharts(task));
  const measured = await Promise.all(
    runs.map(({ folder, values }) => readMeasured(folder, values)),
  );
  const done = measured.every((found) => found !== undefined);
  return { report, done, ...summarizeTasks(tasks, fineTuning) };
}
