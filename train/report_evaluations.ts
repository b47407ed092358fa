/**
 * What a report tells of a run's evaluations.
 *
 * @module
 */

import type { RecordedEvaluation } from "./evaluation.ts";
import { metricTitle, metricValue } from "./metric_words.ts";
import { confusionTable } from "./report_confusion.ts";
import { count, decimals, escapeHtml } from "./report_format.ts";

/**
 * A table of all evaluations, and of the newest one its confusion matrix and
 * samples; nothing if there are none.
 */
export function evaluationsSection(
  evaluations: readonly RecordedEvaluation[],
): string {
  const newest = evaluations.at(-1);
  if (newest === undefined) return "";
  const { confusion, data } = newest;
  return `<h2>Evaluations</h2>
${resultsTable(evaluations)}
${confusion === undefined ? "" : confusionTable(confusion, data)}
${samplesTable(newest)}`;
}

function resultsTable(evaluations: readonly RecordedEvaluation[]): string {
  const names = [
    ...new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics))),
  ];
  const heads = ["Data", "Checkpoint", "Examples", "Loss"];
  const rows = evaluations.map((evaluation) => {
    const { data, checkpoint, date, examples, loss, metrics } = evaluation;
    const when = date === undefined
      ? ""
      : `<br><small>${escapeHtml(date.slice(0, 10))}</small>`;
    const cells = [
      count(examples),
      decimals(loss, 3),
      ...names.map((name) => metricValue(metrics[name] ?? NaN)),
    ];
    return `<tr><th scope="row">${escapeHtml(data)}${when}</th><td>${
      escapeHtml(checkpoint.split("/").at(-1)!)
    }</td>${
      cells.map((cell) => `<td class="number">${cell}</td>`).join("")
    }</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${
    heads.concat(names.map((name) => escapeHtml(metricTitle(name))))
      .map((head, i) =>
        `<th scope="col"${i < 2 ? "" : ' class="number"'}>${head}</th>`
      ).join("")
  }</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function samplesTable({ samples = [], data }: RecordedEvaluation): string {
  if (samples.length === 0) return "";
  const rows = samples.map(({ input, expected, output }) =>
    `<tr><td>${escapeHtml(input)}</td><td>${escapeHtml(expected)}</td><td${
      output === expected ? "" : ' class="changed"'
    }>${escapeHtml(output)}</td></tr>`
  );
  return `<h3>Examples of ${escapeHtml(data)}</h3>
<p>Bold: not what was expected.</p>
<div class="scroll"><table><thead><tr><th scope="col">Given</th><th scope="col">Expected</th><th scope="col">The model</th></tr></thead><tbody>${
    rows.join("")
  }</tbody></table></div>`;
}
