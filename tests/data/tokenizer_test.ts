import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  byteTokenizer,
  characterTokenizer,
  type Tokenizer,
  tokenizerFromJson,
  trainBytePairEncoding,
  trainCharacterTokenizer,
  trainUnigram,
  trainWordPiece,
} from "../../data/mod.ts";

const texts = [
  "",
  "plain ASCII, with digits 0123 and\nlines\r\n",
  "\uFEFFbyte order mark, ümläut, 東京, \u{1F469}\u200D\u{1F680} \u{20000}",
  "zero \0 and controls \x01\x7f\x85",
];

const lossless: readonly Tokenizer[] = [
  byteTokenizer,
  await trainCharacterTokenizer(texts),
  await trainCharacterTokenizer(texts, { unknown: true }),
  await trainBytePairEncoding(texts.join("").repeat(3), {
    vocabularySize: 300,
  }),
  // NFKC leaves these texts as they are.
  await trainUnigram(texts.join("").repeat(3), { vocabularySize: 300 }),
];

const tokenizers: readonly Tokenizer[] = [
  ...lossless,
  await trainWordPiece(texts, { vocabularySize: 80 }),
  await trainUnigram(texts, { vocabularySize: 300, prefix: true }),
];

/** What a streaming decoder makes of ids, in the parts that it returns. */
function stream(tokenizer: Tokenizer, ids: ArrayLike<number>): string[] {
  const decoder = tokenizer.decoder();
  return [...Array.from(ids, (id) => decoder.push(id)), decoder.flush()];
}

Deno.test("lossless tokenizers give back the text, whole and streamed", () => {
  for (const tokenizer of lossless) {
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      assert(ids.every((id) => id >= 0 && id < tokenizer.vocabularySize));
      assertEquals(tokenizer.decode(ids), text);
      assertEquals(stream(tokenizer, ids).join(""), text);
    }
  }
});

Deno.test("every tokenizer streams what it decodes", () => {
  for (const tokenizer of tokenizers) {
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      assertEquals(stream(tokenizer, ids).join(""), tokenizer.decode(ids));
    }
  }
});

Deno.test("every tokenizer survives JSON", () => {
  for (const tokenizer of tokenizers) {
    const json = JSON.parse(JSON.stringify(tokenizer));
    const copy = tokenizerFromJson(json);
    assertEquals(copy.name, tokenizer.name);
    assertEquals(copy.vocabularySize, tokenizer.vocabularySize);
    for (const text of texts) {
      assertEquals(copy.encode(text), tokenizer.encode(text));
    }
    assertEquals(copy.toJSON(), tokenizer.toJSON());
  }
});

Deno.test("every tokenizer refuses ids outside its vocabulary", () => {
  for (const tokenizer of tokenizers) {
    for (const id of [-1, tokenizer.vocabularySize, 0.5, NaN]) {
      const decode = () => tokenizer.decode([id]);
      assertThrows(decode, RangeError, `${id} isn't an id`);
      assertThrows(() => tokenizer.decoder().push(id), RangeError);
    }
  }
});

Deno.test("tokenizerFromJson refuses what isn't a tokenizer", () => {
  for (
    const json of [null, 3, {}, { kind: "word-piece" }, { kind: "unigram" }, {
      kind: "character",
    }]
  ) {
    const read = () => tokenizerFromJson(json);
    assertThrows(read, TypeError, "isn't a tokenizer");
  }
});

Deno.test("bytes: ids are the UTF-8 bytes", () => {
  assertEquals([...byteTokenizer.encode("aé€")], [
    0x61,
    0xc3,
    0xa9,
    0xe2,
    0x82,
    0xac,
  ]);
  assertEquals([...byteTokenizer.encode("\ud800")], [0xef, 0xbf, 0xbd]);
});

Deno.test("streaming holds incomplete characters back", () => {
  const ids = byteTokenizer.encode("é€");
  assertEquals(stream(byteTokenizer, ids), ["", "é", "", "", "€", ""]);
  assertEquals(stream(byteTokenizer, ids.subarray(0, 4)).at(-1), "\uFFFD");
  const broken = [0x61, 0xe2, 0x82, 0x62, 0xff, 0xc3];
  assertEquals(
    stream(byteTokenizer, broken).join(""),
    byteTokenizer.decode(broken),
  );
});

Deno.test("characters: ids in the order of code points", async () => {
  const chunks = ["ba", "\u{20000}é", "ab"];
  const tokenizer = await trainCharacterTokenizer(chunks);
  assertEquals(tokenizer.vocabularySize, 4);
  assertEquals([...tokenizer.encode("abé\u{20000}")], [0, 1, 2, 3]);
});

Deno.test("characters: unknown ones are an error or an id", () => {
  const strict = characterTokenizer({ characters: "abc", unknown: false });
  const error = assertThrows(() => strict.encode("abba é"), RangeError);
  assertStringIncludes(error.message, `" " (U+0020) at offset 4`);
  const lenient = characterTokenizer({ characters: "abc", unknown: true });
  assertEquals(lenient.vocabularySize, 4);
  assertEquals([...lenient.encode("cé")], [2, 3]);
  assertEquals(lenient.decode([2, 3]), "c\uFFFD");
});

Deno.test("characters: an empty or doubled set is refused", async () => {
  const doubled = () =>
    characterTokenizer({ characters: "aba", unknown: false });
  assertThrows(doubled, RangeError, "each once");
  await assertRejects(() => trainCharacterTokenizer(""), RangeError);
});
