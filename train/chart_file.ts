/**
 * Charts as files of their own: SVG with its colours and its legend inside.
 *
 * @module
 */

import { type ChartOptions, lineChart } from "./chart.ts";

const margin = { top: 16, right: 24, bottom: 10, left: 64 };
const width = 800;
const legendHeight = 26;
/** Letters of the legend are about so wide. */
const letterWidth = 6.7;
const gap = 48;

const style = `
svg { overflow: visible; font: 13px system-ui, sans-serif; }
.grid line { stroke: #dcdcd6; }
text { fill: #5d626b; font-size: 12px; }
.rows text { text-anchor: end; }
.columns text { text-anchor: middle; }
.legend text { fill: #1d1f23; font-size: 13px; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.legend line { stroke-width: 2.5; }
circle { stroke: #fcfcfa; stroke-width: 1.5; }
.train { stroke: #2b66c9; } .train circle { fill: #2b66c9; }
.validation { stroke: #c2410c; } .validation circle { fill: #c2410c; }
.reference { stroke: #5d626b; } .reference circle { fill: #5d626b; }
.limit { stroke: #5d626b; stroke-dasharray: 6 4; }
polyline.limit { stroke-width: 1.2; }
.faint { stroke-dasharray: 4 3; } .faint circle { stroke-dasharray: none; }
`;

/** The text of an SVG file with a chart. */
export function chartFile(options: ChartOptions): string {
  const unlabelled = options.series.map(({ label: _, ...line }) => line);
  const chart = lineChart({ ...options, series: unlabelled });
  const top = margin.top + legendHeight;
  const height = top + options.height + margin.bottom;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>${style}</style>
<rect width="100%" height="100%" fill="#fcfcfa"/>
${legend(options)}
<svg x="${margin.left}" y="${top}" width="${
    width - margin.left - margin.right
  }" height="${options.height}">
${chart}
</svg>
</svg>
`;
}

function legend({ series }: ChartOptions): string {
  let x = margin.left;
  const entries = series.flatMap(({ label, class: name, dots, points }) => {
    if (label === undefined || points.length === 0) return [];
    const start = x;
    x += gap + letterWidth * label.length;
    const dot = dots ? `<circle cx="${start + 12}" cy="16" r="3.5"/>` : "";
    return [
      `<g class="${name}"><line x1="${start}" x2="${
        start + 24
      }" y1="16" y2="16"/>${dot}</g><text x="${
        start + 32
      }" y="20">${label}</text>`,
    ];
  });
  return `<g class="legend">${entries.join("")}</g>`;
}
