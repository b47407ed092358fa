import { type ConlluColumn, readConllu } from "./conllu.ts";
import type { Corpus } from "./corpus.ts";
import { readLines } from "./lines.ts";
import type { TaggedSentence } from "./tagged_sentence.ts";
import { readWordTags } from "./word_tag.ts";

/**
 * The sentences of a corpus with tags: a file whose first line that is no
 * comment has tabs in it is read as CoNLL-U, another one as `word/tag`.
 *
 * @param column The column of the tags in CoNLL-U.
 * @throws {CorpusError} If a line is malformed; names the file and the line.
 */
export async function* readTaggedCorpus(
  corpus: Corpus,
  column: ConlluColumn = "upos",
): AsyncGenerator<TaggedSentence, void, void> {
  for (const document of corpus.documents) {
    const single = { ...corpus, documents: [document] };
    yield* await isConllu(single)
      ? readConllu(single, column)
      : readWordTags(single);
  }
}

async function isConllu(corpus: Corpus): Promise<boolean> {
  if (/\.conllu$/i.test(corpus.documents[0].name)) return true;
  for await (const { text } of readLines(corpus)) {
    if (text.trim() !== "" && !text.startsWith("#")) return text.includes("\t");
  }
  return false;
}
