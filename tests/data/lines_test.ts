import { assertEquals, assertRejects } from "@std/assert";
import {
  type Corpus,
  CorpusError,
  openCorpus,
  readLines,
  textCorpus,
} from "../../data/mod.ts";
import { inFolder } from "./in_folder.ts";

async function linesOf(corpus: Corpus): Promise<[number, string][]> {
  const lines: [number, string][] = [];
  for await (const { line, text } of readLines(corpus)) {
    lines.push([line, text]);
  }
  return lines;
}

Deno.test("lines end with LF or CR LF, the last one need not end", async () => {
  const cases: [string, string[]][] = [
    ["", []],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\r\n\r\nb\n\nc\r\n", ["a", "", "b", "", "c"]],
    ["a\rb\n", ["a\rb"]],
    ["\n", [""]],
    ["\uFEFFa\n\uFEFFb", ["a", "\uFEFFb"]],
  ];
  for (const [text, expected] of cases) {
    assertEquals(
      await linesOf(textCorpus("text", text)),
      expected.map((line, i) => [i + 1, line]),
    );
  }
});

Deno.test("lines longer than what is read at once are whole", async () => {
  const lines = ["é".repeat(100_000), "", "x", "\u{1F5FC}".repeat(70_001)];
  const read = await linesOf(textCorpus("text", lines.join("\r\n")));
  assertEquals(read.map(([, text]) => text), lines);
});

Deno.test("lines of several files are counted in each", () =>
  inFolder({ "a.txt": "one\ntwo", "b.txt": "three\n" }, async (folder) => {
    const places: string[] = [];
    for await (const { name, line } of readLines(await openCorpus([folder]))) {
      places.push(`${name.replace(`${folder}/`, "")}:${line}`);
    }
    assertEquals(places, ["a.txt:1", "a.txt:2", "b.txt:1"]);
  }));

Deno.test("lines that aren't UTF-8 are refused with file and byte", () =>
  inFolder(
    { "latin.txt": new Uint8Array([72, 10, 252, 10]) },
    async (folder) => {
      const corpus = await openCorpus([`${folder}/latin.txt`]);
      await assertRejects(
        () => linesOf(corpus),
        CorpusError,
        "latin.txt: not a text in UTF-8: byte 2 is invalid",
      );
    },
  ));
