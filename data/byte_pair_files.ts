import { bytePairTokenizer } from "./byte_pair_tokenizer.ts";
import type { BytePairTokenizer } from "./byte_pair_tokenizer.ts";

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
 * @throws {SyntaxError} If `vocabulary` isn't a JSON object.
 * @throws {RangeError} If the two don't make a tokenizer, see
 * `bytePairTokenizer`.
 */
export function parseBytePairFiles(files: BytePairFiles): BytePairTokenizer {
  const vocabulary = parseVocabulary(files.vocabulary);
  const lines = files.merges.split(/\r?\n/);
  if (lines[0].startsWith("#version")) lines.shift();
  const merges = lines.filter((line) => line !== "");
  return bytePairTokenizer({ vocabulary, merges });
}

function parseVocabulary(text: string): Record<string, number> {
  const parsed: unknown = JSON.parse(text);
  if (
    typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
  ) return parsed as Record<string, number>;
  throw new SyntaxError(
    "parseBytePairFiles: vocab.json: expected a JSON object from token to id",
  );
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
 * @throws {Deno.errors.NotFound} If one of them isn't there.
 */
export async function loadBytePairTokenizer(
  directory: string,
): Promise<BytePairTokenizer> {
  const [vocabulary, merges] = await Promise.all([
    Deno.readTextFile(`${directory}/vocab.json`),
    Deno.readTextFile(`${directory}/merges.txt`),
  ]);
  return parseBytePairFiles({ vocabulary, merges });
}
