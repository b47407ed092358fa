/**
 * The task `tagger`: the class of each word of a sentence.
 *
 * @module
 */

import {
  encodeTagged,
  featuresPerWord,
  sliceTagged,
  type TaggedExamples,
} from "../../data/mod.ts";
import {
  type TaggerConfiguration,
  taggerConfiguration,
  type TaggerParameters,
} from "../../models/mod.ts";
import type { Tree } from "../../tensor/mod.ts";
import {
  evaluateTagger,
  type TaggerDescription,
  taggerFromCheckpoint,
  taggerTask,
  tagSentences,
} from "../../train/mod.ts";
import { formatBytes } from "../../train/report_format.ts";
import { fromOptions } from "../failure.ts";
import { pretrainedValues } from "../pretrained.ts";
import type { TrainValues } from "../train_command.ts";
import {
  evaluateFineTunedTagger,
  isFineTunedTagger,
  prepareFineTunedTagger,
} from "./fine_tuned_tagger.ts";
import {
  type Encoding,
  openTagged,
  showTags,
  tagsTitle,
} from "./tagged_data.ts";
import {
  anyTask,
  countWords,
  layersWords,
  measureCommands,
  type PreparedTask,
  type TaskKind,
} from "./task_kind.ts";

/** Rows of the table of word features. */
const tableRows = 2 ** 15;
/** Share of the words that are known by their parts alone in training. */
const wordDropout = 0.1;
/** Highest learning rate where the weights are trained already. */
const fineTuningRate = 5e-4;

/** The task `tagger`. */
export const taggerKind: TaskKind = {
  name: "tagger",
  summary: "Trains a tagger, by default on what the tokens of TypeScript in " +
    "Deno's own type declarations stand for; with --from it begins with a " +
    "trained bert.",
  examples: [
    ["deno task train --task tagger", "trains on what `deno types` prints"],
    [
      "deno task train --task tagger --data train.conllu --validation-data dev.conllu",
      "trains on a treebank of Universal Dependencies",
    ],
    [
      "deno task train --task tagger --data train.conllu --column feats",
      "learns morphological features instead of parts of speech",
    ],
    [
      "deno task train --task tagger --data train.conllu --from bert-base/",
      "fine-tunes a BERT in Hugging Face's layout",
    ],
  ],
  defaults: {
    layers: 32,
    before: 0,
    after: 0,
    endTime: 4,
    dim: 64,
    hidden: 64,
    heads: 1,
    batch: 16,
    steps: 2500,
    forwardIterations: 2,
    evaluateEvery: 250,
    evaluationBatches: 100,
  },
  words: {
    data: {
      help: "CoNLL-U files, or texts with word/tag, a sentence a line",
      defaultText: "the tokens of what `deno types` prints",
    },
    seq: {
      help: "Words that the model sees at a time (tokens, with --from); " +
        "longer sentences are cut",
    },
    batch: { help: "Sentences in a batch; those of like length share one" },
  },
  valuesFrom: async (asked) =>
    asked.from === undefined
      ? {}
      : { lr: fineTuningRate, ...await pretrainedValues(asked) },
  prepare: async (values, begun) => {
    if (values.from !== undefined) {
      return await prepareFineTunedTagger(values, begun);
    }
    const description = begun as TaggerDescription | undefined;
    const data = await openTagged(
      values,
      encodingOf(description?.model.features ?? tableRows, values.seq),
      description?.classes,
    );
    const { corpus, examples, train, validation } = data;
    const configuration = configurationOf(values, train);
    const task = taggerTask({
      configuration,
      examples: train,
      validation,
      batch: values.batch,
      dropout: values.dropout,
      wordDropout,
      seed: values.seed,
      precision: values.precision,
    });
    const { before, layers, after, dim, heads } = values;
    return {
      task: anyTask(task),
      name: corpus.name,
      data: `${corpus.name}, ${formatBytes(corpus.byteLength)}`,
      dataDetails: `${countWords(examples.words, "word")} in ${
        countWords(examples.count, "sequence")
      }, ${examples.classes.length} classes`,
      dataSize: corpus.byteLength,
      model: `tagger, layers ${
        layersWords(values)
      }, width ${dim}, heads ${heads}`,
      title: `A tagger of ${
        countWords(before + layers + after, "layer")
      } on ${corpus.name}`,
      samplesTitle: tagsTitle,
      showSamples: (parameters, output, signal) => {
        const trained = {
          configuration,
          parameters: parameters as Tree as TaggerParameters,
          description: task.description as unknown as TaggerDescription,
        };
        return showTags(
          data.samples,
          async (words) => (await tagSentences(trained, [words]))[0].tags,
          output,
          signal,
        );
      },
      commands: measureCommands,
      [Symbol.dispose]: () => {},
    } satisfies PreparedTask;
  },
  evaluate: async (checkpoint, values, how) => {
    if (isFineTunedTagger(checkpoint)) {
      return await evaluateFineTunedTagger(checkpoint, values, how);
    }
    const trained = taggerFromCheckpoint(checkpoint);
    const { features, context } = trained.configuration;
    const { validation } = await openTagged(
      values,
      encodingOf(features, context),
      trained.description.classes,
    );
    return await evaluateTagger(trained, validation, how);
  },
};

function encodingOf(rows: number, context: number): Encoding<TaggedExamples> {
  return {
    encode: (name, sentences, classes) =>
      encodeTagged(name, sentences, { rows, context, classes }),
    countOf: ({ count }) => count,
    slice: sliceTagged,
  };
}

function configurationOf(
  values: TrainValues,
  { rows, classes }: TaggedExamples,
): TaggerConfiguration {
  return fromOptions(() =>
    taggerConfiguration({
      features: rows,
      featuresPerWord,
      context: values.seq,
      classes: classes.length,
      width: values.dim,
      heads: values.heads,
      hidden: values.hidden,
      layers: values.layers,
      before: values.before,
      after: values.after,
      endTime: values.endTime,
      norm: values.norm,
    })
  );
}
