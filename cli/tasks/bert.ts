/**
 * The task `bert`: a BERT that fills gaps in a text.
 *
 * @module
 */

import {
  type Tokenizer,
  tokenizerFromJson,
  type TokenSource,
} from "../../data/mod.ts";
import {
  type BertConfiguration,
  bertConfiguration,
  type BertParameters,
} from "../../models/mod.ts";
import type { Tree } from "../../tensor/mod.ts";
import {
  bertFromCheckpoint,
  bertTask,
  bertTokens,
  evaluateBert,
  fillGaps,
  type Sample,
  type TrainedBert,
} from "../../train/mod.ts";
import { formatBytes } from "../../train/report_format.ts";
import { fromOptions } from "../failure.ts";
import { bold, type Output, printable } from "../output.ts";
import { prepareText } from "../prepare_text.ts";
import type { TrainValues } from "../train_command.ts";
import {
  anyTask,
  countWords,
  layersWords,
  type PreparedTask,
  type TaskKind,
} from "./task_kind.ts";

/** How many windows the trained model fills the gaps of. */
const sampleCount = 3;

/** Stands above what the model shows. */
const samplesTitle = "How the model fills gaps";

/** The task `bert`. */
export const bertKind: TaskKind = {
  name: "bert",
  summary:
    "Trains a BERT to fill gaps in text, by default in Deno's own type " +
    "declarations.",
  examples: [
    ["deno task train --task bert", "trains on what `deno types` prints"],
    [
      "deno task train --task bert --data books/ --vocabulary 8000",
      "trains on texts of your own, with more word pieces",
    ],
    [
      "deno task train --task bert --data texts.jsonl --tokenizer bert-base/vocab.txt",
      "trains on the field text of JSON lines, with BERT's own word pieces",
    ],
  ],
  defaults: {
    tokenizer: "word-piece",
    vocabulary: 1024,
    endTime: 4,
    seq: 64,
    batch: 16,
    lr: 2e-3,
    evaluateEvery: 250,
  },
  words: {
    data: {
      help: "Text files, JSON lines with a field text, folders or patterns; " +
        "again for more",
    },
  },
  prepare: async (values, begun) => {
    const text = await prepareText(
      values,
      begun && tokenizerFromJson(begun.tokenizer),
    );
    const { corpus, tokenizer, length, split } = text;
    const configuration = configurationOf(values, tokenizer);
    const task = bertTask({
      configuration,
      tokenizer,
      tokens: split.train,
      validation: split.validation,
      batch: values.batch,
      masked: values.masked,
      dropout: values.dropout,
      seed: values.seed,
      precision: values.precision,
    });
    const { before, layers, after, dim, heads } = values;
    return {
      task: anyTask(task),
      name: corpus.name,
      data: `${corpus.name}, ${formatBytes(corpus.byteLength)}`,
      dataDetails: `${countWords(length, "token")} (${tokenizer.name})`,
      dataSize: corpus.byteLength,
      model: `BERT, layers ${
        layersWords(values)
      }, width ${dim}, heads ${heads}`,
      title: `A BERT of ${
        countWords(before + layers + after, "layer")
      } on ${corpus.name}`,
      samplesTitle,
      showSamples: (parameters, output, signal) =>
        showGaps(
          {
            configuration,
            parameters: parameters as Tree as BertParameters,
            description: task.description as unknown as TrainedBert[
              "description"
            ],
            tokenizer,
          },
          split.validation,
          output,
          signal,
        ),
      commands: (folder) => [[
        `deno task train --task classify --from ${folder}`,
        "Fine-tune it to classify texts",
      ]],
      [Symbol.dispose]: () => text[Symbol.dispose](),
    } satisfies PreparedTask;
  },
  evaluate: async (checkpoint, values, how) => {
    const trained = bertFromCheckpoint(checkpoint);
    const { description, tokenizer } = trained;
    using text = await prepareText(
      { ...values, seq: description.sequence },
      tokenizer,
    );
    return await evaluateBert(trained, text.split.validation, how);
  },
};

function configurationOf(
  values: TrainValues,
  tokenizer: Tokenizer,
): BertConfiguration {
  return fromOptions(() =>
    bertConfiguration({
      vocabulary: bertTokens(tokenizer).vocabulary,
      context: values.seq,
      width: values.dim,
      heads: values.heads,
      hidden: values.hidden,
      layers: values.layers,
      before: values.before,
      after: values.after,
      endTime: values.endTime,
      norm: values.norm,
      tied: !values.untied,
    })
  );
}

/** Tokens of the text in a sample. */
const sampleTokens = 48;

async function showGaps(
  trained: TrainedBert,
  text: TokenSource,
  output: Output,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const { sequence } = trained.description;
  const window = new Int32Array(
    Math.min(sampleTokens, Math.max(1, sequence - 2)),
  );
  output.write(`\n${bold(output, `${samplesTitle}:`)}\n`);
  for (let i = 0; i < sampleCount && !signal.aborted; i++) {
    const places = text.length - window.length;
    text.read(Math.floor(i * places / sampleCount), window);
    const { gaps, filled } = await fillGaps(trained, window, i);
    output.write(`${printable(gaps)}\n${printable(filled)}\n\n`);
    samples.push({ prompt: gaps, text: ` → ${filled}` });
  }
  return samples;
}
