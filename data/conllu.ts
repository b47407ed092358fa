import type { Corpus } from "./corpus.ts";
import { shownJson } from "./json_fields.ts";
import { type Line, lineError, readLines } from "./lines.ts";
import type { TaggedSentence } from "./tagged_sentence.ts";

/**
 * Which column of CoNLL-U holds the tags: the universal part of speech, the
 * treebank's own, the morphological features, or the first and the last of
 * them with `|` between.
 */
export type ConlluColumn = "upos" | "xpos" | "feats" | "upos+feats";

const columnCount = 10;
const idPattern = /^(?:([1-9]\d*)(?:-([1-9]\d*))?|\d+\.[1-9]\d*)$/;

/**
 * The sentences of files in CoNLL-U (https://universaldependencies.org/format),
 * such as the treebanks of Universal Dependencies: ten columns between tabs for
 * each word, an empty line after each sentence. Comments, the surface forms of
 * multiword tokens (`3-4`) and empty nodes (`3.1`) are passed over. A word
 * without features has the tag `_` in the column `feats`.
 *
 * @throws {CorpusError} If a line isn't CoNLL-U or a word has no tag; names
 * the file and the line.
 */
export async function* readConllu(
  corpus: Corpus,
  column: ConlluColumn,
): AsyncGenerator<TaggedSentence, void, void> {
  let words: string[] = [];
  let tags: string[] = [];
  let document: string | undefined;
  for await (const line of readLines(corpus)) {
    const ends = line.text.trim() === "" || line.name !== document;
    if (ends && words.length > 0) {
      yield { words, tags };
      words = [];
      tags = [];
    }
    document = line.name;
    if (line.text.trim() === "" || line.text.startsWith("#")) continue;
    const columns = columnsOf(line);
    if (!isWord(line, columns[0], words.length + 1)) continue;
    if (columns[1] === "") throw lineError(line, "column 2 (FORM) is empty");
    words.push(columns[1]);
    tags.push(tagOf(line, columns, column));
  }
  if (words.length > 0) yield { words, tags };
}

function columnsOf(line: Line): string[] {
  const columns = line.text.split("\t");
  if (columns.length === columnCount) return columns;
  throw lineError(
    line,
    `${columns.length} columns; expected the ${columnCount} of CoNLL-U, with tabs between them`,
  );
}

/** Whether a line is a word, not a multiword token or an empty node. */
function isWord(line: Line, id: string, next: number): boolean {
  const match = idPattern.exec(id);
  if (match === null) {
    throw lineError(
      line,
      `${shownJson(id)} isn't an id; expected a number such as 3, 3-4 or 3.1`,
    );
  }
  const [, first, last] = match;
  if (first === undefined) return false;
  const isOrdered = last === undefined || Number(last) > Number(first);
  if (Number(first) !== next || !isOrdered) {
    throw lineError(
      line,
      `the id ${id} is out of order; expected ${next} or a token that begins there`,
    );
  }
  return last === undefined;
}

function tagOf(
  line: Line,
  [, , , upos, xpos, feats]: readonly string[],
  column: ConlluColumn,
): string {
  const required = (number: number, name: string, tag: string): string => {
    if (tag !== "_" && tag !== "") return tag;
    throw lineError(
      line,
      `column ${number} (${name}) holds no tag; expected one for every word`,
    );
  };
  switch (column) {
    case "upos":
      return required(4, "UPOS", upos);
    case "xpos":
      return required(5, "XPOS", xpos);
    case "feats":
      return feats === "" ? "_" : feats;
    case "upos+feats": {
      const tag = required(4, "UPOS", upos);
      return feats === "_" || feats === "" ? tag : `${tag}|${feats}`;
    }
  }
}
