/**
 * The kinds of tasks that the commands know, and the options of each.
 *
 * @module
 */

import { flagName, type OptionTable } from "../option.ts";
import { UsageError } from "../failure.ts";
import type { Command } from "../parse.ts";
import {
  type TaskName,
  trainCommand,
  type TrainValues,
} from "../train_command.ts";
import { bertKind } from "./bert.ts";
import { classifyKind } from "./classify.ts";
import { gptKind } from "./gpt.ts";
import { taggerKind } from "./tagger.ts";
import type { TaskKind } from "./task_kind.ts";
import { translationKind } from "./translation.ts";
import { vitKind } from "./vit.ts";

const kinds: Readonly<Record<TaskName, TaskKind>> = {
  gpt: gptKind,
  bert: bertKind,
  tagger: taggerKind,
  vit: vitKind,
  translation: translationKind,
  classify: classifyKind,
};

/** The kind that a task's name stands for; runs of old had no name for it. */
export function taskKind(name: TaskName = "gpt"): TaskKind {
  return kinds[name];
}

/** Which tasks an option is for; those that aren't here are for all. */
const optionTasks: Partial<Record<keyof TrainValues, readonly TaskName[]>> = {
  target: ["translation"],
  validationTarget: ["translation"],
  language: ["translation"],
  column: ["tagger"],
  textColumn: ["classify"],
  pairColumn: ["classify"],
  labelColumn: ["classify"],
  tokenizer: ["gpt", "bert", "translation", "classify"],
  vocabulary: ["gpt", "bert", "translation", "classify"],
  before: ["gpt", "bert", "tagger", "vit", "classify"],
  after: ["gpt", "bert", "tagger", "vit", "classify"],
  decoderLayers: ["translation"],
  hidden: ["bert", "tagger", "vit", "translation", "classify"],
  norm: ["bert", "tagger", "translation", "classify"],
  seq: ["gpt", "bert", "tagger", "translation", "classify"],
  patch: ["vit"],
  untied: ["gpt", "bert"],
  from: ["classify", "tagger"],
  masked: ["bert"],
  labelSmoothing: ["translation"],
  shift: ["vit"],
  kind: ["classify"],
  beams: ["translation"],
  lengthPenalty: ["translation"],
  sample: ["gpt"],
  precision: ["gpt", "bert", "tagger", "vit", "classify"],
};

/** Whether a task has use for an option. */
function isFor(option: string, task: TaskName): boolean {
  return optionTasks[option as keyof TrainValues]?.includes(task) ?? true;
}

/**
 * The command `train` as it is for a task: its options, with its defaults.
 */
export function commandFor(
  { name, summary, examples, defaults, words }: TaskKind,
): Command<OptionTable> {
  const options = Object.entries<OptionTable[string]>(trainCommand.options)
    .filter(([option]) => isFor(option, name))
    .map(([option, entry]) => {
      const key = option as keyof TrainValues;
      const value = key === "task" ? name : defaults[key];
      const own = value === undefined
        ? entry
        : { ...entry, default: value, defaultText: String(value) };
      return [option, { ...own, ...words?.[key] }];
    });
  return {
    ...trainCommand,
    summary,
    examples,
    options: Object.fromEntries(options),
  };
}

/**
 * Refuses options that a task has no use for.
 *
 * @param asked Those that were given.
 * @throws {UsageError} Naming the option and what it is for.
 */
export function checkTaskOptions(
  task: TaskName,
  asked: Partial<TrainValues>,
): void {
  for (const [name, value] of Object.entries(asked)) {
    if (isFor(name, task)) continue;
    const tasks = optionTasks[name as keyof TrainValues]!;
    throw new UsageError(
      `--${flagName(name)}${value === true ? "" : ` ${value}`} is for ` +
        `--task ${tasks.join(", ")}, not for ${task}`,
    );
  }
}
