/**
 * Arguments of the benchmarks.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

/** A mistake in the arguments; ends the program with code 2. */
export class UsageError extends Error {}

/** Given flags by name; numbers and lists are read by the functions below. */
export interface Flags {
  /** The value of a flag, or its default. */
  readonly text: Readonly<Record<string, string>>;
  /** Print one JSON object per line instead of a table. */
  readonly json: boolean;
}

/**
 * Reads flags with their defaults; all take a value but `--json`.
 *
 * @throws {UsageError} If a flag is unknown or a word is left over.
 */
export function readFlags(
  given: readonly string[],
  defaults: Readonly<Record<string, string>>,
): Flags {
  const names = Object.keys(defaults);
  const parsed = parseArgs([...given], {
    string: names,
    boolean: ["json"],
    default: { ...defaults, json: false },
    unknown: (flag) => {
      const list = [...names, "json"].map((name) => `--${name}`).join(", ");
      throw new UsageError(`bench: unknown ${flag}; there are ${list}`);
    },
  });
  return {
    json: parsed.json,
    text: Object.fromEntries(names.map((name) => [name, parsed[name]])),
  };
}

/**
 * A flag that is a positive integer.
 *
 * @throws {UsageError} If it isn't.
 */
export function count({ text }: Flags, name: string): number {
  return toCount(text[name], `--${name}`);
}

/**
 * A flag that is a list of positive integers, separated by commas.
 *
 * @throws {UsageError} If it isn't.
 */
export function counts({ text }: Flags, name: string): number[] {
  return text[name].split(",").filter((part) => part !== "").map((part) =>
    toCount(part, `--${name}`)
  );
}

/**
 * A positive integer.
 *
 * @throws {UsageError} If it isn't.
 */
export function toCount(text: string, what: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new UsageError(`bench: ${what} ${text} must be an integer ≥ 1`);
  }
  return value;
}
