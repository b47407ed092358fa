/** A reproduction's report, from events and measures made by hand. */

import { assert, assertEquals } from "@std/assert";
import { history } from "../../train/mod.ts";
import { differenceWords } from "../../train/metric_difference.ts";
import type { FineTuning, ReproducedTask } from "../../train/reproduction.ts";
import { taskCharts } from "../../train/reproduction_charts.ts";
import { reproductionReport } from "../../train/reproduction_report.ts";
import { madeComparison } from "./made_comparison.ts";

const row = {
  section: "Model",
  name: "layers",
  value: "8",
  help: "how many",
  changed: true,
};

const tagger: ReproducedTask = {
  name: "tagger",
  model: "tagger, layers <8>",
  data: "treebank & more",
  runs: madeComparison(true),
  measured: {
    serial: { loss: 2, metrics: { accuracy: 0.9123, macroF1: 0.5 } },
    fixed: { loss: 3, metrics: { accuracy: 0.8123, macroF1: 0.5 } },
    adaptive: { loss: 2.04, metrics: { accuracy: 0.9098, macroF1: 0.25 } },
  },
  costs: {
    layers: 8,
    costs: {
      forward: 1.5,
      stateVjp: 2,
      fullVjp: 2.5,
      rest: 7,
      communication: 0,
    },
  },
  speedups: [
    { devices: 1, factor: 0.75 },
    { devices: 64, factor: 3.456 },
  ],
  configuration: [row],
};

const none = history([]);

const begun: ReproducedTask = {
  name: "gpt",
  model: "GPT",
  data: "book",
  runs: { serial: none, fixed: none, adaptive: none },
  measured: {},
  costs: undefined,
  speedups: [],
  configuration: [{ ...row, name: "dim", value: "96", changed: false }],
};

const fineTuning: FineTuning = {
  name: "classify",
  model: "BERT with a head",
  data: "lines",
  models: [
    {
      from: "BERT, trained serially",
      run: tagger.runs.serial,
      measured: { loss: 0.5, metrics: { accuracy: 0.75 } },
    },
    {
      from: "fresh weights",
      run: tagger.runs.serial,
      measured: { loss: 0.7, metrics: { accuracy: 0.6 } },
    },
  ],
  configuration: [],
};

const details = {
  title: "Networks <again>",
  machine: "wasm, 2 threads",
  command: "deno task reproduce --seed 3",
};

Deno.test("differences are in points, or relative without a highest value", () => {
  assertEquals(differenceWords("accuracy", 0.9098, 0.9123), "−0.25 points");
  assertEquals(differenceWords("bleu", 31.5, 30), "+1.50 points");
  assertEquals(differenceWords("perplexity", 9, 8), "+12.50 %");
  assertEquals(differenceWords("accuracy", 0.5, 0.5), "±0.00 points");
  assertEquals(differenceWords("accuracy", NaN, 0.5), "–");
});

Deno.test("a reproduction's report compares tasks, runs and fine-tuned models", () => {
  const html = reproductionReport([tagger, begun], fineTuning, details);
  for (
    const part of [
      "Networks &lt;again&gt;",
      "tagger, layers &lt;8&gt;. Data: treebank &amp; more.",
      "0.912", // serial
      "0.812<br><small>−10.00 points</small>", // fixed
      "0.910<br><small>−0.25 points</small>", // adaptive
      "0.250<br><small>−25.00 points</small>",
      "3.0000<br><small>+50.00 %</small>",
      "<td>1.5 + 2.5</td>", // a layer's time
      "3.46", // speed-up
      "0.600<br><small>−15.00 points</small>", // from fresh weights
      "After step 3: backward 1 → 2 iterations (gradient cosine 0.7 &lt; 0.8)",
      "2 iterations backward", // the adaptive solver at its end
      "<strong>8</strong>",
      "deno task reproduce --seed 3",
      "Not begun.",
    ]
  ) assert(html.includes(part), part);
  // Nothing from elsewhere, and nothing that isn't a number
  assertEquals(/https?:|src=|@import|NaN|Infinity|undefined/.test(html), false);
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  assertEquals(new Set(ids).size, ids.length);
});

Deno.test("a task's charts show its loss, its measures and its probes", () => {
  const charts = taskCharts(tagger).map(({ chart }) => chart);
  assertEquals(charts.map(({ id }) => id), [
    "tagger-loss",
    "tagger-accuracy",
    "tagger-ratio",
    "tagger-cosine",
  ]);
  const fixed = charts[1].series.find(({ label }) => label === "fixed");
  assertEquals(fixed?.points, [[2, 0.8], [4, 0.8]]);
});

Deno.test("a reproduction that has just begun has a report", () => {
  const html = reproductionReport([begun], undefined, details);
  assert(html.includes("No costs were measured yet."));
  assertEquals(html.includes("Fine-tuning"), false);
});
