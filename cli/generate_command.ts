/**
 * The options of `deno task generate`, all of them, and nothing else.
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
} from "./option.ts";
import type { Command } from "./parse.ts";

const options = {
  ...section("Model", {
    from: text({
      help:
        "Folder of a run, whose newest checkpoint writes, or of a checkpoint",
      default: "newest",
      defaultText: "the newest run in runs/",
      placeholder: "RUN",
    }),
  }),
  ...section("Text", {
    prompt: text<string | undefined>({
      help: "The text to go on from, or to translate",
      default: undefined,
      defaultText: "a new line",
      canBeEmpty: true,
    }),
    count: integer({ help: "Tokens to write", default: 500, least: 0 }),
    temperature: number({
      help: "0 always takes the likeliest token; higher is more varied",
      default: 0.8,
      least: 0,
    }),
    topK: integer<number | undefined>({
      help: "Choose among the so many likeliest tokens",
      default: undefined,
      defaultText: "all",
      least: 1,
    }),
    topP: number({
      help: "Choose among the likeliest tokens that together are so probable",
      default: 1,
      above: 0,
      most: 1,
    }),
    seed: integer({
      help: "Decides the choices: the same seed, the same text",
      default: 0,
      least: 0,
      most: 2 ** 32 - 1,
    }),
  }),
  ...section("Machine", {
    device,
    threads,
    help: flag({ help: "Print this" }),
  }),
};

/** The values of the options of `generate`. */
export type GenerateValues = OptionValues<typeof options>;

/** The command `generate`. */
export const generateCommand: Command<typeof options> = {
  name: "generate",
  summary: "Writes text with a GPT that `deno task train` trained, or " +
    "translates with a translator.",
  options,
  examples: [
    ['deno task generate --prompt "interface "', "asks the newest run"],
    [
      'deno task generate --from runs/2025-01-31-numbers --prompt "sixty-one"',
      "asks a translator",
    ],
    [
      "deno task generate --from runs/2025-01-31-book --temperature 0.5",
      "asks a certain one, which keeps to what is likely",
    ],
  ],
};
