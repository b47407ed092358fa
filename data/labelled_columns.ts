/** Which columns of a table hold what; each is a name or a number from 1. */
export interface ColumnOptions {
  /** The column of the text. */
  readonly textColumn?: string | number;
  /** The column of the second text, for pairs. */
  readonly pairColumn?: string | number;
  /** The column of the label. */
  readonly labelColumn?: string | number;
}

/** Where a row has what, counted from 0. */
export interface LabelledColumns {
  /** The text. */
  readonly text: number;
  /** The second text, where there is one. */
  readonly pair?: number;
  /** The label. */
  readonly label: number;
}

// What the columns are called in GLUE's tasks, pairs before single texts.
const textNames: readonly (readonly [string, string?])[] = [
  ["sentence1", "sentence2"],
  ["question1", "question2"],
  ["question", "sentence"],
  ["#1 string", "#2 string"],
  ["premise", "hypothesis"],
  ["sentence"],
  ["text"],
];
const labelNames = [
  "gold_label",
  "label",
  "is_duplicate",
  "quality",
  "score",
  "class",
];

/** Finds columns of a header, which are counted from 0 then. */
function finder(
  header: readonly string[],
): (column: string | number | undefined) => number | undefined {
  const names = header.map((name) => name.trim().toLowerCase());
  return (column) => {
    if (column === undefined) return undefined;
    const place = typeof column === "number"
      ? column - 1
      : names.indexOf(column.toLowerCase());
    return place < 0 || place >= names.length ? undefined : place;
  };
}

/** The first column that the options name and a header lacks. */
export function missingColumn(
  header: readonly string[],
  { textColumn, pairColumn, labelColumn }: ColumnOptions,
): string | number | undefined {
  const placeOf = finder(header);
  return [textColumn, pairColumn, labelColumn].find((column) =>
    column !== undefined && placeOf(column) === undefined
  );
}

/**
 * The columns by the names in a header: those that the options name, else
 * those of GLUE's tasks. `undefined` where text or label can't be found.
 */
export function columnsByName(
  header: readonly string[],
  options: ColumnOptions,
): LabelledColumns | undefined {
  const placeOf = finder(header);
  const known = textNames.find((pair) =>
    pair.every((name) => placeOf(name) !== undefined)
  );
  const [text, pair] = options.textColumn === undefined
    ? [placeOf(known?.[0]), placeOf(options.pairColumn ?? known?.[1])]
    : [placeOf(options.textColumn), placeOf(options.pairColumn)];
  const label = options.labelColumn === undefined
    ? placeOf(labelNames.find((name) => placeOf(name) !== undefined))
    : placeOf(options.labelColumn);
  const pairIsMissing = options.pairColumn !== undefined && pair === undefined;
  if (text === undefined || label === undefined || pairIsMissing) {
    return undefined;
  }
  return pair === undefined ? { text, label } : { text, pair, label };
}

/**
 * The columns of a table without a header: those that the options number, else
 * those of CoLA (source, label, the author's mark, text).
 */
export function columnsByNumber(
  first: readonly string[],
  options: ColumnOptions,
): LabelledColumns | undefined {
  const { textColumn, pairColumn, labelColumn } = options;
  if (typeof textColumn === "number" && typeof labelColumn === "number") {
    const text = textColumn - 1;
    const label = labelColumn - 1;
    if (pairColumn === undefined) return { text, label };
    if (typeof pairColumn === "number") {
      return { text, pair: pairColumn - 1, label };
    }
  }
  const none = textColumn ?? pairColumn ?? labelColumn;
  const isCola = first.length === 4 && /^[01]$/.test(first[1]) &&
    /^\*?$/.test(first[2]);
  return none === undefined && isCola ? { text: 3, label: 1 } : undefined;
}
