import { CorpusError } from "./corpus_error.ts";

/**
 * The value of a JSON text from a file of the user's.
 *
 * @throws {CorpusError} If it isn't JSON: `name:line: …`.
 */
export function parseJsonText(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const place = /\(line (\d+) column (\d+)\)/.exec(error.message);
    const line = place === null ? text.split("\n").length : place[1];
    throw new CorpusError(`${name}:${line}: not JSON: ${error.message}`);
  }
}

/** Whether a value is a JSON object. */
export function isJsonObject(
  value: unknown,
): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
