import type { Corpus } from "./corpus.ts";
import { lineError, readLines } from "./lines.ts";
import type { SentencePair } from "./sentence_pair.ts";

/**
 * Sentences and their translations in a table (TSV): each line holds a
 * sentence, a tab and its translation; what stands behind another tab doesn't
 * count. White space around them and empty lines are dropped, and so are pairs
 * of which a side is empty, and a first line that says `source` and `target`.
 *
 * @throws {CorpusError} If a line has no tab, naming it, or a document isn't
 * valid UTF-8.
 *
 * @example
 * ```ts
 * import { readPairTable, textCorpus } from "@layerbraid/layerbraid/data";
 *
 * const table = textCorpus("table", "Good morning.\tGuten Morgen.\n");
 * const pairs = await Array.fromAsync(readPairTable(table));
 * console.log(pairs[0].target); // Guten Morgen.
 * ```
 */
export async function* readPairTable(
  corpus: Corpus,
): AsyncGenerator<SentencePair, void, void> {
  for await (const line of readLines(corpus)) {
    if (line.text.trim() === "") continue;
    const columns = line.text.split("\t");
    if (columns.length < 2) {
      throw lineError(
        line,
        `no tab; expected a sentence, a tab and its translation`,
      );
    }
    const [source, target] = columns.map((column) => column.trim());
    const isHeader = line.line === 1 && source.toLowerCase() === "source" &&
      target.toLowerCase() === "target";
    if (!isHeader && source !== "" && target !== "") yield { source, target };
  }
}
