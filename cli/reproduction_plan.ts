/**
 * The runs of a reproduction, in their order.
 *
 * @module
 */

import { comparedNames } from "../train/comparison.ts";
import { comparedChanges, type PartialRun } from "./compared_runs.ts";
import { type ReproduceRequest, taskValues } from "./reproduce_request.ts";
import { paperTasks, type ReproducedTaskName } from "./reproduction_options.ts";

/** A run that is to be trained and measured. */
export interface PlannedRun extends PartialRun {
  /** Its task. */
  readonly task: ReproducedTaskName;
  /** Its name among the task's runs, and that of its folder. */
  readonly name: string;
  /** The folder of the run whose weights it begins with, if any. */
  readonly from?: string;
}

/** What the models of the fine-tuning begin with, the reference first. */
export const fineTunings = [
  { name: "serial", from: "BERT, trained serially" },
  {
    name: "adaptive",
    from: "BERT, trained by multigrid with accuracy control",
  },
  { name: "scratch", from: "fresh weights" },
] as const;

/** The tasks of a reproduction that are trained in three ways. */
export function comparedTasks(
  { settings }: ReproduceRequest,
): (typeof paperTasks[number])[] {
  return paperTasks.filter((task) => settings.tasks[task] !== undefined);
}

/** All runs. */
export function plannedRuns(request: ReproduceRequest): PlannedRun[] {
  const { folder, settings } = request;
  const compared = comparedTasks(request).flatMap((task) => {
    const shared = taskValues(request, task);
    return comparedNames.map((name): PlannedRun => ({
      task,
      name,
      values: { ...shared, ...comparedChanges[name] },
      folder: `${folder}/${task}/${name}`,
      serial: name === "serial" ? undefined : `${folder}/${task}/serial`,
    }));
  });
  if (settings.tasks.classify === undefined) return compared;
  const shared = taskValues(request, "classify");
  const tuned = fineTunings.map(({ name }): PlannedRun => {
    const from = name === "scratch" ? undefined : `${folder}/bert/${name}`;
    return {
      task: "classify",
      name,
      values: { ...shared, from },
      folder: `${folder}/classify/${name}`,
      from,
    };
  });
  return [...compared, ...tuned];
}
