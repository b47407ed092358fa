import type { Corpus } from "./corpus.ts";
import type { LabelledText } from "./labelled_text.ts";
import { readLines } from "./lines.ts";
import { hashText } from "./random.ts";
import { type LexicalState, lexLine } from "./typescript_lexer.ts";

/**
 * The lines of TypeScript as labelled texts: is it `comment` or `code`? The
 * signs that make a line a comment are taken away, and examples of code in
 * comments are left out. So are lines with both, those that have come before,
 * and those of fewer than three tokens.
 *
 * @throws {CorpusError} If the corpus isn't UTF-8.
 *
 * @example
 * ```ts
 * import { readCommentOrCode, textCorpus } from "@layerbraid/layerbraid/data";
 *
 * const corpus = textCorpus("example", "// Adds two numbers.\nlet sum = a + b;");
 * for await (const { text, label } of readCommentOrCode(corpus)) {
 *   console.log(label, text);
 * }
 * // comment Adds two numbers.
 * // code let sum = a + b;
 * ```
 */
export async function* readCommentOrCode(
  corpus: Corpus,
): AsyncGenerator<LabelledText, void, void> {
  const seen = new Set<number>();
  for (const document of corpus.documents) {
    let state: LexicalState = "code";
    let inExample = false;
    for await (const { text: line } of readLines({ documents: [document] })) {
      const { tokens, state: next } = lexLine(line, state);
      state = next;
      const comments = tokens.filter(({ kind }) => kind === "comment").length;
      const isComment = comments === tokens.length;
      const text = isComment ? withoutSigns(line) : line.trim();
      const isFence = isComment && text.startsWith("```");
      if (isFence) inExample = !inExample;
      else if (!isComment) inExample = false;
      const isMixed = comments > 0 && !isComment;
      const sign = hashText(text, 0);
      if (isFence || inExample || isMixed || seen.has(sign)) continue;
      seen.add(sign);
      if (lexLine(text, "comment").tokens.length < 3) continue;
      yield { text, label: isComment ? "comment" : "code" };
    }
  }
}

function withoutSigns(line: string): string {
  return line.trim()
    .replace(/^(?:\/\*+|\*(?!\/)|\/\/+)/, "")
    .replace(/\*\/$/, "")
    .trim();
}
