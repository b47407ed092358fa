/**
 * The charts of a reproduction's report.
 *
 * @module
 */

import {
  type ComparisonChart,
  cosineChart,
  lossChart,
  metricCharts,
  ratioChart,
} from "./comparison_charts.ts";
import type { ReproducedTask } from "./reproduction.ts";

/** The charts of a task, in the order of the report. */
export function taskCharts(
  { name, runs }: Pick<ReproducedTask, "name" | "runs">,
): ComparisonChart[] {
  const prefix = `${name}-`;
  return [
    lossChart(runs, prefix),
    ...metricCharts(runs, prefix),
    ratioChart(runs, prefix),
    cosineChart(runs, prefix),
  ];
}
