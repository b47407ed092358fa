/**
 * The report of a run: one HTML page that needs nothing else.
 *
 * @module
 */

import { lineChart, type Point, type Series } from "./chart.ts";
import type { StepEvent, TrainingEvent } from "./event.ts";
import {
  type ConfigurationRow,
  configurationTable,
} from "./report_configuration.ts";
import { type History, history, summarize, type Summary } from "./history.ts";
import { bitsPerByte } from "./metrics/language.ts";
import {
  count,
  decimals,
  escapeHtml,
  formatDuration,
  scientific,
  short,
  upperFirst,
} from "./report_format.ts";
import type { RecordedEvaluation } from "./evaluation.ts";
import { evaluationsSection } from "./report_evaluations.ts";
import { metricFigures, metricsSection } from "./report_metrics.ts";
import { solverSection } from "./report_solver.ts";
import { reportStyle } from "./report_style.ts";
import { movingAverage, quantile } from "./smoothing.ts";

/** A text that the model wrote. */
export interface Sample {
  /** What it went on from. */
  readonly prompt: string;
  /** What it wrote. */
  readonly text: string;
}

/** What a report tells beyond the events. */
export interface ReportDetails {
  /** Names the run. */
  readonly title: string;
  /** Where it ran, such as `wasm, turbo kernels, 2 threads`. */
  readonly machine: string;
  /** What was trained on, such as `deno types, 1.2 MB`. */
  readonly corpus: string;
  /** What the loss is in, such as `nats per token`; default: that is left out. */
  readonly lossUnit?: string;
  /**
   * Bytes of text per token on average, where the loss is the mean over the
   * tokens of a text; default: no bits per byte are told.
   */
  readonly bytesPerToken?: number;
  /** The options. */
  readonly configuration: readonly ConfigurationRow[];
  /** Texts that the trained model wrote. */
  readonly samples: readonly Sample[];
  /** What stands above them; default: what a GPT's samples are. */
  readonly samplesTitle?: string;
  /** Commands to go on with, and what they do. */
  readonly commands: readonly (readonly [call: string, does: string])[];
  /** What the trained model was worth on other data; default: none. */
  readonly evaluations?: readonly RecordedEvaluation[];
  /** Another run, whose losses are drawn beside; default none. */
  readonly reference?: ReferenceRun;
}

/** A run to compare with. */
export interface ReferenceRun {
  /** What the legend calls it. */
  readonly name: string;
  /** Its events, of all sessions in order. */
  readonly events: readonly TrainingEvent[];
}

/**
 * The report of a run as HTML: loss curves, learning rate, gradient norm and
 * speed, timings, samples, configuration. Nothing in it is loaded from
 * elsewhere.
 *
 * @param events The events of all sessions of the run, in order.
 *
 * @example
 * ```ts
 * import { trainingReport } from "@layerbraid/layerbraid/train";
 *
 * const html = trainingReport([
 *   { type: "start", step: 0, steps: 1, parameters: 42, tokensPerStep: 8, unit: "tokens" },
 *   { type: "step", step: 1, loss: 5.5, learningRate: 1e-3, gradientNorm: 1, milliseconds: 9 },
 *   { type: "stop", step: 1, reason: "done" },
 * ], {
 *   title: "A small model",
 *   machine: "wasm",
 *   corpus: "a poem",
 *   lossUnit: "nats per byte",
 *   bytesPerToken: 1,
 *   configuration: [],
 *   samples: [],
 *   commands: [],
 * });
 * console.log(html.startsWith("<!doctype html>")); // true
 * ```
 */
export function trainingReport(
  events: Iterable<TrainingEvent>,
  details: ReportDetails,
): string {
  const all = [...events];
  const run = history(all);
  const summary = summarize(run);
  const title = escapeHtml(details.title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${reportStyle}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="lead">${lead(run, summary, details)}</p>
${figures(run, summary, details)}
</header>
<main>
<h2>Loss</h2>
${lossChart(run, details)}
<p class="unit">${
    details.lossUnit === undefined ? "" : `${escapeHtml(details.lossUnit)}, `
  }by step</p>
${metricsSection(run, details.reference)}
<div class="small-charts">
${smallCharts(run)}
</div>
${solverSection(all)}
${samples(details)}
${evaluationsSection(details.evaluations ?? [])}
<h2>Timings</h2>
${timings(run, summary)}
${configurationTable(details.configuration)}
${commands(details)}
</main>
<footer>Made by Layerbraid.</footer>
</body>
</html>
`;
}

function lead(
  { start, stop }: History,
  summary: Summary,
  { machine, corpus }: ReportDetails,
): string {
  const ending = {
    done: "",
    early: ", stopped early because the validation loss no longer improved",
    interrupted: `, interrupted; ${count(start?.steps ?? NaN)} are planned`,
  };
  return `<strong>${count(summary.steps)} steps</strong> in <strong>${
    formatDuration(summary.trainingSeconds)
  }</strong> on ${escapeHtml(machine)}, data: ${escapeHtml(corpus)}${
    ending[stop?.reason ?? "done"]
  }.`;
}

function figures(
  { start, evaluations }: History,
  summary: Summary,
  { bytesPerToken }: ReportDetails,
): string {
  const best = evaluations.find(({ loss }) =>
    loss === summary.bestValidationLoss
  );
  const seen = summary.steps * (start?.tokensPerStep ?? NaN);
  const unit = escapeHtml(summary.unit);
  const entries = [
    [
      "Validation loss",
      decimals(summary.bestValidationLoss, 3),
      best === undefined
        ? "not measured"
        : `lowest, after step ${count(best.step)}`,
    ],
    ...(bytesPerToken === undefined ? [] : [[
      "Bits per byte",
      decimals(bitsPerByte(summary.bestValidationLoss, bytesPerToken), 3),
      "of the validation text",
    ]]),
    ...metricFigures(summary),
    ["Training loss", decimals(summary.loss, 3), "smoothed, at the end"],
    ["Speed", count(summary.tokensPerSecond), `${unit} per second`],
    ["Parameters", count(start?.parameters ?? NaN), "trained numbers"],
    [upperFirst(unit), count(seen), "seen in training"],
  ];
  return `<dl class="figures">${
    entries.map(([name, value, note]) =>
      `<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`
    ).join("")
  }</dl>`;
}

function smoothedLosses({ steps }: History): Point[] {
  const average = movingAverage();
  return steps.map(({ step, loss }) => [step, average(loss)]);
}

function referenceSeries({ reference }: ReportDetails): Series[] {
  if (reference === undefined) return [];
  const run = history(reference.events);
  const name = escapeHtml(reference.name);
  return [
    { label: name, class: "reference", points: smoothedLosses(run) },
    {
      label: `${name}, validation`,
      class: "reference faint",
      dots: true,
      points: run.evaluations.map(({ step, loss }) => [step, loss]),
    },
  ];
}

function lossChart(run: History, details: ReportDetails): string {
  const { steps, evaluations } = run;
  const { lossUnit } = details;
  const smoothed = smoothedLosses(run);
  const ends = smoothed.length === 0
    ? ""
    : ` from ${decimals(smoothed[0][1], 2)} to ${
      decimals(smoothed.at(-1)![1], 2)
    }`;
  const last = evaluations.at(-1);
  return `<figure>${
    lineChart({
      id: "loss",
      title: "Training and validation loss by step",
      description: `The smoothed training loss goes${ends}${
        lossUnit === undefined ? "" : ` ${escapeHtml(lossUnit)}`
      }${
        last === undefined
          ? ""
          : `; the validation loss ends at ${decimals(last.loss, 2)}`
      }.`,
      unit: "step",
      height: 320,
      format: short,
      series: [
        {
          class: "raw",
          points: steps.map(({ step, loss }) => [step, loss]),
        },
        ...referenceSeries(details),
        { label: "training, smoothed", class: "train", points: smoothed },
        {
          label: "validation",
          class: "validation",
          dots: true,
          points: evaluations.map(({ step, loss }) => [step, loss]),
        },
      ],
    })
  }</figure>`;
}

function smallCharts({ start, steps }: History): string {
  const norm = movingAverage(10);
  const tokens = start?.tokensPerStep ?? NaN;
  const chart = (
    id: string,
    title: string,
    of: (step: StepEvent, index: number) => number,
    format: (value: number) => string,
  ): string => {
    const points = steps.map((step, i): Point => [step.step, of(step, i)]);
    const values = points.map(([, y]) => y).filter(Number.isFinite);
    return `<figure><h3>${title}</h3>${
      lineChart({
        id,
        title: `${title} by step`,
        description: `Between ${format(Math.min(...limits(values)))} and ${
          format(Math.max(...limits(values)))
        }.`,
        unit: "step",
        height: 150,
        format,
        fromZero: true,
        series: [{ class: "other", points }],
      })
    }</figure>`;
  };
  return [
    chart("rate", "Learning rate", (step) => step.learningRate, scientific),
    chart(
      "norm",
      "Gradient norm",
      (step) => norm(step.gradientNorm),
      short,
    ),
    chart(
      "speed",
      `${upperFirst(escapeHtml(start?.unit ?? "tokens"))} per second`,
      (_, i) => tokens * 1000 / typicalDuration(steps, i),
      (value) => value.toLocaleString("en", { notation: "compact" }),
    ),
  ].join("\n");
}

/** The smallest and the greatest of any number of values. */
function limits(values: readonly number[]): [low: number, high: number] {
  return [quantile(values, 0), quantile(values, 1)];
}

/** Median duration of the 15 steps around one. */
function typicalDuration(steps: readonly StepEvent[], index: number): number {
  const around = steps.slice(Math.max(0, index - 7), index + 8);
  return quantile(around.map(({ milliseconds }) => milliseconds), 0.5);
}

function samples(
  { samples, samplesTitle = "What the model writes" }: ReportDetails,
): string {
  if (samples.length === 0) return "";
  const texts = samples.map(({ prompt, text }) =>
    `<pre><mark>${escapeHtml(prompt.trimStart())}</mark>${
      escapeHtml(text)
    }</pre>`
  );
  return `<h2>${escapeHtml(samplesTitle)}</h2>\n${texts.join("\n")}`;
}

function timings({ steps, resumed }: History, summary: Summary): string {
  const durations = steps.map(({ milliseconds }) => milliseconds);
  const time = (share: number): string =>
    `${decimals(quantile(durations, share), 1)} ms`;
  const rows = [
    ["Step, median", time(0.5)],
    ["Step, fastest", time(0)],
    ["Step, 95 % are faster than", time(0.95)],
    ["Step, slowest", time(1)],
    ["All training steps", formatDuration(summary.trainingSeconds)],
    ...(resumed.length === 0
      ? []
      : [["Resumed after step", resumed.map(count).join(", ")]]),
  ];
  return `<table class="narrow"><tbody>${
    rows.map(([name, value]) =>
      `<tr><th scope="row">${name}</th><td class="number">${value}</td></tr>`
    ).join("")
  }</tbody></table>`;
}

function commands({ commands }: ReportDetails): string {
  if (commands.length === 0) return "";
  return `<h2>Go on</h2>\n${
    commands.map(([call, does]) =>
      `<p>${escapeHtml(does)}:</p>\n<pre>${escapeHtml(call)}</pre>`
    ).join("\n")
  }`;
}
