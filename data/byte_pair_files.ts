import { byteCharacters } from "./byte_alphabet.ts";
import {
  type BytePairJson,
  type BytePairTokenizer,
  bytePairTokenizer,
} from "./byte_pair_tokenizer.ts";
import { CorpusError } from "./corpus_error.ts";
import { isJsonObject, parseJsonText } from "./json_text.ts";
import { readTextStrictly } from "./strict_utf8.ts";

/** The two files of a byte-pair tokenizer, as text. */
export interface BytePairFiles {
  /** `vocab.json`: an object with the id of each token. */
  readonly vocabulary: string;
  /** `merges.txt`: a merge a line, by rank, after a line `#version: 0.2`. */
  readonly merges: string;
}

/**
 * The tokenizer of `vocab.json` and `merges.txt`, the format of GPT-2.
 *
 * @param folder The folder that they are in, for error messages.
 * @throws {CorpusError} If `vocabulary` isn't a JSON object of tokens with the
 * ids 0 to n - 1, or a merge isn't of two tokens that the vocabulary has and
 * that merges before it make; names file and line.
 */
export function parseBytePairFiles(
  files: BytePairFiles,
  folder?: string,
): BytePairTokenizer {
  const inFolder = (name: string): string =>
    folder === undefined ? name : `${folder}/${name}`;
  const name = inFolder("vocab.json");
  const vocabulary = parseJsonText(name, files.vocabulary);
  if (!isVocabulary(vocabulary)) {
    throw new CorpusError(`${name}: expected a JSON object from token to id`);
  }
  const lines = files.merges.split(/\r?\n/);
  const merges: string[] = [];
  const numbers: number[] = [];
  lines.forEach((line, index) => {
    if (line === "" || (index === 0 && line.startsWith("#version"))) return;
    merges.push(line);
    numbers.push(index + 1);
  });
  const placeOf = (rank: number): string =>
    `${inFolder("merges.txt")}:${numbers[rank]}`;
  return checkedBytePairs({ vocabulary, merges }, name, placeOf);
}

/** Whether a value is a JSON object from token to number. */
export function isVocabulary(
  value: unknown,
): value is Readonly<Record<string, number>> {
  return isJsonObject(value) &&
    Object.values(value).every((id) => typeof id === "number");
}

/**
 * The tokenizer of a vocabulary and merges from a file.
 *
 * @param name The file, for error messages.
 * @param placeOf Where in a file a merge is.
 * @throws {CorpusError} See {@linkcode parseBytePairFiles}.
 */
export function checkedBytePairs(
  pairs: Omit<BytePairJson, "kind">,
  name: string,
  placeOf: (rank: number) => string,
): BytePairTokenizer {
  checkOrder(pairs, placeOf);
  try {
    return bytePairTokenizer(pairs);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorpusError(`${name}: ${error.message}`);
  }
}

/** Each merge is of bytes or of what merges before it made. */
function checkOrder(
  { vocabulary, merges }: Omit<BytePairJson, "kind">,
  placeOf: (rank: number) => string,
): void {
  const made = new Set(byteCharacters);
  const quote = JSON.stringify;
  merges.forEach((merge, rank) => {
    const fail = (message: string): never => {
      throw new CorpusError(
        `${placeOf(rank)}: merge ${quote(merge)}: ${message}`,
      );
    };
    const parts = merge.split(" ");
    if (parts.length !== 2 || parts.includes("")) {
      fail("expected two tokens with a space between them");
    }
    for (const part of parts) {
      if (made.has(part)) continue;
      fail(
        Object.hasOwn(vocabulary, part)
          ? `no merge before it makes ${quote(part)}; ` +
            `expected merges in the order in which they were learned`
          : `${quote(part)} isn't a token of the vocabulary`,
      );
    }
    const result = parts.join("");
    if (!Object.hasOwn(vocabulary, result)) {
      fail(`what it makes, ${quote(result)}, isn't a token of the vocabulary`);
    }
    made.add(result);
  });
}

/** The text of `vocab.json` and `merges.txt` of a byte-pair tokenizer. */
export function formatBytePairFiles(
  tokenizer: BytePairTokenizer,
): BytePairFiles {
  const { vocabulary, merges } = tokenizer.toJSON();
  return {
    vocabulary: JSON.stringify(vocabulary),
    merges: ["#version: 0.2", ...merges, ""].join("\n"),
  };
}

/**
 * Reads the tokenizer in a folder with `vocab.json` and `merges.txt`.
 *
 * @throws {CorpusError} If one of them can't be read; and see
 * {@linkcode parseBytePairFiles}.
 */
export async function loadBytePairTokenizer(
  directory: string,
): Promise<BytePairTokenizer> {
  const [vocabulary, merges] = await Promise.all([
    readTextStrictly(`${directory}/vocab.json`),
    readTextStrictly(`${directory}/merges.txt`),
  ]);
  return parseBytePairFiles({ vocabulary, merges }, directory);
}
