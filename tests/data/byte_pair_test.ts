import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  bytePairTokenizer,
  CorpusError,
  formatBytePairFiles,
  loadBytePairTokenizer,
  parseBytePairFiles,
  trainBytePairEncoding,
} from "../../data/mod.ts";
import {
  assertChunksAgree,
  generator,
  oddTexts,
  prose,
  randomText,
} from "./chunks.ts";
import { goldenDevices, testGolden } from "../golden.ts";
import { goldenTokenizer } from "./golden_tokenizer.ts";

// Plain functions, the same on every device.
testGolden("tokenizer", goldenTokenizer, [goldenDevices.reference64]);

Deno.test("a tokenizer comes back from its folder", async () => {
  const text = "to be, or not to be ".repeat(4);
  const tokenizer = await trainBytePairEncoding(text, { vocabularySize: 270 });
  const { vocabulary, merges } = formatBytePairFiles(tokenizer);
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  try {
    await Deno.writeTextFile(`${folder}/vocab.json`, vocabulary);
    await Deno.writeTextFile(`${folder}/merges.txt`, merges);
    const again = await loadBytePairTokenizer(folder);
    assertEquals(again.toJSON(), tokenizer.toJSON());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** GPT-2's `bpe`: all pairs of the lowest rank, then again. */
function mergePlainly(tokens: string[], merges: readonly string[]): string[] {
  for (;;) {
    const ranks = tokens.slice(1).map((right, i) => {
      const rank = merges.indexOf(`${tokens[i]} ${right}`);
      return rank === -1 ? Infinity : rank;
    });
    const rank = Math.min(...ranks);
    if (rank === Infinity) return tokens;
    tokens = replacePair(tokens, merges[rank]);
  }
}

function replacePair(tokens: readonly string[], merge: string): string[] {
  const replaced: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const isPair = `${tokens[i]} ${tokens[i + 1]}` === merge;
    replaced.push(isPair ? tokens[i] + tokens[++i] : tokens[i]);
  }
  return replaced;
}

/** The tokens of the 256 bytes in GPT-2's alphabet, from a trained tokenizer. */
const { vocabulary: byteVocabulary } =
  (await trainBytePairEncoding("", { vocabularySize: 256 })).toJSON();

Deno.test("merging follows the ranks, whatever their order", () => {
  const below = generator(1);
  for (let trial = 0; trial < 60; trial++) {
    // Random merges over a, b, c, in random order of rank, some of which make
    // the same token: no trained vocabulary has these, a file could.
    const tokens = ["a", "b", "c"];
    const merges = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const left = tokens[below(tokens.length)];
      const right = tokens[below(tokens.length)];
      if (left.length + right.length > 6) continue;
      merges.add(`${left} ${right}`);
      tokens.push(left + right);
    }
    const order = [...merges].sort(() => below(3) - 1);
    const added = [...new Set(tokens)].filter((token) => token.length > 1);
    const vocabulary = {
      ...byteVocabulary,
      ...Object.fromEntries(added.map((token, i) => [token, 256 + i])),
    };
    const tokenizer = bytePairTokenizer({ vocabulary, merges: order });
    const text = randomText(trial, "aabc", 40);
    const expected = mergePlainly([...text], order);
    assertEquals(
      [...tokenizer.encode(text)].map((id) => tokenizer.decode([id])),
      expected,
    );
  }
});

/** Learns merges with a full count for each, from pieces without spaces. */
function trainPlainly(words: readonly string[], size: number): string[] {
  const idOf = new Map(Object.entries(byteVocabulary));
  const merges: string[] = [];
  let pieces = words.map((word) => [...word]);
  while (idOf.size < size) {
    const counts = new Map<string, number>();
    for (const piece of pieces) {
      for (let i = 0; i + 1 < piece.length; i++) {
        const pair = `${piece[i]} ${piece[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const key = (pair: string): number[] =>
      pair.split(" ").map((token) => idOf.get(token) ?? -1);
    const [best] = [...counts].sort(([a, countA], [b, countB]) => {
      const [leftA, rightA] = key(a);
      const [leftB, rightB] = key(b);
      return countB - countA || leftA - leftB || rightA - rightB;
    });
    if (best === undefined || best[1] < 2) break;
    idOf.set(best[0].replace(" ", ""), idOf.size);
    merges.push(best[0]);
    pieces = pieces.map((piece) => replacePair(piece, best[0]));
  }
  return merges;
}

Deno.test("training counts as a full recount would", async () => {
  for (let seed = 0; seed < 25; seed++) {
    const alphabet = seed % 2 === 0 ? "ab,," : "abcde,";
    const words = randomText(seed, alphabet, 400).match(/[a-e]+|,+/g) ?? [];
    const tokenizer = await trainBytePairEncoding(words, {
      vocabularySize: 330,
    });
    assertEquals(tokenizer.toJSON().merges, trainPlainly(words, 330));
  }
});

Deno.test("a trained encoding compresses, and is the same each time", async () => {
  const options = { vocabularySize: 320 };
  const text = prose.repeat(20);
  const tokenizer = await trainBytePairEncoding(text, options);
  assertEquals(tokenizer.vocabularySize, 320);
  const ids = tokenizer.encode(prose);
  assertEquals(tokenizer.decode(ids), prose);
  assert(ids.length < new TextEncoder().encode(prose).length / 2);
  const again = await trainBytePairEncoding(text, options);
  assertEquals(again.toJSON(), tokenizer.toJSON());
});

Deno.test("training stops where no pair occurs twice", async () => {
  const tokenizer = await trainBytePairEncoding("abab", {
    vocabularySize: 1000,
  });
  assertEquals(tokenizer.toJSON().merges, ["a b"]);
  assertEquals(tokenizer.vocabularySize, 257);
});

Deno.test("training needs an id for each byte", async () => {
  for (const vocabularySize of [255, 300.5, NaN]) {
    await assertRejects(
      () => trainBytePairEncoding("text", { vocabularySize }),
      RangeError,
      "at least 256",
    );
  }
});

Deno.test("tokens named like properties of objects are tokens", async () => {
  const text = "__proto__ constructor ".repeat(30);
  const tokenizer = await trainBytePairEncoding(text, { vocabularySize: 290 });
  const copy = parseBytePairFiles(formatBytePairFiles(tokenizer));
  assertEquals(copy.encode(text), tokenizer.encode(text));
  assertEquals(copy.decode(copy.encode(text)), text);
});

Deno.test("chunks of any size give the ids of the whole text", async () => {
  const merged = [...oddTexts, ...oddTexts].join(" ");
  const tokenizer = await trainBytePairEncoding(merged, {
    vocabularySize: 600,
  });
  for (const text of oddTexts) await assertChunksAgree(tokenizer, text);
});

Deno.test("a long piece doesn't take quadratic time", async () => {
  const text = "abcdefghij".repeat(10);
  const tokenizer = await trainBytePairEncoding(text, { vocabularySize: 300 });
  const piece = text.repeat(2_000);
  const start = performance.now();
  const ids = tokenizer.encode(piece);
  // 0.2 s where measured; quadratic time would be minutes.
  assert(performance.now() - start < 5_000);
  assertEquals(tokenizer.decode(ids), piece);
});

Deno.test("mistakes in vocabulary and merges are named", () => {
  const make = (
    extra: Record<string, number>,
    merges: readonly string[],
  ) =>
  () =>
    bytePairTokenizer({ vocabulary: { ...byteVocabulary, ...extra }, merges });
  assertThrows(make({ ab: 300 }, []), RangeError, `"ab" has the id 300`);
  assertThrows(make({ ab: 7 }, []), RangeError, "once");
  assertThrows(make({}, ["a b"]), RangeError, `merge 0, "a b"`);
  assertThrows(make({ ab: 256 }, ["a b", "ab"]), RangeError, "merge 1");
  const lacking = { vocabulary: { a: 0 }, merges: [] };
  assertThrows(() => bytePairTokenizer(lacking), RangeError, "byte 0");
});

Deno.test("mistakes in vocab.json and merges.txt name file and line", () => {
  const bytes = JSON.stringify(byteVocabulary).slice(1, -1);
  const withTokens = `{${bytes}, "ab": 256, "abc": 257}`;
  const cases: readonly [string, string, string][] = [
    ["[]", "", "vocab.json: expected a JSON object"],
    [`{\n"a": 1,\n}`, "", "vocab.json:3: not JSON"],
    [`{"a": "b"}`, "", "vocab.json: expected a JSON object"],
    [`{${bytes}, "ab": 300}`, "", `vocab.json: bytePairTokenizer: token "ab"`],
    [`{"a": 0}`, "", "no token for byte 0"],
    [
      withTokens,
      "#version: 0.2\nab c\na b\n",
      `merges.txt:2: merge "ab c": no merge before it makes "ab"`,
    ],
    [withTokens, "a b\n\nab c\na bq", `merges.txt:4: merge "a bq": "bq" isn't`],
    [withTokens, "b c", `merges.txt:1: merge "b c": what it makes, "bc"`],
    [withTokens, "a b c", 'merges.txt:1: merge "a b c": expected two tokens'],
    [withTokens, "a  b", "expected two tokens"],
  ];
  for (const [vocabulary, merges, message] of cases) {
    const parse = () => parseBytePairFiles({ vocabulary, merges });
    assertThrows(parse, CorpusError, message);
  }
  const { merges } = parseBytePairFiles(
    { vocabulary: withTokens, merges: "#version: 0.2\r\na b\r\nab c\r\n" },
  ).toJSON();
  assertEquals(merges, ["a b", "ab c"]);
});
