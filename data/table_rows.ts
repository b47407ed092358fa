import { type Line, lineError, type LinePlace } from "./lines.ts";

/** A row of a table, at the line where it begins. */
export interface TableRow extends LinePlace {
  /** The texts of its columns. */
  readonly cells: readonly string[];
}

/**
 * The rows of a table. Between tabs every character stands for itself, as in
 * GLUE's files. Between commas a cell may be quoted (RFC 4180): it then may
 * hold commas, line ends, and quotes written twice. Empty lines are no rows.
 *
 * @throws {CorpusError} If a quoted cell doesn't end, or goes on after its
 * closing quote.
 */
export async function* readTableRows(
  lines: AsyncIterable<Line>,
  separator: "\t" | ",",
): AsyncGenerator<TableRow, void, void> {
  let open: Line | undefined;
  for await (const { name, line, text } of lines) {
    if (separator === "\t") {
      if (text !== "") yield { name, line, cells: text.split("\t") };
      continue;
    }
    if (open === undefined && text === "") continue;
    const row: Line = open
      ? { ...open, text: `${open.text}\n${text}` }
      : { name, line, text };
    const ends = hasOddQuotes(text) === (open !== undefined);
    open = ends ? undefined : row;
    if (ends) yield { name, line: row.line, cells: quotedCells(row) };
  }
  if (open !== undefined) {
    throw lineError(
      open,
      `a quoted cell begins here and doesn't end; expected a closing "`,
    );
  }
}

/** Whether a quoted cell begins or ends in a line, and doesn't do both. */
function hasOddQuotes(text: string): boolean {
  // Doubled quotes are two, so only the outer ones can be odd in number.
  let quotes = 0;
  for (
    let place = text.indexOf('"');
    place !== -1;
    place = text.indexOf('"', place + 1)
  ) quotes++;
  return quotes % 2 === 1;
}

const quotedCell = /"((?:[^"]|"")*)"(,|$)|([^",]*)(,|$)/gy;

function quotedCells(row: Line): string[] {
  const { text } = row;
  const cells: string[] = [];
  for (let place = 0;;) {
    quotedCell.lastIndex = place;
    const match = quotedCell.exec(text);
    if (match === null) {
      throw lineError(
        row,
        `column ${
          cells.length + 1
        }: quotes must enclose the whole cell, and a quote in it is written ""`,
      );
    }
    const [whole, quoted, quotedEnd, plain, plainEnd] = match;
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    if ((quotedEnd ?? plainEnd) === "") return cells;
    place += whole.length;
  }
}
