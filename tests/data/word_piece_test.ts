import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CorpusError,
  formatWordPieceVocabulary,
  parseWordPieceVocabulary,
  trainWordPiece,
  type WordPieceTokenizer,
} from "../../data/mod.ts";
import { assertChunksAgree, oddTexts, prose, randomText } from "./chunks.ts";

/** A tokenizer with these tokens after `[UNK]`. */
function withTokens(tokens: string, lowercase = true): WordPieceTokenizer {
  const lines = ["[UNK]", ...tokens.split(" ")].join("\n");
  return parseWordPieceVocabulary(lines, { lowercase });
}

/** The tokens of a text. */
function tokensOf(tokenizer: WordPieceTokenizer, text: string): string {
  const { vocabulary } = tokenizer.toJSON();
  return Array.from(tokenizer.encode(text), (id) => vocabulary[id]).join(" ");
}

Deno.test("words: the longest piece first, then the longest that goes on", () => {
  const tokenizer = withTokens(
    "un una ##want ##wan ##ed ##affable runn ##ing ,",
  );
  assertEquals(
    tokensOf(tokenizer, "UNwanted,running"),
    "un ##want ##ed , runn ##ing",
  );
  // No way back: "una" is taken, and nothing goes on with "ff".
  assertEquals(tokensOf(tokenizer, "unaffable unwan"), "[UNK] un ##wan");
});

Deno.test("words: white space, signs, Chinese characters, controls", () => {
  const tokenizer = withTokens("a ##b b ab $ ^ 東 京 ー ¡ ° ##° の");
  assertEquals(tokensOf(tokenizer, " ab\t\u3000a\u2028b "), "ab a b");
  assertEquals(tokensOf(tokenizer, "a$b^¡a°"), "a $ b ^ ¡ a ##°");
  assertEquals(tokensOf(tokenizer, "a東京bー"), "a 東 京 [UNK]");
  assertEquals(tokensOf(tokenizer, "a\u0000\u000b\u00ad\ufffdb"), "ab");
  assertEquals(tokensOf(tokenizer, "a".repeat(101)), "[UNK]");
  assertEquals(tokensOf(tokenizer, ""), "");
});

Deno.test("words: lower case takes accents off, and only lower case does", () => {
  const tokens = "e é E É σ ##σ i ##i";
  assertEquals(
    tokensOf(withTokens(tokens), "É e\u0301 Σσς Σ İ"),
    "e e [UNK] σ i",
  );
  assertEquals(tokensOf(withTokens(tokens, false), "É e Ee"), "É e [UNK]");
});

Deno.test("special tokens are ids where that is asked for", () => {
  const text = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n[\n]\nsep";
  const tokenizer = parseWordPieceVocabulary(text);
  assertEquals([...tokenizer.special], [
    ["[PAD]", 0],
    ["[UNK]", 1],
    ["[CLS]", 2],
    ["[SEP]", 3],
    ["[MASK]", 4],
  ]);
  const written = "[CLS]a [MASK][SEP]";
  assertEquals([...tokenizer.encode(written, { special: true })], [2, 5, 4, 3]);
  assertEquals(tokensOf(tokenizer, "[SEP]"), "[ sep ]");
});

Deno.test("decoding puts words apart and pieces together", () => {
  const tokenizer = withTokens("who ##ever comes , goes ! . a");
  const decode = (text: string) => tokenizer.decode(tokenizer.encode(text));
  assertEquals(decode("Whoever  comes , goes!"), "whoever comes, goes!");
  const decoder = tokenizer.decoder();
  const parts = Array.from(
    tokenizer.encode("a whoever."),
    (id) => decoder.push(id),
  );
  assertEquals(parts, ["a", " who", "ever", "."]);
});

Deno.test("a vocabulary without upper-case letters is for lower-case text", () => {
  const isLower = (text: string): boolean =>
    parseWordPieceVocabulary(text).toJSON().normalization.lowercase;
  assertEquals(isLower("[UNK]\n[CLS]\na\n##ß"), true);
  assertEquals(isLower("[UNK]\n[CLS]\na\n##B"), false);
});

Deno.test("training: merges of the most frequent neighbours", async () => {
  const text = "hug hug hug hug pug pug bun bun";
  const tokenizer = await trainWordPiece(text, { vocabularySize: 100 });
  const { vocabulary } = tokenizer.toJSON();
  assertEquals(vocabulary.slice(0, 17), [
    ..."[PAD] [UNK] [CLS] [SEP] [MASK] b g h n p u".split(" "),
    ..."##b ##g ##h ##n ##p ##u".split(" "),
  ]);
  // "ug" is in 6 words, "hug" in 4; of those in 2 the smaller ids come first.
  assertEquals(vocabulary.slice(17), "##ug hug bu pug bun".split(" "));
  assertEquals(tokensOf(tokenizer, "hug bug nun"), "hug bu ##g n ##u ##n");
});

Deno.test("training: size, characters, and the same each time", async () => {
  const options = { vocabularySize: 70, lowercase: true };
  const text = randomText(5, "abcDÉ ", 3_000);
  const tokenizer = await trainWordPiece(text, options);
  assertEquals(tokenizer.vocabularySize, 70);
  const again = await trainWordPiece(text, options);
  assertEquals(again.toJSON(), tokenizer.toJSON());
  const { vocabulary } = tokenizer.toJSON();
  assert(
    vocabulary.every((token) => !/\p{Lu}/u.test(token) || /^\[/.test(token)),
  );
  // At most half of the ids are single characters; others are unknown.
  const small = await trainWordPiece("aaab".repeat(9), { vocabularySize: 11 });
  assertEquals(tokensOf(small, "ab"), "[UNK]");
  assert(!tokensOf(small, "aa").includes("[UNK]"));
  await assertRejects(
    () => trainWordPiece("a", { vocabularySize: 6 }),
    RangeError,
    "at least 7",
  );
});

Deno.test("chunks of any size give the ids of the whole text", async () => {
  for (const lowercase of [true, false]) {
    const tokenizer = await trainWordPiece(oddTexts, {
      vocabularySize: 250,
      lowercase,
    });
    for (const text of oddTexts) await assertChunksAgree(tokenizer, text);
  }
});

Deno.test("vocab.txt comes back, and its mistakes name the line", async () => {
  const trained = await trainWordPiece(prose, { vocabularySize: 90 });
  const text = formatWordPieceVocabulary(trained);
  const lowercase = false;
  for (const written of [text, `\uFEFF${text.replaceAll("\n", "\r\n")}`]) {
    const read = parseWordPieceVocabulary(written, { lowercase });
    assertEquals(read.toJSON(), trained.toJSON());
  }
  const cases: readonly [string, string][] = [
    ["[UNK]\na\n\nb", "vocab.txt:3: the line is empty"],
    ["[UNK]\na\nb\na", `vocab.txt:4: token "a" was in line 2 already`],
    ["a\nb", "vocab.txt: there is no token [UNK] in its 2 lines"],
    ["", "vocab.txt: there is no token [UNK]"],
  ];
  for (const [broken, message] of cases) {
    assertThrows(() => parseWordPieceVocabulary(broken), CorpusError, message);
  }
});

Deno.test("encoding long words and long texts is fast", async () => {
  const text = randomText(3, "abcdefgh ", 20_000) + "x".repeat(1_000_000);
  const tokenizer = await trainWordPiece(text, { vocabularySize: 300 });
  const start = performance.now();
  tokenizer.encode(text.repeat(2));
  // 0.1 s where measured; quadratic time would be hours.
  assert(performance.now() - start < 5_000);
});
