/**
 * What a user asks `deno task study` for: the command line, and the study that
 * goes on.
 *
 * @module
 */

import type { ComparedName } from "../train/comparison.ts";
import { comparedChanges } from "./compared_runs.ts";
import { UsageError } from "./failure.ts";
import {
  findBegun,
  type Kept,
  readSettings,
  requireNone,
  writeSettings,
} from "./kept_settings.ts";
import { flagName } from "./option.ts";
import { completeOptions, parseArguments } from "./parse.ts";
import { newRunFolder } from "./run_folder.ts";
import { studyCommand, type StudyValues } from "./study_command.ts";
import { trainCommand, type TrainValues } from "./train_command.ts";
import { checkCombination } from "./train_request.ts";

const { options } = studyCommand;

const kept: Kept = { noun: "study", command: "study" };

/** A study to begin or to go on with. */
export interface StudyRequest {
  /** All options. */
  readonly values: StudyValues;
  /** Where it lies, or shall lie. */
  readonly folder: string;
}

/**
 * Reads a request.
 *
 * @throws {UsageError} If options are wrong or don't go together.
 */
export async function readStudyRequest(
  args: readonly string[],
): Promise<StudyRequest> {
  const given = parseArguments(studyCommand, args);
  const { help, resume, out } = given;
  if (help || resume === undefined) {
    const folder = out ?? await newRunFolder("study", new Date());
    if (!help) await requireNone(folder, kept);
    const values = completeOptions(studyCommand, given);
    checkCombination(trainValues(values, "serial"), {});
    checkCombination(trainValues(values, "adaptive"), given);
    return { values, folder };
  }
  const contradiction = Object.keys(given).find((name) =>
    name === "out" || options[name as keyof StudyValues].lifetime !== "session"
  );
  if (contradiction !== undefined) {
    throw new UsageError(
      `--${flagName(contradiction)} contradicts --resume: a study goes on ` +
        `with its own options, in its folder; leave it out`,
    );
  }
  const folder = await findBegun(resume, kept);
  const saved = await readSettings<Partial<StudyValues>>(folder, kept);
  return { values: completeOptions(studyCommand, saved, given), folder };
}

/** The options of one of the runs, as options of `train`. */
export function trainValues(
  values: StudyValues,
  name: ComparedName,
): TrainValues {
  const shared = Object.entries(values).filter(([option]) =>
    option in trainCommand.options &&
    !["out", "resume", "json", "help"].includes(option)
  );
  return completeOptions(
    trainCommand,
    Object.fromEntries(shared) as Partial<TrainValues>,
    { untied: !values.tied, sample: 0, keep: 1 },
    comparedChanges[name],
  );
}

/** Keeps the options of a study in its folder. */
export async function writeStudy(
  { values, folder }: StudyRequest,
): Promise<void> {
  const options = Object.entries(values).filter(([name]) =>
    studyCommand.options[name as keyof StudyValues].lifetime !== "session"
  );
  await writeSettings(folder, kept, Object.fromEntries(options));
}
