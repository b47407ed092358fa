import type { Corpus } from "./corpus.ts";
import { readLines } from "./lines.ts";
import { hashText } from "./random.ts";
import type { TaggedSentence } from "./tagged_sentence.ts";
import { typescriptClassesOf } from "./typescript_classes.ts";
import {
  type LexicalState,
  type LexicalToken,
  lexLine,
} from "./typescript_lexer.ts";

/**
 * TypeScript declarations as tagged sentences: a line each, its tokens the
 * words, and what they stand for the tags (keyword, type, parameter, property,
 * comment, …, see `typescriptClasses`). The class of a name follows from the
 * tokens around it. Each line comes once, however often it is written; lines of
 * fewer than three tokens are left out, and so are three of four that are
 * nothing but comment. The tokens of a document are in memory together.
 *
 * @throws {CorpusError} If the corpus isn't UTF-8.
 *
 * @example
 * ```ts
 * import { readTypescriptTokens, textCorpus } from "@layerbraid/layerbraid/data";
 *
 * const corpus = textCorpus("example", "declare function parse(text: string): Node;");
 * for await (const { words, tags } of readTypescriptTokens(corpus)) {
 *   console.log(words.map((word, i) => `${word}/${tags[i]}`).join(" "));
 * }
 * ```
 */
export async function* readTypescriptTokens(
  corpus: Corpus,
): AsyncGenerator<TaggedSentence, void, void> {
  const seen = new Set<number>();
  for (const document of corpus.documents) {
    const tokens: LexicalToken[] = [];
    const ends: number[] = [];
    let state: LexicalState = "code";
    for await (const { text } of readLines({ documents: [document] })) {
      const line = lexLine(text, state);
      tokens.push(...line.tokens);
      ends.push(tokens.length);
      state = line.state;
    }
    const classes = typescriptClassesOf(tokens);
    let start = 0;
    for (const end of ends) {
      const words = tokens.slice(start, end).map(({ text }) => text);
      const tags = classes.slice(start, end);
      start = end;
      const sign = hashText(words.join(" "), 0);
      if (words.length < 3 || seen.has(sign)) continue;
      seen.add(sign);
      if (tags.some((tag) => tag !== "comment") || sign % 4 === 0) {
        yield { words, tags };
      }
    }
  }
}
