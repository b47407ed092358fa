import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  byteTokenizer,
  type Corpus,
  CorpusError,
  defaultCorpus,
  openCorpus,
  readText,
  textCorpus,
  tokenizeCorpus,
  trainBytePairEncoding,
  trainCharacterTokenizer,
} from "../../data/mod.ts";
import { inFolder } from "./in_folder.ts";

function names(corpus: Corpus, folder: string): string[] {
  return corpus.documents.map(({ name }) => name.replace(`${folder}/`, ""));
}

async function join(chunks: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const chunk of chunks) text += chunk;
  return text;
}

const tree = {
  "b.txt": "bee",
  "a.txt": "a",
  "a.md": "mark",
  "deep/er/c.txt": "sea",
  "deep/d.txt": "dee",
  "deep/a.txt": "deep a",
  ".hidden/e.txt": "hidden",
  ".f.txt": "hidden",
  "picture.png": new Uint8Array([137, 80, 0, 0]),
};

Deno.test("a folder is read recursively, sorted, without what isn't text", () =>
  inFolder(tree, async (folder) => {
    const corpus = await openCorpus([`${folder}/`]);
    assertEquals(names(corpus, folder), [
      "a.md",
      "a.txt",
      "b.txt",
      "deep/a.txt",
      "deep/d.txt",
      "deep/er/c.txt",
    ]);
    assertEquals(corpus.skipped, [`${folder}/picture.png`]);
    assertEquals(await join(readText(corpus)), "markabeedeep adeesea");
    assertEquals(corpus.byteLength, 20);
  }));

Deno.test("patterns: *, ? and **", () =>
  inFolder(tree, async (folder) => {
    const found = async (pattern: string): Promise<string[]> =>
      names(await openCorpus([`${folder}/${pattern}`]), folder);
    assertEquals(await found("*.txt"), ["a.txt", "b.txt"]);
    assertEquals(await found("?.md"), ["a.md"]);
    assertEquals(await found("a.*"), ["a.md", "a.txt"]);
    assertEquals(await found("*/*.txt"), ["deep/a.txt", "deep/d.txt"]);
    assertEquals(await found("**/c.txt"), ["deep/er/c.txt"]);
    assertEquals(await found("deep/**/?.txt"), [
      "deep/a.txt",
      "deep/d.txt",
      "deep/er/c.txt",
    ]);
    assertEquals(await found("**/**/a.txt"), ["a.txt", "deep/a.txt"]);
    assertEquals(await found("d*p/**"), [
      "deep/a.txt",
      "deep/d.txt",
      "deep/er/c.txt",
    ]);
    assertEquals(await found(".*/*"), [".hidden/e.txt"]);
  }));

Deno.test("several paths keep their order, a file counts once", () =>
  inFolder(tree, async (folder) => {
    const paths = [`${folder}/b.txt`, `${folder}/*.txt`];
    assertEquals(names(await openCorpus(paths), folder), ["b.txt", "a.txt"]);
  }));

Deno.test("a file whose name looks like a pattern is that file", () =>
  inFolder({ "a*.txt": "star", "ab.txt": "ab" }, async (folder) => {
    const corpus = await openCorpus([`${folder}/a*.txt`]);
    assertEquals(names(corpus, folder), ["a*.txt"]);
  }));

Deno.test("what can't be read is named", () =>
  inFolder(
    {
      "empty.txt": "",
      "sub/.hidden": "hidden",
      "binary/x.bin": new Uint8Array([65, 66, 0]),
    },
    async (folder) => {
      const cases: [string, string][] = [
        ["missing.txt", "no such file or folder"],
        ["*.md", "no file matches"],
        ["sub", "the folder holds no files"],
        ["binary", "none of the files in it is text"],
        ["binary/x.bin", "byte 2 is zero"],
        ["binary/*", "byte 2 is zero"],
        ["empty.txt", "holds no text"],
      ];
      for (const [path, message] of cases) {
        const error = await assertRejects(
          () => openCorpus([`${folder}/${path}`]),
          CorpusError,
          message,
        );
        assertStringIncludes(error.message, `${folder}/${path.slice(0, 4)}`);
      }
    },
  ));

Deno.test("invalid UTF-8 is named with file and byte, at any chunk size", () => {
  const encoder = new TextEncoder();
  const good = encoder.encode("é€\u{1F5FC} text\n".repeat(9));
  const endings: [string, number[], number][] = [
    ["lone continuation", [0x80, 65], 0],
    ["no such byte", [65, 0xff, 65], 1],
    ["overlong", [0xc0, 0xaf], 0],
    ["surrogate", [65, 65, 0xed, 0xa0, 0x80], 2],
    ["broken off by a letter", [0xe2, 0x82, 65], 0],
    ["broken off by the end", [65, 0xf0, 0x9f, 0x97], 1],
  ];
  const files = Object.fromEntries(
    endings.map(([name, bytes]) => [name, new Uint8Array([...good, ...bytes])]),
  );
  return inFolder(files, async (folder) => {
    for (const [name, , place] of endings) {
      const corpus = await openCorpus([`${folder}/${name}`]);
      for (const chunkBytes of [1, 2, 3, 7, 1000]) {
        await assertRejects(
          () => join(readText(corpus, chunkBytes)),
          CorpusError,
          `${name}: not a text in UTF-8: byte ${good.length + place} `,
        );
      }
      await assertRejects(
        () => tokenizeCorpus(corpus, byteTokenizer, { memoryLimit: 0 }),
        CorpusError,
        "is invalid",
      );
    }
  });
});

Deno.test("chunks joined are the text, byte order mark included", async () => {
  const text = "\uFEFFé€\u{1F5FC} text\n\t no cut ".repeat(9);
  for (const chunkBytes of [1, 2, 3, 7, 50, 1000]) {
    const chunks = readText(textCorpus("text", text), chunkBytes);
    assertEquals(await join(chunks), text);
  }
});

Deno.test("tokens of files are the same from memory and from disk", () => {
  const files = {
    "1.txt": "the first file, ünïcode too\n".repeat(40),
    "2.txt": "",
    "3.txt": "x",
    "4.txt": "the 4th, 東京\n".repeat(40),
  };
  return inFolder(files, async (folder) => {
    const corpus = await openCorpus([folder]);
    const tokenizers = [
      byteTokenizer,
      await trainCharacterTokenizer(readText(corpus)),
      await trainBytePairEncoding(readText(corpus), { vocabularySize: 300 }),
      await trainCharacterTokenizer(
        String.fromCodePoint(
          ...Array.from({ length: 70_000 }, (_, i) => 0xe000 + i),
        ) + Object.values(files).join(""),
      ),
    ];
    const sizes = tokenizers.map(({ vocabularySize }) => vocabularySize);
    assert(sizes[1] <= 256 && sizes[2] > 256 && sizes[3] > 65_536);
    for (const tokenizer of tokenizers) {
      using inMemory = await tokenizeCorpus(corpus, tokenizer);
      using onDisk = await tokenizeCorpus(corpus, tokenizer, {
        memoryLimit: 0,
      });
      assertEquals(onDisk.length, inMemory.length);
      assertEquals(onDisk.byteLength, corpus.byteLength);
      assertEquals(inMemory.byteLength, corpus.byteLength);
      for (let position = 0; position + 50 <= onDisk.length; position += 7) {
        const expected = new Int32Array(50);
        const read = new Int32Array(50);
        inMemory.read(position, expected);
        onDisk.read(position, read);
        assertEquals(read, expected);
      }
    }
  });
});

Deno.test("the size of JSON lines' text is told, not of the file", async () => {
  await inFolder({ "a.jsonl": '{"text": "näh"}\n' }, async (folder) => {
    const corpus = await openCorpus([`${folder}/a.jsonl`]);
    using tokens = await tokenizeCorpus(corpus, byteTokenizer);
    assertEquals([tokens.byteLength, tokens.length], [5, 5]);
  });
});

Deno.test("the temporary file with tokens is removed", async () => {
  const directory = await Deno.makeTempDir();
  const files = () => [...Deno.readDirSync(directory)].length;
  const options = { memoryLimit: 0, directory };
  const corpus = textCorpus("text", "some text");
  {
    using tokens = await tokenizeCorpus(corpus, byteTokenizer, options);
    assertEquals(tokens.length, 9);
    assertEquals(files(), 1);
  }
  assertEquals(files(), 0);
  const strict = await trainCharacterTokenizer("text");
  const encode = () => tokenizeCorpus(corpus, strict, options);
  await assertRejects(encode, CorpusError, "text: character tokenizer");
  assertEquals(files(), 0);
  await Deno.remove(directory);
});

Deno.test("the default corpus is Deno's own declarations", async () => {
  const corpus = await defaultCorpus();
  assertEquals(corpus.name, "deno types");
  assert(corpus.byteLength > 100_000);
  const text = await join(readText(corpus));
  assertStringIncludes(text, "declare namespace Deno");
  assert(!text.includes("\x1b"));
});

Deno.test("of JSON lines the field text is read", () =>
  inFolder({
    "a.jsonl": '{"text":"one","id":1}\n\n{"id":2,"text":"zwei\\nlines"}\r\n',
    "b.txt": '{"text":"not JSON lines"}',
    "bad/number.jsonl": '{"text":"one"}\n{"text":2}\n',
    "bad/broken.ndjson": '\n{"text":"one"\n',
    "bad/list.jsonl": '["one"]',
  }, async (folder) => {
    const paths = [`${folder}/a.jsonl`, `${folder}/b.txt`];
    const corpus = await openCorpus(paths);
    const text = 'one\nzwei\nlines\n{"text":"not JSON lines"}';
    assertEquals(await join(readText(corpus)), text);
    assertEquals(await join(readText(corpus, 1)), text);
    for (const memoryLimit of [0, 1000]) {
      using tokens = await tokenizeCorpus(corpus, byteTokenizer, {
        memoryLimit,
      });
      const ids = new Int32Array(tokens.length);
      tokens.read(0, ids);
      assertEquals(byteTokenizer.decode(ids), text);
    }
    const cases = [
      ["number.jsonl:2: no text", "number.jsonl"],
      ["broken.ndjson:2: not JSON", "broken.ndjson"],
      ["list.jsonl:1: ", "list.jsonl"],
    ];
    for (const [message, name] of cases) {
      const wrong = await openCorpus([`${folder}/bad/${name}`]);
      await assertRejects(() => join(readText(wrong)), CorpusError, message);
    }
  }));
