/**
 * The tables of a reproduction's report.
 *
 * @module
 */

import { comparedNames } from "./comparison.ts";
import { type History, summarize } from "./history.ts";
import { differenceWords } from "./metric_difference.ts";
import { metricTitle, metricValue } from "./metric_words.ts";
import {
  count,
  decimals,
  escapeHtml,
  formatDuration,
  short,
  upperFirst,
} from "./report_format.ts";
import { solverWords } from "./report_words.ts";
import type { FineTuning, Measured, ReproducedTask } from "./reproduction.ts";

/** A table that scrolls where it is too wide; its cells are HTML. */
function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const head = heads.map((text) => `<th scope="col">${text}</th>`).join("");
  const body = rows.map(([first, ...cells]) =>
    `<tr><th scope="row">${first}</th>${
      cells.map((cell) => `<td>${cell}</td>`).join("")
    }</tr>`
  ).join("");
  return `<div class="scroll"><table class="compared"><thead><tr>${head}</tr></thead>` +
    `<tbody>${body}</tbody></table></div>`;
}

/** The names of all measures of some models, in the order of the first. */
function metricNames(models: readonly (Measured | undefined)[]): string[] {
  return [
    ...new Set(models.flatMap((found) => Object.keys(found?.metrics ?? {}))),
  ];
}

/** A value and, below it, how far it is from the reference. */
function comparedCell(
  name: string,
  value: number,
  reference: number | undefined,
): string {
  const text = name === "loss" ? decimals(value, 4) : metricValue(value);
  return reference === undefined
    ? text
    : `${text}<br><small>${differenceWords(name, value, reference)}</small>`;
}

/** All measures of all tasks and runs. */
export function overviewTable(tasks: readonly ReproducedTask[]): string {
  const rows = tasks.flatMap(({ name, measured, runs }) => {
    const metrics = metricNames(comparedNames.map((run) => measured[run]));
    if (metrics.length === 0) {
      return [[escapeHtml(name), ...new Array<string>(5).fill("–")]];
    }
    return metrics.map((metric, i) => [
      i === 0 ? escapeHtml(name) : "",
      escapeHtml(metricTitle(metric)),
      ...comparedNames.map((run) =>
        comparedCell(
          metric,
          measured[run]?.metrics[metric] ?? NaN,
          run === "serial" ? undefined : measured.serial?.metrics[metric],
        )
      ),
      i === 0 ? String(runs.adaptive.switches.length) : "",
    ]);
  });
  return table(
    ["Task", "Measure", ...comparedNames.map(upperFirst), "Switches"],
    rows,
  );
}

/** All measures of a task's runs, how long they took, and how they were solved. */
export function resultsTable({ measured, runs }: ReproducedTask): string {
  const metrics = [
    ...new Set(
      comparedNames.flatMap((name) =>
        Object.keys(measured[name]?.metrics ?? {})
      ),
    ),
  ];
  const rows = comparedNames.map((name) => {
    const own = measured[name];
    const reference = name === "serial" ? undefined : measured.serial;
    return [
      upperFirst(name),
      ...lengthCells(runs[name]),
      comparedCell("loss", own?.loss ?? NaN, reference?.loss),
      ...metrics.map((metric) =>
        comparedCell(
          metric,
          own?.metrics[metric] ?? NaN,
          reference?.metrics[metric],
        )
      ),
      `<p>${solverCell(runs[name])}</p>`,
    ];
  });
  return table(
    [
      "Run",
      ...lengthHeads,
      "Loss",
      ...metrics.map((metric) => escapeHtml(metricTitle(metric))),
      "Solver at the end",
    ],
    rows,
  );
}

const lengthHeads = ["Steps", "Time of steps"] as const;

function lengthCells(run: History): string[] {
  const { steps, trainingSeconds } = summarize(run);
  return steps === 0 ? ["–", "–"] : [
    count(steps),
    formatDuration(trainingSeconds),
  ];
}

/** How a run was solved at its end. */
function solverCell({ start, switches }: History): string {
  if (start === undefined) return "–";
  if (start.solver === undefined) return "serial";
  const state = { ...start.solver.state };
  for (const { direction, to } of switches) state[direction] = to;
  return escapeHtml(solverWords({ ...start.solver, state }));
}

/** What models are worth that began differently. */
export function fineTuningTable({ models }: FineTuning): string {
  const metrics = [
    ...new Set(
      models.flatMap(({ measured }) => Object.keys(measured?.metrics ?? {})),
    ),
  ];
  const first = models[0]?.measured;
  const rows = models.map(({ from, run, measured }, i) => {
    const reference = i === 0 ? undefined : first;
    return [
      escapeHtml(upperFirst(from)),
      ...lengthCells(run),
      comparedCell("loss", measured?.loss ?? NaN, reference?.loss),
      ...metrics.map((metric) =>
        comparedCell(
          metric,
          measured?.metrics[metric] ?? NaN,
          reference?.metrics[metric],
        )
      ),
    ];
  });
  return table(
    [
      "From",
      ...lengthHeads,
      "Loss",
      ...metrics.map((metric) => escapeHtml(metricTitle(metric))),
    ],
    rows,
  );
}

/** What a layer costs, and modelled speed-ups by numbers of devices. */
export function speedupTable(tasks: readonly ReproducedTask[]): string {
  const rows = tasks.flatMap(({ name, costs: step, speedups }) => {
    if (step === undefined) return [];
    const { layers, costs: { forward, fullVjp, rest } } = step;
    return [[
      escapeHtml(name),
      count(layers),
      `${short(forward)} + ${short(fullVjp)}`,
      short(rest),
      ...speedups.map(({ factor }) => decimals(factor, 2)),
    ]];
  });
  if (rows.length === 0) return "<p>No costs were measured yet.</p>";
  const devices = tasks.find(({ costs }) => costs !== undefined)!.speedups;
  return table(
    [
      "Task",
      "Layers",
      "One: ms forward + backward",
      "All else: ms",
      ...devices.map(({ devices }, i) =>
        `${count(devices)}${i === 0 ? " device" : ""}`
      ),
    ],
    rows,
  );
}

/** The options of all tasks side by side; bold: not the task's default. */
export function configurationMatrix(
  tasks: readonly Pick<ReproducedTask, "name" | "configuration">[],
): string {
  const options = new Set(
    tasks.flatMap(({ configuration }) => configuration.map(({ name }) => name)),
  );
  const rows = [...options].map((option) => [
    `<code>${escapeHtml(option)}</code>`,
    ...tasks.map(({ configuration }) => {
      const row = configuration.find(({ name }) => name === option);
      const value = row === undefined ? "" : escapeHtml(row.value);
      return row?.changed ? `<strong>${value}</strong>` : value;
    }),
  ]);
  return `<p>Bold: set to something else than the task's default.</p>
${table(["", ...tasks.map(({ name }) => escapeHtml(name))], rows)}`;
}
