import { type Line, lineError, type LinePlace } from "./lines.ts";

/** An object in a line of JSON lines. */
export interface JsonLine extends LinePlace {
  /** Its fields. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * The objects of JSON lines: one in each line. Empty lines are passed over.
 *
 * @throws {CorpusError} If a line isn't a JSON object.
 */
export async function* readJsonLines(
  lines: AsyncIterable<Line>,
): AsyncGenerator<JsonLine, void, void> {
  for await (const line of lines) {
    if (line.text.trim() === "") continue;
    yield { name: line.name, line: line.line, fields: parseFields(line) };
  }
}

function parseFields(line: Line): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // V8 says the place twice, with a line that is another one here.
    const reason = error.message.replace(
      / in JSON at position.*column (\d+)\)$/,
      " at column $1",
    );
    throw lineError(
      line,
      `not JSON: ${reason}; expected an object on each line`,
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw lineError(
    line,
    `${
      excerpt(line.text)
    } is no JSON object; expected one, such as {"text": "…"}`,
  );
}

function excerpt(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** Whether a file's name says that it holds JSON lines. */
export function isJsonLinesName(name: string): boolean {
  return /\.(jsonl|ndjson)$/i.test(name);
}
