/**
 * The task `translation`: sentences in another language.
 *
 * @module
 */

import {
  encodePairs,
  type PairExamples,
  type SentencePair,
  type Tokenizer,
  tokenizerFromJson,
} from "../../data/mod.ts";
import {
  type EncoderDecoderConfiguration,
  encoderDecoderConfiguration,
  type EncoderDecoderParameters,
} from "../../models/mod.ts";
import type { Tree } from "../../tensor/mod.ts";
import {
  evaluateTranslation,
  type Sample,
  type TrainedTranslator,
  translateTexts,
  translationTask,
  translatorFromCheckpoint,
} from "../../train/mod.ts";
import { fromOptions } from "../failure.ts";
import { makeTokenizer } from "../make_tokenizer.ts";
import { bold, type Output, printable } from "../output.ts";
import type { TrainValues } from "../train_command.ts";
import {
  anyTask,
  countWords,
  type PreparedTask,
  type TaskKind,
} from "./task_kind.ts";
import { openPairs } from "./translation_data.ts";

/** How many sentences the trained model translates to show what it can. */
const sampleCount = 3;

/** Stands above what the model shows. */
const samplesTitle = "How the model translates";

/** The task `translation`. */
export const translationKind: TaskKind = {
  name: "translation",
  summary: "Trains an encoder–decoder to translate, by default numbers in " +
    "English words into German ones.",
  examples: [
    ["deno task train --task translation", "learns numbers up to a million"],
    [
      "deno task train --task translation --data train.en --target train.de " +
      "--vocabulary 4096",
      "trains on two texts, line n of one being line n of the other",
    ],
    [
      "deno task train --task translation --data gettext:/usr/share/locale --language de",
      "learns the messages of the programs on this machine",
    ],
  ],
  defaults: {
    tokenizer: "unigram",
    vocabulary: 352,
    layers: 6,
    dim: 64,
    seq: 64,
    batch: 64,
    lr: 2e-3,
    evaluationBatches: 16,
    coarsening: [3],
    forwardIterations: 2,
  },
  words: {
    data: {
      help: "Sentences, one a line, whose translations --target has; or " +
        "tables, a sentence and its translation a line, with a tab between; " +
        "or gettext:FOLDER with the catalogues of --language",
      defaultText: "numbers in words",
    },
    vocabulary: {
      help: "Tokens that bpe, word-piece or unigram learn: numbers have few, " +
        "other texts want thousands",
    },
    layers: { help: "Layers of the encoder" },
    decoderLayers: {
      help: "Layers of the decoder; the solver takes both together",
      defaultText: "as many as --layers",
    },
    endTime: {
      help: "T: a layer adds T / (all layers) times what it does by itself; " +
        "as many as both sections' layers makes an ordinary transformer",
    },
    seq: { help: "Most tokens of a sentence; longer ones are left out" },
    batch: { help: "Sentences in a batch; those of like length share one" },
  },
  solvedLayers: ({ layers, decoderLayers = layers }) => layers + decoderLayers,
  prepare: async (values, begun) => {
    const { name, pairs, training, validation } = await openPairs(values);
    const tokenizer = begun === undefined
      ? await makeTokenizer(values, () => linesOf(pairs), true)
      : tokenizerFromJson(begun.tokenizer);
    const examples = await encode(values, name, training, tokenizer);
    const measured = await encode(
      values,
      values.validationData.join(", ") || `${name}, to measure on`,
      validation,
      tokenizer,
    );
    const configuration = configurationOf(values, examples);
    const task = translationTask({
      configuration,
      examples,
      validation: measured,
      tokenizer,
      batch: values.batch,
      dropout: values.dropout,
      labelSmoothing: values.labelSmoothing,
      seed: values.seed,
    });
    const { encoderLayers, decoderLayers, width, heads } = configuration;
    return {
      task: anyTask(task),
      name,
      data: `${name}, ${countWords(examples.count, "pair")} to train on and ` +
        `${countWords(measured.count, "pair")} to measure on`,
      dataDetails: detailsOf(examples, tokenizer),
      dataSize: training.length + validation.length,
      model: `encoder–decoder, layers ${encoderLayers} + ${decoderLayers}, ` +
        `width ${width}, heads ${heads}`,
      title: `A translator of ${
        countWords(encoderLayers + decoderLayers, "layer")
      } on ${name}`,
      samplesTitle,
      showSamples: (parameters, output, signal) =>
        showTranslations(
          {
            configuration,
            parameters: parameters as Tree as EncoderDecoderParameters,
            tokenizer,
            description: values,
          },
          validation,
          values,
          output,
          signal,
        ),
      commands: (folder) => [
        [`deno task evaluate --from ${folder}`, "Measure its translations"],
        [
          `deno task generate --from ${folder} --prompt "…"`,
          "Translate a sentence",
        ],
      ],
      [Symbol.dispose]: () => {},
    } satisfies PreparedTask;
  },
  evaluate: async (checkpoint, values, how) => {
    const { beams, lengthPenalty } = values;
    const trained = translatorFromCheckpoint(checkpoint);
    const { validation } = await openPairs(values);
    return await evaluateTranslation(trained, validation, {
      ...how,
      beams,
      lengthPenalty,
    });
  },
};

/** Both languages as one text, for the tokenizer. */
function* linesOf(
  pairs: readonly SentencePair[],
): Generator<string, void, void> {
  for (const { source, target } of pairs) yield `${source}\n${target}\n`;
}

function encode(
  { seq: context }: TrainValues,
  name: string,
  pairs: readonly SentencePair[],
  tokenizer: Tokenizer,
): Promise<PairExamples> {
  return encodePairs(name, pairs, { tokenizer, context });
}

function detailsOf(
  { lengths, count, tooLong }: PairExamples,
  tokenizer: Tokenizer,
): string {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const left = tooLong === 0
    ? ""
    : `; ${countWords(tooLong, "pair")} too long, left out`;
  return `${countWords(tokens, "token")} (${tokenizer.name}), ` +
    `${(tokens / count).toFixed(1)} a pair${left}`;
}

function configurationOf(
  values: TrainValues,
  { tokens }: PairExamples,
): EncoderDecoderConfiguration {
  const { layers, decoderLayers = layers } = values;
  return fromOptions(() =>
    encoderDecoderConfiguration({
      ...tokens,
      context: values.seq,
      width: values.dim,
      heads: values.heads,
      ...(values.hidden !== undefined && { hidden: values.hidden }),
      encoderLayers: layers,
      decoderLayers,
      endTime: values.endTime,
      norm: values.norm,
    })
  );
}

async function showTranslations(
  trained: TrainedTranslator,
  pairs: readonly SentencePair[],
  { beams, lengthPenalty }: TrainValues,
  output: Output,
  signal: AbortSignal,
): Promise<Sample[]> {
  const sources = pairs.slice(0, sampleCount).map(({ source }) => source);
  output.write(`\n${bold(output, `${samplesTitle}:`)}\n`);
  const texts = await translateTexts(trained, sources, {
    beams,
    lengthPenalty,
    signal,
  });
  return texts.map((text, i) => {
    output.write(`${printable(`${sources[i]} → ${text}`)}\n`);
    return { prompt: `${sources[i]} → `, text };
  });
}
