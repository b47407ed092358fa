/**
 * `--from`: the trained encoder that fine-tuning begins with.
 *
 * @module
 */

import type { BertConfiguration } from "../models/mod.ts";
import {
  encoderFromCheckpoint,
  loadModelCheckpoint,
  loadPretrainedEncoder,
  type PretrainedEncoder,
} from "../train/mod.ts";
import { UsageError } from "./failure.ts";
import { flagName } from "./option.ts";
import { exists } from "./path.ts";
import { findModel } from "./run_folder.ts";
import type { TrainValues } from "./train_command.ts";

/**
 * The encoder of a run, or of a folder of Hugging Face's.
 *
 * @throws {UsageError} If there is no such folder, or it is of another task.
 * @throws {CorpusError} If a file in it is malformed.
 */
export async function openPretrained(from: string): Promise<PretrainedEncoder> {
  for (const file of ["config.json", "model.safetensors"]) {
    if (await exists(`${from}/${file}`)) {
      return await loadPretrainedEncoder(from);
    }
  }
  const checkpoint = await loadModelCheckpoint(
    await findModel("--from", from),
  );
  const { task: { name }, settings } = checkpoint.manifest;
  if (name !== "bert" && name !== "classify") {
    // A fine-tuned tagger's checkpoint isn't one of the task's own kind.
    const options = settings.options as Partial<TrainValues> | undefined;
    throw new UsageError(
      `--from ${from}: is a run of the task ${options?.task ?? name}; ` +
        `expected bert or classify`,
    );
  }
  return { ...encoderFromCheckpoint(checkpoint), name: from };
}

/**
 * Makes sure that a trained encoder sees rows of `--seq` tokens.
 *
 * @throws {UsageError} If it doesn't.
 */
export function requireSeen(
  { seq }: Pick<TrainValues, "seq">,
  { context }: Pick<BertConfiguration, "context">,
): void {
  if (seq <= context) return;
  throw new UsageError(
    `--seq ${seq} is longer than the ${context} tokens that the trained model ` +
      `sees`,
  );
}

/** The most tokens of a row where nothing else is asked for. */
const longestRow = 64;

/** Options that the trained encoder decides. */
const decided = [
  "tokenizer",
  "vocabulary",
  "dim",
  "heads",
  "hidden",
  "norm",
  "endTime",
] as const;

/**
 * The values that a trained encoder brings along; of those, how its layers are
 * split into serial ones and those that the solver is for may be asked for.
 *
 * @param asked The options that were given, `--from` among them or not.
 * @throws {UsageError} If an option contradicts the encoder.
 */
export async function pretrainedValues(
  asked: Partial<TrainValues>,
): Promise<Partial<TrainValues>> {
  const { from } = asked;
  if (from === undefined) return {};
  for (const name of decided) {
    if (asked[name] === undefined) continue;
    throw new UsageError(
      `--${flagName(name)} ${asked[name]} contradicts --from ${from}, which ` +
        `has its own; leave it out`,
    );
  }
  const { configuration } = await openPretrained(from);
  const { width, heads, hidden, endTime, norm, context } = configuration;
  const { before = configuration.before, after = configuration.after } = asked;
  const total = configuration.before + configuration.layers +
    configuration.after;
  const { layers = Math.max(1, total - before - after) } = asked;
  return {
    dim: width,
    heads,
    hidden,
    norm,
    // Where the split may change, steps are of size 1.
    endTime: endTime === configuration.layers ? layers : endTime,
    before,
    layers,
    after,
    seq: Math.min(context, longestRow),
  };
}
