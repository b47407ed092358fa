/**
 * What was measured, as lines of text.
 *
 * @module
 */

import { metricName, metricValue } from "../train/metric_words.ts";
import type { Evaluation } from "../train/mod.ts";

/** Most pairs of confused classes that are listed. */
const confusedPairs = 5;
/** Most samples that are printed. */
const sampleCount = 5;

/** The lines that `evaluate` prints. */
export function evaluationLines(evaluation: Evaluation): string[] {
  const { loss, examples, metrics } = evaluation;
  const rows = [
    ["loss", loss.toFixed(3)],
    ...Object.entries(metrics).map(([name, value]) => [
      metricName(name),
      metricValue(value),
    ]),
    ["examples", examples.toLocaleString("en")],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...confusionLines(evaluation),
    ...sampleLines(evaluation),
  ];
}

/** The classes that are most often taken for others. */
function confusionLines({ confusion }: Evaluation): string[] {
  if (confusion === undefined) return [];
  const { classes, counts } = confusion;
  const pairs = counts
    .flatMap((row, i) => row.map((count, j) => ({ count, i, j })))
    .filter(({ count, i, j }) => count > 0 && i !== j)
    .sort((a, b) => b.count - a.count)
    .slice(0, confusedPairs);
  if (pairs.length === 0) return [];
  return [
    "most often confused:",
    ...pairs.map(({ count, i, j }) =>
      `  ${classes[i]} taken for ${classes[j]}: ${count.toLocaleString("en")}`
    ),
  ];
}

function sampleLines({ samples = [] }: Evaluation): string[] {
  return samples.slice(0, sampleCount).flatMap((
    { input, expected, output },
  ) => [
    `input      ${input}`,
    `  expected  ${expected}`,
    `  the model ${output}`,
  ]);
}
