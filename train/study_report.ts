/**
 * The report of a study: one HTML page that needs nothing else.
 *
 * @module
 */

import {
  againstSerial,
  comparedNames,
  type Comparison,
  percentWords,
} from "./comparison.ts";
import {
  type ComparisonChart,
  cosineChart,
  differenceChart,
  lossChart,
  ratioChart,
} from "./comparison_charts.ts";
import {
  chartSection,
  modesFigure,
  switchList,
} from "./comparison_sections.ts";
import { summarize } from "./history.ts";
import {
  type ConfigurationRow,
  configurationTable,
} from "./report_configuration.ts";
import {
  count,
  decimals,
  escapeHtml,
  formatDuration,
  upperFirst,
} from "./report_format.ts";
import { reportStyle } from "./report_style.ts";
import { solverWords } from "./report_words.ts";

/** The charts of a study, in the order of its report. */
export function studyCharts(runs: Comparison): ComparisonChart[] {
  return [
    lossChart(runs),
    differenceChart(runs),
    ratioChart(runs),
    cosineChart(runs),
  ];
}

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
export function studyReport(runs: Comparison, details: StudyDetails): string {
  const title = escapeHtml(details.title);
  const charts = studyCharts(runs).map((chart) => chartSection(chart));
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
accuracy control. On ${escapeHtml(details.machine)}, data: ${
    escapeHtml(details.corpus)
  }.</p>
${figures(runs)}
</header>
<main>
${charts.slice(0, 2).join("\n")}
<h2>How layers were solved, by step</h2>
${modesFigure(runs)}
${switchList(runs.adaptive)}
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

function figures(runs: Comparison): string {
  const entries = comparedNames.map((name) => {
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

function results(runs: Comparison): string {
  const rows = comparedNames.map((name) => {
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
