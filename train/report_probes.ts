/**
 * Charts of what probes found out about multigrid's accuracy.
 *
 * @module
 */

import {
  type ControlOptions,
  type Direction,
  directions,
} from "../mgrit/mod.ts";
import { lineChart, type Point, type Series } from "./chart.ts";
import type { ProbeEvent } from "./event.ts";
import { decimals, scientific, short } from "./report_format.ts";
import { heatMap } from "./report_heat_map.ts";

/** Class of a direction's lines. */
export const directionClass: Readonly<Record<Direction, string>> = {
  forward: "train",
  backward: "validation",
};

/** A line across a chart at the value from which control acts. */
function limitLine(value: number | undefined, last: number): Series[] {
  return value === undefined ? [] : [{
    label: "limit",
    class: "limit",
    points: [[0, value], [last, value]],
  }];
}

/** What charts of probes are about. */
export interface Probed {
  /** The probes, in order. */
  readonly probes: readonly ProbeEvent[];
  /** How accuracy was controlled. */
  readonly control: ControlOptions | undefined;
  /** Steps done. */
  readonly last: number;
}

/** ρ of both directions at each probe. */
export function ratioChart({ probes, control, last }: Probed): string {
  const series = directions.map((direction): Series => ({
    label: direction,
    class: directionClass[direction],
    dots: true,
    points: probes.flatMap((probe): Point[] => {
      const ratio = probe[direction]?.ratio;
      return ratio === undefined ? [] : [[probe.step, ratio]];
    }),
  }));
  const points = series.flatMap((line) => line.points);
  const greatest = Math.max(0, ...points.map(([, y]) => y));
  return `<figure><h3>ρ: residual after an iteration ÷ before it</h3>${
    lineChart({
      id: "ratio",
      title: "Convergence factor of both directions by step",
      description: `ρ reaches ${short(greatest)}.`,
      unit: "step",
      last,
      height: 220,
      format: short,
      logarithmic: true,
      series: points.length === 0
        ? []
        : [...limitLine(control?.largestRatio, last), ...series],
    })
  }</figure>`;
}

/** Cosine and relative error of the gradient in use at each probe. */
export function gradientCharts({ probes, control, last }: Probed): string {
  // In a metrics file, what isn't finite is null.
  const found = probes.flatMap(({ step, gradient }) =>
    Number.isFinite(gradient?.cosine) ? [{ step, ...gradient! }] : []
  );
  if (found.length === 0) return "";
  const cosines = found.map(({ step, cosine }): Point => [step, cosine]);
  const errors = found.map(({ step, relativeError }): Point => [
    step,
    relativeError,
  ]);
  return `<h3>The gradient in use against that of doubled iterations</h3>
<div class="small-charts"><figure><h3>Cosine</h3>${
    lineChart({
      id: "cosine",
      title: "Cosine of the gradients with and without doubled iterations",
      description: `The smallest is ${
        decimals(Math.min(...cosines.map(([, y]) => y)), 3)
      }.`,
      unit: "step",
      last,
      height: 170,
      format: short,
      series: [
        ...limitLine(control?.smallestCosine, last),
        { class: "other", dots: true, points: cosines },
      ],
    })
  }</figure><figure><h3>Relative error</h3>${
    lineChart({
      id: "gradient-error",
      title: "Relative error of the gradient in use",
      description: `The greatest is ${
        short(Math.max(...errors.map(([, y]) => y)))
      }.`,
      unit: "step",
      last,
      height: 170,
      format: scientific,
      logarithmic: true,
      series: [{ class: "other", dots: true, points: errors }],
    })
  }</figure></div>`;
}

const mostColumns = 120;

/** The cosine of each layer's gradient at each probe. */
export function layerMap(probes: readonly ProbeEvent[]): string {
  const all = probes.flatMap(({ step, gradient }) =>
    gradient === undefined ? [] : [{ step, cosines: gradient.layers.cosine }]
  );
  const found = evenly(all, mostColumns);
  const layers = found[0]?.cosines.length ?? 0;
  if (layers === 0) return "";
  const least = Math.min(...found.flatMap(({ cosines }) => cosines));
  return `<figure><h3>Cosine by layer</h3>${
    heatMap({
      id: "layers",
      title: "Cosine of each layer's gradient by step",
      description: `${layers} layers; the smallest cosine is ${
        decimals(least, 3)
      }.`,
      // The root, for 0.99 and 0.9 are far apart in what they mean.
      columns: found.map(({ cosines }) =>
        cosines.map((cosine) => Math.sqrt(Math.max(0, 1 - cosine)))
      ),
      columnLabels: found.map(({ step }) => step.toLocaleString("en")),
      rowLabels: Array.from({ length: layers }, (_, i) => String(i)),
      scale: ["1", "0 or less"],
    })
  }</figure>`;
}

const mostHistories = 8;

/** How residuals fell within probes, the later ones stronger. */
export function residualCharts(probes: readonly ProbeEvent[]): string {
  const charts = directions.map((direction) => {
    const found = evenly(
      probes.flatMap((probe) => probe[direction] ?? []),
      mostHistories,
    );
    if (found.length === 0) return "";
    const series = found.map(({ residuals, finalResidual }, i): Series => ({
      class: directionClass[direction],
      opacity: 0.25 + 0.75 * (i + 1) / found.length,
      points: [...residuals, finalResidual].map((
        residual,
        k,
      ) => [k, residual ?? NaN]),
    }));
    return `<figure><h3>${
      direction === "forward" ? "Forward" : "Backward"
    }</h3>${
      lineChart({
        id: `residual-${direction}`,
        title: `Residuals of ${direction} probes by corrections done`,
        description: `${found.length} probes, the later ones stronger.`,
        unit: "corrections",
        height: 200,
        format: scientific,
        logarithmic: true,
        series,
      })
    }</figure>`;
  });
  return `<h3>Residuals by corrections done, later probes stronger</h3><div class="small-charts">${
    charts.join("")
  }</div>`;
}

/** At most `most` elements of a list, with the first and the last. */
function evenly<T>(list: readonly T[], most: number): readonly T[] {
  if (list.length <= most) return list;
  return Array.from(
    { length: most },
    (_, i) => list[Math.round(i * (list.length - 1) / (most - 1))],
  );
}
