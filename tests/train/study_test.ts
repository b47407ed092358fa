/** A study's charts and report, from events made by hand. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { completeControl } from "../../mgrit/mod.ts";
import {
  history,
  type SolverDescription,
  type TrainingEvent,
} from "../../train/mod.ts";
import { chartFile } from "../../train/chart_file.ts";
import { studyCharts, type StudyRuns } from "../../train/study_charts.ts";
import {
  againstSerial,
  percentWords,
  studyReport,
} from "../../train/study_report.ts";

const state = (iterations: number, serial = false) => ({
  serial,
  iterations,
  misses: 0,
});

const options = {
  levels: 2,
  coarsening: 4,
  relaxation: "F",
  iterations: 1,
  guess: "skip",
} as const;

const solver: SolverDescription = {
  layers: 8,
  forward: options,
  backward: options,
  execution: "sequential",
  control: completeControl({ interval: 2, smallestCosine: 0.8 }),
  state: { forward: state(1), backward: state(1) },
};

/** Four steps with losses from 4 on, each less by a number. */
function events(
  fall: number,
  isParallel: boolean,
  isSwitched: boolean,
): TrainingEvent[] {
  const result: TrainingEvent[] = [{
    type: "start",
    step: 0,
    steps: 4,
    parameters: 1,
    tokensPerStep: 8,
    ...(isParallel && { solver }),
  }];
  for (let step = 1; step <= 4; step++) {
    const loss = 4 - fall * step;
    result.push({
      type: "step",
      step,
      loss,
      learningRate: 1,
      gradientNorm: 1,
      milliseconds: 1000,
    });
    if (isParallel && step % 2 === 1) {
      const direction = {
        iterations: 2,
        residuals: [1, 0.25],
        finalResidual: 0.1,
        exactIterations: 8,
        ratio: 0.25,
        sweeps: [],
      };
      result.push({
        type: "probe",
        step,
        milliseconds: 1,
        forward: direction,
        backward: direction,
        gradient: {
          relativeError: 1,
          cosine: 0.7,
          layers: { relativeError: [1], cosine: [0.7] },
        },
      });
    }
    if (isSwitched && step === 3) {
      result.push({
        type: "switch",
        step,
        direction: "backward",
        from: state(1),
        to: state(2),
        reason: "gradient",
      });
    }
    if (step % 2 === 0) {
      result.push({ type: "evaluation", step, loss, best: true });
    }
  }
  return result;
}

const runs: StudyRuns = {
  serial: history(events(0.5, false, false)),
  fixed: history(events(0.25, true, false)),
  adaptive: history(events(0.49, true, true)),
};

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
