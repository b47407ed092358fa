/**
 * What a user asks `deno task train` for: the command line, the configuration
 * file and the run that goes on, brought together.
 *
 * @module
 */

import {
  type Checkpoint,
  loadCheckpoint,
  readMetrics,
  type ReferenceRun,
  type Refinement,
} from "../train/mod.ts";
import { checkDataOptions } from "./data_options.ts";
import { UsageError } from "./failure.ts";
import { flagName } from "./option.ts";
import {
  completeOptions,
  parseArguments,
  parseConfiguration,
} from "./parse.ts";
import { isMissing } from "./path.ts";
import { findRun, requireNoRun } from "./run_folder.ts";
import { checkSolver, isShallow } from "./solver_values.ts";
import { checkTaskOptions, taskKind } from "./tasks/mod.ts";
import { trainCommand, type TrainValues } from "./train_command.ts";

const { options } = trainCommand;

/** A run to begin or to go on with. */
export interface TrainRequest {
  /** All options. */
  readonly values: TrainValues;
  /** What the run goes on from; `undefined` for a new one. */
  readonly resumed: { folder: string; checkpoint: Checkpoint } | undefined;
  /** The shallower run that a new one begins with; default: none. */
  readonly coarse?: CoarseRun;
  /** A run whose losses the report shows too. */
  readonly reference: ReferenceRun | undefined;
}

/** A run with fewer layers, to be refined. */
export interface CoarseRun {
  /** Where it stands. */
  readonly checkpoint: Checkpoint;
  /** How it becomes deeper. */
  readonly refinement: Refinement;
}

/**
 * Reads a request.
 *
 * @throws {UsageError} If options are wrong or don't go together.
 * @throws {CheckpointError} If the run's checkpoints are damaged.
 */
export async function readTrainRequest(
  args: readonly string[],
): Promise<TrainRequest> {
  const given = parseArguments(trainCommand, args);
  if (given.help) {
    const values = completeValues(given);
    return { values, resumed: undefined, reference: undefined };
  }
  const file = given.config === undefined
    ? {}
    : await readConfiguration(given.config);
  const asked = { ...file, ...given };
  if (asked.resume === undefined) {
    const { values, coarse } = await refinedValues(asked);
    checkCombination(values, asked);
    if (values.out !== undefined) await requireNoRun(values.out);
    const reference = await readReference(values);
    return { values, resumed: undefined, coarse, reference };
  }
  if (asked.out !== undefined) {
    throw new UsageError(
      `--out ${asked.out} contradicts --resume: a run goes on in its folder`,
    );
  }
  const folder = await findRun("--resume", asked.resume);
  const checkpoint = await loadCheckpoint(folder);
  const saved = savedValues("--resume", folder, checkpoint);
  requireSame(folder, saved, asked);
  const values = completeValues(
    saved.solver === undefined ? allSerial(saved) : {},
    saved,
    asked,
  );
  checkCombination(values, asked);
  const { step } = checkpoint.manifest.progress;
  if (values.steps <= step) {
    throw new UsageError(
      `${folder} has done ${step} of ${values.steps} steps; ` +
        `to go on, give it more: --resume ${folder} --steps ${2 * step}`,
    );
  }
  const reference = await readReference(values);
  return { values, resumed: { folder, checkpoint }, reference };
}

/** All values: those given, the last that gives one; else the task's own. */
export function completeValues(
  ...given: readonly Partial<TrainValues>[]
): TrainValues {
  const { task } = completeOptions(trainCommand, ...given);
  const { defaults } = taskKind(task);
  const values = completeOptions(trainCommand, defaults, ...given);
  // Who asks for a shallow network doesn't know of its task's levels.
  return given.every(({ levels }) => levels === undefined) && isShallow(values)
    ? { ...values, levels: undefined }
    : values;
}

/** All values of a new run, which may begin with a shallower one. */
async function refinedValues(
  asked: Partial<TrainValues>,
): Promise<Pick<TrainRequest, "values" | "coarse">> {
  if (asked.refine === undefined) {
    const brought = await taskKind(asked.task).valuesFrom?.(asked) ?? {};
    return { values: completeValues(brought, asked) };
  }
  const folder = await findRun("--refine", asked.refine);
  const checkpoint = await loadCheckpoint(folder);
  const saved = savedValues("--refine", folder, checkpoint);
  requireModelOf(folder, saved, asked);
  const { layers, decoderLayers } = completeValues(saved);
  const deeper = asked.layers ?? 2 * layers;
  const factor = deeper / layers;
  if (!Number.isInteger(factor) || factor < 2) {
    throw new UsageError(
      `--layers ${deeper} isn't a multiple of the ${layers} layers of ` +
        `--refine ${folder}, and more; take ${2 * layers} or ${3 * layers}`,
    );
  }
  const values = completeValues(saved, {
    layers: deeper,
    decoderLayers: decoderLayers && factor * decoderLayers,
  }, asked);
  const { task, interpolation } = values;
  if (task !== (saved.task ?? "gpt")) {
    throw new UsageError(
      `--task ${task} contradicts --refine ${folder}, which is of the task ` +
        `${saved.task ?? "gpt"}; leave it out`,
    );
  }
  return {
    values,
    coarse: { checkpoint, refinement: { factor, interpolation } },
  };
}

/** Options of a model that are the same however deep it is. */
const modelOptions = [
  "from",
  "tokenizer",
  "vocabulary",
  "endTime",
  "dim",
  "heads",
  "hidden",
  "norm",
  "patch",
  "untied",
  "kind",
] as const;

/** Refuses to refine a run into another model. */
function requireModelOf(
  folder: string,
  saved: Partial<TrainValues>,
  asked: Partial<TrainValues>,
): void {
  for (const name of modelOptions) {
    if (asked[name] === undefined || asked[name] === saved[name]) continue;
    throw new UsageError(
      `--${flagName(name)} ${asked[name]} contradicts --refine ${folder}, ` +
        `which has ${saved[name] ?? "its own"}; leave it out`,
    );
  }
}

/**
 * The options that a run was begun with.
 *
 * @param option Which names the folder, for messages.
 * @throws {UsageError} If it wasn't `deno task train` that made the run.
 */
export function savedValues(
  option: string,
  folder: string,
  { manifest }: Pick<Checkpoint, "manifest">,
): Partial<TrainValues> {
  const saved = manifest.settings.options;
  if (saved !== undefined) return saved as Partial<TrainValues>;
  throw new UsageError(
    `${option} ${folder}: another program than deno task train made the run`,
  );
}

/** What runs were like before they had options for it. */
function allSerial({ layers }: Partial<TrainValues>): Partial<TrainValues> {
  return { solver: "serial", before: 0, after: 0, endTime: layers };
}

/** The options that a run keeps, for its checkpoints. */
export function savedOptions(values: TrainValues): Partial<TrainValues> {
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) =>
      options[name as keyof TrainValues].lifetime !== "session" &&
      value !== undefined
    ),
  );
}

async function readReference(
  { reference }: TrainValues,
): Promise<ReferenceRun | undefined> {
  if (reference === undefined) return undefined;
  const folder = await findRun("--reference", reference);
  const name = folder.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1)!;
  return { name, events: await readMetrics(folder) };
}

async function readConfiguration(
  path: string,
): Promise<Partial<TrainValues>> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const problem = isMissing(error)
      ? "there is no such file"
      : error instanceof Deno.errors.IsADirectory
      ? "is a folder; name a JSON file"
      : (error as Error).message;
    throw new UsageError(`--config ${path}: ${problem}`);
  }
  return parseConfiguration(trainCommand, path, text, [
    "config",
    "help",
    "resume",
    "safe",
  ]);
}

/** Steps of the warm-up: as given, else as the help says. */
export function warmupSteps(
  { warmup, steps }: Pick<TrainValues, "warmup" | "steps">,
): number {
  return warmup ?? Math.min(100, Math.floor(steps / 10));
}

// Accuracy control makes of them what they are from then on.
const iterationNames: ReadonlySet<string> = new Set(
  ["forwardIterations", "backwardIterations"] satisfies (keyof TrainValues)[],
);

/** Whether accuracy control stands somewhere in a saved run. */
function hasControl({ solver, probeEvery }: Partial<TrainValues>): boolean {
  return solver === "mgrit" && probeEvery !== 0;
}

function requireSame(
  folder: string,
  saved: Partial<TrainValues>,
  asked: Partial<TrainValues>,
): void {
  for (const [key, value] of Object.entries(asked)) {
    const name = key as keyof TrainValues;
    if (options[name].lifetime !== "run") continue;
    if (iterationNames.has(name) && !hasControl(saved)) continue;
    if (JSON.stringify(saved[name]) === JSON.stringify(value)) continue;
    throw new UsageError(
      `--${flagName(name)} ${value} contradicts --resume: ${folder} has ` +
        `${saved[name] ?? "another"}; leave it out, or begin a new run`,
    );
  }
}

/** Tokens that stand around a text. */
const marks = 2;

/**
 * Refuses options that are right by themselves but not together.
 *
 * @param asked Those that were given.
 * @throws {UsageError} Naming the options, and what to do.
 */
export function checkCombination(
  values: TrainValues,
  asked: Partial<TrainValues>,
): void {
  const { task, dim, heads, steps, warmup, tokenizer } = values;
  checkTaskOptions(task, asked);
  if (dim % heads !== 0) {
    const near = [Math.floor(dim / heads), Math.ceil(dim / heads)]
      .map((times) => times * heads).filter((width) => width > 0);
    throw new UsageError(
      `--dim ${dim} isn't a multiple of --heads ${heads}; ` +
        `${near.join(" and ")} are`.replace(/^(\d+) are$/, "$1 is"),
    );
  }
  const isMarked = task === "bert" || task === "classify" ||
    values.from !== undefined;
  if (isMarked && values.seq < marks + 1) {
    throw new UsageError(
      `--seq ${values.seq} leaves no room for a token between the ${marks} ` +
        `marks [CLS] and [SEP]; ${marks + 1} or more are needed`,
    );
  }
  if (warmupSteps({ warmup, steps }) >= steps) {
    throw new UsageError(
      `--warmup ${warmup} leaves nothing of --steps ${steps}; ` +
        `shorten it or train longer`,
    );
  }
  const learned = ["bpe", "word-piece", "unigram"];
  if (asked.vocabulary !== undefined && !learned.includes(tokenizer)) {
    throw new UsageError(
      `--vocabulary ${asked.vocabulary} is for --tokenizer ` +
        `${learned.join(", ")}, not for ${tokenizer}`,
    );
  }
  checkDataOptions(values, asked);
  checkSolver(values, asked);
}
