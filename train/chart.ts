/**
 * Line charts as SVG, for pages of any width: positions along the horizontal
 * axis are percentages, so that lines stretch and letters don't. Colours and
 * strokes come from the page's style sheet by the classes `grid`, `axis`,
 * `legend` and those of the series.
 *
 * @module
 */

/** A point: x and y. */
export type Point = readonly [x: number, y: number];

/** What is drawn. */
export interface Series {
  /** What the legend says; none where it is absent. */
  readonly label?: string;
  /** Class of its colours. */
  readonly class: string;
  /** Its points, x ascending; those that aren't finite are left out. */
  readonly points: readonly Point[];
  /** Dots at the points; without, the line only. */
  readonly dots?: boolean;
}

/** A chart. */
export interface ChartOptions {
  /** Unique in its page. */
  readonly id: string;
  /** Its title, read out to those who can't see it. */
  readonly title: string;
  /** What it shows, in a sentence for those who can't see it. */
  readonly description: string;
  /** What the horizontal axis counts. */
  readonly unit: string;
  /** The lines, from back to front. */
  readonly series: readonly Series[];
  /** Height in pixels. */
  readonly height: number;
  /** How numbers on the vertical axis are written. */
  readonly format: (value: number) => string;
  /** Whether the vertical axis begins at 0. */
  readonly fromZero?: boolean;
}

const axisHeight = 26;
const legendHeight = 28;
const mostPoints = 800;

/** The SVG element of a chart. */
export function lineChart(options: ChartOptions): string {
  const { id, title, description, unit, height, format } = options;
  const series = options.series
    .map((line) => ({
      ...line,
      points: line.points.filter((point) => point.every(Number.isFinite)),
    }))
    .filter(({ points }) => points.length > 0);
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return `<p class="empty">${title}: no data.</p>`;
  const labelled = series.filter(({ label }) => label !== undefined);
  const top = labelled.length > 0 ? legendHeight : 10;
  const bottom = height - axisHeight;
  const [left, right] = extent([0, ...all.map(([x]) => x)]);
  const rows = ticks(
    ...extent(all.map(([, y]) => y).concat(options.fromZero ? [0] : [])),
    Math.max(2, Math.round((bottom - top) / 50)),
  );
  const [low, high] = [rows[0], rows.at(-1)!];
  const columns = ticks(left, right, Math.max(3, Math.round(height / 60)))
    .filter((x) => x >= left && x <= right);
  const across = (x: number): number =>
    right === left ? 50 : 100 * (x - left) / (right - left);
  const down = (y: number): number =>
    bottom - (bottom - top) * (y - low) / (high - low);

  const grid = rows.map((y) =>
    `<line x2="100%" y1="${px(down(y))}" y2="${px(down(y))}"/>`
  ).join("");
  const rowLabels = rows.map((y) =>
    `<text x="-8" y="${px(down(y) + 4)}">${format(y)}</text>`
  ).join("");
  const columnLabels = columns.map((x) =>
    `<text x="${px(across(x))}%" y="${height - 6}">${
      x.toLocaleString("en")
    }</text>`
  ).join("");
  const lines = series.map(({ points, class: name }) => {
    const path = thin(points, mostPoints)
      .map(([x, y]) => `${px(across(x))},${px(down(y) - top)}`).join(" ");
    return `<polyline class="${name}" points="${path}"/>`;
  }).join("");
  const dots = series.filter(({ dots }) => dots).map((line) =>
    `<g class="${line.class}">${
      line.points.map(([x, y]) =>
        `<circle cx="${px(across(x))}%" cy="${px(down(y))}" r="3.5"><title>${
          line.label ?? title
        } ${format(y)}, ${unit} ${x.toLocaleString("en")}</title></circle>`
      ).join("")
    }</g>`
  ).join("");

  return `<svg class="chart" role="img" aria-labelledby="${id}-title ${id}-description" height="${height}">
<title id="${id}-title">${title}</title>
<desc id="${id}-description">${description}</desc>
<g class="grid">${grid}</g>
<g class="axis rows">${rowLabels}</g>
<g class="axis columns">${columnLabels}</g>
<svg y="${top}" width="100%" height="${bottom - top}" viewBox="0 0 100 ${
    bottom - top
  }" preserveAspectRatio="none" overflow="visible">${lines}</svg>
${dots}
${legend(labelled)}
</svg>`;
}

function legend(series: readonly Series[]): string {
  // Letters are some 7.4 pixels wide; what is left over is a gap.
  let x = 0;
  const entries = series.map(({ label = "", class: name, dots }) => {
    const start = x;
    x += 52 + 7.4 * label.length;
    const dot = dots ? `<circle cx="${start + 12}" cy="9" r="3.5"/>` : "";
    return `<g class="${name}"><line x1="${start}" x2="${
      start + 24
    }" y1="9" y2="9"/>${dot}</g><text x="${start + 32}" y="13">${label}</text>`;
  });
  return entries.length === 0
    ? ""
    : `<g class="legend">${entries.join("")}</g>`;
}

function extent(values: readonly number[]): [low: number, high: number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
}

/**
 * Round numbers, about `count` of them in equal steps of 1, 2, 2.5 or 5 times
 * a power of ten, from below `low` to above `high`.
 */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high > low ? high - low : Math.abs(low) || 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5].find((n) => n * power >= rough) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from(
    { length: last - first + 1 },
    (_, i) => Number(((first + i) * step).toPrecision(12)),
  );
}

/**
 * Fewer points that look the same: of each stretch the lowest and the highest.
 */
export function thin(
  points: readonly Point[],
  limit: number,
): readonly Point[] {
  if (points.length <= limit) return points;
  const stretches = Math.floor(limit / 2);
  return Array.from({ length: stretches }, (_, i) => {
    const stretch = points.slice(
      Math.floor(i * points.length / stretches),
      Math.floor((i + 1) * points.length / stretches),
    );
    const byHeight = stretch.toSorted((a, b) => a[1] - b[1]);
    return [byHeight[0], byHeight.at(-1)!].sort((a, b) => a[0] - b[0]);
  }).flat();
}

/** A coordinate with two digits after the point. */
function px(value: number): string {
  return String(Math.round(value * 100) / 100);
}
