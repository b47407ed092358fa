/**
 * `deno task evaluate`: measures a trained model.
 *
 * @module
 */

import { loadModelCheckpoint, type ModelCheckpoint } from "../train/mod.ts";
import { evaluateCommand, type EvaluateValues } from "./evaluate_command.ts";
import { evaluationLines } from "./evaluation_text.ts";
import { runCommand, UsageError } from "./failure.ts";
import { helpText } from "./help.ts";
import { listenForInterruption } from "./interruption.ts";
import { measureAndKeep } from "./measuring.ts";
import { openDevice } from "./open_device.ts";
import { openOutput } from "./output.ts";
import { completeOptions, parseArguments } from "./parse.ts";
import { enterCallersFolder } from "./path.ts";
import { damageNotes, findModel } from "./run_folder.ts";
import { checkTaskOptions } from "./tasks/mod.ts";
import type { TrainValues } from "./train_command.ts";
import { completeValues, savedValues } from "./train_request.ts";

async function main(args: readonly string[]): Promise<number> {
  enterCallersFolder();
  const given = parseArguments(evaluateCommand, args);
  const values = completeOptions(evaluateCommand, given);
  if (values.help) {
    openOutput("stdout").write(`${helpText(evaluateCommand)}\n`);
    return 0;
  }
  const folder = await findModel("--from", values.from);
  const checkpoint = await loadModelCheckpoint(folder);
  const output = openOutput(values.json ? "stderr" : "stdout");
  for (const note of damageNotes(checkpoint.path, checkpoint.damaged)) {
    output.write(`Note: ${note}.\n`);
  }
  const trainValues = valuesOf(checkpoint, values);
  const device = await openDevice(values);
  using interruption = listenForInterruption(() => {});
  const record = await measureAndKeep(
    checkpoint,
    trainValues,
    output,
    interruption.signal,
  );
  device.close();
  if (record === undefined) {
    output.write("Interrupted; nothing is kept.\n");
    return 1;
  }
  for (const line of evaluationLines(record)) output.write(`${line}\n`);
  if (values.json) openOutput("stdout").write(`${JSON.stringify(record)}\n`);
  return 0;
}

/** The options of the checkpoint's run, with what is asked for now. */
function valuesOf(
  checkpoint: ModelCheckpoint,
  { data, target, beams, lengthPenalty }: EvaluateValues,
): TrainValues {
  const saved = savedValues("--from", checkpoint.path, checkpoint);
  const search = {
    ...(beams !== undefined && { beams }),
    ...(lengthPenalty !== undefined && { lengthPenalty }),
  };
  if (target.length > 0 && data.length === 0) {
    throw new UsageError("--target needs --data, whose translations it has");
  }
  checkTaskOptions(saved.task ?? "gpt", {
    ...search,
    ...(target.length > 0 && { target }),
  });
  const [measured, translations] = data.length > 0
    ? [data, target]
    : [saved.validationData ?? [], saved.validationTarget ?? []];
  return completeValues(saved, search, {
    // What the run was trained on may be elsewhere, and is of no use here.
    ...(measured.length > 0 && {
      data: measured,
      target: translations,
      validationData: measured,
      validationTarget: translations,
    }),
  });
}

if (import.meta.main) await runCommand("evaluate", () => main(Deno.args));
