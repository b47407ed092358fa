/**
 * From arguments and configuration files to option values.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "./failure.ts";
import {
  flagName,
  type Option,
  type OptionTable,
  type OptionValues,
} from "./option.ts";
import { nearest } from "./suggestion.ts";

/** A command: its name, its purpose and its options. */
export interface Command<Table extends OptionTable> {
  /** Its name: it runs by `deno task name`. */
  readonly name: string;
  /** What it does, in a sentence. */
  readonly summary: string;
  /** How it is called, and what that does. */
  readonly examples: readonly (readonly [call: string, does: string])[];
  /** Its options. */
  readonly options: Table;
  /** The repeatable option that arguments without a name belong to. */
  readonly rest?: keyof Table & string;
  /** The same, where they do without the option's name before them. */
  readonly operands?: keyof Table & string;
}

/**
 * The options that are given as arguments.
 *
 * @throws {UsageError} If an option is unknown or its value not as expected.
 */
export function parseArguments<Table extends OptionTable>(
  command: Command<Table>,
  args: readonly string[],
): Partial<OptionValues<Table>> {
  const { options, rest, operands } = command;
  const byFlag = namesByFlag(options);
  const flags = [...byFlag.keys()];
  const isFlag = (flag: string): boolean =>
    options[byFlag.get(flag)!].placeholder === undefined;
  const unknown: string[] = [];
  const joined = joinValues(options, byFlag, args);
  const parsed = parseArgs(joined, {
    string: ["_", ...flags.filter((flag) => !isFlag(flag))],
    boolean: flags.filter(isFlag),
    collect: flags.filter((flag) => options[byFlag.get(flag)!].repeatable),
    unknown: (argument) => {
      if (argument.startsWith("-")) unknown.push(argument.split("=")[0]);
    },
  });
  if (unknown.length > 0) throw unknownOption(unknown[0], flags);
  const given: Record<string, unknown> = {};
  for (const [flag, name] of byFlag) {
    const value = parsed[flag];
    const option = options[name];
    if (value === undefined || isEmptyList(value)) continue;
    if (value === false && !joined.includes(`--${flag}=false`)) continue;
    const json = typeof value === "string" ? option.fromText(value) : value;
    given[name] = option.accept(json);
    if (given[name] === undefined) {
      if ([value].flat().includes("")) throw valueMissing(flag, option);
      throw new UsageError(
        `--${flag} ${[value].flat().join(" ")}: expected ${option.expected}`,
      );
    }
  }
  if (parsed._.length > 0 && operands !== undefined) {
    const named = given[operands] as string[] | undefined ?? [];
    given[operands] = [...named, ...parsed._.map(String)];
  } else if (parsed._.length > 0) {
    if (rest === undefined || given[rest] === undefined) {
      throw new UsageError(
        `unexpected argument ${JSON.stringify(String(parsed._[0]))}` +
          (rest === undefined
            ? ""
            : `: did you mean --${rest} ${parsed._[0]}?`),
      );
    }
    given[rest] = [...given[rest] as string[], ...parsed._.map(String)];
  }
  return given as Partial<OptionValues<Table>>;
}

/**
 * Arguments in which each option's value is behind a `=`, for one that begins
 * with a dash would be taken for an option.
 */
function joinValues(
  options: OptionTable,
  byFlag: ReadonlyMap<string, string>,
  args: readonly string[],
): string[] {
  const parts = (argument: string): RegExpExecArray | [] =>
    /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
  const isOption = (argument: string): boolean =>
    byFlag.has(parts(argument)[1] ?? "");
  const joined: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") return [...joined, ...args.slice(i)];
    const argument = args[i] === "-h" ? "--help" : args[i];
    const [, flag, text] = parts(argument);
    const option = options[byFlag.get(flag ?? "") ?? ""];
    if (option === undefined) {
      joined.push(argument);
    } else if (text !== undefined) {
      const isFlag = option.placeholder === undefined;
      if (isFlag && text !== "true" && text !== "false") {
        throw new UsageError(`${argument}: expected ${option.expected}`);
      }
      joined.push(argument);
    } else if (option.placeholder === undefined) {
      joined.push(argument);
    } else {
      const next = args[i + 1];
      const hasValue = next !== undefined && !isOption(next) &&
        !(option.bare !== undefined && next.startsWith("-"));
      if (!hasValue && option.bare === undefined) {
        throw valueMissing(flag, option);
      }
      joined.push(`--${flag}=${hasValue ? next : option.bare}`);
      if (hasValue) i++;
    }
  }
  return joined;
}

function valueMissing(flag: string, { expected }: Option<unknown>): UsageError {
  return new UsageError(`--${flag} needs a value: expected ${expected}`);
}

/**
 * The options in the text of a configuration file: a JSON object whose keys
 * are written as on the command line, without the dashes in front.
 *
 * @param except Options that can't stand in a file.
 * @throws {UsageError} If it isn't such a file.
 */
export function parseConfiguration<Table extends OptionTable>(
  command: Command<Table>,
  path: string,
  text: string,
  except: readonly (keyof Table)[] = [],
): Partial<OptionValues<Table>> {
  return configurationValues(command, path, parseJson(path, text), except);
}

/**
 * The same of an object that was read from a file, or is part of one.
 *
 * @param place What messages begin with: the file, and which part of it.
 */
export function configurationValues<Table extends OptionTable>(
  command: Command<Table>,
  place: string,
  json: Readonly<Record<string, unknown>>,
  except: readonly (keyof Table)[] = [],
): Partial<OptionValues<Table>> {
  const byFlag = namesByFlag(command.options);
  const excepted = except.map((name) => flagName(String(name)));
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const name = byFlag.get(key);
    if (excepted.includes(key)) {
      throw new UsageError(
        `${place}: "${key}" can't stand in a file; give --${key} on the ` +
          `command line`,
      );
    }
    if (name === undefined) {
      const hint = nearest(flagName(key), [...byFlag.keys()]);
      throw new UsageError(
        `${place}: there is no option "${key}"` +
          (hint === undefined ? "" : `; did you mean "${hint}"?`),
      );
    }
    const option = command.options[name];
    given[name] = option.accept(value);
    if (given[name] === undefined) {
      throw new UsageError(
        `${place}: "${key}": ${
          JSON.stringify(value)
        }: expected ${option.expected}`,
      );
    }
  }
  return given as Partial<OptionValues<Table>>;
}

/**
 * The JSON object in the text of a file.
 *
 * @throws {UsageError} If it isn't one.
 */
export function parseJson(
  path: string,
  text: string,
): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `${path} isn't JSON: ${(error as SyntaxError).message}`,
    );
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    return json as Record<string, unknown>;
  }
  throw new UsageError(
    `${path}: expected a JSON object such as { "layers": 4 }`,
  );
}

/** All values: of the options given, the last that gives one; else defaults. */
export function completeOptions<Table extends OptionTable>(
  command: Command<Table>,
  ...given: readonly Partial<OptionValues<Table>>[]
): OptionValues<Table> {
  const defaults = Object.fromEntries(
    Object.entries(command.options).map(([name, option]) => [
      name,
      option.default,
    ]),
  );
  return Object.assign(defaults, ...given);
}

function namesByFlag(options: OptionTable): Map<string, string> {
  return new Map(Object.keys(options).map((name) => [flagName(name), name]));
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function unknownOption(argument: string, flags: readonly string[]): UsageError {
  const hint = nearest(argument.replace(/^-+/, ""), flags);
  return new UsageError(
    `there is no option ${argument}; ` +
      (hint === undefined
        ? "--help lists them all"
        : `did you mean --${hint}? --help lists all options`),
  );
}
