/**
 * What a trained translator is worth, and what it makes of sentences.
 *
 * @module
 */

import {
  encodePairs,
  examplesByLength,
  type SentencePair,
  sentenceTokens,
} from "../data/mod.ts";
import { encodeUserText } from "../data/encode_user_text.ts";
import { translate, type TranslateOptions } from "../models/mod.ts";
import type { Evaluation } from "./evaluation.ts";
import { corpusBleu, corpusChrf, exactMatch } from "./metrics/mod.ts";
import {
  measurePairs,
  pairsByLength,
  type TrainedTranslator,
} from "./translation_task.ts";
import { validateBatches } from "./validation.ts";
import { type Watch, watchedBatches } from "./watched_batches.ts";

/** How sentences are translated. */
export interface TranslationOptions extends Watch {
  /** Translations of each sentence that are followed; default 4. */
  readonly beams?: number;
  /** See `translate`; default 1. */
  readonly lengthPenalty?: number;
  /** Sentences that are translated together; default: as in training. */
  readonly batch?: number;
}

/** A text and its translation. */
interface TranslatedText {
  /** Its place among the texts. */
  readonly place: number;
  readonly text: string;
}

/**
 * Translates texts, each a sentence. What is longer than the model's context is
 * cut.
 *
 * @returns Their translations; fewer if the signal ended it.
 * @throws {CorpusError} If the tokenizer lacks a character.
 */
export async function translateTexts(
  trained: TrainedTranslator,
  texts: readonly string[],
  options: TranslationOptions = {},
): Promise<string[]> {
  const translated = await translateAll(trained, texts, options);
  return translated.sort((a, b) => a.place - b.place).map(({ text }) => text);
}

async function translateAll(
  { configuration, parameters, tokenizer, description }: TrainedTranslator,
  texts: readonly string[],
  { beams = 4, lengthPenalty, batch = description.batch, ...watch }:
    TranslationOptions,
): Promise<TranslatedText[]> {
  const { end } = sentenceTokens(tokenizer);
  const { context } = configuration;
  const sources = texts.map((text, i) => {
    const encode = (): Int32Array => tokenizer.encode(text);
    const tokens = encodeUserText(`sentence ${i + 1}`, encode);
    return [...tokens.subarray(0, context - 1), end];
  });
  const lengths = Int32Array.from(sources, ({ length }) => length);
  const batches = watchedBatches(
    examplesByLength(lengths, batch),
    texts.length,
    (rows) => rows.length,
    watch,
  );
  const search: TranslateOptions = { beams, lengthPenalty };
  const translated: TranslatedText[] = [];
  for (const rows of batches) {
    const some = Array.from(rows, (row) => sources[row]);
    const found = await translate(configuration, parameters, some, search);
    found.forEach(({ tokens }, i) =>
      translated.push({ place: rows[i], text: tokenizer.decode(tokens) })
    );
  }
  return translated;
}

/** How many translations an evaluation shows. */
const sampleCount = 5;

/**
 * Measures a translator on pairs of sentences: BLEU, chrF and the share of
 * translations that are right letter by letter, as beam search finds them; the
 * loss and the accuracy of tokens, given the right ones before them. Pairs that
 * are longer than the context count in the former only, cut. BLEU counts runs
 * of four words, and is left out where no target has as many. If the signal
 * ends it, what was translated counts.
 *
 * @throws {RangeError} If there are no pairs, or none was translated yet.
 * @throws {CorpusError} If all pairs are longer than the context, or the
 * tokenizer lacks a character.
 */
export async function evaluateTranslation(
  trained: TrainedTranslator,
  pairs: readonly SentencePair[],
  options: TranslationOptions = {},
): Promise<Evaluation> {
  const { configuration, parameters, tokenizer, description } = trained;
  const translated = await translateAll(
    trained,
    pairs.map(({ source }) => source),
    options,
  );
  if (translated.length === 0) {
    throw new RangeError("evaluateTranslation: there is nothing to measure");
  }
  const done = translated.map(({ place }) => pairs[place]);
  const hypotheses = translated.map(({ text }) => text);
  const references = done.map(({ target }) => target);
  const examples = await encodePairs("evaluateTranslation", done, {
    tokenizer,
    context: configuration.context,
  });
  const { loss, metrics } = await validateBatches(
    parameters.open.tokens.device,
    pairsByLength(examples, options.batch ?? description.batch),
    (batch) => measurePairs(configuration, parameters, batch),
  );
  const inOrder = translated
    .map(({ place, text }) => ({ ...pairs[place], place, text }))
    .sort((a, b) => a.place - b.place);
  return {
    loss,
    examples: translated.length,
    metrics: { ...textMetrics(hypotheses, references), ...metrics },
    samples: inOrder.slice(0, sampleCount).map(({ source, target, text }) => ({
      input: source,
      expected: target,
      output: text,
    })),
  };
}

/** Measures of translations, the one that tells most first. */
function textMetrics(
  hypotheses: readonly string[],
  references: readonly string[],
): Readonly<Record<string, number>> {
  const chrf = corpusChrf(hypotheses, references);
  const exact = exactMatch(hypotheses, references);
  return references.some((text) => text.trim().split(/\s+/).length >= 4)
    ? {
      bleu: corpusBleu(hypotheses, references).score,
      chrf,
      exactMatch: exact,
    }
    : { exactMatch: exact, chrf };
}
