/**
 * The task `tagger` with `--from`: a trained BERT learns to tag words.
 *
 * @module
 */

import {
  encodeTaggedPieces,
  type TaggedPieces,
  type Tokenizer,
  tokenizerFromJson,
} from "../../data/mod.ts";
import {
  type ClassifierConfiguration,
  classifierConfiguration,
} from "../../models/mod.ts";
import {
  bertLayout,
  type ClassificationDescription,
  evaluatePieceTagger,
  type Evaluation,
  fineTunedConfiguration,
  type JsonRecord,
  type ModelCheckpoint,
  pieceTaggerFromCheckpoint,
  pieceTaggerTask,
  type PretrainedEncoder,
} from "../../train/mod.ts";
import { formatBytes } from "../../train/report_format.ts";
import { fromOptions } from "../failure.ts";
import { openPretrained, requireSeen } from "../pretrained.ts";
import type { TrainValues } from "../train_command.ts";
import { type Encoding, openTagged } from "./tagged_data.ts";
import {
  anyTask,
  countWords,
  type EvaluationRequest,
  layersWords,
  measureCommands,
  type PreparedTask,
} from "./task_kind.ts";

/** Reads the data and makes the task; see `TaskKind.prepare`. */
export async function prepareFineTunedTagger(
  values: TrainValues,
  begun: JsonRecord | undefined,
): Promise<PreparedTask> {
  const description = begun as unknown as ClassificationDescription | undefined;
  // A run that goes on has its weights in its checkpoint.
  const pretrained = description === undefined
    ? await openPretrained(values.from!)
    : undefined;
  const tokenizer = pretrained?.tokenizer ??
    tokenizerFromJson(description?.tokenizer);
  const { corpus, examples, train, validation } = await openTagged(
    values,
    encodingOf(tokenizer, values.seq),
    description?.classes,
  );
  const configuration = configurationOf(
    values,
    examples.classes.length,
    pretrained,
    description,
  );
  const task = pieceTaggerTask({
    configuration,
    examples: train,
    validation,
    pretrained,
    batch: values.batch,
    dropout: values.dropout,
    seed: values.seed,
    precision: values.precision,
  });
  const { before, layers, after, width, heads } = configuration;
  return {
    task: anyTask(task),
    name: corpus.name,
    data: `${corpus.name}, ${formatBytes(corpus.byteLength)}`,
    dataDetails: `${countWords(examples.words, "word")} in ${
      countWords(examples.rows.length, "sentence")
    }, ${examples.classes.length} classes (${tokenizer.name})`,
    dataSize: corpus.byteLength,
    model: `BERT from ${values.from} with a head for words, layers ${
      layersWords(configuration)
    }, width ${width}, heads ${heads}`,
    title: `A BERT of ${
      countWords(before + layers + after, "layer")
    } that tags ${corpus.name}`,
    commands: measureCommands,
    [Symbol.dispose]: () => {},
  };
}

/** Whether a checkpoint is of a BERT that tags words. */
export function isFineTunedTagger({ manifest }: ModelCheckpoint): boolean {
  return manifest.task.name === "piece-tagger";
}

/** Measures such a checkpoint; see `TaskKind.evaluate`. */
export async function evaluateFineTunedTagger(
  checkpoint: ModelCheckpoint,
  values: TrainValues,
  how: EvaluationRequest,
): Promise<Evaluation> {
  const trained = pieceTaggerFromCheckpoint(checkpoint);
  const { description, tokenizer } = trained;
  const { validation } = await openTagged(
    values,
    encodingOf(tokenizer, description.sequence),
    description.classes,
  );
  return await evaluatePieceTagger(trained, validation, how);
}

function encodingOf(
  tokenizer: Tokenizer,
  context: number,
): Encoding<TaggedPieces> {
  const layout = bertLayout(tokenizer, context);
  return {
    encode: (name, sentences, classes) =>
      encodeTaggedPieces(name, sentences, layout, classes),
    countOf: ({ rows }) => rows.length,
    slice: (examples, start, end) => {
      const rows = examples.rows.slice(start, end);
      const words = rows.reduce((sum, { labels }) => sum + labels.length, 0);
      return { ...examples, rows, words };
    },
  };
}

function configurationOf(
  values: TrainValues,
  classes: number,
  pretrained: PretrainedEncoder | undefined,
  begun: ClassificationDescription | undefined,
): ClassifierConfiguration {
  const head = { kind: "tokens", outputs: classes } as const;
  const { before, layers, after } = values;
  const split = { before, layers, after };
  const encoder = pretrained?.configuration ?? begun!.model;
  requireSeen(values, encoder);
  return fromOptions(() =>
    pretrained === undefined
      ? classifierConfiguration({ ...encoder, ...split }, head)
      : fineTunedConfiguration(encoder, head, split)
  );
}
