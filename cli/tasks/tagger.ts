/**
 * The task `tagger`: the class of each word of a sentence.
 *
 * @module
 */

import {
  type Corpus,
  encodeTagged,
  featuresPerWord,
  readTaggedCorpus,
  readTypescriptTokens,
  sliceTagged,
  type TaggedExamples,
  type TaggedSentence,
} from "../../data/mod.ts";
import {
  type TaggerConfiguration,
  taggerConfiguration,
  type TaggerParameters,
} from "../../models/mod.ts";
import type { Tree } from "../../tensor/mod.ts";
import {
  evaluateTagger,
  type Sample,
  taggerFromCheckpoint,
  taggerTask,
  tagSentences,
  type TrainedTagger,
} from "../../train/mod.ts";
import { UsageError } from "../failure.ts";
import { bold, type Output, printable } from "../output.ts";
import { openText } from "../prepare_text.ts";
import { formatBytes } from "../report_details.ts";
import type { TrainValues } from "../train_command.ts";
import {
  anyTask,
  countWords,
  layersWords,
  type PreparedTask,
  type TaskKind,
} from "./task_kind.ts";

/** Rows of the table of word features. */
const tableRows = 2 ** 14;
/** Share of the words that are known by their parts alone in training. */
const wordDropout = 0.1;
/** How many sentences the trained model shows its tags for. */
const sampleCount = 3;

/** The task `tagger`. */
export const taggerKind: TaskKind = {
  name: "tagger",
  summary: "Trains a tagger, by default on what the tokens of TypeScript in " +
    "Deno's own type declarations stand for.",
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
  ],
  defaults: {},
  words: {
    data: { help: "CoNLL-U files, or texts with word/tag, a sentence a line" },
    seq: {
      help: "Words that the model sees at a time; longer sentences are cut",
    },
    batch: { help: "Sentences in a batch; those of like length share one" },
  },
  prepare: async (values, begun) => {
    const recent: TaggedSentence[] = [];
    const data = await openTagged(values, begun?.classes, recent);
    const { corpus, examples, train, validation } = data;
    const configuration = configurationOf(values, examples.classes.length);
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
        countWords(examples.count, "sentence")
      }, ${examples.classes.length} classes`,
      dataSize: corpus.byteLength,
      model: `tagger, layers ${
        layersWords(values)
      }, width ${dim}, heads ${heads}`,
      title: `A tagger of ${
        countWords(before + layers + after, "layer")
      } on ${corpus.name}`,
      showSamples: (parameters, output, signal) =>
        showTags(
          {
            configuration,
            parameters: parameters as Tree as TaggerParameters,
            description: task.description as unknown as TrainedTagger[
              "description"
            ],
          },
          recent,
          output,
          signal,
        ),
      commands: (folder) => [[
        `deno task evaluate --from ${folder}`,
        "Measure it class by class",
      ]],
      [Symbol.dispose]: () => {},
    } satisfies PreparedTask;
  },
  evaluate: async (checkpoint, values, how) => {
    const trained = taggerFromCheckpoint(checkpoint);
    const { context } = trained.configuration;
    const { classes } = trained.description;
    const { validation } = await openTagged(
      { ...values, seq: context },
      classes,
    );
    return await evaluateTagger(trained, validation, how);
  },
};

/** Sentences that are read and split. */
interface TaggedData {
  readonly corpus: Corpus;
  readonly examples: TaggedExamples;
  readonly train: TaggedExamples;
  readonly validation: TaggedExamples;
}

/**
 * Reads and splits the sentences.
 *
 * @param classes Those of a model that is there already.
 * @param recent Takes the last sentences that are measured on.
 */
async function openTagged(
  values: TrainValues,
  classes: unknown,
  recent?: TaggedSentence[],
): Promise<TaggedData> {
  const { data, validationData, column, seq, validation: share } = values;
  const read = async (
    paths: readonly string[],
    classes?: readonly string[],
  ): Promise<{ corpus: Corpus; examples: TaggedExamples }> => {
    const corpus = await openText(paths);
    const sentences = paths.length === 0
      ? readTypescriptTokens(corpus)
      : readTaggedCorpus(corpus, column);
    const watched = recent ? keepLast(sentences, recent) : sentences;
    const options = { rows: tableRows, context: seq, classes };
    const examples = await encodeTagged(corpus.name, watched, options);
    return { corpus, examples };
  };
  const { corpus, examples } = await read(
    data,
    Array.isArray(classes) ? classes : undefined,
  );
  if (validationData.length > 0) {
    const other = await read(validationData, examples.classes);
    return { corpus, examples, train: examples, validation: other.examples };
  }
  const end = examples.count - Math.floor(examples.count * share);
  if (end === examples.count) {
    throw new UsageError(
      `--validation ${share} of ${countWords(examples.count, "sentence")} ` +
        `leaves none to measure on; raise it, or give --validation-data`,
    );
  }
  return {
    corpus,
    examples,
    train: sliceTagged(examples, 0, end),
    validation: sliceTagged(examples, end, examples.count),
  };
}

/** The same sentences; the last of them stay in `kept`. */
async function* keepLast(
  sentences: AsyncIterable<TaggedSentence>,
  kept: TaggedSentence[],
): AsyncGenerator<TaggedSentence, void, void> {
  for await (const sentence of sentences) {
    kept.push(sentence);
    if (kept.length > sampleCount) kept.shift();
    yield sentence;
  }
}

function configurationOf(
  values: TrainValues,
  classes: number,
): TaggerConfiguration {
  try {
    return taggerConfiguration({
      features: tableRows,
      featuresPerWord,
      context: values.seq,
      classes,
      width: values.dim,
      heads: values.heads,
      hidden: values.hidden,
      layers: values.layers,
      before: values.before,
      after: values.after,
      endTime: values.endTime,
      norm: values.norm,
    });
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

async function showTags(
  trained: TrainedTagger,
  sentences: readonly TaggedSentence[],
  output: Output,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  output.write(`\n${bold(output, "How the model tags:")}\n`);
  for (const { words } of sentences) {
    if (signal.aborted) break;
    const [{ tags }] = await tagSentences(trained, [words]);
    const text = words.map((word, i) => `${word}/${tags[i]}`).join(" ");
    output.write(`${printable(text)}\n`);
    samples.push({ prompt: words.join(" "), text });
  }
  return samples;
}
