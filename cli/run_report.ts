/**
 * The report of a run: written when training ends, and again when the model was
 * measured.
 *
 * @module
 */

import {
  readEvaluations,
  readMetrics,
  type ReportDetails,
  type TrainingEvent,
  trainingReport,
} from "../train/mod.ts";
import { exists } from "./path.ts";

/** What a report tells beyond what files of the run say. */
export type RunDetails = Omit<ReportDetails, "evaluations">;

/**
 * Writes the report of a run, and what it tells beside metrics and evaluations,
 * for the next time.
 *
 * @param events Those of `metrics.jsonl`.
 * @returns The report's path.
 */
export async function writeReport(
  folder: string,
  details: RunDetails,
  events: readonly TrainingEvent[],
): Promise<string> {
  await Deno.writeTextFile(detailsPath(folder), JSON.stringify(details));
  const report = `${folder}/report.html`;
  const evaluations = await readEvaluations(folder);
  await Deno.writeTextFile(
    report,
    trainingReport(events, { ...details, evaluations }),
  );
  return report;
}

/** Writes the report of a run again, if there was one. */
export async function rewriteReport(folder: string): Promise<void> {
  const path = detailsPath(folder);
  if (!await exists(path)) return;
  const details = JSON.parse(await Deno.readTextFile(path));
  await writeReport(folder, details, await readMetrics(folder));
}

function detailsPath(folder: string): string {
  return `${folder}/report.json`;
}
