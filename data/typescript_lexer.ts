/**
 * The tokens of TypeScript, line by line: enough of its lexical grammar for
 * declarations, such as those that `deno types` prints.
 *
 * @module
 */

/** What a token is by its letters alone. */
export type LexicalKind =
  | "word"
  | "string"
  | "number"
  | "operator"
  | "punctuation"
  | "comment";

/** A token of TypeScript; a comment is many, one for each word and sign. */
export interface LexicalToken {
  /** What kind of token. */
  readonly kind: LexicalKind;
  /** As it is written. */
  readonly text: string;
}

/** What a line begins inside of. */
export type LexicalState = "code" | "comment" | "template";

const commentToken = /[\p{L}\p{N}_$]+|[^\s\p{L}\p{N}_$]/gu;
const codeToken =
  /(?<space>\s+)|(?<comment>\/\/.*|\/\*)|(?<word>#?[\p{L}_$][\p{L}\p{N}_$]*)|(?<number>\d[\w.]*)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)|(?<template>`)|=>|\?\.|\.\.\.|===|!==|&&|\|\||\?\?|<=|(?<punctuation>[{}()[\];,.])|\S/yu;

/** The tokens of a line, and what the next line begins inside of. */
export function lexLine(
  text: string,
  state: LexicalState,
): { tokens: readonly LexicalToken[]; state: LexicalState } {
  const tokens: LexicalToken[] = [];
  let place = 0;
  const addComment = (end: number): void => {
    for (const [word] of text.slice(place, end).matchAll(commentToken)) {
      tokens.push({ kind: "comment", text: word });
    }
    place = end;
  };
  while (place < text.length) {
    if (state === "comment") {
      const end = text.indexOf("*/", place);
      addComment(end === -1 ? text.length : end + 2);
      if (end === -1) break;
      state = "code";
      continue;
    }
    if (state === "template") {
      const end = text.indexOf("`", place);
      const part = text.slice(place, end === -1 ? text.length : end + 1);
      tokens.push({ kind: "string", text: part });
      if (end === -1) break;
      place = end + 1;
      state = "code";
      continue;
    }
    codeToken.lastIndex = place;
    const found = codeToken.exec(text);
    const groups = found?.groups ?? {};
    const token = found?.[0] ?? text[place];
    if (groups.comment === "/*") {
      state = "comment";
      // The opening belongs to the comment; its end is looked for behind it.
      tokens.push({ kind: "comment", text: "/*" });
    } else if (groups.comment !== undefined) {
      addComment(text.length);
      break;
    } else if (groups.template !== undefined) {
      state = "template";
      tokens.push({ kind: "string", text: token });
    } else if (groups.space === undefined) {
      const kind = (["word", "number", "string", "punctuation"] as const)
        .find((name) => groups[name] !== undefined) ?? "operator";
      tokens.push({ kind, text: token });
    }
    place += token.length;
  }
  return { tokens, state };
}
