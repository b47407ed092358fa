/**
 * The runs that studies and reproductions compare: serial, by multigrid with
 * fixed iterations, and with accuracy control; each as `train` makes it, in a
 * folder of its own.
 *
 * @module
 */

import type { Device } from "../tensor/mod.ts";
import { chartFile } from "../train/chart_file.ts";
import {
  type ComparedName,
  comparedNames,
  type Comparison,
} from "../train/comparison.ts";
import type { ComparisonChart } from "../train/comparison_charts.ts";
import {
  history,
  listCheckpoints,
  loadCheckpoint,
  readMetrics,
} from "../train/mod.ts";
import type { Output } from "./output.ts";
import type { PreparedTask } from "./tasks/task_kind.ts";
import type { TrainValues } from "./train_command.ts";
import { trainAndTell } from "./training_session.ts";

/** What a run does otherwise than the options that all three share. */
export const comparedChanges: Readonly<
  Record<ComparedName, Partial<TrainValues>>
> = {
  serial: { solver: "serial" },
  fixed: { policy: "fixed" },
  adaptive: {},
};

/** A run that is part of something greater. */
export interface PartialRun {
  /** Its options. */
  readonly values: TrainValues;
  /** Its folder. */
  readonly folder: string;
  /** The folder of the run whose losses its report shows too, if any. */
  readonly serial?: string;
}

/**
 * Trains a run, or goes on with it; whether all its steps are done then.
 *
 * @param signal Stops it.
 */
export async function trainPart(
  { values, folder, serial }: PartialRun,
  prepared: PreparedTask,
  device: Device,
  output: Output,
  signal: AbortSignal,
): Promise<boolean> {
  const isBegun = (await listCheckpoints(folder)).length > 0;
  const { steps } = await trainAndTell(
    {
      values: { ...values, out: folder },
      resumed: isBegun
        ? { folder, checkpoint: await loadCheckpoint(folder) }
        : undefined,
      reference: serial === undefined
        ? undefined
        : { name: "serial", events: await readMetrics(serial) },
    },
    prepared,
    device,
    output,
    signal,
  );
  output.write("\n");
  return steps >= values.steps;
}

/** Steps of a run that its newest checkpoint has done. */
export async function stepsDone(folder: string): Promise<number> {
  if ((await listCheckpoints(folder)).length === 0) return 0;
  return (await loadCheckpoint(folder)).manifest.progress.step;
}

/** The three runs in a folder, as far as they got. */
export async function readComparison(folder: string): Promise<Comparison> {
  const [serial, fixed, adaptive] = await Promise.all(
    comparedNames.map(async (name) =>
      history(await readMetrics(`${folder}/${name}`))
    ),
  );
  return { serial, fixed, adaptive };
}

/** Writes charts as SVG files. */
export async function writeCharts(
  folder: string,
  charts: readonly ComparisonChart[],
): Promise<void> {
  for (const { chart } of charts) {
    await Deno.writeTextFile(`${folder}/${chart.id}.svg`, chartFile(chart));
  }
}
