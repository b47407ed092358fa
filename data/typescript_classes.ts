import type { LexicalToken } from "./typescript_lexer.ts";

/** The classes of TypeScript tokens. */
export const typescriptClasses = [
  "keyword",
  "built-in",
  "type",
  "namespace",
  "function",
  "parameter",
  "property",
  "variable",
  "string",
  "number",
  "operator",
  "punctuation",
  "comment",
] as const;

/** What a token of TypeScript stands for. */
export type TypescriptClass = typeof typescriptClasses[number];

const builtIn = new Set(
  "any bigint boolean never null number object string symbol undefined unknown void true false this"
    .split(" "),
);
const typeWords = new Set(
  "abstract as asserts extends import in infer is keyof new readonly typeof unique"
    .split(" "),
);
const modifiers = new Set(
  "abstract accessor async declare export get override private protected public readonly set static"
    .split(" "),
);
const statementWords = new Set(
  "abstract as async await class const declare default enum export extends for from function global if implements import interface let module namespace new of return throw type typeof var"
    .split(" "),
);

/** What is inside of brackets. */
type Bracket = "statements" | "members" | "names" | "parameters" | "types";

/** Brackets that are open, or the file. */
interface Frame {
  readonly bracket: Bracket;
  /** Whether a type is expected, or goes on. */
  typed: boolean;
  /** What the declaration that is being read declares. */
  declares: string | undefined;
}

const afterDeclaring: Readonly<Record<string, TypescriptClass>> = {
  class: "type",
  interface: "type",
  enum: "type",
  type: "type",
  namespace: "namespace",
  module: "namespace",
  function: "function",
  const: "variable",
  let: "variable",
  var: "variable",
};

/**
 * The class of each token of a file of declarations. What a name stands for
 * follows from where it stands: the same word is a property before a colon in
 * an interface, a parameter in parentheses, and a type behind the colon.
 */
export function typescriptClassesOf(
  tokens: readonly LexicalToken[],
): TypescriptClass[] {
  const classes: TypescriptClass[] = tokens.map(({ kind }) =>
    kind === "word" ? "variable" : kind
  );
  const code = tokens.flatMap(({ kind }, i) => kind === "comment" ? [] : [i]);
  const textAt = (place: number): string => tokens[code[place]]?.text ?? "";
  const stack: Frame[] = [newFrame("statements")];
  code.forEach((index, place) => {
    const { kind, text } = tokens[index];
    const frame = stack[stack.length - 1];
    if (kind === "word") {
      const before = textAt(place - 1);
      classes[index] = wordClass(frame, before, text, textAt(place + 1));
    } else if (kind === "punctuation" || kind === "operator") {
      bracketsAfter(stack, frame, text, textAt, place);
    }
  });
  return classes;
}

function newFrame(bracket: Bracket): Frame {
  return { bracket, typed: bracket === "types", declares: undefined };
}

/** Takes a sign: brackets open and close, types begin and end. */
function bracketsAfter(
  stack: Frame[],
  frame: Frame,
  text: string,
  textAt: (place: number) => string,
  place: number,
): void {
  switch (text) {
    case "{":
      stack.push(newFrame(insideBraces(frame, textAt(place - 1))));
      return;
    case "(": {
      const grouped = frame.typed && !beginsParameter(textAt, place + 1);
      stack.push(newFrame(grouped ? "types" : "parameters"));
      return;
    }
    case "[": {
      const named = [":", "?", "in"].includes(textAt(place + 2));
      stack.push(newFrame(named ? "parameters" : "types"));
      return;
    }
    case "<":
      stack.push(newFrame("types"));
      return;
    case "}":
    case ")":
    case "]":
    case ">":
      if (stack.length > 1) stack.pop();
      // A block ends its declaration; braces in a type don't.
      if (text === "}" && !stack[stack.length - 1].typed) {
        stack[stack.length - 1].declares = undefined;
      }
      return;
    case ";":
      frame.typed = frame.bracket === "types";
      frame.declares = undefined;
      return;
    case ",":
      if (frame.bracket !== "types" && frame.declares !== "interface") {
        frame.typed = false;
      }
      return;
    case ":":
      frame.typed = true;
      return;
    case "=":
      if (frame.declares === "type") frame.typed = true;
  }
}

function insideBraces(frame: Frame, before: string): Bracket {
  if (frame.declares === "import" || frame.declares === "export") {
    return "names";
  }
  const declares = frame.declares ?? "";
  const isBlock = ["namespace", "module", "global"].includes(declares) ||
    before === "global";
  if (isBlock) {
    frame.declares = undefined;
    return "statements";
  }
  if (["class", "interface", "enum"].includes(declares)) frame.typed = false;
  return "members";
}

/** Whether what stands in parentheses in a type are parameters. */
function beginsParameter(
  textAt: (place: number) => string,
  place: number,
): boolean {
  const first = textAt(place);
  return first === ")" || first === "..." ||
    [":", "?"].includes(textAt(place + 1));
}

function wordClass(
  frame: Frame,
  before: string,
  text: string,
  after: string,
): TypescriptClass {
  if (frame.typed) return typeClass(before, text, after);
  switch (frame.bracket) {
    case "parameters":
      if (text === "in") {
        frame.typed = true;
        return "keyword";
      }
      return text === "this" ? "built-in" : "parameter";
    case "members":
      if (modifiers.has(text) && /^[\p{L}_$#[]/u.test(after)) return "keyword";
      if (after !== "(" && after !== "<") return "property";
      return ["constructor", "new"].includes(text) ? "keyword" : "function";
    case "names":
      return ["as", "type"].includes(text) && /^[\p{L}_$]/u.test(after)
        ? "keyword"
        : "variable";
    default:
      return statementClass(frame, before, text);
  }
}

function typeClass(
  before: string,
  text: string,
  after: string,
): TypescriptClass {
  if (before === "typeof") return "variable";
  if (before === "." || after === ".") {
    return before === "." ? "type" : "namespace";
  }
  if (after === "is" || before === "asserts") return "parameter";
  if (builtIn.has(text)) return "built-in";
  if (typeWords.has(text)) return "keyword";
  return "type";
}

function statementClass(
  frame: Frame,
  before: string,
  text: string,
): TypescriptClass {
  const declared = afterDeclaring[before];
  if (declared !== undefined) return declared;
  if (!statementWords.has(text)) {
    return builtIn.has(text) ? "built-in" : "variable";
  }
  if (text in afterDeclaring || ["import", "export"].includes(text)) {
    frame.declares = text;
  }
  if (text === "global") frame.declares = "namespace";
  if (text === "extends" || text === "implements") frame.typed = true;
  return "keyword";
}
