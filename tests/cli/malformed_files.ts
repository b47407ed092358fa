/** Files as users have them, to be broken. */

import {
  bertConfiguration,
  bertToHuggingFace,
  type HostArray,
  initializeBert,
  writeSafetensors,
} from "../../models/mod.ts";

/** The files of a case: paths in its folder, and what is in them. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Bytes one after the other. */
export function bytes(
  ...parts: readonly (string | ArrayLike<number>)[]
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  return Uint8Array.from(
    parts.flatMap((part) =>
      Array.from(typeof part === "string" ? encoder.encode(part) : part)
    ),
  );
}

function bigEndian(value: number): number[] {
  return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

/** An IDX file of unsigned bytes; they are 0, 1, 0, 1, … */
export function idx(...shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const size = shape.reduce((product, length) => product * length, 1);
  return bytes(
    [0, 0, 8, shape.length],
    shape.flatMap(bigEndian),
    Uint8Array.from({ length: size }, (_, place) => place % 2),
  );
}

/** A folder `m` of 20 images and their labels in IDX files. */
export function idxFolder(images = idx(20, 8, 8), labels = idx(20)): Files {
  return {
    "m/train-images-idx3-ubyte": images,
    "m/train-labels-idx1-ubyte": labels,
  };
}

/** A line of CoNLL-U. */
export function word(id: number | string, form: string, upos: string): string {
  return [id, form, "_", upos, "_", "_", 0, "root", "_", "_"].join("\t") + "\n";
}

/** A treebank of 20 sentences of two words. */
export const treebank: string = `${word(1, "the", "DET")}${
  word(2, "dog", "NOUN")
}\n`
  .repeat(20);

/** 20 labelled texts as a table. */
export const table: string = "sentence\tlabel\n" +
  "good day\tyes\nbad day\tno\n".repeat(10);

/** A gettext catalogue of one message, little-endian. */
export function catalogue(
  { magic = 0x950412de, charset = "UTF-8", start = 44 },
): Uint8Array<ArrayBuffer> {
  const header = `Content-Type: text/plain; charset=${charset}\n`;
  const little = (value: number) => bigEndian(value).toReversed();
  return bytes(
    [magic, 0, 1, 28, 36, 0, 0, 0, start, header.length, start].flatMap(little),
    header,
  );
}

const vocabulary = [
  ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
  ...["good", "bad", "day"],
];

/** A tiny BERT in Hugging Face's layout, for the default device. */
export interface HuggingFaceFolder {
  /** What `config.json` says. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The weights. */
  readonly arrays: Readonly<Record<string, HostArray>>;
  /** The tokens of `vocab.txt`. */
  readonly vocabulary: readonly string[];
}

/** Makes one. */
export async function huggingFaceFolder(): Promise<HuggingFaceFolder> {
  const configuration = bertConfiguration({
    vocabulary: vocabulary.length,
    context: 8,
    width: 4,
    heads: 2,
    hidden: 8,
    layers: 2,
    before: 0,
    after: 0,
    endTime: 2,
    norm: "post",
  });
  const config = {
    model_type: "bert",
    vocab_size: vocabulary.length,
    max_position_embeddings: 8,
    type_vocab_size: 2,
    hidden_size: 4,
    num_attention_heads: 2,
    num_hidden_layers: 2,
    intermediate_size: 8,
  };
  const parameters = initializeBert(configuration, 0);
  const arrays = await bertToHuggingFace(configuration, parameters);
  return { config, arrays, vocabulary };
}

/** Its files in a folder `h`, and a table to be fine-tuned on. */
export function filesOf(
  { config, arrays, vocabulary }: HuggingFaceFolder,
): Files {
  return {
    "t.tsv": table,
    "h/config.json": JSON.stringify(config),
    "h/model.safetensors": writeSafetensors(arrays),
    "h/vocab.txt": vocabulary.join("\n") + "\n",
  };
}
