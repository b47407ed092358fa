import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ignoredLabel,
  maskTokens,
  wordFeatures,
  wordParts,
  wordShape,
} from "../../data/mod.ts";

const options = {
  sequence: 40,
  mask: 1000,
  vocabulary: 500,
  special: new Set([0, 1]),
  seed: 4,
  batch: 9,
};

/** Rows of tokens from 2 to 499. */
function tokensOf(rows: number): Int32Array {
  return Int32Array.from({ length: rows * 40 }, (_, i) => 2 + i * 7 % 498);
}

Deno.test("masking hides a fixed number of places in each row", () => {
  const tokens = tokensOf(200);
  const { inputs, positions, labels, masked } = maskTokens(tokens, options);
  assertEquals([masked, positions.length, labels.length], [6, 1200, 1200]);
  let hidden = 0;
  let kept = 0;
  const chosen = new Set<number>();
  positions.forEach((place, i) => {
    const row = Math.floor(i / masked);
    const at = row * 40 + place;
    assertEquals(labels[i], tokens[at]);
    assert(i % masked === 0 || place > positions[i - 1]);
    chosen.add(at);
    if (inputs[at] === 1000) hidden++;
    else if (inputs[at] === tokens[at]) kept++;
    else assert(inputs[at] >= 2 && inputs[at] < 500);
  });
  inputs.forEach((token, at) => {
    if (!chosen.has(at)) assertEquals(token, tokens[at]);
  });
  // 80 %, 10 % of 1200 within four standard deviations.
  assert(Math.abs(hidden / 1200 - 0.8) < 0.047, `${hidden}`);
  assert(Math.abs(kept / 1200 - 0.1) < 0.035, `${kept}`);
});

Deno.test("special tokens are neither masked nor drawn", () => {
  const tokens = new Int32Array(80);
  tokens.set([5, 6, 7], 10);
  tokens.fill(1, 40);
  const { inputs, positions, labels } = maskTokens(tokens, {
    ...options,
    vocabulary: 3,
    probability: 0.5,
  });
  assertEquals([...positions.subarray(0, 3)], [10, 11, 12]);
  assertEquals([...labels.subarray(0, 3)], [5, 6, 7]);
  assert(labels.subarray(3).every((label) => label === ignoredLabel));
  inputs.forEach((token, at) => {
    if (at >= 10 && at < 13) assert([1000, 2, tokens[at]].includes(token));
    else assertEquals(token, tokens[at]);
  });
});

Deno.test("masks depend on seed and batch alone", () => {
  const tokens = tokensOf(4);
  const places = (change: object): string =>
    maskTokens(tokens, { ...options, ...change }).positions.join();
  assertEquals(places({}), places({}));
  assert(places({}) !== places({ batch: 10 }));
  assert(places({}) !== places({ seed: 5 }));
});

Deno.test("masking refuses what makes no sense", () => {
  for (const probability of [0, -1, 1.1, NaN]) {
    assertThrows(
      () => maskTokens(tokensOf(1), { ...options, probability }),
      RangeError,
      "probability",
    );
  }
  assertThrows(
    () => maskTokens(new Int32Array(41), options),
    RangeError,
    "41 tokens aren't rows of 40",
  );
});

Deno.test("parts of a word", () => {
  assertEquals(wordParts("Übung"), [
    "Übung",
    "übung",
    "ü",
    "üb",
    "übu",
    "g",
    "ng",
    "ung",
    "bung",
    "Aaa",
  ]);
  assertEquals(
    ["The", "GPT2", "1,999", "don't", "—", "ABCdefG1234"].map(wordShape),
    ["Aaa", "AA9", "9,99", "aa'a", "—", "AAaaA99"],
  );
});

Deno.test("features are rows of the table, the same for the same part", () => {
  const rows = 1 << 12;
  const features = ["Running", "running", "sunning"].map((word) =>
    wordFeatures(word, rows)
  );
  for (const row of features) {
    assertEquals(row.length, 10);
    assert(row.every((feature) => feature >= 1 && feature < rows));
  }
  const [title, lower, other] = features;
  assertEquals(title.subarray(1, 9), lower.subarray(1, 9));
  assertEquals(lower.subarray(5), other.subarray(5));
  assert(title[0] !== lower[0] && lower[1] !== other[1]);
  // The same letters as another part are another feature.
  const single = wordFeatures("a", rows);
  assertEquals(new Set(single).size, single.length);
});
