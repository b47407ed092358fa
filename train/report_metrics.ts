/**
 * What a report tells of the measures that a task has beside its loss.
 *
 * @module
 */

import { lineChart, type Point, type Series } from "./chart.ts";
import type { TrainingEvent } from "./event.ts";
import { type History, history, type Summary } from "./history.ts";
import { metricName, metricTitle, metricValue } from "./metric_words.ts";
import { escapeHtml } from "./report_format.ts";

/** Name, value and note of each measure's best value. */
export function metricFigures(
  { bestMetrics }: Summary,
): (readonly [name: string, value: string, note: string])[] {
  return Object.entries(bestMetrics).map(([name, value]) => [
    escapeHtml(metricTitle(name)),
    metricValue(value),
    "validation, highest",
  ]);
}

/** A chart of each measure by step; nothing if there are none. */
export function metricsSection(
  run: History,
  reference: { name: string; events: Iterable<TrainingEvent> } | undefined,
): string {
  const names = [
    ...new Set(run.evaluations.flatMap(({ metrics }) => Object.keys(metrics))),
  ];
  const other = reference && {
    name: reference.name,
    run: history(reference.events),
  };
  return names.map((name) => {
    const title = escapeHtml(metricTitle(name));
    const points = metricPoints(run, name);
    const series: Series[] = [{
      label: other && "this run",
      class: "validation",
      dots: true,
      points,
    }];
    if (other !== undefined) {
      series.unshift({
        label: escapeHtml(other.name),
        class: "reference faint",
        dots: true,
        points: metricPoints(other.run, name),
      });
    }
    return `<h2>${title}</h2>
<figure>${
      lineChart({
        id: `metric-${name.replaceAll(/\W/g, "-")}`,
        title: `${title} of the validation data by step`,
        description: `The ${escapeHtml(metricName(name))} ends at ${
          metricValue(points.at(-1)?.[1] ?? NaN)
        }.`,
        unit: "step",
        height: 240,
        format: axisValue,
        series,
      })
    }</figure>
<p class="unit">of the validation data, by step</p>`;
  }).join("\n");
}

/** A tick's number without digits that say nothing. */
function axisValue(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}

function metricPoints({ evaluations }: History, name: string): Point[] {
  return evaluations.map(({ step, metrics }) => [step, metrics[name] ?? NaN]);
}
