/**
 * The task `classify`: the class of a text, or a number for it; best of all
 * from the weights of a trained BERT.
 *
 * @module
 */

import {
  type Corpus,
  encodeLabelled,
  type LabelledExamples,
  type LabelledText,
  readCommentOrCode,
  readLabelledTexts,
  splitLabelled,
  type Tokenizer,
  tokenizerFromJson,
} from "../../data/mod.ts";
import {
  bertConfiguration,
  type ClassifierConfiguration,
  classifierConfiguration,
  type ClassifierParameters,
} from "../../models/mod.ts";
import type { Tree } from "../../tensor/mod.ts";
import {
  bertLayout,
  bertTokens,
  type ClassificationDescription,
  classificationTask,
  type Classified,
  classifierFromCheckpoint,
  classifyTexts,
  evaluateClassification,
  fineTunedConfiguration,
  type JsonRecord,
  type PretrainedEncoder,
  type Sample,
  type TrainedClassifier,
} from "../../train/mod.ts";
import { formatBytes } from "../../train/report_format.ts";
import { fromOptions, UsageError } from "../failure.ts";
import { makeTokenizer } from "../make_tokenizer.ts";
import { bold, type Output, printable } from "../output.ts";
import { openText } from "../prepare_text.ts";
import {
  openPretrained,
  pretrainedValues,
  requireSeen,
} from "../pretrained.ts";
import type { TrainValues } from "../train_command.ts";
import {
  anyTask,
  countWords,
  layersWords,
  measureCommands,
  type PreparedTask,
  type TaskKind,
} from "./task_kind.ts";

/** How many texts the trained model shows its labels for. */
const sampleCount = 6;

/** Stands above what the model shows. */
const samplesTitle = "How the model labels";

/** The task `classify`. */
export const classifyKind: TaskKind = {
  name: "classify",
  summary: "Trains a classifier of texts, by default to tell comments from " +
    "code in Deno's own type declarations; with --from it begins with a " +
    "trained bert.",
  examples: [
    ["deno task train --task classify", "learns comment or code, from scratch"],
    [
      "deno task train --task classify --from runs/2025-01-31-deno-types",
      "the same from the weights of a trained bert",
    ],
    [
      "deno task train --task classify --data train.tsv --validation-data dev.tsv",
      "learns the classes of a table of GLUE",
    ],
    [
      "deno task train --task classify --data pairs.csv --kind number",
      "learns numbers, such as how alike two sentences are",
    ],
  ],
  defaults: {
    tokenizer: "word-piece",
    vocabulary: 2048,
    seq: 64,
    batch: 16,
    steps: 500,
    lr: 5e-4,
    dropout: 0.1,
  },
  words: {
    data: {
      help:
        "Tables with a header (.tsv, .csv) or JSON lines, a labelled text " +
        "or pair of texts in each row",
      defaultText: "comment or code? of what `deno types` prints",
    },
    validation: {
      help: "Share of the data, drawn at random, that is kept to measure on",
    },
    seq: { help: "Tokens that the model sees; of longer texts the end is cut" },
    batch: { help: "Texts in a batch; those of like length share one" },
  },
  valuesFrom: pretrainedValues,
  prepare: async (values, begun) => {
    // A run that goes on has its weights in its checkpoint.
    const pretrained = begun === undefined && values.from !== undefined
      ? await openPretrained(values.from)
      : undefined;
    const description = begun as unknown as
      | ClassificationDescription
      | undefined;
    const texts = await openTexts(values.data, values);
    const tokenizer = await tokenizerFor(
      values,
      texts.all,
      pretrained,
      begun,
    );
    const data = await encodeTexts(
      values,
      texts,
      tokenizer,
      description?.classes,
    );
    const { train, validation } = data;
    const configuration = configurationOf(
      values,
      train,
      pretrained,
      description,
    );
    const task = classificationTask({
      configuration,
      examples: train,
      validation,
      pretrained,
      batch: values.batch,
      dropout: values.dropout,
      seed: values.seed,
      precision: values.precision,
    });
    const { before, layers, after } = configuration;
    const { corpus } = texts;
    return {
      task: anyTask(task),
      name: corpus.name,
      data: `${corpus.name}, ${formatBytes(corpus.byteLength)}`,
      dataDetails: `${countWords(data.count, "text")}, ${
        train.classes.length === 0
          ? "labels are numbers"
          : `${train.classes.length} classes`
      } (${tokenizer.name})`,
      dataSize: corpus.byteLength,
      model: `BERT ${
        pretrained === undefined ? "" : `from ${pretrained.name} `
      }with a head, layers ${
        layersWords(configuration)
      }, width ${configuration.width}, heads ${configuration.heads}`,
      title: `A classifier of ${
        countWords(before + layers + after, "layer")
      } on ${corpus.name}`,
      samplesTitle,
      showSamples: (parameters, output, signal) =>
        showLabels(
          {
            configuration,
            parameters: parameters as Tree as ClassifierParameters,
            tokenizer,
            description: task
              .description as unknown as ClassificationDescription,
          },
          data.measured,
          output,
          signal,
        ),
      commands: measureCommands,
      [Symbol.dispose]: () => {},
    } satisfies PreparedTask;
  },
  evaluate: async (checkpoint, values, how) => {
    const trained = classifierFromCheckpoint(checkpoint);
    const { description, tokenizer } = trained;
    const asTrained: TrainValues = {
      ...values,
      seq: description.sequence,
      kind: trained.configuration.head.kind === "number" ? "number" : "classes",
    };
    const { validation } = await encodeTexts(
      asTrained,
      await openTexts(values.data, asTrained),
      tokenizer,
      description.classes,
    );
    return await evaluateClassification(trained, validation, how);
  },
};

/** Labelled texts and where they are from. */
interface Texts {
  readonly corpus: Corpus;
  readonly all: readonly LabelledText[];
}

/** Reads the texts that were named, or those that are always there. */
async function openTexts(
  paths: readonly string[],
  { kind, textColumn, pairColumn, labelColumn }: TrainValues,
): Promise<Texts> {
  const numbers = kind === "number";
  if (paths.length === 0 && numbers) {
    throw new UsageError(
      `--kind number: comment or code are classes; name texts with numbers ` +
        `by --data`,
    );
  }
  const corpus = await openText(paths);
  const all = await Array.fromAsync(
    paths.length === 0 ? readCommentOrCode(corpus) : readLabelledTexts(
      corpus,
      {
        textColumn: columnOf(textColumn),
        pairColumn: columnOf(pairColumn),
        labelColumn: columnOf(labelColumn),
        numbers,
      },
    ),
  );
  return { corpus, all };
}

/** A column by its name, or by its number from 1. */
function columnOf(given: string | undefined): string | number | undefined {
  return given !== undefined && /^\d+$/.test(given) ? Number(given) : given;
}

/** The tokenizer: that of the trained model, else the one that is asked for. */
async function tokenizerFor(
  values: TrainValues,
  texts: readonly LabelledText[],
  pretrained: PretrainedEncoder | undefined,
  begun: JsonRecord | undefined,
): Promise<Tokenizer> {
  if (begun !== undefined) return tokenizerFromJson(begun.tokenizer);
  if (pretrained !== undefined) return pretrained.tokenizer;
  return await makeTokenizer(
    values,
    () => texts.flatMap(({ text, pair = "" }) => [text, pair]),
    true,
  );
}

/** Texts to train on, and texts to measure on. */
interface EncodedTexts {
  readonly train: LabelledExamples;
  readonly validation: LabelledExamples;
  /** The texts to measure on as they are written. */
  readonly measured: readonly LabelledText[];
  /** The number of all texts in the data. */
  readonly count: number;
}

async function encodeTexts(
  values: TrainValues,
  { corpus, all }: Texts,
  tokenizer: Tokenizer,
  classes: readonly string[] | undefined,
): Promise<EncodedTexts> {
  const { kind, seq, validation: share, validationData } = values;
  const layout = bertLayout(tokenizer, seq);
  const labels = kind === "number" ? "numbers" : classes;
  const examples = await encodeLabelled(corpus.name, all, layout, labels);
  const count = examples.count;
  if (kind === "classes" && examples.classes.length < 2) {
    throw new UsageError(
      `${corpus.name}: all labels are ${
        JSON.stringify(examples.classes[0])
      }; there must be two classes at least, or --kind number`,
    );
  }
  if (validationData.length > 0) {
    const other = await openTexts(validationData, values);
    const validation = await encodeLabelled(
      other.corpus.name,
      other.all,
      layout,
      kind === "number" ? "numbers" : examples.classes,
    );
    return { train: examples, validation, measured: other.all, count };
  }
  const parts = splitLabelled(examples, share);
  if (parts.validation.count === 0) {
    throw new UsageError(
      `--validation ${share} of ${countWords(count, "text")} leaves none to ` +
        `measure on; raise it, or give --validation-data`,
    );
  }
  const measured = Array.from(parts.measured, (place) => all[place]);
  return { ...parts, measured, count };
}

function configurationOf(
  values: TrainValues,
  { classes, layout }: LabelledExamples,
  pretrained: PretrainedEncoder | undefined,
  begun: ClassificationDescription | undefined,
): ClassifierConfiguration {
  const head = classes.length === 0
    ? { kind: "number", outputs: 1 } as const
    : { kind: "classes", outputs: classes.length } as const;
  const { before, layers, after, seq } = values;
  const split = { before, layers, after };
  const trained = begun?.model ?? pretrained?.configuration;
  if (trained !== undefined) requireSeen(values, trained);
  return fromOptions(() => {
    if (begun !== undefined) {
      return classifierConfiguration({ ...begun.model, ...split }, head);
    }
    if (pretrained === undefined) {
      return classifierConfiguration(
        bertConfiguration({
          ...split,
          vocabulary: bertTokens(layout.tokenizer).vocabulary,
          context: seq,
          width: values.dim,
          heads: values.heads,
          hidden: values.hidden,
          endTime: values.endTime,
          norm: values.norm,
        }),
        head,
      );
    }
    return fineTunedConfiguration(pretrained.configuration, head, split);
  });
}

async function showLabels(
  trained: TrainedClassifier,
  texts: readonly LabelledText[],
  output: Output,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const step = Math.max(1, Math.floor(texts.length / sampleCount));
  output.write(`\n${bold(output, `${samplesTitle}:`)}\n`);
  for (let i = 0; i < texts.length && samples.length < sampleCount; i += step) {
    if (signal.aborted) break;
    const { text, pair } = texts[i];
    const [found] = await classifyTexts(trained, [texts[i]]);
    const input = pair === undefined ? text : `${text} | ${pair}`;
    output.write(`${printable(`${labelWords(found)}: ${input}`)}\n`);
    samples.push({ prompt: input, text: ` → ${labelWords(found)}` });
  }
  return samples;
}

function labelWords({ label, probability }: Classified): string {
  return probability === undefined
    ? Number(label).toPrecision(3)
    : `${label} (${(100 * probability).toFixed(0)} %)`;
}
