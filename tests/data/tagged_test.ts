import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ConlluColumn,
  CorpusError,
  openCorpus,
  readConllu,
  readTaggedCorpus,
  readTypescriptTokens,
  readWordTags,
  type TaggedSentence,
  textCorpus,
  typescriptClasses,
} from "../../data/mod.ts";
import { inFolder } from "./in_folder.ts";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  return await Array.fromAsync(items);
}

/** A line of CoNLL-U; what isn't given is empty. */
function row(
  id: string,
  form: string,
  upos = "_",
  xpos = "_",
  feats = "_",
): string {
  return [id, form, "_", upos, xpos, feats, "_", "_", "_", "_"].join("\t");
}

const conllu = [
  "# sent_id = 1",
  "# text = Vámonos al mar",
  row("1-2", "Vámonos"),
  row("1", "Vamos", "VERB", "V1", "Mood=Imp|Number=Plur"),
  row("2", "nos", "PRON", "P"),
  row("3-4", "al"),
  row("3", "a", "ADP", "S"),
  row("3.1", "empty", "VERB"),
  row("4", "el", "DET", "D", "Number=Sing"),
  row("5", "mar", "NOUN", "N", "Number=Sing"),
  "",
  "",
  "# text = _",
  row("0.1", "before", "VERB"),
  row("1", "_", "SYM", "Z"),
].join("\r\n");

Deno.test("CoNLL-U: words of multiword tokens, no empty nodes, no comments", async () => {
  const read = (column: ConlluColumn) =>
    collect(readConllu(textCorpus("x.conllu", conllu), column));
  const sentences = await read("upos");
  assertEquals(sentences, [
    {
      words: ["Vamos", "nos", "a", "el", "mar"],
      tags: ["VERB", "PRON", "ADP", "DET", "NOUN"],
    },
    { words: ["_"], tags: ["SYM"] },
  ]);
  const tagsOf = async (column: ConlluColumn) => (await read(column))[0].tags;
  assertEquals(await tagsOf("xpos"), ["V1", "P", "S", "D", "N"]);
  assertEquals(await tagsOf("feats"), [
    "Mood=Imp|Number=Plur",
    "_",
    "_",
    "Number=Sing",
    "Number=Sing",
  ]);
  assertEquals((await tagsOf("upos+feats")).slice(0, 2), [
    "VERB|Mood=Imp|Number=Plur",
    "PRON",
  ]);
});

Deno.test("CoNLL-U: mistakes are named with file and line", async () => {
  const good = row("1", "a", "X");
  const cases: [string, string, ConlluColumn?][] = [
    [`${good}\n2\tb\tX\n`, "x.conllu:2: 3 columns; expected the 10"],
    [`${good}\n2 b X\n`, "x.conllu:2: 1 columns"],
    [`${good}\n${row("x", "b", "X")}`, 'x.conllu:2: "x" isn\'t an id'],
    [`${good}\n${row("02", "b", "X")}`, 'x.conllu:2: "02" isn\'t an id'],
    [`${good}\n${row("3", "b", "X")}`, "x.conllu:2: the id 3 is out of order"],
    [`${good}\n${row("1", "b", "X")}`, "x.conllu:2: the id 1 is out of order"],
    [`${good}\n${row("2-2", "b")}`, "x.conllu:2: the id 2-2 is out of order"],
    [`# c\n\n${row("1", "b")}`, "x.conllu:3: column 4 (UPOS) holds no tag"],
    [`${row("1", "b", "")}`, "x.conllu:1: column 4 (UPOS) holds no tag"],
    [`${row("1", "", "X")}`, "x.conllu:1: column 2 (FORM) is empty"],
    [good, "x.conllu:1: column 5 (XPOS) holds no tag", "xpos"],
  ];
  for (const [text, message, column = "upos"] of cases) {
    await assertRejects(
      () => collect(readConllu(textCorpus("x.conllu", text), column)),
      CorpusError,
      message,
    );
  }
});

Deno.test("sentences end with their file", () =>
  inFolder({
    "a.conllu": row("1", "one", "NUM"),
    "b.conllu": row("1", "two", "NUM"),
  }, async (folder) => {
    const sentences = await collect(
      readConllu(await openCorpus([folder]), "upos"),
    );
    assertEquals(sentences.map(({ words }) => words), [["one"], ["two"]]);
  }));

Deno.test("word/tag: the tag is behind the last slash", async () => {
  const text = "\tThe/at jury/nn ./.  \n\n1/2/cd //sym\r\n";
  assertEquals(await collect(readWordTags(textCorpus("text", text))), [
    { words: ["The", "jury", "."], tags: ["at", "nn", "."] },
    { words: ["1/2", "/"], tags: ["cd", "sym"] },
  ]);
  for (const token of ["jury", "/nn", "jury/"]) {
    await assertRejects(
      () => collect(readWordTags(textCorpus("text", `a/b\n\nThe/at ${token}`))),
      CorpusError,
      `text:3: "${token}" isn't a word with its tag`,
    );
  }
});

Deno.test("tagged files of both kinds are told apart", () =>
  inFolder({
    "a.txt": "# c/x\n# d/x\n" + row("1", "one", "NUM"),
    "b.txt": "two/cd",
    "c.conllu": row("1", "three", "NUM"),
  }, async (folder) => {
    const sentences = await collect(
      readTaggedCorpus(await openCorpus([folder])),
    );
    assertEquals(sentences.map(({ words, tags }) => [...words, ...tags]), [
      ["one", "NUM"],
      ["two", "cd"],
      ["three", "NUM"],
    ]);
  }));

async function typescript(text: string): Promise<string[]> {
  const sentences: TaggedSentence[] = await collect(
    readTypescriptTokens(textCorpus("text", text)),
  );
  return sentences.map(({ words, tags }) =>
    words.map((word, i) => `${word}:${tags[i]}`).join(" ")
  );
}

Deno.test("TypeScript: what a name stands for follows from its place", async () => {
  const short: Record<string, string> = {
    k: "keyword",
    b: "built-in",
    t: "type",
    n: "namespace",
    f: "function",
    a: "parameter",
    p: "property",
    v: "variable",
    s: "string",
    o: "operator",
    _: "punctuation",
    c: "comment",
  };
  const cases: [string, string][] = [
    [
      "interface type { type: type; type(type: type): type; }",
      "k t _ p o t _ f _ a o t _ o t _ _",
    ],
    [
      "declare function name(name?: string, ...rest: Name[]): Map<string, N.M>;",
      "k k f _ a o o b _ o a o t _ _ _ o t o b _ n _ t o _",
    ],
    [
      "export const listen: (this: Server, port: number) => Promise<void>;",
      "k k v o _ b o t _ a o b _ o t o b o _",
    ],
    [
      "type Pick<T, K extends keyof T> = { readonly [P in K]: T[P] } | null;",
      "k t o t _ t k k t o o _ k _ a k t _ o t _ t _ _ o b _",
    ],
    ["type If<C> = C extends true ? A : B;", "k t o t o o t k b o t o t _"],
    [
      "/* type x: string */ let x: (A | B)[];",
      "c c c c c c c k v o _ t o t _ _ _ _",
    ],
    ["namespace Deno { let pid: number; }", "k n _ k v o b _ _"],
    ['declare module "a" { export { b as c }; }', "k k s _ k _ v k v _ _ _"],
    ["function is(value: unknown): value is Date;", "k f _ a o b _ o a k t _"],
  ];
  for (const [text, classes] of cases) {
    const [line] = await typescript(text);
    const got = line.split(" ").map((token) =>
      token.slice(token.lastIndexOf(":") + 1)
    );
    assertEquals(got, classes.split(" ").map((c) => short[c]), text);
  }
});

Deno.test("TypeScript: a class follows from the lines before", async () => {
  const lines = await typescript(
    "interface A {\n  name: string;\n}\nfunction f(\n  name: string,\n): void;\n/**\n type x = 1\n*/ let y: A;",
  );
  assertEquals(
    lines[1],
    "name:property ::operator string:built-in ;:punctuation",
  );
  assertEquals(
    lines[3],
    "name:parameter ::operator string:built-in ,:punctuation",
  );
  assert(
    lines.at(-1)?.startsWith("*:comment /:comment let:keyword y:variable"),
  );
});

Deno.test("TypeScript: lines come once; every class is one of the list", async () => {
  const text = "let a: A;\nlet a: A;\nlet b = `x\n${y} let` + 1.5;\n};";
  const lines = await typescript(text);
  assertEquals(lines.length, 3);
  const known = new Set<string>(typescriptClasses);
  for (const line of lines) {
    for (const token of line.split(" ")) {
      if (!token.includes(":")) continue;
      assert(known.has(token.slice(token.lastIndexOf(":") + 1)), token);
    }
  }
});
