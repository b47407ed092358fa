/** Reports, their charts, and the history that they tell. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { lineChart, thin, ticks } from "../../train/chart.ts";
import type { TrainingEvent } from "../../train/event.ts";
import { history, summarize } from "../../train/history.ts";
import { type ReportDetails, trainingReport } from "../../train/report.ts";
import { escapeHtml, formatDuration } from "../../train/report_format.ts";
import { movingAverage, quantile } from "../../train/smoothing.ts";

function start(step: number): TrainingEvent {
  return {
    type: "start",
    step,
    steps: 6,
    parameters: 1234,
    tokensPerStep: 50,
    unit: "tokens",
  };
}

function step(step: number, loss: number): TrainingEvent {
  return {
    type: "step",
    step,
    loss,
    learningRate: 1e-3,
    gradientNorm: 1,
    milliseconds: step === 1 ? 500 : 100,
  };
}

/** Broken off after step 4, taken up after step 2. */
const events: readonly TrainingEvent[] = [
  start(0),
  step(1, 5),
  step(2, 4),
  { type: "evaluation", step: 2, loss: 4.5, metrics: {}, best: true },
  { type: "checkpoint", step: 2, path: "somewhere" },
  step(3, 99),
  step(4, 98),
  { type: "evaluation", step: 4, loss: 97, metrics: {}, best: false },
  start(2),
  step(3, 3),
  step(4, 2),
  { type: "evaluation", step: 4, loss: 2.25, metrics: {}, best: true },
  step(5, 1.5),
  step(6, 1),
  { type: "evaluation", step: 6, loss: 2.5, metrics: {}, best: false },
  { type: "stop", step: 6, reason: "done" },
];

const details: ReportDetails = {
  title: "Letters & <numbers>",
  machine: "wasm, 1 thread",
  corpus: "a poem",
  lossUnit: "nats per token",
  bytesPerToken: 2,
  configuration: [
    {
      section: "Model",
      name: "layers",
      value: "<8>",
      help: "How many",
      changed: true,
    },
  ],
  samples: [{ prompt: "if (a ", text: "< b && c) return;\n" }],
  commands: [["deno task train", "Train"]],
};

Deno.test("history leaves out what a resumed run did again", () => {
  const run = history(events);
  assertEquals(run.steps.map(({ loss }) => loss), [5, 4, 3, 2, 1.5, 1]);
  assertEquals(run.evaluations.map(({ loss }) => loss), [4.5, 2.25, 2.5]);
  assertEquals(run.resumed, [2]);
  assertEquals(run.stop?.reason, "done");
});

Deno.test("a summary is honest about slow steps and old losses", () => {
  const summary = summarize(history(events));
  assertEquals(summary.steps, 6);
  assertEquals(summary.validationLoss, 2.5);
  assertEquals(summary.bestValidationLoss, 2.25);
  assertEquals(summary.millisecondsPerStep, 100);
  assertEquals(summary.tokensPerSecond, 500);
  assertAlmostEquals(summary.trainingSeconds, 1, 1e-12);
  assert(summary.loss > 1 && summary.loss < 3);
  assert(Number.isNaN(summarize(history([])).loss));
});

Deno.test("a moving average forgets, but not at once", () => {
  const constant = movingAverage();
  for (let i = 0; i < 100; i++) assertAlmostEquals(constant(7), 7, 1e-12);
  const average = movingAverage(10);
  for (let i = 0; i < 500; i++) average(1);
  const next = average(2);
  assertAlmostEquals(next, 1.1, 1e-9);
});

Deno.test("quantiles lie between neighbours", () => {
  assertEquals(quantile([3, 1, 2], 0.5), 2);
  assertEquals(quantile([1, 2], 0.5), 1.5);
  assertEquals(quantile([4, 1, 9], 0), 1);
  assertEquals(quantile([4, 1, 9], 1), 9);
  assert(Number.isNaN(quantile([], 0.5)));
});

Deno.test("ticks are round and span the values", () => {
  const cases: [number, number, number, number[]][] = [
    [0, 10, 5, [0, 2, 4, 6, 8, 10]],
    [1.2, 5.7, 5, [1, 2, 3, 4, 5, 6]],
    [0, 1e-3, 2, [0, 5e-4, 1e-3]],
    [0, 0.3, 3, [0, 0.1, 0.2, 0.3]],
    [-3, 3, 3, [-4, -2, 0, 2, 4]],
  ];
  for (const [low, high, count, expected] of cases) {
    assertEquals(ticks(low, high, count), expected);
  }
  const flat = ticks(5, 5, 3);
  assert(flat[0] <= 5 && flat.at(-1)! >= 5 && flat.length > 1);
});

Deno.test("thinned curves keep their peaks", () => {
  const points = Array.from(
    { length: 10_000 },
    (_, x): [number, number] => [x, x === 5000 ? 100 : x === 6001 ? -100 : 0],
  );
  const few = thin(points, 100);
  assert(few.length <= 100);
  assert(few.some(([x, y]) => x === 5000 && y === 100));
  assert(few.some(([x, y]) => x === 6001 && y === -100));
  for (let i = 1; i < few.length; i++) assert(few[i][0] >= few[i - 1][0]);
});

Deno.test("charts survive what isn't finite, one point, and nothing", () => {
  const chart = (points: [number, number][]) =>
    lineChart({
      id: "id",
      title: "Title",
      description: "Description",
      unit: "step",
      height: 100,
      format: String,
      series: [{ class: "line", points, label: "label", dots: true }],
    });
  for (const points of [[[1, 2], [2, NaN], [3, Infinity]], [[1, 2]]]) {
    const svg = chart(points as [number, number][]);
    assert(svg.includes("<polyline"), svg);
    assert(!/NaN|Infinity/.test(svg), svg);
  }
  assert(chart([]).includes("no data"));
});

Deno.test("a report stands alone, tells all, and escapes what it quotes", () => {
  const html = trainingReport(events, details);
  // Nothing is loaded: no script, link, image or address.
  assert(!/<(script|link|img|iframe)|https?:|url\(|@import/.test(html));
  assert(!/NaN|undefined|Infinity/.test(html));
  assert(html.includes("<title>Letters &amp; &lt;numbers&gt;</title>"));
  assert(html.includes("&lt; b &amp;&amp; c) return;"));
  assert(html.includes("&lt;8&gt;"));
  assert(html.includes("prefers-color-scheme: dark"));
  assert(html.includes('name="viewport"'));
  for (const text of ["2.250", "1,234", "500", "wasm, 1 thread", "a poem"]) {
    assert(html.includes(text), text);
  }
  const charts = html.match(/<svg class="chart" role="img"/g) ?? [];
  assertEquals(charts.length, 4);
  // Each chart's name and description are there under their ids.
  const named = [...html.matchAll(/aria-labelledby="(\S+) (\S+)"/g)];
  assertEquals(named.length, 4);
  for (const [, title, description] of named) {
    assert(html.includes(`<title id="${title}">`));
    assert(html.includes(`<desc id="${description}">`));
  }
  // The undone steps are not drawn: no tick comes near a loss of 97.
  assert(!html.includes(">100</text>"));
});

Deno.test("a report of a run that hardly began", () => {
  const html = trainingReport([start(0)], details);
  assert(!/NaN|undefined|Infinity/.test(html));
  assertEquals(trainingReport([start(0)], details), html);
});

Deno.test("durations and quotes", () => {
  assertEquals(formatDuration(1.23), "1.2 s");
  assertEquals(formatDuration(59.7), "1 min 0 s");
  assertEquals(formatDuration(125), "2 min 5 s");
  assertEquals(formatDuration(7260), "2 h 1 min");
  assertEquals(formatDuration(NaN), "–");
  assertEquals(escapeHtml("a\u0000\u001b\n"), "a\uFFFD\uFFFD\n");
  assertEquals(
    escapeHtml(`<a href="x">'&'`),
    "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;",
  );
});

Deno.test("a report shows a task's own measures, and what it counts", () => {
  const measured = events.map((event): TrainingEvent =>
    event.type === "start"
      ? { ...event, unit: "images" }
      : event.type === "evaluation"
      ? { ...event, metrics: { accuracy: 1 / event.loss } }
      : event
  );
  const summary = summarize(history(measured));
  assertEquals(summary.unit, "images");
  assertEquals(summary.metrics, { accuracy: 1 / 2.5 });
  assertEquals(summary.bestMetrics, { accuracy: 1 / 2.25 });
  const html = trainingReport(measured, {
    ...details,
    lossUnit: undefined,
    bytesPerToken: undefined,
    reference: { name: "before", events: measured.slice(0, 4) },
  });
  for (const text of ["Accuracy", "0.444", "Images per second", "before"]) {
    assert(html.includes(text), text);
  }
  assert(!/bits per byte|tokens|nats|undefined|NaN/i.test(html));
  const charts = html.match(/<svg class="chart" role="img"/g) ?? [];
  assertEquals(charts.length, 5);
});
