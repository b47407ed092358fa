/** Classification, correlation and language measures, worked out by hand. */

import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  accuracy,
  bitsPerByte,
  classScores,
  confusionMatrix,
  macroF1,
  pearson,
  perplexity,
  spearman,
} from "../../../train/mod.ts";

Deno.test("classification: what is counted, and what follows", () => {
  const confusion = confusionMatrix(
    ["a", "b", "c", "d"],
    [0, 0, 0, 1, 1, 2, -100],
    [0, 0, 1, 1, 1, 0, 3],
  );
  assertEquals(confusion.counts, [
    [2, 1, 0, 0],
    [0, 2, 0, 0],
    [1, 0, 0, 0],
    [0, 0, 0, 0],
  ]);
  assertEquals(accuracy(confusion), 4 / 6);
  assertEquals(classScores(confusion), [
    { name: "a", precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, examples: 3 },
    { name: "b", precision: 2 / 3, recall: 1, f1: 4 / 5, examples: 2 },
    { name: "c", precision: NaN, recall: 0, f1: 0, examples: 1 },
    { name: "d", precision: NaN, recall: NaN, f1: NaN, examples: 0 },
  ]);
  // "d" is neither there nor predicted.
  assertAlmostEquals(macroF1(confusion), (2 / 3 + 4 / 5 + 0) / 3, 1e-15);
});

Deno.test("classification: nothing to count, and what can't be", () => {
  const nothing = confusionMatrix(["a"], [-100], [0]);
  assertEquals([accuracy(nothing), macroF1(nothing)], [NaN, NaN]);
  assertThrows(
    () => confusionMatrix(["a"], [0], []),
    RangeError,
    "1 classes are expected, but 0 predicted",
  );
  assertThrows(
    () => confusionMatrix(["a", "b"], [0, 1], [0, 2]),
    RangeError,
    "example 1 is of class 2, but there are 2 classes",
  );
});

Deno.test("correlation: lines, ranks and ties", () => {
  assertAlmostEquals(pearson([1, 2, 3], [3, 2, 1]), -1, 1e-15);
  // Deviations (−1, 0, 1) and (−4/3, −1/3, 5/3): 3 / √(2 · 42/9).
  assertAlmostEquals(
    pearson([1, 2, 3], [1, 2, 4]),
    3 / Math.sqrt(2 * 42 / 9),
    1e-15,
  );
  assertAlmostEquals(spearman([1, 2, 3], [1, 2, 400]), 1, 1e-15);
  // Ranks (0, 1, 2, 3) and (0, 1.5, 1.5, 3): 4.5 / √(5 · 4.5).
  assertAlmostEquals(
    spearman([1, 2, 3, 4], [1, 5, 5, 7]),
    4.5 / Math.sqrt(5 * 4.5),
    1e-15,
  );
  assertEquals(pearson([1, 1], [1, 2]), NaN);
  assertThrows(() => spearman([1], [1, 2]), RangeError, "1 numbers are");
});

Deno.test("language: as unsure as between so many, and bits", () => {
  assertAlmostEquals(perplexity(Math.log(50)), 50, 1e-12);
  // A thousand tokens of four bytes, eight bits each.
  assertAlmostEquals(bitsPerByte(8 * Math.LN2, 4), 2, 1e-15);
});
