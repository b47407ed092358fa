/** Malformed texts and tables: one clear message, and nothing is written. */

import { assertEquals, assertMatch } from "@std/assert";
import { writeSafetensors } from "../../models/mod.ts";
import { device } from "../../tensor/mod.ts";
import { inFolder } from "../data/in_folder.ts";
import {
  bytes,
  catalogue,
  type Files,
  filesOf,
  huggingFaceFolder,
  idx,
  idxFolder,
  table,
  treebank,
  word,
} from "./malformed_files.ts";
import { type Case, listing, refused } from "./refusal.ts";
import { run } from "./task_process.ts";

const small = "--dim 8 --heads 2 --layers 2 --solver serial --seq 8 --batch 2";
const latin = bytes("good\nb", [0xe4], "d\n");

refused("texts", `--task gpt ${small} --data @t.txt`, () => [
  [{}, "", "@t.txt: no such file or folder"],
  [{ "t.txt": "" }, "", "@t.txt: holds no text"],
  [{ "t.txt": "\n \n" }, "--tokenizer word-piece", "only white space"],
  [{ "t.txt": "too short" }, "", "--seq 8 is too long for @t.txt: of its 9"],
  [{ "t.txt": "a\0b" }, "", "@t.txt: not a text: byte 1 is zero"],
  [{ "t.txt": latin }, "", "@t.txt: not a text in UTF-8: byte 6 is invalid"],
  [
    { "t.txt": "long enough ".repeat(9), "v.txt": "où est-elle ?" },
    "--tokenizer character --validation-data @v.txt",
    '@v.txt: character tokenizer: encode: "ù" (U+00F9)',
  ],
  [{ "t.txt": "a" }, "--data @t.txt/b", "@t.txt/b: no such file or folder"],
  [{ "t.txt": "a", "f/.x": "b" }, "--data @f", "@f: the folder holds no files"],
  [
    { "t.txt": "a", "t.jsonl": '{"text":"a"}\n{"text":\n' },
    "--data @t.jsonl",
    "@t.jsonl:2: not JSON: Unexpected end",
  ],
  [
    { "t.txt": "a", "t.jsonl": '{"text":"a"}\n{"body":"b"}\n' },
    "--data @t.jsonl",
    '@t.jsonl:2: no text in it; expected {"text": "…"}',
  ],
  [{ "t.txt": "a" }, "--heads 3", "--dim 8 isn't a multiple of --heads 3"],
  [{ "t.txt": "a" }, "--task bert --seq 2", "--seq 2 leaves no room"],
]);

refused(
  "tokenizers",
  `--task gpt ${small} --data @t.txt --tokenizer @t`,
  () => {
    const merges = (lines: string): Files => ({
      "t.txt": "a text ".repeat(20),
      "t/vocab.json": '{"a":0,"b":1,"c":2,"ab":3,"abc":4}',
      "t/merges.txt": `#version: 0.2\n${lines}`,
    });
    const other = (name: string, text: string): Files => ({
      "t.txt": "a text ".repeat(20),
      [`t/${name}`]: text,
    });
    return [
      [
        merges("ab c\na b\n"),
        "",
        '@t/merges.txt:2: merge "ab c": no merge before',
      ],
      [merges("a b\na x\n"), "", '@t/merges.txt:3: merge "a x": what it makes'],
      [merges("a b c\n"), "", '@t/merges.txt:2: merge "a b c": expected two'],
      [other("vocab.json", "{"), "", "@t/merges.txt: no such file"],
      [
        other("vocab.txt", "[UNK]\na\n\nb\n"),
        "",
        "@t/vocab.txt:3: the line is",
      ],
      [
        other("vocab.txt", "[UNK]\na\na\n"),
        "",
        '@t/vocab.txt:3: token "a" was',
      ],
      [
        other("vocab.txt", "a\nb\n"),
        "",
        "@t/vocab.txt: there is no token [UNK]",
      ],
      [other("tokenizer.json", "{\n"), "", "@t/tokenizer.json:2: not JSON"],
      [
        other("tokenizer.json", '{"model":{"type":"WordLevel"}}'),
        "",
        '@t/tokenizer.json: model.type: "WordLevel" isn\'t supported',
      ],
      [other("x.txt", "a"), "", "@t: no tokenizer in this folder; expected"],
    ];
  },
);

refused("treebanks", `--task tagger ${small} --data @t.conllu`, () => {
  const bad = (lines: string, more = "", message: string): Case => [
    { "t.conllu": treebank + lines, "v.conllu": word(1, "x", "ODD") },
    more,
    message,
  ];
  const words = (text: string, message: string): Case => [
    { "t.conllu": treebank, "t.txt": text },
    "--data @t.txt",
    message,
  ];
  return [
    bad("1\tx\n", "", "@t.conllu:61: 2 columns; expected the 10 of CoNLL-U"),
    bad(word("x", "y", "X"), "", '@t.conllu:61: "x" isn\'t an id; expected'),
    bad(word(2, "y", "X"), "", "@t.conllu:61: the id 2 is out of order"),
    bad(word(1, "y", "_"), "", "@t.conllu:61: column 4 (UPOS) holds no tag"),
    bad("", "--column feats", "@t.conllu: all words have the tag"),
    bad("", "--validation-data @v.conllu", "@v.conllu: none of its labels is"),
    [{ "t.conllu": "# text\n\n" }, "", "@t.conllu: there is no sentence in it"],
    words("the/DT dog/NN\nthe dog/NN\n", '@t.txt:2: "the" isn\'t a word with'),
    words("/DT\n", '@t.txt:1: "/DT" isn\'t a word with its tag; expected'),
  ];
});

refused("tables", `--task classify ${small} --tokenizer byte`, () => {
  const bad = (name: string, text: string, message: string, more = "") =>
    [
      { [name]: text, "v.tsv": "sentence\tlabel\na\tmaybe\n" },
      `--data @${name} ${more}`.trim(),
      message,
    ] as const;
  const line = '{"text":"a","label":"b"}\n';
  return [
    bad("t.tsv", "sentence\tx\na\tb\n", "@t.tsv:1: no columns for text and"),
    bad("t.tsv", table, '@t.tsv:1: no column "x" among', "--label-column x"),
    bad("t.tsv", table, "@t.tsv:1: one column can't be", "--text-column 2"),
    bad("t.tsv", `${table}a\n`, "@t.tsv:22: 1 columns; expected 2"),
    bad("t.tsv", `${table}a\t\n`, "@t.tsv:22: column 2, the label, is empty"),
    bad("t.tsv", table, '@t.tsv:2: the label "yes" isn\'t', "--kind number"),
    bad("t.tsv", table.replaceAll("no", "yes"), "@t.tsv: all labels are"),
    bad("t.tsv", table, "@v.tsv: none of its", "--validation-data @v.tsv"),
    bad("t.csv", 'text,label\n"a,b\n', "@t.csv:2: a quoted cell begins here"),
    bad("t.jsonl", `${line}{"text":"a"\n`, "@t.jsonl:2: not JSON: Expected"),
    bad("t.jsonl", `${line}{"text":"a"}\n`, "@t.jsonl:2: no columns for text"),
    bad("t.json", `[${line.trim()}]\n`, "is no JSON object; expected one"),
  ];
});

// As a user sees it: one line, exit code 2, nothing written.
Deno.test("malformed files end commands with one line and leave nothing", async () => {
  const model = await device("reference").then(huggingFaceFolder);
  const { [Object.keys(model.arrays)[0]]: _, ...others } = model.arrays;
  const broken = { ...filesOf(model), ...idxFolder(idx(20, 9, 9)) };
  await inFolder({
    ...broken,
    "h/model.safetensors": writeSafetensors(others),
    "t.conllu": "1\tx\n",
    "run/checkpoints/step-000002/manifest.json": "{",
    "x.mo": catalogue({ magic: 7 }),
  }, async (folder) => {
    const before = await listing(folder);
    const calls: readonly (readonly [string, string, RegExp])[] = [
      ["train", "--task tagger --data t.conllu", /^train: t\.conllu:1: 2 colu/],
      [
        "train",
        "--task vit --data m",
        /^train: --patch 7 doesn't divide images/,
      ],
      // It is found only when the model is made.
      ["train", "--task classify --from h --data t.tsv --seq 8", /is missing,/],
      ["evaluate", "--from run", /^evaluate: run: no checkpoint can be read: /],
    ];
    await Promise.all(calls.map(async ([task, options, message]) => {
      const { code, stdout, stderr } = await run(
        folder,
        task,
        options.split(" "),
      );
      assertEquals([code, stdout], [2, ""], stderr);
      assertMatch(stderr, /^[^\n]+\n$/);
      assertMatch(stderr, message);
    }));
    assertEquals(await listing(folder), before);
  });
});
