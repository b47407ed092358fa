/**
 * Measuring a trained model: how far it is, and the record of what it found.
 *
 * @module
 */

import {
  appendEvaluation,
  type ModelCheckpoint,
  type RecordedEvaluation,
} from "../train/mod.ts";
import type { Output } from "./output.ts";
import { parent } from "./path.ts";
import { rewriteReport } from "./run_report.ts";
import { taskKind } from "./tasks/mod.ts";
import type { TrainValues } from "./train_command.ts";

/**
 * Measures a model and keeps what is found in its run's folder.
 *
 * @param values Those of the run, with what is asked for otherwise.
 * @returns `undefined` if the signal broke it off; nothing is kept then.
 */
export async function measureAndKeep(
  checkpoint: ModelCheckpoint,
  values: TrainValues,
  output: Output,
  signal: AbortSignal,
): Promise<RecordedEvaluation | undefined> {
  const evaluation = await taskKind(values.task).evaluate(checkpoint, values, {
    signal,
    onProgress: progressOf(output),
  });
  if (signal.aborted) return undefined;
  const run = parent(parent(checkpoint.path));
  const record = {
    ...evaluation,
    data: dataWords(values),
    checkpoint: checkpoint.path.slice(run.length + 1),
    date: new Date().toISOString(),
  };
  await appendEvaluation(run, record);
  await rewriteReport(run);
  return record;
}

/** The data that a model is measured on in words, for the record. */
export function dataWords({ data, validationData }: TrainValues): string {
  if (validationData.length > 0) return validationData.join(", ");
  return `what is kept to measure on of ${
    data.length === 0 ? "the task's own data" : data.join(", ")
  }`;
}

/** Tells now and then how far it is. */
function progressOf(
  { write, columns }: Output,
): (done: number, all: number) => void {
  let shown = performance.now();
  const begin = shown;
  return (done, all) => {
    const now = performance.now();
    const pause = columns === undefined ? 10_000 : 200;
    if (now - shown < pause && done < all) return;
    shown = now;
    const left = (now - begin) / done * (all - done) / 1000;
    const line = `measured ${done.toLocaleString("en")}/` +
      `${all.toLocaleString("en")}   left ${Math.ceil(left)} s`;
    const ending = done < all ? "" : "\n";
    write(columns === undefined ? `${line}\n` : `\r${line}\x1b[K${ending}`);
  };
}
