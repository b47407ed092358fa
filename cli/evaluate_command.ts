/**
 * The options of `deno task evaluate`, all of them, and nothing else.
 *
 * @module
 */

import { device, threads } from "./machine_options.ts";
import {
  flag,
  integer,
  number,
  type OptionValues,
  section,
  text,
  texts,
} from "./option.ts";
import type { Command } from "./parse.ts";

const options = {
  ...section("Model", {
    from: text({
      help: "Folder of a run, whose newest checkpoint is measured, or of a " +
        "checkpoint",
      default: "newest",
      defaultText: "the newest run in runs/",
      placeholder: "RUN",
    }),
  }),
  ...section("Data", {
    data: texts({
      help: "What to measure on, as --data of train: all of it",
      default: [],
      defaultText: "what the run kept to measure on",
      placeholder: "PATH",
    }),
    target: texts({
      help: "Translations of --data, line by line",
      default: [],
      placeholder: "PATH",
    }),
  }),
  ...section("Translations", {
    beams: integer<number | undefined>({
      help: "How many are followed at a time; 1: greedily",
      default: undefined,
      defaultText: "as the run's options say",
      least: 1,
    }),
    lengthPenalty: number<number | undefined>({
      help: "Power of the length that log-probabilities are divided by",
      default: undefined,
      defaultText: "as the run's options say",
      least: 0,
    }),
  }),
  ...section("Machine", {
    device,
    threads,
    json: flag({
      help: "End with one line of JSON on stdout; progress goes to stderr",
    }),
    help: flag({ help: "Print this" }),
  }),
};

/** The values of the options of `evaluate`. */
export type EvaluateValues = OptionValues<typeof options>;

/** The command `evaluate`. */
export const evaluateCommand: Command<typeof options> = {
  name: "evaluate",
  summary:
    "Measures a model that `deno task train` trained by all metrics of " +
    "its task, and keeps them in its run's folder.",
  options,
  rest: "data",
  examples: [
    ["deno task evaluate", "measures the newest run on what it kept for that"],
    [
      "deno task evaluate --from runs/2025-01-31-talks --data test.de --target test.en",
      "measures translations of a text that you have",
    ],
  ],
};
