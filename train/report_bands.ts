/**
 * What held from when to when, as SVG bands above one axis, for pages of any
 * width. Colours come from the page's style sheet by the classes `band` and those of
 * the bands.
 *
 * @module
 */

import { px, ticks } from "./chart.ts";

/** What held for a while. */
export interface Segment {
  /** Where it begins. */
  readonly from: number;
  /** Where it ends. */
  readonly to: number;
  /** What it says. */
  readonly text: string;
  /** How dark it is, in [0, 1]. */
  readonly strength: number;
}

/** A band of segments. */
export interface Band {
  /** What stands above it. */
  readonly label: string;
  /** Class of its colours. */
  readonly class: string;
  /** From left to right. */
  readonly segments: readonly Segment[];
}

const pitch = 54;
const thickness = 26;
const axisHeight = 26;

/**
 * The SVG element of bands that say how directions were solved.
 *
 * @param bands From top to bottom.
 * @param last Where the axis, which begins at 0, ends.
 * @param id Unique in its page.
 */
export function modeBands(
  bands: readonly Band[],
  last: number,
  id = "modes",
): string {
  const title = "How each direction was solved by step";
  const description =
    bands.map(({ label, segments }) =>
      `${label}: ${segments.map(({ text }) => text).join(", then ")}`
    ).join("; ") + ".";
  const across = (x: number): number => 100 * x / Math.max(1, last);
  const height = bands.length * pitch + axisHeight;
  const rows = bands.map(({ label, class: name, segments }, row) => {
    const top = row * pitch + pitch - thickness;
    return `<text class="label" y="${top - 7}">${label}</text>${
      segments.map(({ from, to, text, strength }) => {
        const [x, width] = [across(from), across(to) - across(from)];
        const label = width < 7 ? "" : `<text x="50%" y="17">${text}</text>`;
        // What doesn't fit is cut off at the segment's end.
        return `<svg x="${px(x)}%" width="${
          px(width)
        }%" y="${top}" height="${thickness}"><title>${text}, step ${
          from.toLocaleString("en")
        } to ${
          to.toLocaleString("en")
        }</title><rect class="ground" width="100%" height="100%"/><rect class="${name}" width="100%" height="100%" opacity="${
          px(strength)
        }"/>${label}</svg>`;
      }).join("")
    }`;
  }).join("\n");
  const columns = ticks(0, Math.max(1, last), 6)
    .filter((x) => x <= last && Number.isInteger(x))
    .map((x) =>
      `<text x="${px(across(x))}%" y="${height - 6}">${
        x.toLocaleString("en")
      }</text>`
    ).join("");
  return `<svg class="chart band" role="img" aria-labelledby="${id}-title ${id}-description" height="${height}">
<title id="${id}-title">${title}</title>
<desc id="${id}-description">${description}</desc>
${rows}
<g class="axis columns">${columns}</g>
</svg>`;
}
