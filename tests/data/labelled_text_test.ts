import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CorpusError,
  type LabelledText,
  type LabelledTextOptions,
  openCorpus,
  readCommentOrCode,
  readLabelledTexts,
  textCorpus,
} from "../../data/mod.ts";
import { inFolder } from "./in_folder.ts";

function read(
  name: string,
  text: string,
  options?: LabelledTextOptions,
): Promise<LabelledText[]> {
  return Array.fromAsync(readLabelledTexts(textCorpus(name, text), options));
}

Deno.test("GLUE's layouts are found by their headers", async () => {
  const cases: [string, string, LabelledText][] = [
    ["SST-2", 'sentence\tlabel\nfun "and games \t1\n', {
      text: 'fun "and games',
      label: "1",
    }],
    ["CoLA", "gj04\t0\t*\tThey drank the pub.\n", {
      text: "They drank the pub.",
      label: "0",
    }],
    ["CoLA", "gj04\t1\t\tThe pub opened.\n", {
      text: "The pub opened.",
      label: "1",
    }],
    [
      "MRPC",
      "\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\tHe came.\tHe did come.\r\n",
      { text: "He came.", pair: "He did come.", label: "1" },
    ],
    [
      "STS-B",
      "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n0\tm\tf\t2012\t1\tnone\tnone\tA plane.\tAn air plane.\t5.000",
      { text: "A plane.", pair: "An air plane.", label: "5.000" },
    ],
    ["QNLI", "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment", {
      text: "Who?",
      pair: "He.",
      label: "entailment",
    }],
    [
      "QQP",
      "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tA?\tB?\t0",
      { text: "A?", pair: "B?", label: "0" },
    ],
    [
      "MNLI",
      "index\tsentence1\tsentence2\tlabel1\tgold_label\n0\tA.\tB.\tx\tneutral",
      { text: "A.", pair: "B.", label: "neutral" },
    ],
  ];
  for (const [name, text, expected] of cases) {
    assertEquals(await read("train.tsv", text), [expected], name);
  }
});

Deno.test("CSV: quoted cells hold commas, line ends and quotes", async () => {
  const text = 'label,text\r\nno,"a, ""b"",\nc"\n\nyes,plain\nmaybe,""""\n';
  assertEquals(await read("x.csv", text), [
    { text: 'a, "b",\nc', label: "no" },
    { text: "plain", label: "yes" },
    { text: '"', label: "maybe" },
  ]);
});

Deno.test("JSON lines: labels are texts, numbers or booleans", async () => {
  const text =
    '{"sentence1":"a","sentence2":"b","label":1}\n{"label":true,"text":"c"}\n';
  for (const name of ["x.jsonl", "x"]) {
    assertEquals(await read(name, text), [
      { text: "a", pair: "b", label: "1" },
      { text: "c", label: "true" },
    ]);
  }
});

Deno.test("columns are chosen by name or number", async () => {
  const named = "Review,Other,Stars\ngood,b,5\n";
  assertEquals(
    await read("x.csv", named, { textColumn: "review", labelColumn: "Stars" }),
    [{ text: "good", label: "5" }],
  );
  assertEquals(
    await read("x.csv", named, {
      textColumn: "review",
      pairColumn: "other",
      labelColumn: "stars",
    }),
    [{ text: "good", pair: "b", label: "5" }],
  );
  const bare = "5\tgood\n1\tbad\n";
  assertEquals(
    await read("x.tsv", bare, { textColumn: 2, labelColumn: 1 }),
    [{ text: "good", label: "5" }, { text: "bad", label: "1" }],
  );
});

Deno.test("each file has a layout of its own", () =>
  inFolder({
    "a.tsv": "sentence\tlabel\nx\t1\n",
    "b.csv": "label,text\n0,y\n",
    "c.jsonl": '{"text":"z","label":1}',
    "d.tsv": "",
  }, async (folder) => {
    const corpus = await openCorpus([folder]);
    const texts = await Array.fromAsync(readLabelledTexts(corpus));
    assertEquals(texts.map(({ text }) => text), ["x", "y", "z"]);
  }));

Deno.test("mistakes in labelled texts are named with file and line", async () => {
  const cases: [string, string, string, LabelledTextOptions?][] = [
    ["x.tsv", "a\tb\nc\td\n", "x.tsv:1: no columns for text and label"],
    ["x.tsv", "text\tlabel\na\t1\nb\n", "x.tsv:3: 1 columns; expected 2"],
    ["x.tsv", "text\tlabel\na\t\n", "x.tsv:2: column 2, the label, is empty"],
    ["x.tsv", "text\tlabel\n \t1\n", "x.tsv:2: column 1, the text, is empty"],
    ["x.csv", 'text,label\n\n"a\nb,1\n', "x.csv:3: a quoted cell begins here"],
    ["x.csv", 'text,label\na "b" c,1\n', "x.csv:2: column 1: quotes must"],
    ["x.csv", 'text,label\n"a" b,1\n', "x.csv:2: column 1: quotes must"],
    ["x.jsonl", '{"text":"a","label":"b"}\n{', "x.jsonl:2: not JSON"],
    ["x.jsonl", '{"text":"a"}', "x.jsonl:1: no columns for text and label"],
    ["x.jsonl", '{"text":["a"],"label":1}', "x.jsonl:1: column 1, the text"],
    ["x.tsv", "sentence\tscore\na\t1,5\n", 'x.tsv:2: the label "1,5"', {
      numbers: true,
    }],
    ["x.tsv", "a\t1\n", "x.tsv:1: no column 3 for the label", {
      textColumn: 1,
      labelColumn: 3,
    }],
    ["x.tsv", "text\tlabel\na\t1\n", 'x.tsv:1: no column "other" among', {
      pairColumn: "other",
    }],
    ["x.tsv", "text\tlabel\na\t1\n", "x.tsv:1: no column 0 among", {
      labelColumn: 0,
    }],
    ["x.tsv", "text\tlabel\na\t1\n", "x.tsv:1: one column can't be two", {
      textColumn: 2,
    }],
    ["x", '[{"text":"a","label":"b"}]', "x:1: [{"],
  ];
  for (const [name, text, message, options] of cases) {
    await assertRejects(
      () => read(name, text, options),
      CorpusError,
      message,
    );
  }
});

Deno.test("comment or code: without the signs that give it away", async () => {
  const text = [
    "/** Reads a file. */",
    "declare function read(path: string): string;",
    "/**",
    " * Writes, and",
    " * then it closes.",
    " *",
    " * ```ts",
    " * write(a, b, c);",
    " * ```",
    " * Then it is done.",
    " */",
    "let a = 1; // one more",
    "declare function read(path: string): string;",
    "}",
    "// Short one too.",
  ].join("\n");
  const texts = await Array.fromAsync(
    readCommentOrCode(textCorpus("text", text)),
  );
  assertEquals(texts, [
    { text: "Reads a file.", label: "comment" },
    { text: "declare function read(path: string): string;", label: "code" },
    { text: "Writes, and", label: "comment" },
    { text: "then it closes.", label: "comment" },
    { text: "Then it is done.", label: "comment" },
    { text: "Short one too.", label: "comment" },
  ]);
  assert(texts.every(({ text }) => !text.includes("*/")));
});
