/**
 * What a user asks `deno task tune` for: the command line, and the run whose
 * model is looked at.
 *
 * @module
 */

import { type Tokenizer, tokenizerFromJson } from "../data/mod.ts";
import type { GptConfiguration, GptParameters } from "../models/mod.ts";
import {
  gptFromCheckpoint,
  gptTask,
  loadModelCheckpoint,
  type ModelCheckpoint,
  type TrainingTask,
} from "../train/mod.ts";
import { UsageError } from "./failure.ts";
import { modelConfiguration } from "./model_values.ts";
import { flagName } from "./option.ts";
import { completeOptions } from "./parse.ts";
import type { PreparedText } from "./prepare_text.ts";
import { findModel } from "./run_folder.ts";
import type { TrainValues } from "./train_command.ts";
import { tuneCommand, type TuneValues } from "./tune_command.ts";

/** Options that a run answers. */
const ofRun = [
  "layers",
  "before",
  "after",
  "endTime",
  "dim",
  "heads",
  "seq",
  "untied",
  "seed",
  "tokenizer",
  "vocabulary",
] as const;

/** What is to be tuned. */
export interface TuneRequest {
  /** All options. */
  readonly values: TuneValues;
  /** The run's model; `undefined` for a new one. */
  readonly checkpoint: ModelCheckpoint | undefined;
}

/**
 * Completes a request.
 *
 * @throws {UsageError} If options don't go together, or there is no such run.
 * @throws {CheckpointError} If the run's checkpoints are damaged.
 */
export async function readTuneRequest(
  given: Partial<TuneValues>,
): Promise<TuneRequest> {
  const values = completeOptions(tuneCommand, given);
  if (values.from === undefined) return { values, checkpoint: undefined };
  const contradiction = ofRun.find((name) => given[name] !== undefined);
  if (contradiction !== undefined) {
    throw new UsageError(
      `--${flagName(contradiction)} ${given[contradiction]} contradicts ` +
        `--from ${values.from}: a run has its own model and tokenizer`,
    );
  }
  const folder = await findModel("--from", values.from);
  const checkpoint = await loadModelCheckpoint(folder);
  const { settings, task: { description } } = checkpoint.manifest;
  const saved = settings.options as Partial<TrainValues> | undefined;
  return {
    checkpoint,
    values: {
      ...values,
      seq: description.sequence as number,
      data: given.data ?? saved?.data ?? values.data,
      batch: given.batch ?? description.batch as number,
    },
  };
}

/** The tokenizer that a run's checkpoint brings along. */
export function savedTokenizer(
  { checkpoint }: TuneRequest,
): Tokenizer | undefined {
  const json = checkpoint?.manifest.task.description.tokenizer;
  return json === undefined ? undefined : tokenizerFromJson(json);
}

/** What the solver is tuned for. */
export interface TuneModel {
  /** Shape of the model. */
  readonly configuration: GptConfiguration;
  /** On the default device. */
  readonly parameters: GptParameters;
  /** The model and its text. */
  readonly task: TrainingTask<GptParameters>;
}

/**
 * Makes the model on the default device.
 *
 * @throws {UsageError} If options ask for a model that can't be.
 */
export function makeModel(
  { values, checkpoint }: TuneRequest,
  { tokenizer, split }: PreparedText,
): TuneModel {
  const { seq: sequence, batch } = values;
  const text = { tokens: split.train, tokenizer, batch, sequence };
  if (checkpoint !== undefined) {
    const { configuration, parameters, description } = gptFromCheckpoint(
      checkpoint,
    );
    const { dropout, seed } = description;
    const task = gptTask({ ...text, configuration, dropout, seed });
    return { configuration, parameters, task };
  }
  const configuration = modelConfiguration(values, tokenizer);
  const task = gptTask({ ...text, configuration, seed: values.seed });
  return { configuration, parameters: task.initialize(), task };
}
