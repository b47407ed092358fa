/**
 * BLEU, chrF and exact match, against numbers that sacreBLEU publishes: in its
 * README (version 2), in its tests (`test_bleu.py`, `test_sentence_bleu.py`,
 * `test_chrf.py`), and in the metric cards of Hugging Face's `evaluate`.
 */

import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  corpusBleu,
  corpusChrf,
  exactMatch,
  formatBleu,
  tokenize13a,
} from "../../../train/mod.ts";

/** The example of sacreBLEU's README. */
const hypotheses = [
  "The dog bit the man.",
  "It wasn't surprising.",
  "The man had just bitten him.",
];
const references = [
  ["The dog bit the man.", "The dog had bit the man."],
  ["It was not unexpected.", "No one was surprised."],
  ["The man bit him first.", "The man had bitten the dog."],
];

Deno.test("BLEU: the example of sacreBLEU's README", () => {
  const bleu = corpusBleu(hypotheses, references);
  assertEquals(
    formatBleu(bleu),
    "BLEU = 48.53 82.4/50.0/45.5/37.5 " +
      "(BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)",
  );
  // test_bleu.py gives eight digits.
  assertAlmostEquals(bleu.score, 48.530827, 1e-6);
  const untouched = corpusBleu(hypotheses, references, { tokenize: "none" });
  assertAlmostEquals(untouched.score, 49.1919566, 1e-6);
});

Deno.test("BLEU: several references, the metric card's example", () => {
  const { score, precisions, ...lengths } = corpusBleu(
    ["hello there general kenobi", "on our way to ankh morpork"],
    [
      ["hello there general kenobi", "hello there !"],
      ["goodbye ankh morpork", "ankh morpork"],
    ],
  );
  assertAlmostEquals(score, 39.76353643835252, 1e-9);
  assertEquals(precisions, [60, 50, 100 / 3, 25]);
  assertEquals(lengths, {
    brevityPenalty: 1,
    hypothesisLength: 10,
    referenceLength: 7,
  });
});

Deno.test("BLEU: single sentences, test_sentence_bleu.py", () => {
  const reference = "producţia de zahăr brut se exprimă în zahăr alb;";
  const hypothesis =
    "Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;";
  for (
    const [tokenize, expected] of [["13a", 8.493], ["none", 7.347]] as const
  ) {
    const options = { tokenize, effectiveOrder: true };
    const { score } = corpusBleu([hypothesis], [reference], options);
    assertAlmostEquals(score, expected, 1e-3); // as many digits are published
  }
});

Deno.test("BLEU: nothing right, and nothing at all", () => {
  assertEquals(corpusBleu(["this is a cat"], ["okay thanks"]).score, 0);
  const empty = corpusBleu(["", "", ""], references);
  assertEquals([empty.score, empty.brevityPenalty], [0, 0]);
  // No run of four words: 0, unless only what is there counts.
  assertEquals(corpusBleu(["a test"], ["a test"]).score, 0);
  const options = { effectiveOrder: true };
  assertAlmostEquals(corpusBleu(["a test"], ["a test"], options).score, 100);
});

Deno.test("BLEU: words as mteval-v13a splits them", () => {
  const cases: [text: string, words: string][] = [
    // Commas and full stops, but not between digits.
    ["1,000.5 men, 3.", "1,000.5 men , 3 ."],
    ["a.b,c .5 5.", "a . b , c . 5 5 ."],
    // Hyphens behind digits only; apostrophes never.
    ["a 10-year-old's e-mail", "a 10 - year-old's e-mail"],
    // Everything else of ASCII.
    ["(a)/[b]{c}$d%&e", "( a ) / [ b ] { c } $ d % & e"],
    ["a~b^c_d`e@f=g", "a ~ b ^ c _ d ` e @ f = g"],
    // Entities, one after the other.
    ["&quot;a&quot; &lt;b&gt; &amp;lt;", '" a " < b > <'],
    ["a<skipped>b-\nc\nd", "abc d"],
    // Other scripts' marks stay.
    ["„Grüße“ – 你好。 😀.", "„Grüße“ – 你好。 😀 ."],
  ];
  for (const [text, words] of cases) {
    assertEquals(tokenize13a(text).join(" "), words);
  }
});

Deno.test("chrF: the example of sacreBLEU's README", () => {
  assertEquals(corpusChrf(hypotheses, references).toFixed(2), "59.73");
});

Deno.test("chrF and chrF++: the metric card's example", () => {
  const hypotheses = [
    "The relationship between cats and dogs is not exactly friendly.",
    "a good bookshop is just a genteel black hole that knows how to read.",
  ];
  const references = [
    "The relationship between dogs and cats is not exactly friendly.",
    "A good bookshop is just a genteel Black Hole that knows how to read.",
  ];
  const chrf = corpusChrf(hypotheses, references);
  assertAlmostEquals(chrf, 84.64214891738334, 1e-9);
  const withWords = corpusChrf(hypotheses, references, { wordOrder: 2 });
  assertAlmostEquals(withWords, 82.87263732906315, 1e-9);
  const lower = (texts: string[]) => texts.map((text) => text.toLowerCase());
  assertAlmostEquals(
    corpusChrf(lower(hypotheses), lower(references), { wordOrder: 2 }),
    92.12853119829202,
    1e-9,
  );
});

Deno.test("chrF: short texts, test_chrf.py", () => {
  // Published for β = 3; precision and recall are equal here, and β is no matter.
  const cases: [hypotheses: string[], references: string[], score: number][] = [
    [["a"], ["a"], 100],
    [[""], ["reference"], 0],
    [["a b c"], ["a b c"], 100],
    [["a b c"], ["abc"], 100],
    [[""], ["c"], 0],
    [["a", "b"], ["a", "c"], 50],
    [["aa"], ["ab"], 25],
  ];
  for (const [hypotheses, references, score] of cases) {
    assertAlmostEquals(corpusChrf(hypotheses, references), score, 1e-9);
  }
});

Deno.test("exact match: the share of those that are right", () => {
  assertEquals(exactMatch(["a", "b", "c"], ["a", ["x", "b"], "C"]), 2 / 3);
  assertEquals(exactMatch([], []), NaN);
});

Deno.test("hypotheses and references must fit together", () => {
  for (const score of [corpusBleu, corpusChrf, exactMatch]) {
    assertThrows(
      () => score(["a", "b"], ["a"]),
      RangeError,
      `${score.name}: there are 2 hypotheses, but references of 1`,
    );
    assertThrows(
      () => score(["a", "b"], ["a", []]),
      RangeError,
      `${score.name}: hypothesis 1 has no reference`,
    );
  }
});
