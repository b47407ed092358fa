import type { Corpus } from "./corpus.ts";
import { shownJson } from "./json_fields.ts";
import { type Line, lineError, readLines } from "./lines.ts";
import type { TaggedSentence } from "./tagged_sentence.ts";

/**
 * The sentences of texts with a tag behind each word, as in the Brown corpus:
 * `The/at jury/nn said/vbd ./.`, a sentence a line. The tag is what follows the
 * last slash. Empty lines are passed over.
 *
 * @throws {CorpusError} If a word has no tag, or a tag no word; names the file
 * and the line.
 */
export async function* readWordTags(
  corpus: Corpus,
): AsyncGenerator<TaggedSentence, void, void> {
  for await (const line of readLines(corpus)) {
    const tokens = line.text.split(/\s+/).filter((token) => token !== "");
    if (tokens.length === 0) continue;
    const words: string[] = [];
    const tags: string[] = [];
    for (const token of tokens) {
      const slash = token.lastIndexOf("/");
      if (slash < 1 || slash === token.length - 1) throw untagged(line, token);
      words.push(token.slice(0, slash));
      tags.push(token.slice(slash + 1));
    }
    yield { words, tags };
  }
}

function untagged(line: Line, token: string): Error {
  return lineError(
    line,
    `${
      shownJson(token)
    } isn't a word with its tag; expected word/tag, such as jury/nn`,
  );
}
