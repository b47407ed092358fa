/**
 * The report of a reproduction: one HTML page that needs nothing else.
 *
 * @module
 */

import { comparedNames, lastStep } from "./comparison.ts";
import {
  chartSection,
  modesFigure,
  switchList,
} from "./comparison_sections.ts";
import type { FineTuning, ReproducedTask } from "./reproduction.ts";
import { taskCharts } from "./reproduction_charts.ts";
import {
  configurationMatrix,
  fineTuningTable,
  overviewTable,
  resultsTable,
  speedupTable,
} from "./reproduction_tables.ts";
import { escapeHtml } from "./report_format.ts";
import { reportStyle } from "./report_style.ts";

/** What a reproduction's report tells beyond its tasks. */
export interface ReproductionDetails {
  /** Names the reproduction. */
  readonly title: string;
  /** Where it ran. */
  readonly machine: string;
  /** The command that makes the same. */
  readonly command: string;
}

/** The report as HTML, of a broken off reproduction as far as it got. */
export function reproductionReport(
  tasks: readonly ReproducedTask[],
  fineTuning: FineTuning | undefined,
  details: ReproductionDetails,
): string {
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
<p class="lead">Each model was trained three times from the same seed on the
same batches: serially, by multigrid over the layers with fixed iterations, and
with accuracy control. On ${escapeHtml(details.machine)}.</p>
</header>
<main>
<h2>The trained models</h2>
${overviewTable(tasks)}
<p>Of data that no model was trained on. Differences are those to
the serial run: in points of accuracies and scores, relative where a measure has
no highest value.</p>
${fineTuning === undefined ? "" : fineTuningSection(fineTuning)}
<h2>Modelled speed-up on several devices</h2>
${speedupTable(tasks)}
<p>Of a training step with the fixed iterations, over a serial one
on one device. Nothing here ran on several devices: the times of one layer and
of the rest were measured on this one, and the solver's steps are shared out
among as many as the column says. Messages between devices are free, updates of
the parameters left out.</p>
${tasks.map(taskSection).join("\n")}
<h2>Configuration</h2>
${
    configurationMatrix([
      ...tasks,
      ...(fineTuning === undefined ? [] : [fineTuning]),
    ])
  }
<h2>Again</h2>
<pre>${escapeHtml(details.command)}</pre>
</main>
<footer>Made by Layerbraid.</footer>
</body>
</html>
`;
}

function fineTuningSection(fineTuning: FineTuning): string {
  const { name, model, data } = fineTuning;
  return `<h2>Fine-tuning</h2>
<p>${
    escapeHtml(`The task ${name}: ${model}. Data: ${data}.`)
  } Fine-tuning itself
is serial; what differs is how BERT was trained before.</p>
${fineTuningTable(fineTuning)}`;
}

function taskSection(task: ReproducedTask): string {
  const { name, model, data, runs } = task;
  const charts = taskCharts(task).map((chart) => chartSection(chart, "h3"));
  const prefix = `${name}-`;
  const heading = `<h2>${escapeHtml(name)}</h2>
<p>${escapeHtml(`${model}. Data: ${data}.`)}</p>`;
  if (lastStep(runs) === 0) return `${heading}\n<p>Not begun.</p>`;
  const isParallel = comparedNames.some((run) =>
    runs[run].start?.solver !== undefined
  );
  return `${heading}
${resultsTable(task)}
${charts.join("\n")}
${
    isParallel
      ? `<h3>How layers were solved, by step</h3>
${modesFigure(runs, prefix)}
${switchList(runs.adaptive)}`
      : ""
  }`;
}
