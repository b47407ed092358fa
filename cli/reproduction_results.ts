/**
 * What a reproduction found, read from the folders of its runs.
 *
 * @module
 */

import { comparedNames } from "../train/comparison.ts";
import {
  history,
  listCheckpoints,
  readEvaluations,
  readMetrics,
  type RecordedEvaluation,
} from "../train/mod.ts";
import type { FineTuning, ReproducedTask } from "../train/reproduction.ts";
import { readComparison } from "./compared_runs.ts";
import { dataWords } from "./measuring.ts";
import type { OptionTable, OptionValues } from "./option.ts";
import { configurationRows } from "./report_details.ts";
import { type ReproduceRequest, taskValues } from "./reproduce_request.ts";
import { modelledSpeedups, readFacts } from "./reproduction_facts.ts";
import type { PaperTask, ReproducedTaskName } from "./reproduction_options.ts";
import { comparedTasks, fineTunings } from "./reproduction_plan.ts";
import { commandFor, taskKind } from "./tasks/mod.ts";
import type { TrainValues } from "./train_command.ts";

/** What a run's last model is worth, if it was measured. */
export async function readMeasured(
  run: string,
  values: TrainValues,
): Promise<RecordedEvaluation | undefined> {
  const newest = (await listCheckpoints(run)).at(-1);
  if (newest === undefined || newest.step < values.steps) return undefined;
  const own = dataWords(values);
  return (await readEvaluations(run)).findLast(({ checkpoint, data }) =>
    data === own && newest.path.endsWith(checkpoint)
  );
}

/** All tasks, as far as they got. */
export function readTasks(
  request: ReproduceRequest,
): Promise<ReproducedTask[]> {
  return Promise.all(
    comparedTasks(request).map((task) => readTask(request, task)),
  );
}

async function readTask(
  request: ReproduceRequest,
  task: PaperTask,
): Promise<ReproducedTask> {
  const folder = `${request.folder}/${task}`;
  const facts = await readFacts(folder);
  const values = taskValues(request, task);
  const measured = await Promise.all(
    comparedNames.map(async (name) => [
      name,
      await readMeasured(`${folder}/${name}`, values),
    ]),
  );
  return {
    name: task,
    model: facts?.model ?? task,
    data: facts?.data ?? "–",
    runs: await readComparison(folder),
    measured: Object.fromEntries(measured),
    costs: facts,
    speedups: facts === undefined ? [] : modelledSpeedups(facts, values),
    configuration: configurationOf(request, task),
  };
}

/** The fine-tuning, as far as it got; `undefined` if there is none. */
export async function readFineTuning(
  request: ReproduceRequest,
): Promise<FineTuning | undefined> {
  if (request.settings.tasks.classify === undefined) return undefined;
  const folder = `${request.folder}/classify`;
  const facts = await readFacts(folder);
  const values = taskValues(request, "classify");
  return {
    name: "classify",
    model: facts?.model ?? "classify",
    data: facts?.data ?? "–",
    models: await Promise.all(fineTunings.map(async ({ name, from }) => ({
      from,
      run: history(await readMetrics(`${folder}/${name}`)),
      measured: await readMeasured(`${folder}/${name}`, values),
    }))),
    configuration: configurationOf(request, "classify"),
  };
}

function configurationOf(
  request: ReproduceRequest,
  task: ReproducedTaskName,
): ReproducedTask["configuration"] {
  return configurationRows(
    commandFor(taskKind(task)),
    taskValues(request, task) as unknown as OptionValues<OptionTable>,
  );
}
