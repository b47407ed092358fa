import { parseBytePairFiles } from "./byte_pair_files.ts";
import { CorpusError } from "./corpus_error.ts";
import { fileInfo } from "./file_access.ts";
import { parseHuggingFaceTokenizer } from "./hugging_face_tokenizer.ts";
import { isJsonObject, parseJsonText } from "./json_text.ts";
import { readTextStrictly } from "./strict_utf8.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { parseWordPieceVocabulary } from "./word_piece_files.ts";

/**
 * Reads a tokenizer from a folder or a file. In a folder the first of these
 * counts: `tokenizer.json` (Hugging Face's), `vocab.json` with `merges.txt`
 * (GPT-2's), `vocab.txt` (BERT's). A file is one of those by its name, or, where
 * it ends with `.json` or `.txt`, a `tokenizer.json` or a `vocab.txt` by
 * another name.
 *
 * Whether a `vocab.txt` is for lower-case text is read from
 * `do_lower_case` in `tokenizer_config.json` beside it; without that file it is
 * if no token has an upper-case letter.
 *
 * @throws {CorpusError} If there is no such tokenizer, or a mistake in it.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const info = await fileInfo(path);
  if (info === undefined) {
    throw new CorpusError(`${path}: no such file or folder`);
  }
  if (info.isDirectory) {
    const folder = path.replace(/(.)\/+$/, "$1");
    const files = ["tokenizer.json", "vocab.json", "vocab.txt"];
    for (const file of files) {
      const found = `${folder}/${file}`;
      if (await fileInfo(found) !== undefined) return await loadFile(found);
    }
    throw new CorpusError(
      `${path}: no tokenizer in this folder; expected tokenizer.json, ` +
        `vocab.json with merges.txt, or vocab.txt`,
    );
  }
  return await loadFile(path);
}

async function loadFile(path: string): Promise<Tokenizer> {
  const slash = path.lastIndexOf("/");
  const folder = slash === -1 ? "." : path.slice(0, slash);
  const name = path.slice(slash + 1);
  if (name === "vocab.json" || name === "merges.txt") {
    const vocabulary = await readBeside(`${folder}/vocab.json`, "merges.txt");
    const merges = await readBeside(`${folder}/merges.txt`, "vocab.json");
    return parseBytePairFiles({ vocabulary, merges }, folder);
  }
  if (name.endsWith(".json")) {
    return parseHuggingFaceTokenizer(await readTextStrictly(path), path);
  }
  if (name.endsWith(".txt")) {
    return parseWordPieceVocabulary(await readTextStrictly(path), {
      name: path,
      lowercase: await configuredLowercase(`${folder}/tokenizer_config.json`),
    });
  }
  throw new CorpusError(
    `${path}: not the file of a tokenizer; expected tokenizer.json, ` +
      `vocab.json, merges.txt or vocab.txt`,
  );
}

async function readBeside(path: string, other: string): Promise<string> {
  if (await fileInfo(path) === undefined) {
    throw new CorpusError(`${path}: no such file; ${other} needs it`);
  }
  return await readTextStrictly(path);
}

/** What `tokenizer_config.json` says about case, if there is one. */
async function configuredLowercase(
  path: string,
): Promise<boolean | undefined> {
  if (await fileInfo(path) === undefined) return undefined;
  const configuration = parseJsonText(path, await readTextStrictly(path));
  if (!isJsonObject(configuration)) {
    throw new CorpusError(`${path}: expected a JSON object`);
  }
  const { do_lower_case: lowercase } = configuration;
  if (lowercase === undefined || typeof lowercase === "boolean") {
    return lowercase;
  }
  throw new CorpusError(
    `${path}: do_lower_case: ${JSON.stringify(lowercase)}: ` +
      `expected true or false`,
  );
}
