import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  trainUnigram,
  type UnigramJson,
  type UnigramTokenizer,
  unigramTokenizer,
} from "../../data/mod.ts";
import { frequentSubstrings } from "../../data/frequent_substrings.ts";
import {
  likeliestSegmentation,
  scoredPieces,
  SegmentationSums,
} from "../../data/unigram_lattice.ts";
import {
  assertChunksAgree,
  generator,
  oddTexts,
  prose,
  randomText,
} from "./chunks.ts";

/** All ways to make a word of pieces. */
function segmentations(word: string, pieces: readonly string[]): number[][] {
  if (word === "") return [[]];
  return pieces.flatMap((piece, i) =>
    word.startsWith(piece)
      ? segmentations(word.slice(piece.length), pieces).map((
        rest,
      ) => [i, ...rest])
      : []
  );
}

/** Random pieces of a and b, a and b among them, with random scores. */
function randomPieces(seed: number): { texts: string[]; scores: number[] } {
  const below = generator(seed);
  const texts = new Set(["a", "b"]);
  while (texts.size < 9) {
    texts.add(randomText(seed + texts.size + below(999), "ab", 2 + below(3)));
  }
  return {
    texts: [...texts],
    scores: Array.from(texts, () => -1 - below(1000) / 100),
  };
}

Deno.test("the likeliest segmentation, and expected counts over all", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { texts, scores } = randomPieces(seed);
    const model = scoredPieces(texts, scores);
    const word = randomText(seed, "ab", 9);
    const all = segmentations(word, texts).map((pieces) => ({
      pieces,
      score: pieces.reduce((sum, piece) => sum + scores[piece], 0),
    }));
    const best = Math.max(...all.map(({ score }) => score));
    const found = likeliestSegmentation(word, model, -Infinity);
    assertAlmostEquals(found.score, best, 1e-9);
    assertEquals(found.pieces.map((piece) => texts[piece]).join(""), word);

    const total = all.reduce((sum, { score }) => sum + Math.exp(score), 0);
    const expected = new Float64Array(texts.length);
    for (const { pieces, score } of all) {
      for (const piece of pieces) {
        expected[piece] += 3 * Math.exp(score) / total;
      }
    }
    const summed = new Float64Array(texts.length);
    const sums = new SegmentationSums();
    assertAlmostEquals(
      sums.addExpected(word, 3, model, summed),
      Math.log(total),
      1e-9,
    );
    expected.forEach((count, i) => assertAlmostEquals(summed[i], count, 1e-9));
  }
});

Deno.test("frequent substrings: counts, and none inside one as frequent", () => {
  const words = [
    { text: "banana", count: 2 },
    { text: "bandana", count: 1 },
    { text: "\u{1F5FC}\u{1F5FB}", count: 1 },
    { text: "\u{1F5FC}\u{1F5FA}", count: 1 },
  ];
  const found = frequentSubstrings(words, { longest: 6, most: 100 });
  assertEquals(
    Object.fromEntries(found.map(({ text, count }) => [text, count])),
    {
      ana: 5,
      an: 6,
      na: 5,
      ban: 3,
      "\u{1F5FC}": 2,
      banana: 2,
    },
  );
});

/** A tokenizer of pieces and scores, after `<unk>`. */
function withPieces(
  pieces: Readonly<Record<string, number>>,
  options: Partial<UnigramJson> = {},
): UnigramTokenizer {
  return unigramTokenizer({
    vocabulary: ["<unk>", ...Object.keys(pieces)],
    scores: [0, ...Object.values(pieces)],
    special: ["<unk>"],
    unknown: "<unk>",
    bytes: false,
    normalization: [],
    cut: "spaces",
    prefix: true,
    ...options,
  });
}

function tokensOf(tokenizer: UnigramTokenizer, text: string): string[] {
  const { vocabulary } = tokenizer.toJSON();
  return Array.from(tokenizer.encode(text), (id) => vocabulary[id]);
}

Deno.test("spaces, unknown characters and the likeliest pieces", () => {
  const tokenizer = withPieces({
    "▁": -3,
    "▁a": -2,
    "▁ab": -9,
    a: -2,
    b: -2,
    c: -3,
    bc: -4,
    abc: -7,
    "\n": -4,
  });
  assertEquals(tokensOf(tokenizer, "abc"), ["▁a", "bc"]);
  assertEquals(tokensOf(tokenizer, " abc"), ["▁a", "bc"]);
  assertEquals(tokensOf(tokenizer, "a  b\na"), [
    "▁a",
    "▁",
    "▁",
    "b",
    "\n",
    "a",
  ]);
  assertEquals(tokensOf(tokenizer, "xyaxb"), ["▁", "<unk>", "a", "<unk>", "b"]);
  assertEquals(tokenizer.decode(tokenizer.encode("a  b\na")), "a  b\na");
  assertEquals(tokensOf(tokenizer, ""), []);
  const special = tokenizer.encode("a<unk>b", { special: true });
  assertEquals([...special], [2, 0, 1, 5]);
});

Deno.test("normalisation steps, in order", () => {
  const tokenizer = withPieces({ f: -1, i: -1, " ": -1, e: -1, "▁": -1 }, {
    prefix: false,
    normalization: [
      { type: "NFKD" },
      { type: "StripAccents" },
      { type: "Lowercase" },
      { type: "Nmt" },
      { type: "Strip", strip_left: true, strip_right: true },
      { type: "Replace", pattern: { String: "x" }, content: "$&" },
      { type: "Replace", pattern: { Regex: "[$&]{2}" }, content: "f" },
    ],
  });
  assertEquals(tokensOf(tokenizer, "\t ﬁÉ\u0001\txi\n").join(""), "fie▁fi");
});

Deno.test("a needed token that isn't there is named", () => {
  const make = (options: Partial<UnigramJson>) => () =>
    withPieces({ a: -1 }, options);
  assertThrows(make({ unknown: "<u>" }), RangeError, `no token "<u>"`);
  assertThrows(make({ bytes: true }), RangeError, `no token "<0x00>"`);
  assertThrows(make({ scores: [0] }), RangeError, "2 tokens, but 1 scores");
  const vocabulary = ["<unk>", "<unk>"];
  assertThrows(make({ vocabulary }), RangeError, "the ids 0 and 1");
});

Deno.test("training finds the words that a text is made of", async () => {
  const below = generator(4);
  const stems = ["water", "light", "tree", "moon"];
  const text = Array.from(
    { length: 400 },
    () => Array.from({ length: 8 }, () => stems[below(4)]).join(""),
  ).join(" ");
  const tokenizer = await trainUnigram(text, {
    vocabularySize: 300,
    prefix: true,
  });
  const tokens = tokensOf(tokenizer, "moonwatertree lightlightmoon");
  assertEquals(tokens.join(""), "▁moonwatertree▁lightlightmoon");
  assert(tokens.length <= 7, tokens.join("|"));
});

Deno.test("training: size, special tokens, characters, the same each time", async () => {
  const text = prose.repeat(20) + randomText(5, "abcdef ", 3_000);
  const tokenizer = await trainUnigram(text, { vocabularySize: 310 });
  assertEquals(tokenizer.vocabularySize, 310);
  assertEquals([...tokenizer.special.keys()], [
    "<pad>",
    "</s>",
    "<unk>",
    "<s>",
  ]);
  const ids = tokenizer.encode(prose);
  assertEquals(tokenizer.decode(ids), prose.normalize("NFKC"));
  assert(ids.length < Array.from(prose).length);
  const again = await trainUnigram(text, { vocabularySize: 310 });
  assertEquals(again.toJSON(), tokenizer.toJSON());
  // What isn't in the text is bytes.
  assertEquals(tokenizer.decode(tokenizer.encode("ﬁ ☃\t")), "fi ☃\t");
  await assertRejects(
    () => trainUnigram("a", { vocabularySize: 260 }),
    RangeError,
    "at least 261",
  );
});

Deno.test("a word without end is learned from, and encoded", async () => {
  const text = `the ${"x".repeat(200_000)} end`;
  const tokenizer = await trainUnigram(text, { vocabularySize: 290 });
  const start = performance.now();
  const ids = tokenizer.encode(text);
  // 0.1 s where measured; quadratic time would be minutes.
  assert(performance.now() - start < 5_000);
  assert(ids.length < 20_000);
  assertEquals(tokenizer.decode(ids), text);
});

Deno.test("probabilities of trained pieces add up to about 1", async () => {
  const tokenizer = await trainUnigram(prose.repeat(20), {
    vocabularySize: 310,
  });
  const sum = tokenizer.toJSON().scores.slice(260)
    .reduce((total, score) => total + Math.exp(score), 0);
  // A digamma is a little less than the logarithm, and pieces were pruned since.
  assert(sum > 0.7 && sum <= 1, `${sum}`);
});

Deno.test("chunks of any size give the ids of the whole text", async () => {
  const trained = await trainUnigram(oddTexts, { vocabularySize: 420 });
  const prefixed = unigramTokenizer({
    ...trained.toJSON(),
    cut: "spaces",
    prefix: true,
  });
  for (const tokenizer of [trained, prefixed]) {
    for (const text of oddTexts) await assertChunksAgree(tokenizer, text);
  }
});
