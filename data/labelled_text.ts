import type { Corpus } from "./corpus.ts";
import { type Line, lineError, type LinePlace, readLines } from "./lines.ts";
import { shownJson } from "./json_fields.ts";
import { isJsonLinesName, type JsonLine, readJsonLines } from "./json_lines.ts";
import {
  type ColumnOptions,
  columnsByName,
  columnsByNumber,
  type LabelledColumns,
  missingColumn,
} from "./labelled_columns.ts";
import { readTableRows, type TableRow } from "./table_rows.ts";

/** A text, or a pair of texts, with its label. */
export interface LabelledText {
  /** The text. */
  readonly text: string;
  /** The second text of a pair. */
  readonly pair?: string;
  /** The name of its class, or the number that belongs to it. */
  readonly label: string;
}

/** How labelled texts are read. */
export interface LabelledTextOptions extends ColumnOptions {
  /** Whether labels are numbers, as in STS-B; default: names of classes. */
  readonly numbers?: boolean;
}

/**
 * Labelled texts, one in each row, in the layouts of GLUE:
 *
 * - tables between tabs (`.tsv`) or commas (`.csv`, cells may be quoted). The
 *   first row is a header. It names the columns: `sentence`, `text`,
 *   `sentence1` and `sentence2`, `question1` and `question2`, `question` and
 *   `sentence`, `#1 String` and `#2 String`, `premise` and `hypothesis`;
 *   labels are in `label`, `gold_label`, `is_duplicate`, `Quality`, `score` or
 *   `class`. CoLA's four columns need no header, nor do columns that the
 *   options number from 1;
 * - JSON lines (`.jsonl`, `.ndjson`): an object a line, with fields that are
 *   called so.
 *
 * A file of another name is what its first line looks like.
 *
 * @throws {CorpusError} If columns aren't there, a row is malformed, a text or
 * a label is empty, or, with `numbers`, a label isn't a number; each names the
 * file and the line.
 */
export async function* readLabelledTexts(
  corpus: Corpus,
  options: LabelledTextOptions = {},
): AsyncGenerator<LabelledText, void, void> {
  for (const document of corpus.documents) {
    const lines = readLines({ documents: [document] });
    const first = await lines.next();
    if (first.done) continue;
    const all = withFirst(first.value, lines);
    const separator = separatorOf(first.value);
    yield* separator === undefined
      ? labelledObjects(readJsonLines(all), options)
      : labelledRows(readTableRows(all, separator), options);
  }
}

async function* withFirst(
  first: Line,
  rest: AsyncIterable<Line>,
): AsyncGenerator<Line, void, void> {
  yield first;
  yield* rest;
}

/** What separates the columns; `undefined` for JSON lines. */
function separatorOf({ name, text }: Line): "\t" | "," | undefined {
  if (/\.tsv$/i.test(name)) return "\t";
  if (/\.csv$/i.test(name)) return ",";
  if (isJsonLinesName(name) || /^[[{]/.test(text)) return undefined;
  return text.includes("\t") ? "\t" : ",";
}

async function* labelledRows(
  rows: AsyncIterable<TableRow>,
  options: LabelledTextOptions,
): AsyncGenerator<LabelledText, void, void> {
  let columns: LabelledColumns | undefined;
  let width = 0;
  for await (const row of rows) {
    const { cells } = row;
    if (columns === undefined) {
      width = cells.length;
      const numbered = columnsByNumber(cells, options);
      columns = checked(row, cells, options, numbered);
      if (numbered === undefined) continue;
    }
    if (cells.length !== width) {
      throw lineError(
        row,
        `${cells.length} columns; expected ${width}, as in the first row`,
      );
    }
    yield labelled(row, columns, cells, options);
  }
}

async function* labelledObjects(
  objects: AsyncIterable<JsonLine>,
  options: LabelledTextOptions,
): AsyncGenerator<LabelledText, void, void> {
  for await (const object of objects) {
    const names = Object.keys(object.fields);
    const columns = checked(object, names, options);
    const cells = Object.values(object.fields).map((value) =>
      value === null || typeof value === "object" ? "" : String(value)
    );
    yield labelled(object, columns, cells, options);
  }
}

/** The labelled text of a row; everything in it must be there. */
function labelled(
  place: LinePlace,
  columns: LabelledColumns,
  cells: readonly string[],
  { numbers = false }: LabelledTextOptions,
): LabelledText {
  const cell = (what: "text" | "pair" | "label", column: number): string => {
    const text = cells[column]?.trim() ?? "";
    if (text !== "") return text;
    throw lineError(
      place,
      column < cells.length
        ? `column ${column + 1}, the ${what}, is empty`
        : `no column ${
          column + 1
        } for the ${what}: the row has ${cells.length}`,
    );
  };
  const text = cell("text", columns.text);
  const label = cell("label", columns.label);
  if (numbers && !Number.isFinite(Number(label))) {
    throw lineError(
      place,
      `the label ${shownJson(label)} isn't a number; expected one, such as 3.5`,
    );
  }
  if (columns.pair === undefined) return { text, label };
  return { text, pair: cell("pair", columns.pair), label };
}

/** The columns that are given, else those that a header names. */
function checked(
  place: LinePlace,
  names: readonly string[],
  options: LabelledTextOptions,
  columns: LabelledColumns | undefined = columnsByName(names, options),
): LabelledColumns {
  if (columns === undefined) throw missingColumns(place, names, options);
  const { text, pair, label } = columns;
  if (text !== label && pair !== label && text !== pair) return columns;
  throw lineError(
    place,
    `one column can't be two of text, pair and label; name different ones`,
  );
}

function missingColumns(
  place: LinePlace,
  names: readonly string[],
  options: LabelledTextOptions,
): Error {
  const among = names.map(shownJson).join(", ");
  const asked = missingColumn(names, options);
  return lineError(
    place,
    asked === undefined
      ? `no columns for text and label among ${among}; expected names like ` +
        `"sentence" and "label", or say which columns they are`
      : `no column ${shownJson(asked)} among ${among}`,
  );
}
