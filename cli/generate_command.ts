/**
 * The options of `deno task generate`, all of them, and nothing else.
 *
 * @module
 */

import {
  choice,
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
      help: "Folder of a run; its newest checkpoint writes",
      default: "newest",
      defaultText: "the newest run in runs/",
      placeholder: "RUN",
    }),
  }),
  ...section("Text", {
    prompt: text({ help: "The text to go on from", default: "\n" }),
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
    device: choice<"wasm" | "reference" | undefined>(["wasm", "reference"], {
      help: "Where to compute; reference is slow and simple",
      default: undefined,
      defaultText: "$LAYERBRAID_DEVICE or wasm",
    }),
    threads: integer<number | undefined>({
      help: "Threads of wasm",
      default: undefined,
      defaultText: "$LAYERBRAID_THREADS or all cores up to 8",
      least: 1,
      most: 64,
    }),
    help: flag({ help: "Print this" }),
  }),
};

/** The values of the options of `generate`. */
export type GenerateValues = OptionValues<typeof options>;

/** The command `generate`. */
export const generateCommand: Command<typeof options> = {
  name: "generate",
  summary: "Writes text with a model that `deno task train` trained.",
  options,
  examples: [
    ['deno task generate --prompt "interface "', "asks the newest run"],
    [
      "deno task generate --from runs/2025-01-31-book --temperature 0.5",
      "asks a certain one, which keeps to what is likely",
    ],
  ],
};
