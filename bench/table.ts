/**
 * Tables on the console.
 *
 * @module
 */

/** A line of a table: cells by the names of their columns. */
export type Row = Readonly<Record<string, string | number | undefined>>;

/** Prints rows as a table in Markdown, or as one JSON object a line. */
export function printTable(rows: readonly Row[], json: boolean): void {
  if (json) {
    for (const row of rows) console.log(JSON.stringify(row));
    return;
  }
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [
    names,
    names.map(() => "---"),
    ...rows.map((row) => names.map((name) => format(row[name]))),
  ];
  const widths = names.map((_, column) =>
    Math.max(...cells.map((line) => line[column].length))
  );
  for (const line of cells) {
    const padded = line.map((cell, column) => cell.padEnd(widths[column]));
    console.log(`| ${padded.join(" | ")} |`);
  }
}

function format(cell: string | number | undefined): string {
  return typeof cell === "number"
    ? String(Number(cell.toPrecision(4)))
    : cell ?? "";
}
