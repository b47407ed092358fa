/**
 * The report of a study: one HTML page that needs nothing else.
 *
 * @module
 */

import { directions } from "../mgrit/mod.ts";
import { lineChart } from "./chart.ts";
import { type History, summarize } from "./history.ts";
import { type Band, modeBands } from "./report_bands.ts";
import {
  type ConfigurationRow,
  configurationTable,
} from "./report_configuration.ts";
import {
  count,
  decimals,
  escapeHtml,
  formatDuration,
} from "./report_format.ts";
import { reportStyle } from "./report_style.ts";
import { modeWords, solverWords, switchWords } from "./report_words.ts";
import {
  lastStep,
  parallelRunNames,
  studyCharts,
  studyClass,
  type StudyRunName,
  studyRunNames,
  type StudyRuns,
} from "./study_charts.ts";

/** What a study's report tells beyond its runs. */
export interface StudyDetails {
  /** Names the study. */
  readonly title: string;
  /** Where it ran. */
  readonly machine: string;
  /** What was trained on. */
  readonly corpus: string;
  /** The options that the runs share. */
  readonly configuration: readonly ConfigurationRow[];
  /** The command that makes the same study. */
  readonly command: string;
}

/** The report of a study as HTML, of a broken off one as far as it got. */
export function studyReport(runs: StudyRuns, details: StudyDetails): string {
  const title = escapeHtml(details.title);
  const charts = studyCharts(runs).map(({ heading, caption, chart }) =>
    `<h2>${heading}</h2>
<figure>${lineChart(chart)}</figure>
<p class="unit">${caption}</p>`
  );
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
<p class="lead">The same model from the same seed on the same batches, three
times: serially, by multigrid over the layers with fixed iterations, and with
accuracy control. On ${escapeHtml(details.machine)}, text: ${
    escapeHtml(details.corpus)
  }.</p>
${figures(runs)}
</header>
<main>
${charts.slice(0, 2).join("\n")}
<h2>How layers were solved, by step</h2>
${modes(runs)}
${switches(runs.adaptive)}
${charts.slice(2).join("\n")}
<h2>Results</h2>
${results(runs)}
${configurationTable(details.configuration)}
<h2>Again</h2>
<pre>${escapeHtml(details.command)}</pre>
</main>
<footer>Made by Layerbraid.</footer>
</body>
</html>
`;
}

/** Relative difference of the last validation loss to the serial one. */
export function againstSerial(runs: StudyRuns, name: StudyRunName): number {
  const [own, serial] = [runs[name], runs.serial].map((run) =>
    run.evaluations.at(-1)
  );
  return own === undefined || own.step !== serial?.step
    ? NaN
    : own.loss / serial.loss - 1;
}

/** A relative difference such as `+1.2 %`. */
export function percentWords(share: number): string {
  const percent = decimals(100 * share, 1);
  return Number.isFinite(share) ? `${share < 0 ? "" : "+"}${percent} %` : "–";
}

function figures(runs: StudyRuns): string {
  const entries = studyRunNames.map((name) => {
    const { validationLoss } = summarize(runs[name]);
    const note = name === "serial"
      ? "validation loss at the end"
      : `${percentWords(againstSerial(runs, name))} against serial`;
    return `<div><dt>${upperFirst(name)}</dt><dd>${
      decimals(validationLoss, 3)
    }<small>${note}</small></dd></div>`;
  });
  return `<dl class="figures">${entries.join("")}</dl>`;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function modes(runs: StudyRuns): string {
  const last = lastStep(runs);
  const bands = parallelRunNames.flatMap((name) => bandsOf(runs, name));
  return `<figure>${modeBands(bands, last)}</figure>`;
}

function bandsOf(runs: StudyRuns, name: StudyRunName): Band[] {
  const { start, steps, switches } = runs[name];
  if (start?.solver === undefined) return [];
  const { state } = start.solver;
  return directions.map((direction) => {
    const own = switches.filter((event) => event.direction === direction);
    const states = [
      { since: 0, state: own[0]?.from ?? state[direction] },
      ...own.map(({ step, to }) => ({ since: step, state: to })),
    ];
    const most = Math.max(...states.map(({ state }) => state.iterations), 1);
    return {
      label: `${name}, ${direction}`,
      class: studyClass[name],
      segments: states.map(({ since, state }, i) => ({
        from: since,
        to: states[i + 1]?.since ?? steps.at(-1)?.step ?? 0,
        text: modeWords(state),
        strength: state.serial ? 0 : 0.2 + 0.5 * state.iterations / most,
      })),
    };
  });
}

function switches(run: History): string {
  if (run.switches.length === 0) return "<p>Accuracy control never acted.</p>";
  const lines = run.switches.map((event) => {
    const probe = run.probes.find(({ step }) => step === event.step);
    const words = switchWords(event, probe, run.start?.solver?.control);
    return `<li>After step ${count(event.step)}: ${escapeHtml(words)}.</li>`;
  });
  return `<ul>${lines.join("")}</ul>`;
}

function results(runs: StudyRuns): string {
  const rows = studyRunNames.map((name) => {
    const run = runs[name];
    const { steps, loss, validationLoss, trainingSeconds } = summarize(run);
    const cells = [
      count(steps),
      decimals(validationLoss, 3),
      name === "serial" ? "" : percentWords(againstSerial(runs, name)),
      decimals(loss, 3),
      formatDuration(trainingSeconds),
    ];
    const { solver } = run.start ?? {};
    return `<tr><th scope="row">${upperFirst(name)}</th>${
      cells.map((cell) => `<td>${cell}</td>`).join("")
    }<td class="help">${
      escapeHtml(solver === undefined ? "" : solverWords(solver))
    }</td></tr>`;
  });
  const heads = [
    "",
    "Steps",
    "Validation loss",
    "Against serial",
    "Training loss",
    "Time of steps",
    "Solver",
  ];
  return `<table><thead><tr>${
    heads.map((head) => `<th scope="col">${head}</th>`).join("")
  }</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}
