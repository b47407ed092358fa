/**
 * Confusion matrices as tables whose cells are the darker the more of their row
 * is in them. Colours come from the page's style sheet by the class `confusion`.
 *
 * @module
 */

import { classScores, type Confusion } from "./metrics/mod.ts";
import { count, decimals, escapeHtml } from "./report_format.ts";

/** As many classes have rows of their own. */
const mostClasses = 24;

/** The confusion matrix of some data as HTML, with each class's scores. */
export function confusionTable(confusion: Confusion, data: string): string {
  const shown = mostFrequent(confusion, mostClasses);
  const { classes, counts } = shown;
  const scores = classScores(shown);
  const heads = classes.map((name) =>
    `<th scope="col"><span>${escapeHtml(name)}</span></th>`
  );
  const rows = counts.map((row, i) => {
    const { name, examples, precision, recall, f1 } = scores[i];
    const cells = row.map((value, j) => cell(value, value / examples, i === j));
    const measures = [precision, recall, f1].map((value) =>
      `<td class="number">${decimals(value, 3)}</td>`
    );
    return `<tr><th scope="row">${escapeHtml(name)}</th>${cells.join("")}${
      measures.join("")
    }</tr>`;
  });
  const left = confusion.classes.length - mostClasses;
  const note = left > 0
    ? ` The ${mostClasses} most frequent classes and all others together.`
    : "";
  return `<h3>Which class is taken for which, ${escapeHtml(data)}</h3>
<p>Rows: the right class; columns: what the model says. The darker, the more of the row.${note}</p>
<div class="scroll"><table class="confusion"><thead><tr><td></td>${
    heads.join("")
  }<th scope="col" class="number">Precision</th><th scope="col" class="number">Recall</th><th scope="col" class="number">F1</th></tr></thead><tbody>${
    rows.join("")
  }</tbody></table></div>`;
}

function cell(value: number, share: number, isRight: boolean): string {
  if (value === 0) return "<td></td>";
  // Even one example of many should be seen.
  const strength = Math.round(100 * Math.max(0.06, 0.8 * share));
  return `<td class="${
    isRight ? "right" : "wrong"
  }" style="--strength: ${strength}%">${count(value)}</td>`;
}

/** The most frequent classes in their order, and the others as one. */
function mostFrequent(confusion: Confusion, most: number): Confusion {
  const { classes, counts } = confusion;
  if (classes.length <= most) return confusion;
  const frequent = classScores(confusion)
    .map(({ examples }, i) => ({ examples, i }))
    .sort((a, b) => b.examples - a.examples)
    .slice(0, most)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
  const place = classes.map((_, i) => {
    const own = frequent.indexOf(i);
    return own < 0 ? most : own;
  });
  const merged = Array.from(
    { length: most + 1 },
    () => new Array<number>(most + 1).fill(0),
  );
  counts.forEach((row, i) =>
    row.forEach((value, j) => merged[place[i]][place[j]] += value)
  );
  return {
    classes: [...frequent.map((i) => classes[i]), "all others"],
    counts: merged,
  };
}
