import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CorpusError,
  encodeTagged,
  featuresPerWord,
  sliceTagged,
  taggedBatch,
  type TaggedSentence,
  wordFeatures,
} from "../../data/mod.ts";

const sentences: TaggedSentence[] = [
  { words: ["the", "cat", "sat"], tags: ["DET", "NOUN", "VERB"] },
  { words: ["It"], tags: ["PRON"] },
  {
    words: Array.from({ length: 11 }, (_, i) => `w${i}`),
    tags: Array.from({ length: 11 }, () => "X"),
  },
];

Deno.test("sentences are encoded with sorted classes, long ones cut", async () => {
  const examples = await encodeTagged("s", sentences, { rows: 99, context: 8 });
  assertEquals(examples.classes, ["DET", "NOUN", "PRON", "VERB", "X"]);
  assertEquals([...examples.lengths], [3, 1, 8, 3]);
  assertEquals([...examples.starts], [0, 3, 4, 12]);
  assertEquals([examples.count, examples.words], [4, 15]);
  assertEquals([...examples.labels.subarray(0, 5)], [0, 1, 3, 2, 4]);
  assertEquals(
    examples.features.subarray(featuresPerWord, 2 * featuresPerWord),
    wordFeatures("cat", 99),
  );
});

Deno.test("tags that are none of the classes count for nothing", async () => {
  const { classes, labels } = await encodeTagged("s", sentences, {
    rows: 99,
    context: 8,
    classes: ["VERB", "DET"],
  });
  assertEquals(classes, ["VERB", "DET"]);
  assertEquals([...labels.subarray(0, 4)], [1, -100, 0, -100]);
});

Deno.test("batches are padded to a multiple of eight", async () => {
  const examples = await encodeTagged("s", sentences, { rows: 99, context: 8 });
  const { features, labels, keep, batch, sequence, words } = taggedBatch(
    examples,
    [1, 0],
  );
  assertEquals([batch, sequence, words], [2, 8, 4]);
  assertEquals([...keep], [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
  keep.forEach((isWord, place) => {
    const own = features.subarray(
      place * featuresPerWord,
      (place + 1) * featuresPerWord,
    );
    assertEquals(labels[place] !== -100, isWord === 1);
    assert(own.every((row) => (row > 0) === (isWord === 1)));
  });
  assertEquals([...labels.subarray(8, 11)], [0, 1, 3]);
});

Deno.test("a dropped word loses what names it and nothing else", async () => {
  const examples = await encodeTagged("s", sentences, { rows: 99, context: 8 });
  const all = [0, 1, 2, 3];
  const drop = (probability: number, batch: number) =>
    taggedBatch(examples, all, { probability, seed: 1, batch }).features;
  const plain = taggedBatch(examples, all).features;
  assertEquals(drop(0, 0), plain);
  drop(0.999999, 0).forEach((row, i) =>
    assertEquals(row, i % featuresPerWord < 2 ? 0 : plain[i])
  );
  assertEquals(drop(0.5, 3), drop(0.5, 3));
  assert(drop(0.5, 3).join() !== drop(0.5, 4).join());
});

Deno.test("a part of the examples shares their words", async () => {
  const examples = await encodeTagged("s", sentences, { rows: 99, context: 8 });
  const part = sliceTagged(examples, 1, 3);
  assertEquals([part.count, part.words], [2, 9]);
  assertEquals(
    taggedBatch(part, [0]).features,
    taggedBatch(examples, [1]).features,
  );
});

Deno.test("no sentence is a mistake", async () => {
  await assertRejects(
    () => encodeTagged("x.conllu", [], { rows: 99, context: 8 }),
    CorpusError,
    "x.conllu: there is no sentence",
  );
});
