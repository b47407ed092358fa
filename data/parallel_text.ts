import type { Corpus, CorpusDocument } from "./corpus.ts";
import { CorpusError } from "./corpus_error.ts";
import { readLines } from "./lines.ts";
import type { SentencePair } from "./sentence_pair.ts";

/**
 * Sentences and their translations in separate files: line n of one is line n
 * of the other. White space around them is dropped, and so are pairs of which
 * a side is empty.
 *
 * @throws {CorpusError} If there aren't as many documents, or as many lines in
 * a document, on both sides, or one isn't valid UTF-8.
 *
 * @example
 * ```ts
 * import { readParallelText, textCorpus } from "@layerbraid/layerbraid/data";
 *
 * const english = textCorpus("english", "Good morning.\nThank you.\n");
 * const german = textCorpus("german", "Guten Morgen.\nDanke.\n");
 * const pairs = await Array.fromAsync(readParallelText(english, german));
 * console.log(pairs[1]); // { source: "Thank you.", target: "Danke." }
 * ```
 */
export async function* readParallelText(
  source: Corpus,
  target: Corpus,
): AsyncGenerator<SentencePair, void, void> {
  const [sources, targets] = [source.documents, target.documents];
  if (sources.length !== targets.length) {
    throw new CorpusError(
      `${source.name} and ${target.name}: ${sources.length} and ` +
        `${targets.length} files; expected as many`,
    );
  }
  for (const [place, document] of sources.entries()) {
    yield* readDocuments(document, targets[place]);
  }
}

async function* readDocuments(
  source: CorpusDocument,
  target: CorpusDocument,
): AsyncGenerator<SentencePair, void, void> {
  const sources = readLines({ documents: [source] });
  const targets = readLines({ documents: [target] });
  for (let lines = 0;; lines++) {
    const [left, right] = [await sources.next(), await targets.next()];
    if (left.value !== undefined && right.value !== undefined) {
      const pair = {
        source: left.value.text.trim(),
        target: right.value.text.trim(),
      };
      if (pair.source !== "" && pair.target !== "") yield pair;
      continue;
    }
    if (left.done && right.done) return;
    const counts = [
      left.done ? lines : await countLines(sources, lines + 1),
      right.done ? lines : await countLines(targets, lines + 1),
    ];
    throw new CorpusError(
      `${source.name} and ${target.name}: ${counts[0]} and ${counts[1]} ` +
        `lines; expected as many, line n of one being line n of the other`,
    );
  }
}

async function countLines(
  lines: AsyncIterable<unknown>,
  before: number,
): Promise<number> {
  let count = before;
  for await (const _ of lines) count++;
  return count;
}
