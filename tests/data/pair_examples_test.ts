import { assertEquals, assertRejects } from "@std/assert";
import {
  byteTokenizer,
  characterTokenizer,
  CorpusError,
  encodePairs,
  pairBatch,
  sentenceTokens,
} from "../../data/mod.ts";

function withSpecial(
  ...special: [string, number][]
): Parameters<typeof sentenceTokens>[0] {
  return { vocabularySize: 10, special: new Map(special) };
}

Deno.test("padding and end are special tokens, or ids behind the tokenizer's", () => {
  assertEquals(sentenceTokens(withSpecial(["<pad>", 0], ["</s>", 1])), {
    vocabulary: 10,
    padding: 0,
    start: 0,
    end: 1,
  });
  assertEquals(sentenceTokens(withSpecial(["[SEP]", 3], ["[PAD]", 2])), {
    vocabulary: 10,
    padding: 2,
    start: 2,
    end: 3,
  });
  assertEquals(sentenceTokens(withSpecial(["<|endoftext|>", 9])), {
    vocabulary: 11,
    padding: 10,
    start: 10,
    end: 9,
  });
  assertEquals(sentenceTokens(withSpecial()), {
    vocabulary: 12,
    padding: 10,
    start: 10,
    end: 11,
  });
});

const pairs = [
  { source: "a", target: "bc" },
  { source: "too long a sentence", target: "no" },
  { source: "def", target: "" },
  { source: "hi", target: "j" },
];

Deno.test("pairs become padded batches; what is too long is left out", async () => {
  const examples = await encodePairs("letters", pairs, {
    tokenizer: byteTokenizer,
    context: 4,
  });
  const { count, lengths, tooLong, tokens } = examples;
  assertEquals([count, [...lengths], tooLong], [3, [5, 5, 5], 1]);
  assertEquals(tokens, { vocabulary: 258, padding: 256, start: 256, end: 257 });
  const [a, b, c, d, e, f] = new TextEncoder().encode("abcdef");
  assertEquals(pairBatch(examples, [1, 0]), {
    source: Int32Array.of(d, e, f, 257, a, 257, 256, 256),
    sourceKeep: Uint8Array.of(1, 1, 1, 1, 1, 1, 0, 0),
    target: Int32Array.of(256, 256, 256, 256, b, c),
    labels: Int32Array.of(257, -100, -100, b, c, 257),
    batch: 2,
    sourceLength: 4,
    targetLength: 3,
    labelCount: 4,
  });
});

Deno.test("what can't be encoded is told", async () => {
  const options = { tokenizer: byteTokenizer, context: 2 };
  await assertRejects(
    () => encodePairs("nothing.tsv", [], options),
    CorpusError,
    "nothing.tsv: there is no pair of sentences in it",
  );
  await assertRejects(
    () => encodePairs("long.tsv", pairs, options),
    CorpusError,
    "long.tsv: all 4 pairs have more than 2 tokens",
  );
  const tokenizer = characterTokenizer({ characters: "abcde", unknown: false });
  await assertRejects(
    () => encodePairs("letters.tsv", pairs.slice(2), { tokenizer, context: 9 }),
    CorpusError,
    "letters.tsv: pair 1: character tokenizer: ",
  );
});
