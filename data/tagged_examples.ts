import { CorpusError } from "./corpus_error.ts";
import { paddedLength } from "./examples_by_length.ts";
import { requireKnownLabels } from "./known_labels.ts";
import { ignoredLabel } from "./masking.ts";
import { hashBelow } from "./random.ts";
import type { TaggedSentence } from "./tagged_sentence.ts";
import { featuresPerWord, wordFeatures } from "./word_features.ts";

/** Sentences of one length, for the tagger. */
export interface TaggedBatch {
  /** Rows of the table, 0 in padding, `[batch, sequence, featuresPerWord]`. */
  readonly features: Int32Array<ArrayBuffer>;
  /** The class of each word; −100 in padding, `[batch, sequence]`. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** 1 at words, 0 in padding, `[batch, sequence]`. */
  readonly keep: Uint8Array<ArrayBuffer>;
  /** The number of sentences. */
  readonly batch: number;
  /** The length that they are padded to. */
  readonly sequence: number;
  /** The number of words. */
  readonly words: number;
}

/** Encoded sentences, one after the other. */
export interface TaggedExamples {
  /** The names of the classes. */
  readonly classes: readonly string[];
  /** The rows of the table that features are of. */
  readonly rows: number;
  /** The most words of a sentence. */
  readonly context: number;
  /** The number of sentences. */
  readonly count: number;
  /** The number of words in each. */
  readonly lengths: Int32Array;
  /** The number of all words. */
  readonly words: number;
  /** Where each sentence begins among all words. */
  readonly starts: Int32Array;
  /** The features of all words of all sentences. */
  readonly features: Int32Array;
  /** The class of each; −100 for a tag that is none of the classes. */
  readonly labels: Int32Array;
}

/** How sentences are encoded. */
export interface EncodeTaggedOptions {
  /** The rows of the table of features. */
  readonly rows: number;
  /** Words at a time: longer sentences are cut. */
  readonly context: number;
  /**
   * The names of the classes, those of a trained tagger; default: all tags
   * that there are, sorted.
   */
  readonly classes?: readonly string[];
}

/**
 * Encodes sentences as features and classes of words. Only these are kept, 44
 * bytes a word.
 *
 * @param name What the sentences are called in messages.
 * @throws {CorpusError} If there is no sentence, or no tag is among `classes`.
 */
export async function encodeTagged(
  name: string,
  sentences: AsyncIterable<TaggedSentence> | Iterable<TaggedSentence>,
  { rows, context, classes }: EncodeTaggedOptions,
): Promise<TaggedExamples> {
  const known = new Map<string, number>();
  const features = new GrowingIntegers();
  const labels = new GrowingIntegers();
  const lengths = new GrowingIntegers();
  classes?.forEach((tag, label) => known.set(tag, label));
  for await (const { words, tags } of sentences) {
    for (let start = 0; start < words.length; start += context) {
      lengths.push([Math.min(context, words.length - start)]);
    }
    words.forEach((word, i) => {
      features.push(wordFeatures(word, rows));
      let label = known.get(tags[i]);
      if (label === undefined) {
        label = classes === undefined ? known.size : ignoredLabel;
        // A copy: a part of a line would keep all of it in memory.
        if (classes === undefined) known.set([...tags[i]].join(""), label);
      }
      labels.push([label]);
    });
  }
  if (lengths.length === 0) {
    throw new CorpusError(`${name}: there is no sentence in it`);
  }
  if (classes !== undefined) requireKnownLabels(name, labels.take(), classes);
  const found = [...known.keys()];
  const names = classes ?? found.toSorted();
  const newLabels = found.map((tag) => names.indexOf(tag));
  return {
    classes: names,
    rows,
    context,
    count: lengths.length,
    lengths: lengths.take(),
    starts: startsOf(lengths.take()),
    words: labels.length,
    features: features.take(),
    labels: labels.take().map((label) => newLabels[label] ?? ignoredLabel),
  };
}

function startsOf(lengths: Int32Array): Int32Array<ArrayBuffer> {
  const starts = new Int32Array(lengths.length);
  for (let i = 1; i < lengths.length; i++) {
    starts[i] = starts[i - 1] + lengths[i - 1];
  }
  return starts;
}

/** The examples from `start` up to `end`, without copying their words. */
export function sliceTagged(
  examples: TaggedExamples,
  start: number,
  end: number,
): TaggedExamples {
  const lengths = examples.lengths.subarray(start, end);
  return {
    ...examples,
    count: lengths.length,
    lengths,
    words: lengths.reduce((sum, length) => sum + length, 0),
    starts: examples.starts.subarray(start, end),
  };
}

/** What makes the words of a training batch unknown. */
export interface WordDropout {
  /** The probability that a word is known by its parts alone, in [0, 1). */
  readonly probability: number;
  /** The seed: a non-negative integer. */
  readonly seed: number;
  /** The number of the batch: each has words of its own dropped. */
  readonly batch: number;
}

/** The features that say which word it is: as written, and in lower case. */
const identities = 2;

/**
 * The batch of some examples, padded to the longest of them.
 *
 * @param dropout In training: which words lose the features that name them, so
 * that their parts have to do, as with words that training never saw.
 */
export function taggedBatch(
  { lengths, starts, features, labels, context }: TaggedExamples,
  examples: ArrayLike<number>,
  dropout?: WordDropout,
): TaggedBatch {
  const chosen = Array.from(examples);
  const batch = chosen.length;
  const sequence = paddedLength(
    chosen.map((example) => lengths[example]),
    context,
  );
  const size = featuresPerWord;
  const result = {
    features: new Int32Array(batch * sequence * size),
    labels: new Int32Array(batch * sequence).fill(ignoredLabel),
    keep: new Uint8Array(batch * sequence),
    batch,
    sequence,
    words: chosen.reduce((sum, example) => sum + lengths[example], 0),
  };
  chosen.forEach((example, row) => {
    const start = starts[example];
    const end = start + lengths[example];
    const to = row * sequence;
    result.features.set(features.subarray(start * size, end * size), to * size);
    result.labels.set(labels.subarray(start, end), to);
    result.keep.fill(1, to, to + lengths[example]);
    if (dropout === undefined) return;
    for (let word = 0; word < lengths[example]; word++) {
      const { probability, seed, batch } = dropout;
      const draw = hashBelow(2 ** 32, seed, batch, row, word) / 2 ** 32;
      const first = (to + word) * size;
      if (draw < probability) {
        result.features.fill(0, first, first + identities);
      }
    }
  });
  return result;
}

/** Integers in memory that become more. */
class GrowingIntegers {
  #values = new Int32Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(values: ArrayLike<number>): void {
    const length = this.#length + values.length;
    if (length > this.#values.length) {
      const larger = new Int32Array(2 * length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values.set(values, this.#length);
    this.#length = length;
  }

  /** What there is, without the room for more. */
  take(): Int32Array {
    return this.#values.slice(0, this.#length);
  }
}
