/**
 * What a user asks `deno task study` for: the command line, and the study that
 * goes on.
 *
 * @module
 */

import type { StudyRunName } from "../train/study_charts.ts";
import { UsageError } from "./failure.ts";
import { flagName } from "./option.ts";
import { completeOptions, parseArguments } from "./parse.ts";
import { exists, isMissing } from "./path.ts";
import { newRunFolder } from "./run_folder.ts";
import { studyCommand, type StudyValues } from "./study_command.ts";
import { trainCommand, type TrainValues } from "./train_command.ts";
import { checkCombination } from "./train_request.ts";

const { options } = studyCommand;

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
    if (!help && await exists(settingsPath(folder))) {
      throw new UsageError(
        `--out ${folder}: holds a study; go on with it by --resume ${folder}, ` +
          `or choose another folder`,
      );
    }
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
  const folder = await findStudy(resume);
  const saved = await readSettings(folder);
  return { values: completeOptions(studyCommand, saved, given), folder };
}

/** What a run does otherwise than the study's options say. */
const changes: Readonly<Record<StudyRunName, Partial<TrainValues>>> = {
  serial: { solver: "serial" },
  fixed: { policy: "fixed" },
  adaptive: {},
};

/** The options of one of the runs, as options of `train`. */
export function trainValues(
  values: StudyValues,
  name: StudyRunName,
): TrainValues {
  const shared = Object.entries(values).filter(([option]) =>
    option in trainCommand.options &&
    !["out", "resume", "json", "help"].includes(option)
  );
  return completeOptions(
    trainCommand,
    Object.fromEntries(shared) as Partial<TrainValues>,
    { untied: !values.tied, sample: 0, keep: 1 },
    changes[name],
  );
}

/** Keeps the options of a study in its folder. */
export async function writeSettings(
  { values, folder }: StudyRequest,
): Promise<void> {
  const kept = Object.entries(values).filter(([name]) =>
    options[name as keyof StudyValues].lifetime !== "session"
  );
  const text = JSON.stringify(Object.fromEntries(kept), undefined, 2);
  await Deno.writeTextFile(settingsPath(folder), `${text}\n`);
}

function settingsPath(folder: string): string {
  return `${folder}/study.json`;
}

async function readSettings(folder: string): Promise<Partial<StudyValues>> {
  try {
    return JSON.parse(await Deno.readTextFile(settingsPath(folder)));
  } catch (error) {
    throw new UsageError(
      `${settingsPath(folder)}: can't be read (${(error as Error).message})`,
    );
  }
}

/** The folder of a study that was begun. */
async function findStudy(given: string): Promise<string> {
  if (given === "newest") {
    const newest = await newestStudy();
    if (newest !== undefined) return newest;
    throw new UsageError(
      "--resume: there is no study in runs/; begin one by deno task study, or " +
        "name the folder of one",
    );
  }
  for (const folder of [given, `runs/${given}`]) {
    if (await exists(settingsPath(folder))) return folder;
  }
  throw new UsageError(`--resume ${given}: there is no such study`);
}

async function newestStudy(): Promise<string | undefined> {
  const studies: { folder: string; time: number }[] = [];
  try {
    for await (const { name } of Deno.readDir("runs")) {
      const folder = `runs/${name}`;
      if (!await exists(settingsPath(folder))) continue;
      const { mtime } = await Deno.stat(settingsPath(folder));
      studies.push({ folder, time: mtime?.getTime() ?? 0 });
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return studies.sort((a, b) => b.time - a.time)[0]?.folder;
}
