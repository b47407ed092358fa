/**
 * The parts of a page about a comparison.
 *
 * @module
 */

import { directions } from "../mgrit/mod.ts";
import { lineChart } from "./chart.ts";
import {
  comparedClass,
  type ComparedName,
  type Comparison,
  lastStep,
  parallelNames,
} from "./comparison.ts";
import type { ComparisonChart } from "./comparison_charts.ts";
import type { History } from "./history.ts";
import { type Band, modeBands } from "./report_bands.ts";
import { count, escapeHtml } from "./report_format.ts";
import { modeWords, switchWords } from "./report_words.ts";

/** A chart between its heading and its caption. */
export function chartSection(
  { heading, caption, chart }: ComparisonChart,
  level: "h2" | "h3" = "h2",
): string {
  return `<${level}>${heading}</${level}>
<figure>${lineChart(chart)}</figure>
<p class="unit">${caption}</p>`;
}

/** How both directions of the runs by multigrid were solved, by step. */
export function modesFigure(runs: Comparison, prefix = ""): string {
  const last = lastStep(runs);
  const bands = parallelNames.flatMap((name) => bandsOf(runs, name));
  return `<figure>${modeBands(bands, last, `${prefix}modes`)}</figure>`;
}

function bandsOf(runs: Comparison, name: ComparedName): Band[] {
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
      class: comparedClass[name],
      segments: states.map(({ since, state }, i) => ({
        from: since,
        to: states[i + 1]?.since ?? steps.at(-1)?.step ?? 0,
        text: modeWords(state),
        strength: state.serial ? 0 : 0.2 + 0.5 * state.iterations / most,
      })),
    };
  });
}

/** What accuracy control did in a run, and why. */
export function switchList(run: History): string {
  if (run.switches.length === 0) return "<p>Accuracy control never acted.</p>";
  const lines = run.switches.map((event) => {
    const probe = run.probes.find(({ step }) => step === event.step);
    const words = switchWords(event, probe, run.start?.solver?.control);
    return `<li>After step ${count(event.step)}: ${escapeHtml(words)}.</li>`;
  });
  return `<ul>${lines.join("")}</ul>`;
}
