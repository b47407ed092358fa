import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CorpusError,
  formatBytePairFiles,
  formatWordPieceVocabulary,
  loadTokenizer,
  parseHuggingFaceTokenizer,
  type Tokenizer,
  tokenizerFromJson,
  trainBytePairEncoding,
  trainUnigram,
  trainWordPiece,
} from "../../data/mod.ts";
import { characterTable } from "./character_table.ts";
import { oddTexts, prose } from "./chunks.ts";

type Json = Record<string, unknown>;

const bytePair = await trainBytePairEncoding(prose.repeat(9), {
  vocabularySize: 300,
});
const wordPiece = await trainWordPiece(prose.repeat(9), {
  vocabularySize: 150,
  lowercase: true,
});
const unigram = await trainUnigram(prose.repeat(9), {
  vocabularySize: 320,
  prefix: true,
});

function added(texts: readonly string[], first = 0): Json[] {
  return texts.map((content, i) => ({
    id: first + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
}

function bytePairFile(): Json {
  const { vocabulary, merges } = bytePair.toJSON();
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added(["<|endoftext|>"], 300),
    normalizer: null,
    pre_tokenizer: {
      type: "ByteLevel",
      add_prefix_space: false,
      trim_offsets: true,
    },
    post_processor: { type: "ByteLevel" },
    decoder: { type: "ByteLevel" },
    model: {
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      vocab: vocabulary,
      merges,
    },
  };
}

function wordPieceFile(): Json {
  const { vocabulary, special } = wordPiece.toJSON();
  return {
    added_tokens: added(special),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  };
}

const metaspace = {
  type: "Metaspace",
  replacement: "▁",
  prepend_scheme: "always",
  split: true,
};

function unigramFile(): Json {
  const { vocabulary, scores, special } = unigram.toJSON();
  return {
    added_tokens: added(special),
    normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }] },
    pre_tokenizer: metaspace,
    decoder: {
      type: "Sequence",
      decoders: [{ type: "ByteFallback" }, metaspace],
    },
    model: {
      type: "Unigram",
      unk_id: 2,
      byte_fallback: true,
      vocab: vocabulary.map((token, id) => [token, scores[id]]),
    },
  };
}

function parse(file: Json): Tokenizer {
  return parseHuggingFaceTokenizer(JSON.stringify(file));
}

Deno.test("tokenizer.json: BPE on bytes, merges as text and as pairs", () => {
  const file = bytePairFile();
  const model = file.model as Json;
  const merges = (model.merges as string[]).map((merge) => merge.split(" "));
  for (
    const read of [file, { ...file, model: { ...model, merges } }].map(parse)
  ) {
    assertEquals(read.name, "byte-pair");
    assertEquals([...read.special], [["<|endoftext|>", 300]]);
    for (const text of oddTexts) {
      assertEquals(read.encode(text), bytePair.encode(text));
      assertEquals(read.decode(read.encode(text)), text.toWellFormed());
    }
  }
});

Deno.test("tokenizer.json: WordPiece", () => {
  const read = parse(wordPieceFile());
  assertEquals(read.toJSON(), wordPiece.toJSON());
  const again = tokenizerFromJson(JSON.parse(JSON.stringify(read)));
  for (const text of oddTexts) {
    assertEquals(again.encode(text), wordPiece.encode(text));
  }
});

Deno.test("tokenizer.json: Unigram", () => {
  const read = parse(unigramFile());
  assertEquals(read.toJSON(), { ...unigram.toJSON(), cut: "spaces" });
  const text = "The truth, acknowledged 10 times";
  assertEquals(read.decode(read.encode(text)), text);
});

Deno.test("tokenizer.json: Unigram on words without the space between", () => {
  const file = {
    ...unigramFile(),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Lowercase" },
        { type: "Replace", pattern: { Regex: "[\"']" }, content: "" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "WhitespaceSplit" }, metaspace],
    },
  };
  const read = parse(file);
  const decoded = read.decode(read.encode("\n The\t\n'Truth'  "));
  assertEquals(decoded, "the truth");
});

Deno.test("tokenizer.json: a table of characters, SentencePiece's own", () => {
  const table = characterTable({
    "\t": " ",
    "\u0001": "",
    "ﬁ": "fi",
    "1": "one",
    "12": "never, since 1 comes first",
    "e\u0301": "E",
    "a": "b",
  });
  const normalizer = { type: "Precompiled", precompiled_charsmap: table };
  const read = parse({ ...unigramFile(), normalizer });
  const normalized = (text: string) => read.decode(read.encode(text));
  assertEquals(normalized("ﬁ\u0001n\tx 12"), "fin x one2");
  assertEquals(normalized("e\u0301 e a"), "E e b");
  // A cluster becomes what it begins with; a long one is taken apart.
  assertEquals(normalized("a\u0301"), "b");
  assertEquals(normalized("a\u0301\u0302\u0303"), "b\u0301\u0302\u0303");
  for (const broken of ["!", "", "AAAA", btoa("\xff\0\0\0\0")]) {
    const wrong = { ...normalizer, precompiled_charsmap: broken };
    assertThrows(
      () => parse({ ...unigramFile(), normalizer: wrong }),
      CorpusError,
      "precompiled_charsmap",
    );
  }
});

Deno.test("tokenizer.json: added tokens beyond the vocabulary", () => {
  const size = wordPiece.vocabularySize;
  const file = wordPieceFile();
  const tokens = [...file.added_tokens as Json[], ...added(["<ent>"], size)];
  const read = parse({ ...file, added_tokens: tokens });
  assertEquals(read.vocabularySize, size + 1);
  assertEquals([...read.encode("<ent>", { special: true })], [size]);
});

/** A copy of a file with a field, at a path with dots, set to a value. */
function withField(file: Json, path: string, value: unknown): string {
  const copy = structuredClone(file);
  const fields = path.split(".");
  let place: Json = copy;
  for (const field of fields.slice(0, -1)) place = place[field] as Json;
  place[fields[fields.length - 1]] = value;
  return JSON.stringify(copy);
}

Deno.test("tokenizer.json: what isn't supported is named by its field", () => {
  const cases: readonly [Json, string, unknown, string][] = [
    [bytePairFile(), "model", null, "model: nothing: expected an object"],
    [
      bytePairFile(),
      "model.type",
      "WordLevel",
      `model.type: "WordLevel" isn't`,
    ],
    [bytePairFile(), "model.dropout", 0.1, "model.dropout: 0.1 isn't"],
    [bytePairFile(), "model.merges", "a b", "model.merges: "],
    [bytePairFile(), "model.merges", ["a b", "zz a"], "model.merges[0]: merge"],
    [bytePairFile(), "model.vocab", { a: "b" }, "model.vocab: "],
    [bytePairFile(), "normalizer", { type: "NFC" }, "normalizer: "],
    [bytePairFile(), "pre_tokenizer", null, "pre_tokenizer: nothing isn't"],
    [
      bytePairFile(),
      "pre_tokenizer.add_prefix_space",
      true,
      "pre_tokenizer.add_prefix_space: true isn't supported: expected false",
    ],
    [bytePairFile(), "decoder.type", "WordPiece", "decoder: "],
    [bytePairFile(), "added_tokens", added(["<x>"], 5), "model.vocab: "],
    [bytePairFile(), "added_tokens", added(["<x>"], 302), "300 is missing"],
    [bytePairFile(), "added_tokens", [{ id: 3 }], "added_tokens[0].content"],
    [wordPieceFile(), "normalizer.type", "NFD", "expected BertNormalizer"],
    [wordPieceFile(), "normalizer.lowercase", 1, "normalizer.lowercase: 1"],
    [wordPieceFile(), "model.unk_token", "<u>", `no token "<u>"`],
    [
      wordPieceFile(),
      "model.continuing_subword_prefix",
      "@@",
      "model.continuing_subword_prefix",
    ],
    [unigramFile(), "model.unk_id", null, "model.unk_id: nothing"],
    [unigramFile(), "model.vocab", [["a"]], "model.vocab: "],
    [unigramFile(), "pre_tokenizer.split", false, "pre_tokenizer.split: false"],
    [unigramFile(), "pre_tokenizer.type", "Digits", "expected Metaspace"],
    [
      unigramFile(),
      "normalizer.normalizers",
      [{ type: "BertNormalizer" }],
      `normalizer.normalizers[0].type: "BertNormalizer"`,
    ],
    [
      unigramFile(),
      "normalizer.normalizers",
      [{ type: "Replace", pattern: { Regex: "(" }, content: "" }],
      "Invalid regular expression",
    ],
  ];
  for (const [file, path, value, message] of cases) {
    const text = withField(file, path, value);
    const read = () => parseHuggingFaceTokenizer(text, "some/tokenizer.json");
    const error = assertThrows(read, CorpusError, message);
    assert(error.message.startsWith("some/tokenizer.json: "), error.message);
  }
});

Deno.test("loadTokenizer: folders and files of each kind, and mistakes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  const write = async (name: string, text: string | Uint8Array) => {
    const path = `${folder}/${name}`;
    await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeFile(
      path,
      typeof text === "string" ? new TextEncoder().encode(text) : text,
    );
  };
  const load = (name: string) => loadTokenizer(`${folder}/${name}`);
  const refuses = async (name: string, message: string) => {
    await assertRejects(() => load(name), CorpusError, message);
  };
  try {
    const { vocabulary, merges } = formatBytePairFiles(bytePair);
    await write("gpt/vocab.json", vocabulary);
    await refuses("gpt", "merges.txt: no such file; vocab.json needs it");
    await write("gpt/merges.txt", merges);
    for (const path of ["gpt", "gpt/", "gpt/merges.txt", "gpt/vocab.json"]) {
      assertEquals((await load(path)).toJSON(), bytePair.toJSON());
    }
    await write("bert/vocab.txt", formatWordPieceVocabulary(wordPiece));
    assertEquals((await load("bert")).toJSON(), wordPiece.toJSON());
    await write("bert/tokenizer_config.json", `{"do_lower_case": false}`);
    assert((await load("bert")).encode("The").length > 0);
    assertEquals((await load("bert/vocab.txt")).decode([1]), "[UNK]");
    await write("bert/tokenizer_config.json", `{"do_lower_case": 3}`);
    await refuses("bert", "tokenizer_config.json: do_lower_case: 3");

    await write("hub/tokenizer.json", JSON.stringify(unigramFile()));
    await write("hub/vocab.txt", "not read");
    assertEquals((await load("hub")).name, "unigram");

    await write("hub/tokenizer.json", '{\n  "model": \n}');
    await refuses("hub", "tokenizer.json:3: not JSON");
    await write("bad/vocab.txt", Uint8Array.of(0x61, 0xff));
    await refuses("bad", "vocab.txt: not a text in UTF-8: byte 1 is invalid");
    await write("other/model.bin", "");
    await refuses("other", "no tokenizer in this folder");
    await refuses("other/model.bin", "not the file of a tokenizer");
    await refuses("nowhere", "no such file or folder");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
