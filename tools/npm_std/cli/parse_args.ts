/** Stands in for `jsr:@std/cli/parse-args` where JSR can't be reached. @module */

import * as std from "npm:deno-std@1.4.0/cli/parse_args.js";

/** The options of `parseArgs` that this project uses. */
export interface ParseOptions {
  /** Flags that are always strings. */
  string?: readonly string[];
  /** Flags that are always booleans. */
  boolean?: readonly string[];
  /** Flags that may be given more than once. */
  collect?: readonly string[];
  /** Other names of flags. */
  alias?: Record<string, string | readonly string[]>;
  /** The values of flags that are not given. */
  default?: Record<string, unknown>;
  /** Called for every flag that is not declared; `false` drops it. */
  unknown?: (flag: string, key?: string, value?: unknown) => unknown;
}

export const parseArgs: (
  args: string[],
  options?: ParseOptions,
  // deno-lint-ignore no-explicit-any -- the real type depends on the options
) => { _: (string | number)[]; [flag: string]: any } = std.parseArgs;
