/**
 * The task `gpt`: a GPT that predicts the next token of a text.
 *
 * @module
 */

import { type Tokenizer, tokenizerFromJson } from "../../data/mod.ts";
import type { GptParameters } from "../../models/mod.ts";
import type { Tree } from "../../tensor/mod.ts";
import {
  evaluateGpt,
  gptFromCheckpoint,
  gptTask,
  type JsonRecord,
  type Sample,
} from "../../train/mod.ts";
import { formatBytes } from "../../train/report_format.ts";
import { modelConfiguration } from "../model_values.ts";
import { bold, type Output, printable } from "../output.ts";
import { prepareText } from "../prepare_text.ts";
import type { TrainValues } from "../train_command.ts";
import { defaultPrompt, type Writer, writeText } from "../write_text.ts";
import {
  anyTask,
  countWords,
  layersWords,
  type PreparedTask,
  type TaskKind,
} from "./task_kind.ts";

/** Stands above what the model shows. */
const samplesTitle = "What the model writes";

/** The task `gpt`. */
export const gptKind: TaskKind = {
  name: "gpt",
  summary: "Trains a GPT on text, by default on Deno's own type declarations " +
    "in two to three minutes.",
  examples: [
    ["deno task train", "trains the default model on what `deno types` prints"],
    [
      "deno task train --data book.txt --layers 6 --steps 3000",
      "trains a deeper one on a text of your own",
    ],
    [
      "deno task train --layers 16 --levels 1,2 --probe-every 100",
      "takes the backward pass by multigrid, and often looks how exact it is",
    ],
    [
      "deno task train --task vit --help",
      "tells options and defaults of another task",
    ],
    ["deno task train --resume", "goes on with the newest run"],
  ],
  defaults: {},
  prepare: async (values, begun) => {
    const text = await prepareText(values, savedTokenizer(begun));
    const { corpus, tokenizer, length, bytesPerToken, split } = text;
    const configuration = modelConfiguration(values, tokenizer);
    const { before, layers, after, dim, heads } = values;
    const task = gptTask({
      configuration,
      tokens: split.train,
      validation: split.validation,
      batch: values.batch,
      dropout: values.dropout,
      seed: values.seed,
      precision: values.precision,
      tokenizer,
    });
    return {
      task: anyTask(task),
      name: corpus.name,
      data: `${corpus.name}, ${formatBytes(corpus.byteLength)}`,
      dataDetails: `${countWords(length, "token")} (${tokenizer.name})`,
      dataSize: corpus.byteLength,
      model: `GPT, layers ${layersWords(values)}, width ${dim}, heads ${heads}`,
      title: `A GPT of ${
        countWords(before + layers + after, "layer")
      } on ${corpus.name}`,
      bytesPerToken,
      samplesTitle,
      showSamples: (parameters, output, signal) =>
        writeSamples(
          {
            configuration,
            parameters: parameters as Tree as GptParameters,
            tokenizer,
          },
          values,
          output,
          signal,
        ),
      commands: (folder) => [
        [`deno task generate --from ${folder}`, "Write more text"],
        [`deno task evaluate --from ${folder}`, "Measure it"],
      ],
      [Symbol.dispose]: () => text[Symbol.dispose](),
    } satisfies PreparedTask;
  },
  evaluate: async (checkpoint, values, how) => {
    const trained = gptFromCheckpoint(checkpoint);
    const { description, tokenizer } = trained;
    using text = await prepareText(
      { ...values, seq: description.sequence },
      tokenizer,
    );
    return await evaluateGpt(trained, text.split.validation, {
      ...how,
      batch: description.batch,
      bytesPerToken: text.bytesPerToken,
    });
  },
};

/** The tokenizer of a run that goes on. */
function savedTokenizer(begun: JsonRecord | undefined): Tokenizer | undefined {
  return begun && tokenizerFromJson(begun.tokenizer);
}

/** How freely samples are written. */
const temperature = 0.8;
/** How many samples the report shows; the first one is printed. */
const sampleCount = 2;

async function writeSamples(
  writer: Writer,
  { sample: count }: TrainValues,
  output: Output,
  signal: AbortSignal,
): Promise<Sample[]> {
  if (count === 0) return [];
  const prompt = defaultPrompt(writer.tokenizer);
  const samples: Sample[] = [];
  output.write(`\n${bold(output, `${samplesTitle}:`)}\n`);
  for (let seed = 0; seed < sampleCount && !signal.aborted; seed++) {
    const options = { count, temperature, seed };
    let written = "";
    for await (const piece of writeText(writer, prompt, options)) {
      written += piece;
      if (seed === 0) output.write(printable(piece));
      if (signal.aborted) break;
    }
    samples.push({ prompt, text: written });
  }
  output.write("\n");
  return samples;
}
