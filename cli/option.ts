/**
 * Options of a command as data. A table of them is the one place that knows
 * names, types, ranges, defaults and help; parsing, validation, configuration
 * files, `--help` and reports are derived from it.
 *
 * @module
 */

/**
 * How long an option holds: `run`, from a run's beginning to its end;
 * `adjustable`, until it is given anew when the run goes on; `session`, until
 * the program ends.
 */
export type Lifetime = "run" | "adjustable" | "session";

/** One option. */
export interface Option<T> {
  /** What `--help` shows for the value, such as `N`; `undefined` for a flag. */
  readonly placeholder: string | undefined;
  /** What it is where it's given without a value; else it needs one. */
  readonly bare: T | undefined;
  /** Whether it can be given several times. */
  readonly repeatable: boolean;
  /** Its value where it isn't given. */
  readonly default: T;
  /** The default in words; `undefined` where there is none to tell. */
  readonly defaultText: string | undefined;
  /** What it is for, without a full stop. */
  readonly help: string;
  /** The heading that `--help` lists it under. */
  readonly section: string;
  /** How long it holds. */
  readonly lifetime: Lifetime;
  /** The range of its values, if they are numbers. */
  readonly range: string | undefined;
  /** What its values must be, in words. */
  readonly expected: string;
  /** The JSON value that an argument's text stands for. */
  readonly fromText: (text: string) => unknown;
  /** The option's value for a JSON value, `undefined` where it can't be. */
  readonly accept: (json: unknown) => T | undefined;
}

/** Options by name, in camelCase; on the command line `topK` is `--top-k`. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** The values of all options of a table. */
export type OptionValues<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T
    : never;
};

/** What every option says. */
export interface Description<T> {
  /** As in {@linkcode Option}. */
  readonly help: string;
  /** As in {@linkcode Option}. */
  readonly default: T;
  /** As in {@linkcode Option}; by default the default as it is. */
  readonly defaultText?: string;
  /** As in {@linkcode Option}; by default it stands for the kind of value. */
  readonly placeholder?: string;
  /** As in {@linkcode Option}. */
  readonly bare?: T;
}

/** The ends of a range of numbers; missing ones are infinite. */
export interface Range {
  /** The smallest number. */
  readonly least?: number;
  /** The greatest number. */
  readonly most?: number;
  /** All numbers are smaller than this. */
  readonly below?: number;
  /** All numbers are greater than this. */
  readonly above?: number;
}

const base = {
  bare: undefined,
  range: undefined,
  repeatable: false,
  section: "",
  lifetime: "run" as Lifetime,
  fromText: (text: string): unknown => text,
};

/** An option whose value is an integer. */
export function integer<T extends number | undefined = number>(
  description: Description<T> & Range,
): Option<T> {
  return numeric("an integer", Number.isSafeInteger, description);
}

/** An option whose value is a finite number. */
export function number<T extends number | undefined = number>(
  description: Description<T> & Range,
): Option<T> {
  return numeric("a number", Number.isFinite, description);
}

function numeric<T extends number | undefined>(
  noun: string,
  isKind: (value: number) => boolean,
  description: Description<T> & Range,
): Option<T> {
  const { least, most, below, above, ...rest } = description;
  const isClosed = least !== undefined && most !== undefined;
  const bounds = isClosed ? [`${least} to ${most}`] : [
    least === undefined ? "" : `≥ ${least}`,
    above === undefined ? "" : `> ${above}`,
    most === undefined ? "" : `≤ ${most}`,
    below === undefined ? "" : `< ${below}`,
  ].filter((bound) => bound !== "");
  const accept = (json: unknown): T | undefined =>
    typeof json === "number" && isKind(json) &&
      json >= (least ?? -Infinity) && json <= (most ?? Infinity) &&
      !(above !== undefined && json <= above) &&
      !(below !== undefined && json >= below)
      ? json as T
      : undefined;
  return {
    ...base,
    placeholder: isKind === Number.isSafeInteger ? "N" : "X",
    defaultText: rest.default === undefined ? undefined : `${rest.default}`,
    ...rest,
    expected: `${noun} ${isClosed ? "from " : ""}${bounds.join(" and ")}`,
    range: bounds.join(", "),
    // Number("") is 0.
    fromText: (text) => text.trim() === "" ? text : Number(text),
    accept,
  };
}

/** An option whose value is a text. */
export function text<T extends string | undefined = string>(
  { canBeEmpty = false, ...description }: Description<T> & {
    readonly canBeEmpty?: boolean;
  },
): Option<T> {
  return {
    ...base,
    placeholder: "TEXT",
    defaultText: description.default === undefined
      ? undefined
      : JSON.stringify(description.default),
    expected: "a text",
    ...description,
    accept: (json) =>
      typeof json === "string" && (canBeEmpty || json !== "")
        ? json as T
        : undefined,
  };
}

/** An option that can be given several times. */
export function texts(
  description: Description<readonly string[]>,
): Option<readonly string[]> {
  return {
    ...base,
    placeholder: "TEXT",
    defaultText: undefined,
    expected: "a text or a list of texts",
    ...description,
    repeatable: true,
    accept: (json) => {
      const list = Array.isArray(json) ? json : [json];
      return list.length > 0 &&
          list.every((item) => typeof item === "string" && item !== "")
        ? list
        : undefined;
    },
  };
}

/** An option whose value is one of a few words. */
export function choice<const Word extends string | undefined>(
  words: readonly Word[],
  description: Description<Word>,
): Option<Word> {
  return {
    ...base,
    placeholder: words.join("|"),
    defaultText: description.default,
    ...description,
    expected: words.join(" or "),
    accept: (json) => words.find((word) => word === json),
  };
}

/**
 * An option whose value is a list: `4,2` on the command line, `4` or `[4, 2]`
 * in a file.
 *
 * @param item What each of its values is; only its range and its words count.
 */
export function list<
  T,
  List extends readonly T[] | undefined = readonly T[],
>(
  item: Option<T>,
  { most = Infinity, ...description }: Description<List> & {
    /** How many values it has at most. */
    readonly most?: number;
  },
): Option<List> {
  return {
    ...base,
    placeholder: `${item.placeholder},…`,
    defaultText: description.default?.join(","),
    ...description,
    range: item.range,
    expected: `${item.expected}, or ${
      most === Infinity ? "several" : `up to ${most}`
    } with commas between them`,
    fromText: (text) =>
      text.split(",").map((part) => item.fromText(part.trim())),
    accept: (json) => {
      const values = (Array.isArray(json) ? json : [json]).map(item.accept);
      return values.length > 0 && values.length <= most &&
          !values.includes(undefined)
        ? values as unknown as List
        : undefined;
    },
  };
}

/** An option without a value: given or not. */
export function flag(
  description: { readonly help: string },
): Option<boolean> {
  return {
    ...base,
    placeholder: undefined,
    default: false,
    defaultText: undefined,
    ...description,
    expected: "true or false",
    accept: (json) => typeof json === "boolean" ? json : undefined,
  };
}

/** Options under a heading of `--help`. */
export function section<const Table extends OptionTable>(
  heading: string,
  options: Table,
): Table {
  return mapTable(options, (option) => ({ ...option, section: heading }));
}

/** Options that a run keeps, and that can be given anew when it goes on. */
export function adjustable<const Table extends OptionTable>(
  options: Table,
): Table {
  return mapTable(options, (option) => ({
    ...option,
    lifetime: "adjustable",
  }));
}

/** Options that say nothing about the run, only about how the program runs. */
export function session<const Table extends OptionTable>(
  options: Table,
): Table {
  return mapTable(options, (option) => ({ ...option, lifetime: "session" }));
}

function mapTable<const Table extends OptionTable>(
  options: Table,
  change: (option: Option<unknown>) => Option<unknown>,
): Table {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, change(option)]),
  ) as unknown as Table;
}

/** How an option is written: `topK` is `top-k`. */
export function flagName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
