/**
 * A picture of the multigrid cycle of a solve: its grids, and what is done on
 * them in which order. Colours come from the page's style sheet by the classes
 * `cycle`, `f`, `c`, `residual`, `coarse` and `final`.
 *
 * @module
 */

import { hierarchy, type Level } from "../mgrit/hierarchy.ts";
import {
  type Direction,
  type MultigridOptions,
  rehearse,
  type SweepKind,
} from "../mgrit/mod.ts";
import { px } from "./chart.ts";
import { guessWords } from "./report_words.ts";

/** A sweep of a solve. */
export interface Phase {
  /** What it does. */
  readonly kind: SweepKind;
  /** The level whose steps it takes; 0 is the finest. */
  readonly level: number;
  /** Steps that it takes one after the other; all others are abreast of them. */
  readonly depth: number;
  /** Steps that it takes in all. */
  readonly steps: number;
}

/**
 * The sweeps of a solve in order.
 *
 * @param layers N ≥ 1.
 * @throws {RangeError} If an option is out of its range.
 */
export function cyclePhases(
  layers: number,
  options: MultigridOptions<never>,
): Phase[] {
  const { sweeps } = rehearse(layers, options);
  return sweeps.map(({ kind, level, steps, launches }) => ({
    kind,
    level,
    steps,
    depth: launches,
  }));
}

const width = 880;
const left = 76;
const right = 14;
const gridPitch = 30;
const phasePitch = 34;
const boxHeight = 24;
const legendHeight = 40;
const axisHeight = 22;

const marks: Readonly<Record<SweepKind, [name: string, letter: string]>> = {
  "F-relaxation": ["f", "F"],
  "C-relaxation": ["c", "C"],
  "residual": ["residual", "r"],
  "restriction": ["residual", "r"],
  "coarse solve": ["coarse", "solve"],
  "correction": ["residual", ""],
  "final sweep": ["final", "FC"],
};

/** A direction's solve to be drawn. */
export interface CyclePictureOptions {
  /** Unique in its page. */
  readonly id: string;
  /** Backward, points count from the last layer. */
  readonly direction: Direction;
  /** N ≥ 1. */
  readonly layers: number;
  /** How it is solved; its iterations are those that are drawn. */
  readonly options: MultigridOptions<never>;
}

/**
 * The SVG element: the levels from top to bottom with their C- and F-points,
 * then the sweeps from left to right, each as wide as the steps that it takes
 * one after the other, above the serial march in the same scale.
 *
 * @throws {RangeError} If an option is out of its range.
 */
export function cyclePicture(picture: CyclePictureOptions): string {
  const { id, direction, layers, options } = picture;
  const levels = hierarchy(layers, options);
  const phases = cyclePhases(layers, options);
  const gridHeight = levels.length * gridPitch + axisHeight;
  const top = gridHeight + legendHeight;
  const bottom = top + levels.length * phasePitch;
  const height = bottom + phasePitch;
  const total = phases.reduce((sum, { depth }) => sum + depth, 0);
  const scale = (width - left - right) / Math.max(total, layers);
  return `<svg class="cycle" role="img" aria-labelledby="${id}-title ${id}-description" viewBox="0 0 ${width} ${height}">
<title id="${id}-title">The ${direction} cycle</title>
<desc id="${id}-description">${cycleWords(picture)}</desc>
${
    levels.map((level) => gridRow(level, levels[level.index + 1], picture))
      .join("\n")
  }
<g class="ticks">${layerTicks(gridHeight - 4, picture)}</g>
${legend(gridHeight + 18)}
${
    levels.map(({ index }) =>
      `<text class="label" x="${left - 12}" y="${
        top + index * phasePitch + boxHeight / 2 + 4
      }">level ${index}</text>`
    ).join("")
  }
${boxes(phases, top, scale)}
<text class="label" x="${left - 12}" y="${
    bottom + boxHeight / 2 + 4
  }">serial</text>
<rect class="serial" x="${left}" y="${bottom}" width="${
    px(layers * scale)
  }" height="${boxHeight}" rx="3"/>
<text x="${px(left + layers * scale / 2)}" y="${
    bottom + boxHeight / 2 + 4
  }">${layers} layers</text>
</svg>`;
}

/** Where a finest point lies; backward they count from the right. */
function placed(
  { direction, layers }: CyclePictureOptions,
): (point: number) => number {
  return (point) =>
    left +
    (direction === "forward" ? point : layers - point) *
      (width - left - right) / layers;
}

function gridRow(
  { index, points, coarsePoints }: Level,
  next: Level | undefined,
  picture: CyclePictureOptions,
): string {
  const across = placed(picture);
  const y = gridPitch / 2 + index * gridPitch;
  const gap = Math.abs(across(points[1]) - across(points[0]));
  const isCoarse = new Set([0, ...coarsePoints]);
  const dots = points.map((point, i) => {
    const [name, radius] = next === undefined
      ? ["coarse", 4.5]
      : isCoarse.has(i)
      ? ["c", 4.5]
      : ["f", 3];
    return `<circle class="${name}" cx="${px(across(point))}" cy="${y}" r="${
      px(Math.max(0.6, Math.min(radius, radius * gap / 11)))
    }"/>`;
  }).join("");
  const drops = next === undefined ? "" : next.points.map((point) => {
    const x = px(across(point));
    return `<path d="M${x} ${y}v${gridPitch}"/>`;
  }).join("");
  return `<g class="grid"><path d="M${px(across(points[0]))} ${y}H${
    px(across(points.at(-1)!))
  }"/>${drops}</g><g class="points level-${index}">${dots}</g><text class="label" x="${
    left - 12
  }" y="${y + 4}">level ${index}</text>`;
}

function layerTicks(y: number, picture: CyclePictureOptions): string {
  const { layers } = picture;
  const across = placed({ ...picture, direction: "forward" });
  const parts = layers % 4 === 0 ? 4 : 1;
  return Array.from({ length: parts + 1 }, (_, i) => {
    const layer = i * layers / parts;
    return `<text x="${px(across(layer))}" y="${y}">${layer}</text>`;
  }).join("") +
    `<text class="label" x="${left - 12}" y="${y}">layers</text>`;
}

function boxes(
  phases: readonly Phase[],
  top: number,
  scale: number,
): string {
  let done = 0;
  let before: number | undefined;
  return phases.map(({ kind, level, depth, steps }) => {
    const x = left + done * scale;
    const y = top + level * phasePitch;
    const size = depth * scale;
    done += depth;
    const [name, letter] = marks[kind];
    const middle = boxHeight / 2;
    const way = before === undefined || before === level
      ? ""
      : `<path d="M${px(x)} ${top + before * phasePitch + middle}V${
        y + middle
      }"/>`;
    before = level;
    if (depth === 0) return way;
    const label = size < 7 * letter.length + 1
      ? ""
      : `<text x="${px(x + size / 2)}" y="${y + middle + 4}">${letter}</text>`;
    return `${way}<g class="phase ${name}"><title>${kind}, level ${level}: ${
      inSequence(depth)
    }, ${steps} in all</title><rect x="${px(x)}" y="${y}" width="${
      px(size)
    }" height="${boxHeight}" rx="3"/>${label}</g>`;
  }).join("\n");
}

function inSequence(depth: number): string {
  return depth === 1 ? "1 step" : `${depth} steps in sequence`;
}

const legendEntries: readonly (readonly [name: string, text: string])[] = [
  ["c", "C-points, C-relaxation"],
  ["f", "F-points, F-relaxation"],
  ["residual", "residual, restriction"],
  ["coarse", "coarse solve"],
  ["final", "final sweep"],
];

function legend(y: number): string {
  let x = left;
  return `<g class="legend">${
    legendEntries.map(([name, text]) => {
      const start = x;
      x += 40 + 6.6 * text.length;
      return `<rect class="${name}" x="${px(start)}" y="${
        y - 9
      }" width="12" height="12" rx="2"/><text x="${px(start + 18)}" y="${
        y + 1
      }">${text}</text>`;
    }).join("")
  }</g>`;
}

/** What a picture shows, in words. */
export function cycleWords(
  { direction, layers, options }: CyclePictureOptions,
): string {
  const levels = hierarchy(layers, options);
  const name = direction === "forward"
    ? "Forward"
    : "Backward, from the last layer on";
  if (levels.length === 1) {
    return `${name}: serial, ${layers} layers one after the other.`;
  }
  const phases = cyclePhases(layers, options);
  const depth = phases.reduce((sum, phase) => sum + phase.depth, 0);
  const evaluated = phases.reduce((sum, phase) => sum + phase.steps, 0);
  // The coarse solve of a skipped cycle is the guess.
  const cycles = options.iterations - (options.guess === "skip" ? 1 : 0);
  return `${name}: ${
    levels.map(({ steps }) => steps).join(" → ")
  } steps on ${levels.length} levels, ${cycles} ${options.cycle ?? "V"}-cycle${
    cycles === 1 ? "" : "s"
  } ${
    guessWords(options)
  }, then the final sweep. ${depth} steps in sequence where the serial march ` +
    `has ${layers}; ${evaluated} steps in all.`;
}
