/**
 * Heat maps as SVG, for pages of any width. Colours come from the page's style
 * sheet by the class `heat`.
 *
 * @module
 */

import { px } from "./chart.ts";

/** A heat map. */
export interface HeatMapOptions {
  /** Unique in its page. */
  readonly id: string;
  /** Its title, read out to those who can't see it. */
  readonly title: string;
  /** What it shows, in a sentence for those who can't see it. */
  readonly description: string;
  /** Strength of each cell by column, then row from the top, in [0, 1]. */
  readonly columns: readonly (readonly number[])[];
  /** What stands below the columns; a few of them are shown. */
  readonly columnLabels: readonly string[];
  /** What stands beside the rows; a few of them are shown. */
  readonly rowLabels: readonly string[];
  /** What strengths 0 and 1 mean. */
  readonly scale: readonly [none: string, full: string];
}

const shades = 10;
const legendHeight = 28;
const axisHeight = 26;
const mostHeight = 288;
const tallestRow = 16;

/** The SVG element of a heat map; cells of one shade are one path. */
export function heatMap(
  { id, title, description, columns, columnLabels, rowLabels, scale }:
    HeatMapOptions,
): string {
  const [width, rows] = [columns.length, rowLabels.length];
  if (width === 0 || rows === 0) {
    return `<p class="empty">${title}: no data.</p>`;
  }
  const inner = Math.min(mostHeight, tallestRow * rows);
  const height = legendHeight + inner + axisHeight;
  const cells = Array.from({ length: shades + 1 }, () => "");
  columns.forEach((column, x) =>
    column.forEach((strength, y) => {
      const shade = Math.round(shades * Math.min(1, Math.max(0, strength)));
      if (shade > 0) cells[shade] += `M${x} ${y}h1v1h-1z`;
    })
  );
  const paths = cells.map((path, shade) =>
    path === "" ? "" : `<path d="${path}" opacity="${shade / shades}"/>`
  ).join("");
  const rowTexts = fewOf(rows, Math.floor(inner / 22)).map((y) =>
    `<text x="-8" y="${px(legendHeight + (y + 0.5) * inner / rows + 4)}">${
      rowLabels[y]
    }</text>`
  ).join("");
  const columnTexts = fewOf(width, 6).map((x) =>
    `<text x="${px(100 * (x + 0.5) / width)}%" y="${height - 6}">${
      columnLabels[x]
    }</text>`
  ).join("");
  return `<svg class="chart" role="img" aria-labelledby="${id}-title ${id}-description" height="${height}">
<title id="${id}-title">${title}</title>
<desc id="${id}-description">${description}</desc>
${legend(scale)}
<g class="axis rows">${rowTexts}</g>
<g class="axis columns">${columnTexts}</g>
<svg class="heat" y="${legendHeight}" width="100%" height="${inner}" viewBox="0 0 ${width} ${rows}" preserveAspectRatio="none"><rect width="${width}" height="${rows}"/>${paths}</svg>
</svg>`;
}

function legend([none, full]: readonly [string, string]): string {
  // Letters are some 7.4 pixels wide.
  const left = 10 + 7.4 * none.length;
  const side = 12;
  const swatches = Array.from(
    { length: shades + 1 },
    (_, shade) =>
      `<path d="M${px(left + shade * side)} 3h${side}v${side}h-${side}z"` +
      ` opacity="${shade / shades}"/>`,
  ).join("");
  const right = left + (shades + 1) * side + 10;
  return `<g class="legend heat"><rect x="${px(left)}" y="3" width="${
    (shades + 1) * side
  }" height="${side}"/>${swatches}<text y="13">${none}</text><text x="${
    px(right)
  }" y="13">${full}</text></g>`;
}

/** At most `most` of the indices below `count`, evenly, the first among them. */
function fewOf(count: number, most: number): number[] {
  const stride = Math.ceil(count / Math.max(1, most));
  return Array.from(
    { length: Math.ceil(count / stride) },
    (_, i) => i * stride,
  );
}
