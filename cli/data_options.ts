/**
 * Options that have a meaning for some data only.
 *
 * @module
 */

import { UsageError } from "./failure.ts";
import { flagName } from "./option.ts";
import type { TrainValues } from "./train_command.ts";

/** What says where in files something stands. */
const columns = [
  "column",
  "textColumn",
  "pairColumn",
  "labelColumn",
] as const;

/**
 * Refuses options that the data has no use for.
 *
 * @param asked Those that were given.
 * @throws {UsageError} Naming the option, and what to do.
 */
export function checkDataOptions(
  { task, data, validationData }: TrainValues,
  asked: Partial<TrainValues>,
): void {
  const isGettext = [...data, ...validationData]
    .some((path) => path.startsWith("gettext:"));
  if (asked.language !== undefined && !isGettext) {
    throw new UsageError(
      `--language ${asked.language} is for --data gettext:FOLDER; other data ` +
        `has its language already`,
    );
  }
  for (const name of columns) {
    if (asked[name] === undefined || data.length > 0) continue;
    throw new UsageError(
      `--${flagName(name)} ${asked[name]} needs --data, files with columns`,
    );
  }
  if (asked.validation === undefined) return;
  const others = validationData.length > 0
    ? "--validation-data is there"
    : task === "translation" && data.length === 0
    ? "the numbers have others"
    : undefined;
  if (others === undefined) return;
  throw new UsageError(
    `--validation ${asked.validation} keeps a share of --data to measure on, ` +
      `but ${others} for that; leave it out`,
  );
}
