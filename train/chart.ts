/**
 * Line charts as SVG, for pages of any width: positions along the horizontal
 * axis are percentages, so that lines stretch and letters don't. Colours and
 * strokes come from the page's style sheet by the classes `chart`, `grid`,
 * `axis`, `legend` and those of the series.
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
  /** In (0, 1]; default 1. */
  readonly opacity?: number;
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
  /** Where the horizontal axis, which begins at 0, ends at least. */
  readonly last?: number;
  /** The lines, from back to front. */
  readonly series: readonly Series[];
  /** Height in pixels. */
  readonly height: number;
  /** How numbers on the vertical axis are written. */
  readonly format: (value: number) => string;
  /** Whether the vertical axis begins at 0. */
  readonly fromZero?: boolean;
  /** A vertical axis of powers of ten; what isn't positive is left out. */
  readonly logarithmic?: boolean;
}

const axisHeight = 26;
const top = 10;
const mostPoints = 800;

/** The SVG element of a chart, and a legend above it if lines have labels. */
export function lineChart(options: ChartOptions): string {
  const { id, title, description, unit, height, format, logarithmic } = options;
  const series = options.series
    .map((line) => ({
      ...line,
      points: line.points.filter((point) =>
        point.every(Number.isFinite) && !(logarithmic && point[1] <= 0)
      ),
    }))
    .filter(({ points }) => points.length > 0);
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return `<p class="empty">${title}: no data.</p>`;
  const labelled = series.filter(({ label }) => label !== undefined);
  const bottom = height - axisHeight;
  const [left, right] = extent([0, options.last ?? 0, ...all.map(([x]) => x)]);
  const rows = (logarithmic ? logarithmicTicks : ticks)(
    ...extent(all.map(([, y]) => y).concat(options.fromZero ? [0] : [])),
    Math.max(2, Math.round((bottom - top) / (logarithmic ? 35 : 50))),
  );
  const scale = logarithmic ? Math.log10 : (y: number): number => y;
  const [low, high] = [scale(rows[0]), scale(rows.at(-1)!)];
  const columns = ticks(left, right, Math.max(3, Math.round(height / 60)))
    .filter((x) => x >= left && x <= right && Number.isInteger(x));
  const across = (x: number): number =>
    right === left ? 50 : 100 * (x - left) / (right - left);
  const down = (y: number): number =>
    bottom - (bottom - top) * (scale(y) - low) / (high - low);

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
  const lines = series.map(({ points, class: name, opacity }) => {
    const path = thin(points, mostPoints)
      .map(([x, y]) => `${px(across(x))},${px(down(y) - top)}`).join(" ");
    return `<polyline class="${name}"${fade(opacity)} points="${path}"/>`;
  }).join("");
  const dots = series.filter(({ dots }) => dots).map((line) =>
    `<g class="${line.class}"${fade(line.opacity)}>${
      line.points.map(([x, y]) =>
        `<circle cx="${px(across(x))}%" cy="${px(down(y))}" r="3.5"><title>${
          line.label ?? title
        } ${format(y)}, ${unit} ${x.toLocaleString("en")}</title></circle>`
      ).join("")
    }</g>`
  ).join("");

  return `${
    legend(labelled)
  }<svg class="chart" role="img" aria-labelledby="${id}-title ${id}-description" height="${height}">
<title id="${id}-title">${title}</title>
<desc id="${id}-description">${description}</desc>
<g class="grid">${grid}</g>
<g class="axis rows">${rowLabels}</g>
<g class="axis columns">${columnLabels}</g>
<svg y="${top}" width="100%" height="${bottom - top}" viewBox="0 0 100 ${
    bottom - top
  }" preserveAspectRatio="none" overflow="visible">${lines}</svg>
${dots}
</svg>`;
}

function fade(opacity: number | undefined): string {
  return opacity === undefined ? "" : ` opacity="${px(opacity)}"`;
}

/** What each line means: HTML, for it breaks where the page is narrow. */
function legend(series: readonly Series[]): string {
  if (series.length === 0) return "";
  const entries = series.map(({ label, class: name, dots }) => {
    const dot = dots ? `<circle cx="12" cy="5" r="3.5"/>` : "";
    return `<span><svg class="chart" aria-hidden="true" width="24" height="10"><g class="${name}"><line x2="24" y1="5" y2="5"/>${dot}</g></svg>${label}</span>`;
  });
  return `<div class="legend">${entries.join("")}</div>\n`;
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
 * Powers of ten, about `count` of them at most, from below `low` to above
 * `high`; within two powers also 2 and 5 times one.
 */
export function logarithmicTicks(
  low: number,
  high: number,
  count: number,
): number[] {
  // What rounding makes of a power of ten is still that power.
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const power = (exponent: number): number => Number(`1e${exponent}`);
  if (last - first <= 2) {
    const all = Array.from(
      { length: last - first },
      (_, i) =>
        [1, 2, 5].map((n) => Number((n * power(first + i)).toPrecision(1))),
    ).flat().concat(power(last));
    const below = all.findLastIndex((tick) => tick <= low * (1 + 1e-9));
    const above = all.findIndex((tick) => tick >= high * (1 - 1e-9));
    return all.slice(below, Math.max(above, below + 1) + 1);
  }
  const stride = Math.ceil((last - first) / count);
  const steps = Math.ceil((last - first) / stride);
  return Array.from(
    { length: steps + 1 },
    (_, i) => power(first + i * stride),
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

/** A coordinate with at most two digits after the point. */
export function px(value: number): string {
  return String(Math.round(value * 100) / 100);
}
