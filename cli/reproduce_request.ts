/**
 * What a user asks `deno task reproduce` for: the command line, the
 * configuration file, and the reproduction that goes on.
 *
 * @module
 */

import { UsageError } from "./failure.ts";
import {
  findBegun,
  type Kept,
  readSettings,
  requireNone,
} from "./kept_settings.ts";
import { flagName } from "./option.ts";
import {
  completeOptions,
  configurationValues,
  parseArguments,
  parseJson,
} from "./parse.ts";
import { isMissing } from "./path.ts";
import { reproduceCommand, type ReproduceValues } from "./reproduce_command.ts";
import {
  type PaperTask,
  paperTasks,
  type ReproducedTaskName,
  reproductionOptions,
} from "./reproduction_options.ts";
import { newRunFolder } from "./run_folder.ts";
import { nearest } from "./suggestion.ts";
import { commandFor, taskKind } from "./tasks/mod.ts";
import type { TrainValues } from "./train_command.ts";
import {
  checkCombination,
  completeValues,
  savedOptions,
} from "./train_request.ts";

/** Settings of reproductions lie in `reproduction.json`. */
export const kept: Kept = { noun: "reproduction", command: "reproduce" };

/** What a reproduction keeps from its beginning to its end. */
export interface ReproductionSettings {
  /** The command that makes the same. */
  readonly command: string;
  /** The options of each task. */
  readonly tasks: Readonly<
    Partial<Record<ReproducedTaskName, Partial<TrainValues>>>
  >;
}

/** A reproduction to begin or to go on with. */
export interface ReproduceRequest {
  /** The command line. */
  readonly values: ReproduceValues;
  /** What is trained. */
  readonly settings: ReproductionSettings;
  /** Where it lies, or shall lie. */
  readonly folder: string;
}

/**
 * Reads a request.
 *
 * @throws {UsageError} If options are wrong or don't go together.
 */
export async function readReproduceRequest(
  args: readonly string[],
): Promise<ReproduceRequest> {
  const given = parseArguments(reproduceCommand, args);
  const values = completeOptions(reproduceCommand, given);
  const { help, resume, out } = values;
  if (help) {
    return { values, settings: { command: "", tasks: {} }, folder: "" };
  }
  if (resume === undefined) {
    const settings = await newSettings(values);
    const folder = out ?? await newRunFolder("reproduction", new Date());
    await requireNone(folder, kept);
    return { values, settings, folder };
  }
  const { options } = reproduceCommand;
  const contradiction = Object.keys(given).find((name) =>
    name === "out" ||
    options[name as keyof ReproduceValues].lifetime === "run"
  );
  if (contradiction !== undefined) {
    throw new UsageError(
      `--${
        flagName(contradiction)
      } contradicts --resume: a reproduction goes ` +
        `on as it was begun, in its folder; leave it out`,
    );
  }
  const folder = await findBegun(resume, kept);
  const settings = await readSettings<ReproductionSettings>(folder, kept);
  return { values, settings, folder };
}

/** The options of a task's runs, but for what they do otherwise. */
export function taskValues(
  { settings, values: { device, threads } }: ReproduceRequest,
  task: ReproducedTaskName,
): TrainValues {
  return completeValues(settings.tasks[task] ?? {}, {
    ...(device !== undefined && { device }),
    threads,
  });
}

async function newSettings(
  values: ReproduceValues,
): Promise<ReproductionSettings> {
  const { config, quick, seed, device } = values;
  const chosen = chosenTasks(values.task);
  const names: ReproducedTaskName[] = chosen.includes("bert")
    ? [...chosen, "classify"]
    : chosen;
  const file = config === undefined ? {} : await readSections(config);
  const tasks: Partial<Record<ReproducedTaskName, TrainValues>> = {};
  for (const task of names) {
    const asked = {
      ...file[task],
      ...(seed !== undefined && { seed }),
      ...(device !== undefined && { device }),
    };
    const complete = completeValues(reproductionOptions(task, quick), asked);
    const place = file[task] === undefined ? task : `${config}: ${task}`;
    checkTask(complete, asked, place);
    tasks[task] = task === "classify"
      ? likeBert(complete, tasks.bert!)
      : complete;
  }
  return {
    command: commandOf(values, chosen),
    tasks: Object.fromEntries(
      Object.entries(tasks).map(([task, all]) => [task, savedOptions(all)]),
    ),
  };
}

/** Options of the classifier that are those of the BERT it begins with. */
const bertOptions = [
  "tokenizer",
  "vocabulary",
  "layers",
  "before",
  "after",
  "endTime",
  "dim",
  "heads",
  "hidden",
  "norm",
] as const satisfies (keyof TrainValues)[];

function likeBert(values: TrainValues, bert: TrainValues): TrainValues {
  const shared = bertOptions.map((name) => [name, bert[name]]);
  return {
    ...values,
    ...Object.fromEntries(shared),
    seq: Math.min(values.seq, bert.seq),
  };
}

/** As `checkCombination`, its messages saying where. */
function checkTask(
  values: TrainValues,
  asked: Partial<TrainValues>,
  place: string,
): void {
  try {
    checkCombination(values, asked);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${place}: ${error.message}`);
  }
}

/** @throws {UsageError} If there is no such task. */
function chosenTasks(names: readonly string[]): PaperTask[] {
  const unknown = names.find((name) =>
    !(paperTasks as readonly string[]).includes(name)
  );
  if (unknown !== undefined) {
    const hint = nearest(unknown, paperTasks);
    throw new UsageError(
      `${unknown}: expected ${paperTasks.join(", ")}` +
        (hint === undefined ? "" : `; did you mean ${hint}?`),
    );
  }
  return paperTasks.filter((task) =>
    names.length === 0 || names.includes(task)
  );
}

/** Options of `train` that a reproduction decides itself. */
const ownOptions: ReadonlySet<string> = new Set(
  [
    "task",
    "solver",
    "from",
    "refine",
    "interpolation",
    "patience",
    "device",
    "threads",
    "safe",
    "out",
    "resume",
    "config",
    "reference",
    "json",
    "help",
  ] satisfies (keyof TrainValues)[],
);

/** The options of each task in a configuration file. */
async function readSections(
  path: string,
): Promise<Partial<Record<ReproducedTaskName, Partial<TrainValues>>>> {
  const names: readonly string[] = [...paperTasks, "classify"];
  const sections = Object.entries(parseJson(path, await readFile(path)));
  return Object.fromEntries(sections.map(([task, section]) => {
    if (!names.includes(task)) {
      const hint = nearest(task, names);
      throw new UsageError(
        `${path}: there is no task "${task}"` +
          (hint === undefined ? "" : `; did you mean "${hint}"?`),
      );
    }
    return [task, sectionValues(`${path}: ${task}`, task, section)];
  }));
}

function sectionValues(
  place: string,
  task: string,
  section: unknown,
): Partial<TrainValues> {
  if (
    typeof section !== "object" || section === null || Array.isArray(section)
  ) {
    throw new UsageError(
      `${place}: expected an object of options such as { "steps": 3000 }`,
    );
  }
  const own = Object.keys(section).find((key) => ownOptions.has(key));
  if (own !== undefined) {
    throw new UsageError(
      `${place}: "${own}" can't be set, for a reproduction does that itself`,
    );
  }
  const command = commandFor(taskKind(task as ReproducedTaskName));
  const values = configurationValues(
    command,
    place,
    section as Record<string, unknown>,
  ) as Partial<TrainValues>;
  const ofBert = bertOptions.find((name) => values[name] !== undefined);
  if (task === "classify" && ofBert !== undefined) {
    throw new UsageError(
      `${place}: "${flagName(ofBert)}" is that of bert; set it there`,
    );
  }
  return values;
}

async function readFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const problem = isMissing(error)
      ? "there is no such file"
      : (error as Error).message;
    throw new UsageError(`--config ${path}: ${problem}`);
  }
}

function commandOf(
  { quick, config, seed }: ReproduceValues,
  tasks: readonly PaperTask[],
): string {
  return [
    "deno task reproduce",
    ...(tasks.length === paperTasks.length ? [] : tasks),
    ...(quick ? ["--quick"] : []),
    ...(config === undefined ? [] : [`--config ${config}`]),
    ...(seed === undefined ? [] : [`--seed ${seed}`]),
  ].join(" ");
}
