/**
 * What the report of a run tells beyond its events.
 *
 * @module
 */

import type {
  ConfigurationRow,
  ReferenceRun,
  ReportDetails,
  Sample,
} from "../train/mod.ts";
import { flagName, type OptionTable, type OptionValues } from "./option.ts";
import type { Command } from "./parse.ts";
import { shellWord } from "./path.ts";
import { commandFor, taskKind } from "./tasks/mod.ts";
import type { PreparedTask } from "./tasks/task_kind.ts";
import type { TrainValues } from "./train_command.ts";

/** What there is to tell. */
export interface Told {
  /** The options. */
  readonly values: TrainValues;
  /** The task. */
  readonly prepared: PreparedTask;
  /** The folder of the run. */
  readonly folder: string;
  /** The device in words. */
  readonly machine: string;
  /** What the model made. */
  readonly samples: readonly Sample[];
  /** The run to compare with. */
  readonly reference: ReferenceRun | undefined;
}

/** The details of a report. */
export function reportDetails(
  { values, prepared, folder, machine, samples, reference }: Told,
): ReportDetails {
  const { title, data, bytesPerToken, commands } = prepared;
  return {
    title,
    machine,
    corpus: data,
    bytesPerToken,
    configuration: configurationRows(
      commandFor(taskKind(values.task)),
      values as OptionValues<OptionTable>,
    ),
    samples,
    samplesTitle: prepared.samplesTitle,
    reference,
    commands: [
      ...commands(shellWord(folder)),
      [
        `${resumeCall(folder)} --steps ${2 * values.steps}`,
        "Train it for longer",
      ],
    ],
  };
}

/** The options of a command that its runs keep, for a report. */
export function configurationRows<Table extends OptionTable>(
  { options }: Command<Table>,
  values: OptionValues<Table>,
): ConfigurationRow[] {
  return Object.entries(options)
    .filter(([, { lifetime }]) => lifetime !== "session")
    .map(([name, option]) => {
      const value = values[name as keyof Table];
      return {
        section: option.section,
        name: flagName(name),
        value: formatValue(value, option.repeatable ? ", " : ",") ??
          option.defaultText ?? "–",
        help: option.help,
        changed: JSON.stringify(value) !== JSON.stringify(option.default),
      };
    });
}

/** A value as one would type it; `undefined` where nothing is given. */
function formatValue(value: unknown, separator: string): string | undefined {
  if (typeof value === "boolean") return value ? "yes" : "no";
  const text = Array.isArray(value)
    ? value.join(separator)
    : String(value ?? "");
  return text === "" ? undefined : text;
}

/** The command that goes on with a run. */
export function resumeCall(folder: string): string {
  return `deno task train --resume ${shellWord(folder)}`;
}
