/**
 * Classifiers of texts and of tokens in checkpoints: a BERT with another head.
 *
 * @module
 */

import {
  type Tokenizer,
  tokenizerFromJson,
  type TokenizerJson,
} from "../data/mod.ts";
import {
  bertConfiguration,
  type ClassifierConfiguration,
  classifierConfiguration,
  initializeClassifier,
} from "../models/mod.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import type { MeasuredClassifier } from "./classifier_measures.ts";
import { restoreTensors } from "./host_tensors.ts";
import { taskDescription } from "./task_description.ts";

/** How the checkpoint of a classifier of texts or tokens describes its task. */
export interface ClassificationDescription {
  /** Shape of the model. */
  readonly model: ClassifierConfiguration;
  /** The names of the classes in the order of the outputs; none for numbers. */
  readonly classes: readonly string[];
  /** The tokenizer. */
  readonly tokenizer: TokenizerJson;
  /** The most tokens of a text or sentence. */
  readonly sequence: number;
  /** Texts or sentences of a batch. */
  readonly batch: number;
  /** Probability that a number is dropped in training. */
  readonly dropout: number;
  /** Of head, batches and dropout. */
  readonly seed: number;
}

/** A trained classifier. */
export interface TrainedClassifier extends MeasuredClassifier {
  /** How it was trained. */
  readonly description: ClassificationDescription;
  /** What turns text into its tokens. */
  readonly tokenizer: Tokenizer;
}

/**
 * The classifier in a checkpoint, on the default device.
 *
 * @param name The task's.
 * @param noun What is trained in it.
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function trainedClassifier(
  checkpoint: ModelCheckpoint,
  name: string,
  noun: string,
): TrainedClassifier {
  const description = taskDescription<ClassificationDescription>(
    checkpoint,
    name,
    noun,
    ["model", "classes", "tokenizer"],
  );
  const { model, tokenizer, seed } = description;
  const configuration = classifierConfiguration(
    bertConfiguration(model),
    model.head,
  );
  return {
    configuration,
    parameters: restoreTensors(
      `${checkpoint.path}/parameters.safetensors`,
      initializeClassifier(configuration, seed),
      checkpoint.parameters,
    ),
    description,
    tokenizer: tokenizerFromJson(tokenizer),
  };
}
