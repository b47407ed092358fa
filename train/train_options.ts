/**
 * The options of a training run, their defaults and their checks.
 *
 * @module
 */

import type { Device } from "../tensor/internal.ts";
import type { Beginning } from "./beginning.ts";
import type { TrainingNumbers } from "./manifest.ts";
import type { Optimizer } from "./optimizer.ts";
import { type NamePredicate, requireNumber } from "./optimizer_options.ts";
import { constant, type Schedule } from "./schedule.ts";
import {
  completeSolver,
  type CompleteTrainingSolver,
  type TrainingSolver,
} from "./solver.ts";
import type { JsonRecord, TrainingTask } from "./task.ts";

/** How a task is trained. */
export interface TrainOptions {
  /** What improves the parameters; its learning rate is the highest one. */
  readonly optimizer: Optimizer;
  /** Updates of the whole run, an integer ≥ 1. */
  readonly steps: number;
  /** By which factor the learning rate is multiplied; default 1 throughout. */
  readonly schedule?: Schedule;
  /**
   * Which parameters stay as they are, by their paths, such as
   * `block.mlpInput.weight`: they get no gradient, have no part in its norm, and
   * the optimizer remembers nothing of them; default: none. A run is resumed
   * with the same ones frozen.
   */
  readonly frozen?: NamePredicate;
  /** Largest norm of all gradients together, > 0; default: no limit. */
  readonly clipNorm?: number;
  /**
   * What the loss is multiplied by at first, a power of two ≥ 1, where gradients
   * are stored in 16 bits: half of it after each step whose gradient isn't
   * finite, which is taken again, and twice as much after 2,000 steps that are.
   * Default: nothing.
   */
  readonly lossScale?: number;
  /** Batches whose mean gradient makes one update, ≥ 1; default 1. */
  readonly accumulation?: number;
  /**
   * Steps from one look at loss and gradient to the next, ≥ 1; default: 1 where
   * numbers can be read at once, 8 on devices that compute in the background.
   * Parameters don't depend on it.
   */
  readonly readInterval?: number;
  /** Steps from one validation to the next; default 100. */
  readonly evaluationInterval?: number;
  /** Batches of a validation at most; default 20. */
  readonly evaluationBatches?: number;
  /** Evaluations without a lower loss after which the run ends; default: none. */
  readonly patience?: number;
  /** Where checkpoints and metrics go; default: nothing is written. */
  readonly folder?: string;
  /**
   * What a new run begins with; default: the task's own parameters, of which the
   * optimizer knows nothing. A run that is resumed begins with its checkpoint.
   */
  readonly begin?: Beginning;
  /** Steps from one checkpoint to the next; default 500. */
  readonly checkpointInterval?: number;
  /** How many checkpoints stay, beside the one of the best loss; default 2. */
  readonly keep?: number;
  /** Go on from the newest checkpoint in `folder`; default false. */
  readonly resume?: boolean;
  /** For the manifest: what the program needs to make these options again. */
  readonly settings?: JsonRecord;
  /**
   * How the task's block is solved, and how accuracy is looked after; default:
   * one layer after the other. Validation is always so.
   */
  readonly solver?: TrainingSolver;
  /** Ends the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** Options without a default. */
export type OptionWithoutDefault =
  | "frozen"
  | "clipNorm"
  | "lossScale"
  | "readInterval"
  | "folder"
  | "begin"
  | "signal";

/** Options with their defaults filled in. */
export type CompleteTrainOptions =
  & Required<Omit<TrainOptions, OptionWithoutDefault | "solver">>
  & Pick<TrainOptions, OptionWithoutDefault>
  & { readonly solver?: CompleteTrainingSolver };

/** What the numbers of a run are unless it says otherwise. */
export const trainDefaults: Readonly<
  Record<
    | "accumulation"
    | "evaluationInterval"
    | "evaluationBatches"
    | "checkpointInterval"
    | "keep",
    number
  >
> = {
  accumulation: 1,
  evaluationInterval: 100,
  evaluationBatches: 20,
  checkpointInterval: 500,
  keep: 2,
};

/** How many steps, or losses, a device is read at a time. */
export function readIntervalOf({ backend }: Device): number {
  return backend.synchronous ? 1 : 8;
}

/**
 * Fills in what is left open.
 *
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If options don't go together.
 */
export function completeTrainOptions(
  options: TrainOptions,
  task: Pick<TrainingTask<never>, "name" | "block" | "validate">,
): CompleteTrainOptions {
  const { solver, ...given } = definedOnly(options);
  const complete: CompleteTrainOptions = {
    ...trainDefaults,
    schedule: constant(),
    patience: Infinity,
    resume: false,
    settings: {},
    ...given,
    ...(solver && { solver: completeSolver(solver, task) }),
  };
  for (
    const name of [
      "steps",
      "accumulation",
      "evaluationInterval",
      "evaluationBatches",
      "checkpointInterval",
      "keep",
    ] as const
  ) {
    requireNumber("train", name, complete[name], "an integer ≥ 1");
  }
  const { clipNorm, lossScale, readInterval, patience, folder, resume } =
    complete;
  if (lossScale !== undefined && !(lossScale >= 1 && isPower(lossScale))) {
    throw new RangeError(
      `train: lossScale is ${lossScale}; it must be a power of two ≥ 1`,
    );
  }
  if (readInterval !== undefined) {
    requireNumber("train", "readInterval", readInterval, "an integer ≥ 1");
  }
  if (clipNorm !== undefined) {
    requireNumber("train", "clipNorm", clipNorm, "a finite number > 0");
  }
  if (patience !== Infinity) {
    requireNumber("train", "patience", patience, "an integer ≥ 1");
    if (task.validate === undefined) {
      throw new TypeError(
        `train: patience ${patience} counts validation losses, but the task ` +
          `has no validation data; give it some, or leave patience out`,
      );
    }
  }
  if (folder === undefined) {
    if (resume) {
      throw new TypeError(
        "train: resume needs the folder of the run that is to go on",
      );
    }
    for (const name of ["checkpointInterval", "keep"] as const) {
      if (options[name] !== undefined) {
        throw new TypeError(
          `train: ${name} ${options[name]} needs a folder for checkpoints`,
        );
      }
    }
  } else if (folder === "") {
    throw new TypeError("train: folder is empty; give it a path");
  }
  return complete;
}

function isPower(x: number): boolean {
  return Number.isInteger(Math.log2(x));
}

/** Without fields that are undefined, so that they don't hide defaults. */
function definedOnly(options: TrainOptions): TrainOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as TrainOptions;
}

/** The options that are plain numbers, as checkpoints carry them. */
export function trainingNumbers(
  options: CompleteTrainOptions,
): TrainingNumbers {
  return {
    steps: options.steps,
    clipNorm: options.clipNorm,
    accumulation: options.accumulation,
    evaluationInterval: options.evaluationInterval,
    evaluationBatches: options.evaluationBatches,
    patience: Number.isFinite(options.patience) ? options.patience : undefined,
    checkpointInterval: options.checkpointInterval,
    keep: options.keep,
  };
}
