import { assertEquals, assertRejects } from "@std/assert";
import {
  byteTokenizer,
  CorpusError,
  encodeTaggedPieces,
  pieceBatch,
  type TaggedSentence,
  wordPieceTokenizer,
} from "../../data/mod.ts";

const tokenizer = wordPieceTokenizer({
  vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##til", "it", "##s"],
  special: ["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
  unknown: "[UNK]",
  normalization: {
    clean: true,
    chinese: true,
    stripAccents: false,
    lowercase: false,
  },
  longestWord: 100,
});
const layout = { tokenizer, context: 6, begin: 2, end: 3, padding: 0 };
const sentences: TaggedSentence[] = [
  { words: ["until", "its", "it"], tags: ["ADP", "X", "PRON"] },
  { words: ["\u0007", "?"], tags: ["X", "SYM"] },
];

Deno.test("classes stand at the first piece of each word", async () => {
  const { classes, rows, words } = await encodeTaggedPieces(
    "s",
    sentences,
    layout,
  );
  assertEquals([classes, words], [["ADP", "PRON", "SYM", "X"], 5]);
  // Four pieces fit beside the ends: the third word begins a row of its own.
  assertEquals(rows.map(({ tokens }) => [...tokens]), [
    [2, 4, 5, 6, 7, 3],
    [2, 6, 3],
    [2, 1, 1, 3],
  ]);
  assertEquals(rows.map(({ firsts }) => [...firsts]), [[1, 3], [1], [1, 2]]);
  assertEquals(rows.map(({ labels }) => [...labels]), [[0, 3], [1], [3, 2]]);
});

Deno.test("batches of pieces are padded; only first pieces have labels", async () => {
  const examples = await encodeTaggedPieces("s", sentences, layout, ["X"]);
  const { tokens, keep, firsts, labels, batch, sequence, words } = pieceBatch(
    examples,
    [1, 0],
  );
  assertEquals([batch, sequence, words], [2, 6, 3]);
  assertEquals([...tokens], [2, 6, 3, 0, 0, 0, 2, 4, 5, 6, 7, 3]);
  assertEquals([...keep], [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  assertEquals([...firsts], [0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0]);
  assertEquals(labels.filter((label) => label >= 0), Int32Array.of(0));
  assertEquals(labels[9], 0);
});

Deno.test("a word longer than the context is cut; spaces stand before words", async () => {
  const examples = await encodeTaggedPieces(
    "s",
    [{ words: ["abcdefgh", "i"], tags: ["A", "B"] }],
    { tokenizer: byteTokenizer, context: 4, padding: 0 },
  );
  assertEquals(
    examples.rows.map(({ tokens }) => byteTokenizer.decode(tokens)),
    ["abcd", " i"],
  );
});

Deno.test("no sentence for pieces is a mistake", async () => {
  await assertRejects(
    () => encodeTaggedPieces("x.conllu", [], layout),
    CorpusError,
    "x.conllu: there is no sentence",
  );
});
