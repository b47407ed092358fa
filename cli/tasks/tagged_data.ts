/**
 * The sentences that a tagger learns from and is measured on.
 *
 * @module
 */

import {
  type Corpus,
  readTaggedCorpus,
  readTypescriptTokens,
  type TaggedSentence,
} from "../../data/mod.ts";
import type { Sample } from "../../train/mod.ts";
import { UsageError } from "../failure.ts";
import { bold, type Output, printable } from "../output.ts";
import { openText } from "../prepare_text.ts";
import type { TrainValues } from "../train_command.ts";
import { countWords } from "./task_kind.ts";

/** Sentences as a model takes them. */
export interface Encoded {
  /** The names of the classes. */
  readonly classes: readonly string[];
  /** The number of words. */
  readonly words: number;
}

/** How sentences become what a model takes. */
export interface Encoding<E extends Encoded> {
  /** Encodes sentences, with the classes of a trained model if it is given. */
  readonly encode: (
    name: string,
    sentences: AsyncIterable<TaggedSentence>,
    classes?: readonly string[],
  ) => Promise<E>;
  /** The number of sentences. */
  readonly countOf: (examples: E) => number;
  /** The sentences from `start` up to `end`. */
  readonly slice: (examples: E, start: number, end: number) => E;
}

/** Sentences that are read and split. */
export interface TaggedData<E> {
  /** Where they are from. */
  readonly corpus: Corpus;
  /** All of them, but for those of `--validation-data`. */
  readonly examples: E;
  /** Those to train on. */
  readonly train: E;
  /** Those to measure on. */
  readonly validation: E;
  /** The last of those to measure on. */
  readonly samples: readonly TaggedSentence[];
}

/** How many sentences the trained model shows its tags for. */
const sampleCount = 3;

/**
 * Reads and splits the sentences.
 *
 * @param classes Those of a model that is there already.
 * @throws {CorpusError} If the data is malformed.
 * @throws {UsageError} If there are too few sentences to split, or there is one
 * tag only.
 */
export async function openTagged<E extends Encoded>(
  values: TrainValues,
  { encode, countOf, slice }: Encoding<E>,
  classes?: readonly string[],
): Promise<TaggedData<E>> {
  const { data, validationData, column, validation: share } = values;
  const samples: TaggedSentence[] = [];
  const read = async (
    paths: readonly string[],
    classes?: readonly string[],
  ): Promise<{ corpus: Corpus; examples: E }> => {
    const corpus = await openText(paths);
    const sentences = paths.length === 0
      ? readTypescriptTokens(corpus)
      : readTaggedCorpus(corpus, column);
    const watched = keepLast(sentences, samples);
    return { corpus, examples: await encode(corpus.name, watched, classes) };
  };
  const { corpus, examples } = await read(data, classes);
  if (examples.classes.length < 2) {
    throw new UsageError(
      `${corpus.name}: all words have the tag ${
        JSON.stringify(examples.classes[0])
      }; there must be two at least`,
    );
  }
  if (validationData.length > 0) {
    const { examples: validation } = await read(
      validationData,
      examples.classes,
    );
    return { corpus, examples, train: examples, validation, samples };
  }
  const count = countOf(examples);
  const end = count - Math.floor(count * share);
  if (end === count) {
    throw new UsageError(
      `--validation ${share} of ${countWords(count, "sentence")} leaves none ` +
        `to measure on; raise it, or give --validation-data`,
    );
  }
  return {
    corpus,
    examples,
    train: slice(examples, 0, end),
    validation: slice(examples, end, count),
    samples,
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

/** Stands above the tags that a model gives. */
export const tagsTitle = "How the model tags";

/** Prints sentences with the tags that a model gives them. */
export async function showTags(
  sentences: readonly TaggedSentence[],
  tag: (words: readonly string[]) => Promise<readonly string[]>,
  output: Output,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  output.write(`\n${bold(output, `${tagsTitle}:`)}\n`);
  for (const { words } of sentences) {
    if (signal.aborted) break;
    const tags = await tag(words);
    const text = words.map((word, i) => `${word}/${tags[i]}`).join(" ");
    output.write(`${printable(text)}\n`);
    samples.push({ prompt: `${words.join(" ")} → `, text });
  }
  return samples;
}
