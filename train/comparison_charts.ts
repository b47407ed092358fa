/**
 * The charts of a comparison.
 *
 * @module
 */

import { type Direction, directions } from "../mgrit/mod.ts";
import type { ChartOptions, Point, Series } from "./chart.ts";
import {
  comparedClass,
  type ComparedName,
  comparedNames,
  type Comparison,
  lastStep,
  parallelNames,
} from "./comparison.ts";
import type { History } from "./history.ts";
import { metricTitle, metricValue } from "./metric_words.ts";
import { decimals, escapeHtml, short } from "./report_format.ts";
import { movingAverage } from "./smoothing.ts";

/**
 * A chart with its place in a report. Where several comparisons share a page,
 * a prefix keeps their charts' names apart.
 */
export interface ComparisonChart {
  /** What stands above it. */
  readonly heading: string;
  /** What it shows and how to read it. */
  readonly caption: string;
  /** The chart; its `id` is the name of its file, too. */
  readonly chart: ChartOptions;
}

function smoothed({ steps }: History): Point[] {
  const average = movingAverage(25);
  return steps.map(({ step, loss }) => [step, average(loss)]);
}

function validation({ evaluations }: History): Point[] {
  return evaluations.map(({ step, loss }) => [step, loss]);
}

/** Lines across a chart at the steps in which accuracy control acted. */
function switchLines({ adaptive }: Comparison, series: Series[]): Series[] {
  const heights = series.flatMap(({ points }) => points.map(([, y]) => y))
    .filter(Number.isFinite);
  if (heights.length === 0) return [];
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const steps = [...new Set(adaptive.switches.map(({ step }) => step))];
  return steps.map((step, i) => ({
    ...(i === 0 && { label: "adaptive switches" }),
    class: "limit",
    points: [[step, low], [step, high]],
  }));
}

/** Validation and training losses of the three runs. */
export function lossChart(runs: Comparison, prefix = ""): ComparisonChart {
  // The first fall of the loss would leave no room for what comes after.
  const first = runs.serial.evaluations[0]?.step ?? 0;
  const series = comparedNames.flatMap((name): Series[] => [
    {
      class: comparedClass[name],
      opacity: 0.45,
      points: smoothed(runs[name]).filter(([step]) => step >= first),
    },
    {
      label: name,
      class: comparedClass[name],
      dots: true,
      points: validation(runs[name]),
    },
  ]);
  const ends = comparedNames.map((name) =>
    `${name} ${decimals(runs[name].evaluations.at(-1)?.loss ?? NaN, 3)}`
  );
  return {
    heading: "Loss",
    caption: "Dots: validation loss, measured serially in all three. Faint: " +
      "training loss, smoothed; by step.",
    chart: {
      id: `${prefix}loss`,
      title: "Loss of the three runs by step",
      description: `Last validation losses: ${ends.join(", ")}.`,
      unit: "step",
      height: 340,
      format: short,
      last: lastStep(runs),
      series: [...switchLines(runs, series), ...series],
    },
  };
}

/** A curve minus that of the serial run, where both have points. */
function above(points: readonly Point[], serial: readonly Point[]): Point[] {
  const reference = new Map(serial);
  return points.flatMap(([x, y]): Point[] => {
    const other = reference.get(x);
    return other === undefined ? [] : [[x, y - other]];
  });
}

/** How far the losses of the runs by multigrid are from the serial ones. */
export function differenceChart(
  runs: Comparison,
  prefix = "",
): ComparisonChart {
  const series = parallelNames.flatMap((name): Series[] => [
    {
      class: comparedClass[name],
      opacity: 0.45,
      points: above(smoothed(runs[name]), smoothed(runs.serial)),
    },
    {
      label: name,
      class: comparedClass[name],
      dots: true,
      points: above(validation(runs[name]), validation(runs.serial)),
    },
  ]);
  return {
    heading: "Distance from serial training",
    caption: "Loss minus that of the serial run after the same step; above " +
      "0 is worse. Dots: validation; faint: training, smoothed.",
    chart: {
      id: `${prefix}difference`,
      title: "Loss minus serial loss by step",
      description: `At most ${
        short(Math.max(...series.flatMap(({ points }) =>
          points.map(([, y]) => y)
        )))
      }.`,
      unit: "step",
      height: 240,
      format: short,
      last: lastStep(runs),
      fromZero: true,
      series: [...switchLines(runs, series), ...series],
    },
  };
}

/** A line at the value from which control acts. */
function limitLine(runs: Comparison, value: number | undefined): Series[] {
  return value === undefined ? [] : [{
    label: "limit",
    class: "limit",
    points: [[0, value], [lastStep(runs), value]],
  }];
}

/** ρ of the runs by multigrid. */
export function ratioChart(runs: Comparison, prefix = ""): ComparisonChart {
  const ratios = (name: ComparedName, direction: Direction): Point[] =>
    runs[name].probes.flatMap((probe): Point[] => {
      const ratio = probe[direction]?.ratio;
      return ratio === undefined ? [] : [[probe.step, ratio]];
    });
  const series = parallelNames.flatMap((name) =>
    directions.map((direction): Series => ({
      label: `${name}, ${direction}`,
      class: comparedClass[name] + (direction === "forward" ? "" : " faint"),
      dots: true,
      points: ratios(name, direction),
    }))
  );
  return {
    heading: "ρ: does another iteration help?",
    caption: "The factor by which the last iteration of a probe shrank the " +
      "residual. Above the limit, iterations no longer converge.",
    chart: {
      id: `${prefix}ratio`,
      title: "Convergence factor of both directions by step",
      description: "Of the probes of both runs by multigrid.",
      unit: "step",
      height: 260,
      format: short,
      last: lastStep(runs),
      logarithmic: true,
      series: [
        ...limitLine(
          runs,
          runs.adaptive.start?.solver?.control?.largestRatio,
        ),
        ...series,
      ],
    },
  };
}

/** How good the gradients of the runs by multigrid are. */
export function cosineChart(runs: Comparison, prefix = ""): ComparisonChart {
  const series = parallelNames.map((name): Series => ({
    label: name,
    class: comparedClass[name],
    dots: true,
    points: runs[name].probes.map(({ step, gradient }) => [
      step,
      gradient?.cosine ?? NaN,
    ]),
  }));
  return {
    heading: "The gradient in use against that of doubled iterations",
    caption: "Cosine of the angle between them, for the same batch. Below " +
      "the limit, training goes somewhere else.",
    chart: {
      id: `${prefix}cosine`,
      title: "Cosine of the gradients with and without doubled iterations",
      description: "Of the probes of both runs by multigrid.",
      unit: "step",
      height: 240,
      format: short,
      last: lastStep(runs),
      series: [
        ...limitLine(
          runs,
          runs.adaptive.start?.solver?.control?.smallestCosine,
        ),
        ...series,
      ],
    },
  };
}

/** A chart of each measure that validation has beside the loss. */
export function metricCharts(
  runs: Comparison,
  prefix = "",
): ComparisonChart[] {
  const names = new Set(
    comparedNames.flatMap((name) =>
      runs[name].evaluations.flatMap(({ metrics }) => Object.keys(metrics))
    ),
  );
  return [...names].map((metric) => metricChart(runs, metric, prefix));
}

function metricChart(
  runs: Comparison,
  metric: string,
  prefix: string,
): ComparisonChart {
  const series = comparedNames.map((name): Series => ({
    label: name,
    class: comparedClass[name],
    dots: true,
    points: runs[name].evaluations.map(({ step, metrics }) => [
      step,
      metrics[metric] ?? NaN,
    ]),
  }));
  const ends = series.map(({ label, points }) =>
    `${label} ${metricValue(points.at(-1)?.[1] ?? NaN)}`
  );
  const title = escapeHtml(metricTitle(metric));
  return {
    heading: title,
    caption: "Of the validation data, by step.",
    chart: {
      id: `${prefix}${metric.replaceAll(/\W/g, "-")}`,
      title: `${title} of the three runs by step`,
      description: `Last values: ${ends.join(", ")}.`,
      unit: "step",
      height: 260,
      format: short,
      last: lastStep(runs),
      series: [...switchLines(runs, series), ...series],
    },
  };
}
