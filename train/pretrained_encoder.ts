/**
 * Encoders that were trained before: a run of ours, or a model in Hugging
 * Face's layout.
 *
 * @module
 */

import {
  CorpusError,
  loadTokenizer,
  type Tokenizer,
  tokenizerFromJson,
} from "../data/mod.ts";
import { fileInfo, readFile } from "../data/file_access.ts";
import { shownJson } from "../data/json_fields.ts";
import { isJsonObject, parseJsonText } from "../data/json_text.ts";
import { readTextStrictly } from "../data/strict_utf8.ts";
import {
  type BertConfiguration,
  bertConfiguration,
  bertConfigurationFromHuggingFace,
  classifierFromBert,
  classifierFromHuggingFace,
  type EncoderParameters,
  type HostArray,
  type HuggingFaceBertConfiguration,
  readSafetensors,
} from "../models/mod.ts";
import { dispose, type Tree } from "../tensor/internal.ts";
import { bertTokens } from "./bert_rows.ts";
import { type BertDescription, bertFromCheckpoint } from "./bert_task.ts";
import type { ModelCheckpoint } from "./checkpoint.ts";
import {
  classifierFromCheckpoint,
  type PretrainedWeights,
} from "./classification_task.ts";
import { CheckpointError } from "./manifest.ts";

/** An encoder to fine-tune. */
export interface PretrainedEncoder extends PretrainedWeights {
  /** Where it is from. */
  readonly name: string;
  /** Its shape. */
  readonly configuration: BertConfiguration;
  /** What made the tokens that it knows. */
  readonly tokenizer: Tokenizer;
}

/** Makes the parameters of a checkpoint, an encoder's among them. */
type EncoderReader = (
  checkpoint: ModelCheckpoint,
) => { readonly parameters: EncoderParameters & Tree };

/**
 * The encoder in a checkpoint of the task `bert` or `classify`. No device is
 * needed before the classifier is made.
 *
 * @throws {CheckpointError} If it is of another task, or lacks something.
 */
export function encoderFromCheckpoint(
  checkpoint: ModelCheckpoint,
): PretrainedEncoder {
  const { manifest: { task }, path } = checkpoint;
  const readers: Readonly<Record<string, EncoderReader | undefined>> = {
    bert: bertFromCheckpoint,
    classify: classifierFromCheckpoint,
  };
  const read = readers[task.name];
  if (read === undefined) {
    throw new CheckpointError(
      `${path}: is a checkpoint of the task "${task.name}"; expected one of ` +
        `bert or classify`,
    );
  }
  const { model, tokenizer } = task.description as Partial<BertDescription>;
  if (model === undefined || tokenizer === undefined) {
    throw new CheckpointError(
      `${path}/manifest.json: the task's description has no model or no ` +
        `tokenizer; use another checkpoint`,
    );
  }
  return {
    name: path,
    configuration: bertConfiguration(model),
    tokenizer: tokenizerFromJson(tokenizer),
    classifier: (configuration, seed) => {
      const { parameters } = read(checkpoint);
      try {
        return classifierFromBert(configuration, parameters, seed);
      } finally {
        dispose(parameters);
      }
    },
  };
}

/**
 * The encoder in a folder of Hugging Face's: `config.json`,
 * `model.safetensors`, and a tokenizer as `loadTokenizer` finds it.
 *
 * @throws {CorpusError} If a file is missing or malformed, or the model isn't
 * a BERT of a kind that is known.
 */
export async function loadPretrainedEncoder(
  folder: string,
): Promise<PretrainedEncoder> {
  const given = await readConfiguration(`${folder}/config.json`);
  const path = `${folder}/model.safetensors`;
  await refuseShards(path);
  const bytes = await readFile(await requireFile(path));
  const refuse = (path: string, error: unknown): never => {
    if (!(error instanceof RangeError || error instanceof SyntaxError)) {
      throw error;
    }
    throw new CorpusError(`${path}: ${error.message}`);
  };
  let arrays: Record<string, HostArray> = {};
  try {
    arrays = withoutHead(readSafetensors(bytes).arrays);
  } catch (error) {
    refuse(path, error);
  }
  const tokenizer = await loadTokenizer(folder);
  let configuration: BertConfiguration;
  try {
    configuration = bertConfigurationFromHuggingFace(given);
  } catch (error) {
    return refuse(`${folder}/config.json`, error);
  }
  const { vocabulary } = bertTokens(tokenizer);
  if (vocabulary > configuration.vocabulary) {
    throw new CorpusError(
      `${folder}: its tokenizer has ${vocabulary} tokens, [MASK] among them, ` +
        `but vocab_size in config.json is ${configuration.vocabulary}; expected ` +
        `the files of one model`,
    );
  }
  return {
    name: folder,
    configuration,
    tokenizer,
    classifier: (configuration, seed) => {
      try {
        return classifierFromHuggingFace(configuration, arrays, seed);
      } catch (error) {
        return refuse(path, error);
      }
    },
  };
}

async function readConfiguration(
  path: string,
): Promise<HuggingFaceBertConfiguration> {
  const text = await readTextStrictly(await requireFile(path));
  const given = parseJsonText(path, text);
  if (!isJsonObject(given)) {
    throw new CorpusError(`${path}: expected a JSON object`);
  }
  const { model_type: type = "bert" } = given;
  if (type !== "bert") {
    throw new CorpusError(
      `${path}: model_type ${JSON.stringify(type)} isn't supported; ` +
        `expected "bert"`,
    );
  }
  for (const field of numbers) {
    if (typeof given[field] === "number") continue;
    throw new CorpusError(
      `${path}: ${field}: ${shownJson(given[field])}: expected a number`,
    );
  }
  // What older files leave out.
  const complete = { layer_norm_eps: 1e-12, hidden_act: "gelu", ...given };
  return complete as unknown as HuggingFaceBertConfiguration;
}

const numbers = [
  "vocab_size",
  "max_position_embeddings",
  "type_vocab_size",
  "hidden_size",
  "num_attention_heads",
  "num_hidden_layers",
  "intermediate_size",
] as const;

/** The path, if there is a file. */
async function requireFile(path: string): Promise<string> {
  if (await fileInfo(path) !== undefined) return path;
  throw new CorpusError(
    `${path}: no such file; expected a folder with config.json, ` +
      `model.safetensors and a tokenizer`,
  );
}

/** Large models may have their weights in several files and an index. */
async function refuseShards(path: string): Promise<void> {
  const index = `${path}.index.json`;
  if (await fileInfo(path) !== undefined) return;
  if (await fileInfo(index) === undefined) return;
  throw new CorpusError(
    `${index}: weights in several files aren't supported; expected all of ` +
      `them in one model.safetensors: save the model again without shards`,
  );
}

/** Another task's classes are of no use. */
function withoutHead(
  arrays: Readonly<Record<string, HostArray>>,
): Record<string, HostArray> {
  return Object.fromEntries(
    Object.entries(arrays).filter(([name]) => !name.startsWith("classifier.")),
  );
}
