import { CorpusError } from "./corpus_error.ts";
import { encodeUserText } from "./encode_user_text.ts";
import { ignoredLabel } from "./masking.ts";
import type { SentencePair } from "./sentence_pair.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What a translator makes sentences of. */
export interface SentenceTokens {
  /** The number of ids, those below included. */
  readonly vocabulary: number;
  /** Fills shorter sentences up. */
  readonly padding: number;
  /** What targets begin with: padding, as Marian has it. */
  readonly start: number;
  /** What sentences end with. */
  readonly end: number;
}

/** Texts of special tokens that stand for padding and end. */
const paddings = ["<pad>", "[PAD]"];
const ends = ["</s>", "[SEP]", "<|endoftext|>"];

/**
 * The ids of a tokenizer, with one for padding and one for the end of sentences:
 * its special tokens of that kind (`<pad>` and `</s>`, `[PAD]` and `[SEP]`), or
 * new ids behind its own.
 *
 * @example
 * ```ts
 * import { byteTokenizer, sentenceTokens } from "@layerbraid/layerbraid/data";
 *
 * console.log(sentenceTokens(byteTokenizer).end); // 257
 * ```
 */
export function sentenceTokens(
  { vocabularySize, special }: Pick<Tokenizer, "vocabularySize" | "special">,
): SentenceTokens {
  let vocabulary = vocabularySize;
  const idOf = (texts: readonly string[]): number => {
    const found = texts.find((text) => special.has(text));
    return found === undefined ? vocabulary++ : special.get(found)!;
  };
  const padding = idOf(paddings);
  const end = idOf(ends);
  return { vocabulary, padding, start: padding, end };
}

/** Encoded sentences and their translations. */
export interface PairExamples {
  /** What they are made of. */
  readonly tokens: SentenceTokens;
  /** The number of pairs. */
  readonly count: number;
  /** Ids of each source, without the end. */
  readonly sources: readonly Int32Array[];
  /** Ids of each target, likewise. */
  readonly targets: readonly Int32Array[];
  /** Tokens of source and target together. */
  readonly lengths: Int32Array;
  /** Pairs that were left out for their length. */
  readonly tooLong: number;
}

/** How pairs are encoded. */
export interface EncodePairsOptions {
  /** Turns both languages into ids. */
  readonly tokenizer: Tokenizer;
  /**
   * Most tokens of a source, and of a target, with the end; longer pairs are
   * left out.
   */
  readonly context: number;
}

/**
 * Encodes pairs of sentences with one tokenizer.
 *
 * @param name What the pairs are called in messages.
 * @throws {CorpusError} If there is no pair, all are too long, or a character
 * isn't in the tokenizer's vocabulary.
 *
 * @example
 * ```ts
 * import { byteTokenizer, encodePairs, numberWordPair } from "@layerbraid/layerbraid/data";
 *
 * const pairs = [numberWordPair(3), numberWordPair(7)];
 * const options = { tokenizer: byteTokenizer, context: 16 };
 * const { lengths } = await encodePairs("numbers", pairs, options);
 * console.log(lengths); // "three" + "drei" + ends: 11, "seven" + "sieben": 13
 * ```
 */
export async function encodePairs(
  name: string,
  pairs: AsyncIterable<SentencePair> | Iterable<SentencePair>,
  { tokenizer, context }: EncodePairsOptions,
): Promise<PairExamples> {
  const sources: Int32Array[] = [];
  const targets: Int32Array[] = [];
  let tooLong = 0;
  let place = 0;
  for await (const pair of pairs) {
    place++;
    const [source, target] = [pair.source, pair.target].map((text) =>
      encodeUserText(`${name}: pair ${place}`, () => tokenizer.encode(text))
    );
    if (Math.max(source.length, target.length) >= context) {
      tooLong++;
      continue;
    }
    sources.push(source);
    targets.push(target);
  }
  const count = sources.length;
  if (count === 0) {
    throw new CorpusError(
      tooLong === 0
        ? `${name}: there is no pair of sentences in it`
        : `${name}: all ${tooLong} pairs have more than ${context} tokens a ` +
          `sentence; allow longer ones`,
    );
  }
  const lengths = Int32Array.from(
    sources,
    ({ length }, i) => length + targets[i].length + 2,
  );
  const tokens = sentenceTokens(tokenizer);
  return { tokens, count, sources, targets, lengths, tooLong };
}

/** Pairs as a translator takes them. */
export interface PairBatch {
  /** `[batch, sourceLength]`: tokens, the end, padding. */
  readonly source: Int32Array<ArrayBuffer>;
  /** 0 in the source's padding, else 1. */
  readonly sourceKeep: Uint8Array<ArrayBuffer>;
  /** `[batch, targetLength]`: the start, tokens, padding. */
  readonly target: Int32Array<ArrayBuffer>;
  /** `[batch, targetLength]`: tokens, the end, −100 in padding. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** The number of pairs. */
  readonly batch: number;
  /** The length that sources are padded to. */
  readonly sourceLength: number;
  /** The length that targets are padded to. */
  readonly targetLength: number;
  /** The number of labels that count. */
  readonly labelCount: number;
}

/** Some of the examples as a batch. */
export function pairBatch(
  { sources, targets, tokens }: PairExamples,
  indices: ArrayLike<number>,
): PairBatch {
  const rows = Array.from(indices);
  const { padding, start, end } = tokens;
  const longest = (sentences: readonly Int32Array[]): number =>
    rows.reduce((most, i) => Math.max(most, sentences[i].length + 1), 0);
  const sourceLength = longest(sources);
  const targetLength = longest(targets);
  const source = new Int32Array(rows.length * sourceLength).fill(padding);
  const sourceKeep = new Uint8Array(source.length);
  const target = new Int32Array(rows.length * targetLength).fill(padding);
  const labels = new Int32Array(target.length).fill(ignoredLabel);
  let labelCount = 0;
  rows.forEach((i, row) => {
    const from = row * sourceLength;
    source.set(sources[i], from);
    source[from + sources[i].length] = end;
    sourceKeep.fill(1, from, from + sources[i].length + 1);
    const to = row * targetLength;
    target[to] = start;
    target.set(targets[i], to + 1);
    labels.set(targets[i], to);
    labels[to + targets[i].length] = end;
    labelCount += targets[i].length + 1;
  });
  return {
    source,
    sourceKeep,
    target,
    labels,
    batch: rows.length,
    sourceLength,
    targetLength,
    labelCount,
  };
}
