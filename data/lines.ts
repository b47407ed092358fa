import type { Corpus } from "./corpus.ts";
import { CorpusError } from "./corpus_error.ts";
import { decodeDocument } from "./decode_document.ts";

/** Where in a corpus a line is. */
export interface LinePlace {
  /** The name of its document: the path of the file. */
  readonly name: string;
  /** Its number in the document, from 1. */
  readonly line: number;
}

/** A line of a corpus. */
export interface Line extends LinePlace {
  /** The line without its end. */
  readonly text: string;
}

const chunkBytes = 2 ** 16;

/**
 * The lines of a corpus, one at a time, document by document. They end with
 * `\n` or `\r\n`; the last one of a document need not end. A byte order mark
 * at the beginning of a document is no part of its first line.
 *
 * @throws {CorpusError} If a document isn't valid UTF-8.
 */
export async function* readLines(
  corpus: Pick<Corpus, "documents">,
): AsyncGenerator<Line, void, void> {
  for (const document of corpus.documents) {
    const { name } = document;
    let line = 0;
    let rest = "";
    for await (const part of decodeDocument(document, chunkBytes)) {
      let start = line === 0 && rest === "" && part.startsWith("\uFEFF")
        ? 1
        : 0;
      for (
        let end = part.indexOf("\n", start);
        end !== -1;
        end = part.indexOf("\n", start)
      ) {
        const text = withoutReturn(rest + part.slice(start, end));
        yield { name, line: ++line, text };
        rest = "";
        start = end + 1;
      }
      rest += part.slice(start);
    }
    if (rest !== "") {
      yield { name, line: line + 1, text: withoutReturn(rest) };
    }
  }
}

function withoutReturn(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

/** A mistake in a line: `file:line: message`. */
export function lineError(
  { name, line }: LinePlace,
  message: string,
): CorpusError {
  return new CorpusError(`${name}:${line}: ${message}`);
}
