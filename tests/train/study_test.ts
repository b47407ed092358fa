/** A study's charts and report, from events made by hand. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { history } from "../../train/mod.ts";
import { chartFile } from "../../train/chart_file.ts";
import { againstSerial, percentWords } from "../../train/comparison.ts";
import { studyCharts, studyReport } from "../../train/study_report.ts";
import { madeComparison } from "./made_comparison.ts";

const runs = madeComparison();

const details = {
  title: "Layers & losses",
  machine: "wasm",
  corpus: "a <poem>",
  configuration: [],
  command: "deno task study --layers 8",
};

Deno.test("a study measures how far its runs end from the serial one", () => {
  assertEquals(againstSerial(runs, "serial"), 0);
  // 4 − 4 · 0.25 = 3 against 4 − 4 · 0.5 = 2
  assertAlmostEquals(againstSerial(runs, "fixed"), 0.5);
  assertEquals(percentWords(0.5), "+50.0 %");
  assertEquals(percentWords(-0.011), "-1.1 %");
  // The serial run broke off: there is nothing to compare with.
  const broken = { ...runs, serial: history([]) };
  assertEquals(againstSerial(broken, "fixed"), NaN);
  assertEquals(percentWords(NaN), "–");
});

Deno.test("a study's difference chart is the loss above the serial one", () => {
  const difference = studyCharts(runs).find(({ chart }) =>
    chart.id === "difference"
  )!;
  const fixed = difference.chart.series.find(({ label }) => label === "fixed")!;
  assertEquals(fixed.points, [[2, 0.5], [4, 1]]);
  const mark = difference.chart.series.find(({ label }) =>
    label === "adaptive switches"
  )!;
  assertEquals(mark.points.map(([x]) => x), [3, 3]);
});

Deno.test("a study's report shows losses, modes, switches and limits", () => {
  const html = studyReport(runs, details);
  for (
    const part of [
      "Layers &amp; losses",
      "a &lt;poem&gt;",
      "2.000", // serial
      "3.000", // fixed
      "+50.0 % against serial",
      "After step 3: backward 1 → 2 iterations (gradient cosine 0.7 &lt; 0.8)",
      "deno task study --layers 8",
    ]
  ) assert(html.includes(part), part);
  // Nothing from elsewhere
  assertEquals(/https?:|src=|@import/.test(html), false);
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  assertEquals(new Set(ids).size, ids.length);
});

Deno.test("a study that has just begun has a report", () => {
  const none = history([]);
  const html = studyReport(
    { serial: none, fixed: none, adaptive: none },
    details,
  );
  assert(html.includes("no data"));
  assertEquals(html.includes("NaN"), false);
  assertEquals(html.includes("Infinity"), false);
});

Deno.test("a chart's file is a picture with its legend and its colours", () => {
  for (const { chart } of studyCharts(runs)) {
    const svg = chartFile(chart);
    assert(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"'));
    assert(svg.includes("<style>"));
    for (const { label, points } of chart.series) {
      if (label === undefined || points.length === 0) continue;
      assert(svg.includes(`>${label}</text>`), label);
    }
    // No part of a page
    assertEquals(/<(div|span|p)\b/.test(svg), false);
  }
});
