/** Labelled texts as rows of tokens. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  byteTokenizer,
  CorpusError,
  encodeLabelled,
  encodeRow,
  ignoredLabel,
  labelledBatch,
  parseWordPieceVocabulary,
  type RowLayout,
  splitLabelled,
} from "../../data/mod.ts";

const letters = "abcdefghij";
const tokenizer = parseWordPieceVocabulary(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...letters].join("\n"),
);
const marked: RowLayout = {
  tokenizer,
  context: 9,
  begin: 2,
  end: 3,
  padding: 0,
};
const plain: RowLayout = { tokenizer: byteTokenizer, context: 8, padding: 0 };

/** The row of texts of single letters, as a text. */
function rowText(text: string, pair?: string, context = 9): string {
  const { tokens, first } = encodeRow({ text, pair }, { ...marked, context });
  const words = Array.from(tokens, (id) => tokenizer.decode([id]));
  const shown = words.join("").replaceAll("[CLS]", ">").replaceAll(
    "[SEP]",
    "|",
  );
  return `${shown.slice(0, first)}/${shown.slice(first)}`;
}

Deno.test("rows: marks, segments, and what is cut of the longer text", () => {
  assertEquals(rowText("a b"), ">ab|/");
  assertEquals(rowText("a b", "c"), ">ab|/c|");
  assertEquals(rowText("a b c d e f g h"), ">abcdefg|/");
  assertEquals(rowText("a b c d e f g h", "i j"), ">abcd|/ij|");
  assertEquals(rowText("i j", "a b c d e f g h"), ">ij|/abcd|");
  assertEquals(rowText("a b c d", "f g h i j"), ">abc|/fgh|");
  assertEquals(rowText("a b c d", "f g h i j", 8), ">abc|/fg|");
  const { tokens, first } = encodeRow({ text: "ab", pair: "c" }, plain);
  assertEquals([...tokens], [97, 98, 99]);
  assertEquals(first, 2);
});

const texts = [
  { text: "a b c", label: "long" },
  { text: "a", label: "short" },
  { text: "a b c d e", pair: "j", label: "long" },
];

Deno.test("classes are sorted; those of a trained model are kept", async () => {
  const found = await encodeLabelled("texts", texts, marked);
  assertEquals(found.classes, ["long", "short"]);
  assertEquals([...found.labels], [0, 1, 0]);
  const known = ["short", "other"];
  const kept = await encodeLabelled("texts", texts, marked, known);
  assertEquals(kept.classes, known);
  assertEquals([...kept.labels], [ignoredLabel, 0, ignoredLabel]);
  const scored = [{ text: "a", label: "2.5" }, { text: "b", label: "-1e3" }];
  const numbers = await encodeLabelled("texts", scored, marked, "numbers");
  assertEquals(numbers.classes, []);
  assertEquals([...numbers.labels], [2.5, -1000]);
});

Deno.test("batches are padded, and no longer than the context", async () => {
  const examples = await encodeLabelled("texts", texts, marked);
  const batch = labelledBatch(examples, [1, 2]);
  assertEquals([batch.batch, batch.sequence], [2, 9]);
  assertEquals([...batch.tokens.subarray(0, 9)], [2, 4, 3, 0, 0, 0, 0, 0, 0]);
  assertEquals(batch.keep.join(""), "111000000111111111");
  assertEquals(batch.segments.join(""), "000000000000000011");
  assertEquals([...batch.labels], [1, 0]);
  assertEquals(labelledBatch(examples, [1]).sequence, 8);
});

Deno.test("a split draws from everywhere, and leaves nothing out", async () => {
  const sorted = Array.from({ length: 60 }, (_, i) => ({
    text: letters[i % 10],
    label: i < 30 ? "first" : "second",
  }));
  const examples = await encodeLabelled("sorted", sorted, marked);
  const { train, validation, measured } = splitLabelled(examples, 0.25);
  assertEquals([train.count, validation.count], [45, 15]);
  assertEquals([...measured].map((i) => examples.starts[i]), [
    ...validation.starts,
  ]);
  assertEquals(new Set(validation.labels).size, 2);
  const starts = [...train.starts, ...validation.starts].sort((a, b) => a - b);
  assertEquals(starts, [...examples.starts]);
  assertEquals(splitLabelled(examples, 0.25).train.starts, train.starts);
  const { tokens, keep } = labelledBatch(validation, [0]);
  assertEquals([tokens[0], tokens[2], keep[2], keep[3]], [2, 3, 1, 0]);
});

Deno.test("no text, or a text without tokens, is an error", async () => {
  const none = () => encodeLabelled("empty.tsv", [], marked);
  await assertRejects(
    none,
    CorpusError,
    "empty.tsv: there is no labelled text",
  );
  const bare = { ...marked, begin: undefined, end: undefined };
  const lost = [{ text: "\u00ad", label: "x" }];
  await assertRejects(
    () => encodeLabelled("lost.tsv", lost, bare),
    CorpusError,
    "lost.tsv: the tokenizer makes no token of the text",
  );
  assert((await encodeLabelled("kept.tsv", lost, marked)).count === 1);
});
