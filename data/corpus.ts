import { CorpusError } from "./corpus_error.ts";
import { decodeDocument } from "./decode_document.ts";
import { accessing } from "./file_access.ts";
import { findFiles } from "./find_files.ts";
import { isJsonLinesName, readJsonLines } from "./json_lines.ts";
import { lineError, readLines } from "./lines.ts";
import { lastCut } from "./pieces.ts";

/** One text of a corpus. */
export interface CorpusDocument {
  /** The path of the file, or what else the text is called. */
  readonly name: string;
  /** The size of the text in UTF-8. */
  readonly byteLength: number;
  /** The text in UTF-8 where it isn't in a file. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** Texts to train on, one after the other. */
export interface Corpus {
  /** What to call it. */
  readonly name: string;
  /** The texts, in order. */
  readonly documents: readonly CorpusDocument[];
  /** The size of all texts in UTF-8. */
  readonly byteLength: number;
  /** Files in folders that were passed over because they aren't text. */
  readonly skipped: readonly string[];
}

/** A corpus of one text in memory. */
export function textCorpus(name: string, text: string): Corpus {
  const bytes = new TextEncoder().encode(text);
  const byteLength = bytes.length;
  const documents = [{ name, byteLength, bytes }];
  return { name, documents, byteLength, skipped: [] };
}

/**
 * The corpus that every Deno brings along: what `deno types` prints, the
 * TypeScript declarations of Deno's programming interface.
 *
 * @throws {CorpusError} If the running program isn't `deno`, or it fails.
 */
export async function defaultCorpus(): Promise<Corpus> {
  const name = "deno types";
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["types"],
    env: { NO_COLOR: "1" },
  }).output();
  if (success && stdout.length > 0) {
    return textCorpus(name, new TextDecoder().decode(stdout));
  }
  throw new CorpusError(
    `${name}: ${Deno.execPath()} types printed no text: ${
      new TextDecoder().decode(stderr).trim()
    }`,
  );
}

/**
 * A corpus of files. Each path is a file, a folder or a pattern, as
 * `findFiles` takes it; a file named twice counts once. Nothing is read yet
 * but the beginning of each file. A file with a zero byte there isn't text:
 * in a folder it is passed over, elsewhere it is an error.
 *
 * @throws {CorpusError} If a path has no files, a file isn't text, or there is
 * no text in them.
 */
export async function openCorpus(paths: readonly string[]): Promise<Corpus> {
  const documents = new Map<string, CorpusDocument>();
  const skipped = new Set<string>();
  for (const path of paths) {
    const { files, fromFolder } = await findFiles(path);
    const texts: string[] = [];
    for (const name of files) {
      const zero = await zeroByte(name);
      if (zero === undefined) texts.push(name);
      else if (fromFolder) skipped.add(name);
      else {
        throw new CorpusError(
          `${name}: not a text: byte ${zero} is zero, as in binary files`,
        );
      }
    }
    if (texts.length === 0) {
      throw new CorpusError(`${path}: none of the files in it is text`);
    }
    for (const name of texts) {
      const { size: byteLength } = await accessing(name, () => Deno.stat(name));
      documents.set(name, { name, byteLength });
    }
  }
  const list = [...documents.values()];
  const byteLength = list.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const name = paths.join(", ");
  if (byteLength === 0) throw new CorpusError(`${name}: holds no text`);
  return { name, documents: list, byteLength, skipped: [...skipped] };
}

/** The place of the first zero byte in the beginning of a file. */
async function zeroByte(path: string): Promise<number | undefined> {
  using file = await accessing(path, () => Deno.open(path));
  const start = new Uint8Array(8192);
  const read = await accessing(path, () => file.read(start)) ?? 0;
  const place = start.subarray(0, read).indexOf(0);
  return place === -1 ? undefined : place;
}

const defaultChunkBytes = 2 ** 20;

/**
 * The text of a corpus in chunks of about `chunkBytes`, 1 MiB by default. A
 * chunk ends before white space that follows something else, or with its
 * document, so that tokenizers give the same ids for the chunks as for the
 * whole document. Where there is no such place the chunk is longer.
 *
 * Of a document in JSON lines (`.jsonl`, `.ndjson`) it is the field `text` of
 * each line, with a line end behind it.
 *
 * @throws {CorpusError} If a document isn't valid UTF-8; names the first byte
 * that isn't. If a line of JSON lines has no text; names the line.
 */
export async function* readText(
  corpus: Corpus,
  chunkBytes: number = defaultChunkBytes,
): AsyncGenerator<string, void, void> {
  for (const document of corpus.documents) {
    let rest = "";
    for await (const part of documentText(document, chunkBytes)) {
      const text = rest + part;
      const cut = lastCut(text, rest.length) ?? 0;
      if (cut > 0) yield text.slice(0, cut);
      rest = text.slice(cut);
    }
    if (rest !== "") yield rest;
  }
}

/** The text of a document, in parts of whole characters. */
async function* documentText(
  document: CorpusDocument,
  chunkBytes: number,
): AsyncGenerator<string, void, void> {
  if (!isJsonLinesName(document.name)) {
    yield* decodeDocument(document, chunkBytes);
    return;
  }
  let part = "";
  for await (
    const line of readJsonLines(readLines({ documents: [document] }))
  ) {
    const { text } = line.fields;
    if (typeof text !== "string") {
      throw lineError(line, `no text in it; expected {"text": "…"}`);
    }
    part += `${text}\n`;
    if (part.length >= chunkBytes) {
      yield part;
      part = "";
    }
  }
  if (part !== "") yield part;
}
