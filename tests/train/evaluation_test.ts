/** The record of a run's evaluations, and what its report shows of it. */

import { assert, assertEquals } from "@std/assert";
import {
  appendEvaluation,
  confusionMatrix,
  evaluationsPath,
  readEvaluations,
  type RecordedEvaluation,
  trainingReport,
} from "../../train/mod.ts";

const tagged: RecordedEvaluation = {
  data: "a <treebank>",
  checkpoint: "run/checkpoints/step-000500",
  date: "2026-01-02T03:04:05.000Z",
  loss: 0.25,
  examples: 6,
  metrics: { accuracy: 0.75, macroF1: NaN },
  confusion: confusionMatrix(["NOUN", "<VERB>"], [0, 0, 1], [0, 1, 1]),
  samples: [{ input: "a & b", expected: "A", output: "<B>" }],
};

const translated: RecordedEvaluation = {
  data: "sentences",
  checkpoint: "step-001000",
  loss: 1,
  examples: 2,
  metrics: { bleu: 48.53 },
};

Deno.test("evaluations: are written and read, one behind the other", async () => {
  const run = await Deno.makeTempDir();
  assertEquals(await readEvaluations(run), []);
  await appendEvaluation(run, tagged);
  // What a killed process or somebody else left is passed over.
  const noise = `null\n{"loss": 1}\n{"loss": 0.5, "exam`;
  await Deno.writeTextFile(evaluationsPath(run), noise, { append: true });
  await appendEvaluation(run, translated);
  assertEquals(await readEvaluations(run), [tagged, translated]);
  const lines = (await Deno.readTextFile(evaluationsPath(run))).split("\n");
  assertEquals(lines.length, 3);
  await Deno.remove(run, { recursive: true });
});

/** The report's page but for its style sheet. */
function page(evaluations: readonly RecordedEvaluation[]): string {
  return trainingReport([], {
    title: "A run",
    machine: "wasm",
    corpus: "sentences",
    configuration: [],
    samples: [],
    commands: [],
    evaluations,
  }).replace(/<style>[^]*<\/style>/, "");
}

Deno.test("evaluations: are a table in the report", () => {
  const html = page([translated, tagged]);
  assert(!/NaN|undefined|Infinity|null/.test(html));
  const expected = [
    "<h2>Evaluations</h2>",
    "a &lt;treebank&gt;",
    "<small>2026-01-02</small>",
    "step-000500",
    "BLEU",
    "48.53",
    "Macro F1",
    "0.750",
    "a &amp; b",
    "&lt;B&gt;",
    "&lt;VERB&gt;",
  ];
  for (const text of expected) assert(html.includes(text), text);
  // 1 of 2 nouns; 0.8 of it is as dark as a colour gets.
  assert(html.includes('class="wrong" style="--strength: 40%">1<'));
  assert(html.includes('class="right" style="--strength: 80%">1<'));
  // The newest one has neither matrix nor samples.
  const other = page([tagged, translated]);
  assert(!other.includes('class="confusion"') && !other.includes("Given"));
  assert(!page([]).includes("Evaluations"));
});

Deno.test("evaluations: of many classes the rare ones are one", () => {
  const classes = Array.from({ length: 30 }, (_, i) => `class ${i}`);
  const expected = classes.flatMap((_, i) => new Array(i + 1).fill(i));
  const html = page([{
    ...tagged,
    confusion: confusionMatrix(classes, expected, expected),
  }]);
  assertEquals(html.match(/<th scope="col"><span>/g)?.length, 25);
  assert(!html.includes("class 5<") && html.includes("class 6<"));
  assert(html.includes("all others"));
  // Classes 0 to 5 have 1 + … + 6 examples.
  assert(html.includes('class="right" style="--strength: 80%">21<'));
});
