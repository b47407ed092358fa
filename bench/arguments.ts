/**
 * Arguments of the benchmarks.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

/**
 * A mistake in the flags; ends the program with code 2. It is no business of
 * `cli/`, whose commands read tables of options that flags don't need.
 */
export class FlagError extends Error {}

/** Given flags by name; numbers and lists are read by the functions below. */
export interface Flags {
  /** The value of a flag, or its default. */
  readonly text: Readonly<Record<string, string>>;
  /** The flags that were given. */
  readonly given: ReadonlySet<string>;
  /** Print one JSON object per line instead of a table. */
  readonly json: boolean;
}

/**
 * Reads flags with their defaults; all take a value but `--json`.
 *
 * @throws {FlagError} If a flag is unknown or a word is left over.
 */
export function readFlags(
  args: readonly string[],
  defaults: Readonly<Record<string, string>>,
): Flags {
  const names = Object.keys(defaults);
  const parsed = parseArgs([...args], {
    string: names,
    boolean: ["json"],
    unknown: (flag) => {
      const known = [...names, "json"].map((name) => `--${name}`).join(", ");
      if (flag === "") {
        throw new FlagError("bench: an argument is empty; flags need a value");
      }
      throw new FlagError(`bench: unknown ${flag}; there are ${known}`);
    },
  });
  const given = new Set(names.filter((name) => parsed[name] !== undefined));
  for (const name of given) {
    if (parsed[name] === "") {
      throw new FlagError(
        `bench: --${name} needs a value, such as ${defaults[name]}`,
      );
    }
  }
  const text = names.map((name) => [name, parsed[name] ?? defaults[name]]);
  return { json: parsed.json, given, text: Object.fromEntries(text) };
}

/**
 * A flag that is a positive integer.
 *
 * @throws {FlagError} If it isn't.
 */
export function count({ text }: Flags, name: string): number {
  return toCount(text[name], `--${name}`);
}

/**
 * A flag that is a list of positive integers, separated by commas.
 *
 * @throws {FlagError} If it isn't.
 */
export function counts(flags: Flags, name: string): number[] {
  return list(flags, name).map((part) => toCount(part, `--${name}`));
}

/** A flag that is a list of words, separated by commas. */
export function list({ text }: Flags, name: string): string[] {
  return text[name].split(",").filter((part) => part !== "");
}

/**
 * A positive integer.
 *
 * @throws {FlagError} If it isn't.
 */
export function toCount(text: string, what: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new FlagError(`bench: ${what} ${text} must be an integer ≥ 1`);
  }
  return value;
}
