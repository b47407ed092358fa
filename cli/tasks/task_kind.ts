/**
 * What a kind of task is to the command line: its data, its model, its words.
 *
 * @module
 */

import type {
  Evaluation,
  JsonRecord,
  ModelCheckpoint,
  Sample,
  TrainingTask,
} from "../../train/mod.ts";
import type { Tree } from "../../tensor/mod.ts";
import type { Output } from "../output.ts";
import type { TaskName, TrainValues } from "../train_command.ts";

/** A kind of task. */
export interface TaskKind {
  /** What `--task` calls it. */
  readonly name: TaskName;
  /** What training it is, in a sentence, for `--help`. */
  readonly summary: string;
  /** How it is called, and what that does, for `--help`. */
  readonly examples: readonly (readonly [call: string, does: string])[];
  /** Its values where nothing is given, if they aren't the command's. */
  readonly defaults: Partial<TrainValues>;
  /** What options are here, where the command's table says something else. */
  readonly words?: Partial<
    Record<
      keyof TrainValues,
      { readonly help?: string; readonly defaultText?: string }
    >
  >;
  /** Layers that the solver is for, if they aren't `--layers`. */
  readonly solvedLayers?: (values: TrainValues) => number;
  /**
   * What a new run's values are where nothing is given, by the weights that
   * `--from` names; default: it changes nothing.
   *
   * @throws {UsageError} If an option that was given contradicts them.
   */
  readonly valuesFrom?: (
    asked: Partial<TrainValues>,
  ) => Promise<Partial<TrainValues>>;
  /**
   * Reads the data and makes the task; nothing is computed yet.
   *
   * @param begun The task's description in the run that goes on, or that is
   *   refined: tokenizer, classes and the like are taken from there, the shape
   *   of the model from the values.
   * @throws {UsageError} If options don't fit the data.
   * @throws {CorpusError} If the data is malformed.
   */
  readonly prepare: (
    values: TrainValues,
    begun?: JsonRecord,
  ) => Promise<PreparedTask>;
  /**
   * Measures a trained model on the validation data that the values name.
   *
   * @param values Those of the run, but for data and measuring:
   *   `validationData`, if any, is what is measured on, else the share of `data`
   *   that the run kept.
   */
  readonly evaluate: (
    checkpoint: ModelCheckpoint,
    values: TrainValues,
    how: EvaluationRequest,
  ) => Promise<Evaluation>;
}

/** How a model is measured. */
export interface EvaluationRequest {
  /** Hears how many examples, of how many, are done. */
  readonly onProgress: (done: number, all: number) => void;
  /** Ends it early, with what is measured so far. */
  readonly signal: AbortSignal;
}

/** A task that is ready to be trained; `dispose` closes its files. */
export interface PreparedTask extends Disposable {
  /** The task. */
  readonly task: TrainingTask<Tree>;
  /** What runs are called after, such as `book.txt`. */
  readonly name: string;
  /** The data in words: `deno types, 721 kB`. */
  readonly data: string;
  /** What was made of it, such as `720,000 tokens (byte)`. */
  readonly dataDetails: string;
  /** Its size, in what is natural: not another one when a run goes on. */
  readonly dataSize: number;
  /** The model in words, without its parameters: `GPT, layers 1 + 8 + 1, …`. */
  readonly model: string;
  /** Heads the report: `A GPT of 10 layers on deno types`. */
  readonly title: string;
  /** Bytes of text per token on average, where all tokens are predicted. */
  readonly bytesPerToken?: number;
  /** Stands above what the model shows. */
  readonly samplesTitle?: string;
  /** Has the model show what it can, and prints it. */
  readonly showSamples?: (
    parameters: Tree,
    output: Output,
    signal: AbortSignal,
  ) => Promise<Sample[]>;
  /**
   * Commands to go on with, and what they do; the first is printed.
   *
   * @param folder The run's, as a shell takes it.
   */
  readonly commands: (
    folder: string,
  ) => readonly (readonly [call: string, does: string])[];
}

/**
 * A task as the training loop takes any: it hands out its parameters, and gets
 * back no others.
 */
export function anyTask<P extends Tree>(
  task: TrainingTask<P>,
): TrainingTask<Tree> {
  return task as unknown as TrainingTask<Tree>;
}

/** What there is to do with a model that finds classes, as `commands` says. */
export function measureCommands(
  folder: string,
): readonly (readonly [call: string, does: string])[] {
  return [[`deno task evaluate --from ${folder}`, "Measure it class by class"]];
}

/** Layers as the introduction tells them: `1 + 8 + 1`. */
export function layersWords(
  { before, layers, after }: Pick<TrainValues, "before" | "layers" | "after">,
): string {
  return [before, layers, after].filter((n) => n > 0).join(" + ");
}

/** A number of things: `1 layer`, `2 layers`. */
export function countWords(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
