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
  trainingReport,
} from "../train/mod.ts";
import { exists } from "./path.ts";

/** What a report tells beyond what files of the run say. */
export type RunDetails = Omit<ReportDetails, "evaluations">;

/**
 * Writes the report of a run, and what it tells beside metrics and evaluations,
 * for the next time.
 *
 * @returns The report's path.
 */
export async function writeReport(
  folder: string,
  details: RunDetails,
): Promise<string> {
  await Deno.writeTextFile(detailsPath(folder), JSON.stringify(details));
  const report = `${folder}/report.html`;
  const evaluations = await readEvaluations(folder);
  await Deno.writeTextFile(
    report,
    trainingReport(await readMetrics(folder), { ...details, evaluations }),
  );
  return report;
}

/** Writes the report of a run again, if there was one. */
export async function rewriteReport(folder: string): Promise<void> {
  const path = detailsPath(folder);
  if (!await exists(path)) return;
  await writeReport(folder, JSON.parse(await Deno.readTextFile(path)));
}

function detailsPath(folder: string): string {
  return `${folder}/report.json`;
}
