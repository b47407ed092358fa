/**
 * The charts of a study: a model that was trained serially, with fixed
 * multigrid iterations and with accuracy control.
 *
 * @module
 */

import { type Direction, directions } from "../mgrit/mod.ts";
import type { ChartOptions, Point, Series } from "./chart.ts";
import type { History } from "./history.ts";
import { decimals, short } from "./report_format.ts";
import { movingAverage } from "./smoothing.ts";

/** The runs of a study, in their order. */
export const studyRunNames = ["serial", "fixed", "adaptive"] as const;

/** One of them. */
export type StudyRunName = typeof studyRunNames[number];

/** The runs of a study by name. */
export type StudyRuns = Readonly<Record<StudyRunName, History>>;

/** Runs by multigrid. */
export const parallelRunNames = ["fixed", "adaptive"] as const;

/** Class of a run's lines. */
export const studyClass: Readonly<Record<StudyRunName, string>> = {
  serial: "reference",
  fixed: "validation",
  adaptive: "train",
};

/** A chart with its place in a report. */
export interface StudyChart {
  /** What stands above it. */
  readonly heading: string;
  /** What it shows and how to read it. */
  readonly caption: string;
  /** The chart; its `id` is the name of its file, too. */
  readonly chart: ChartOptions;
}

/** The charts, in the order of the report. */
export function studyCharts(runs: StudyRuns): StudyChart[] {
  return [
    lossChart(runs),
    differenceChart(runs),
    ratioChart(runs),
    cosineChart(runs),
  ];
}

/** Steps of the longest run. */
export function lastStep(runs: StudyRuns): number {
  return Math.max(
    0,
    ...studyRunNames.map((name) => runs[name].steps.at(-1)?.step ?? 0),
  );
}

function smoothed({ steps }: History): Point[] {
  const average = movingAverage(25);
  return steps.map(({ step, loss }) => [step, average(loss)]);
}

function validation({ evaluations }: History): Point[] {
  return evaluations.map(({ step, loss }) => [step, loss]);
}

/** Lines across a chart at the steps in which accuracy control acted. */
function switchLines({ adaptive }: StudyRuns, series: Series[]): Series[] {
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

function lossChart(runs: StudyRuns): StudyChart {
  // The first fall of the loss would leave no room for what comes after.
  const first = runs.serial.evaluations[0]?.step ?? 0;
  const series = studyRunNames.flatMap((name): Series[] => [
    {
      class: studyClass[name],
      opacity: 0.45,
      points: smoothed(runs[name]).filter(([step]) => step >= first),
    },
    {
      label: name,
      class: studyClass[name],
      dots: true,
      points: validation(runs[name]),
    },
  ]);
  const ends = studyRunNames.map((name) =>
    `${name} ${decimals(runs[name].evaluations.at(-1)?.loss ?? NaN, 3)}`
  );
  return {
    heading: "Loss",
    caption: "Dots: validation loss, measured serially in all three. Faint: " +
      "training loss, smoothed. Nats per token, by step.",
    chart: {
      id: "loss",
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

function differenceChart(runs: StudyRuns): StudyChart {
  const series = parallelRunNames.flatMap((name): Series[] => [
    {
      class: studyClass[name],
      opacity: 0.45,
      points: above(smoothed(runs[name]), smoothed(runs.serial)),
    },
    {
      label: name,
      class: studyClass[name],
      dots: true,
      points: above(validation(runs[name]), validation(runs.serial)),
    },
  ]);
  return {
    heading: "Distance from serial training",
    caption: "Loss minus that of the serial run after the same step; above " +
      "0 is worse. Dots: validation; faint: training, smoothed.",
    chart: {
      id: "difference",
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
function limitLine(runs: StudyRuns, value: number | undefined): Series[] {
  return value === undefined ? [] : [{
    label: "limit",
    class: "limit",
    points: [[0, value], [lastStep(runs), value]],
  }];
}

function ratioChart(runs: StudyRuns): StudyChart {
  const ratios = (name: StudyRunName, direction: Direction): Point[] =>
    runs[name].probes.flatMap((probe): Point[] => {
      const ratio = probe[direction]?.ratio;
      return ratio === undefined ? [] : [[probe.step, ratio]];
    });
  const series = parallelRunNames.flatMap((name) =>
    directions.map((direction): Series => ({
      label: `${name}, ${direction}`,
      class: studyClass[name] + (direction === "forward" ? "" : " faint"),
      dots: true,
      points: ratios(name, direction),
    }))
  );
  return {
    heading: "ρ: does another iteration help?",
    caption: "The factor by which the last iteration of a probe shrank the " +
      "residual. Above the limit, iterations no longer converge.",
    chart: {
      id: "ratio",
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

function cosineChart(runs: StudyRuns): StudyChart {
  const series = parallelRunNames.map((name): Series => ({
    label: name,
    class: studyClass[name],
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
      id: "cosine",
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
