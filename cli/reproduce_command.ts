/**
 * The options of `deno task reproduce`, all of them, and nothing else.
 *
 * @module
 */

import { device, threads } from "./machine_options.ts";
import {
  adjustable,
  flag,
  integer,
  type OptionValues,
  section,
  session,
  text,
  texts,
} from "./option.ts";
import type { Command } from "./parse.ts";

const options = {
  ...section("What is reproduced", {
    task: texts({
      help: "gpt, bert, tagger, vit or translation; again for more; their " +
        "names alone do as well. With bert comes fine-tuning",
      default: [],
      defaultText: "all of them",
      placeholder: "TASK",
    }),
    quick: flag({
      help: "Smaller models and fewer steps: some ten minutes on two cores",
    }),
    config: text<string | undefined>({
      help: "Options of `deno task train` for each task in a JSON file, such " +
        'as { "tagger": { "data": ["train.conllu"], "steps": 3000 } }',
      default: undefined,
      placeholder: "FILE",
    }),
    seed: integer<number | undefined>({
      help: "Decides everything random",
      default: undefined,
      defaultText: "0, or as --config says",
      least: 0,
      most: 2 ** 32 - 1,
    }),
  }),
  ...section("Machine", {
    ...adjustable({ device }),
    ...session({ threads }),
  }),
  ...session(
    section("Run", {
      out: text<string | undefined>({
        help: "Folder for the runs, report.html and its charts as SVG",
        default: undefined,
        defaultText: "runs/DATE-reproduction",
        placeholder: "DIR",
      }),
      resume: text<string | undefined>({
        help: "Go on with a reproduction that was broken off, as it was begun",
        default: undefined,
        bare: "newest",
        defaultText: "the newest in runs/, if no folder is named",
        placeholder: "[FOLDER]",
      }),
      json: flag({
        help: "End with one line of JSON on stdout; progress goes to stderr",
      }),
      help: flag({ help: "Print this" }),
    }),
  ),
};

/** The values of the options of `reproduce`. */
export type ReproduceValues = OptionValues<typeof options>;

/** The command `reproduce`. */
export const reproduceCommand: Command<typeof options> = {
  name: "reproduce",
  summary: "Trains the networks of the paper serially, by multigrid over the " +
    "layers with fixed iterations, and with accuracy control, and compares " +
    "them; in hours.",
  options,
  operands: "task",
  examples: [
    ["deno task reproduce --quick", "shows all of it at a small size"],
    [
      "deno task reproduce tagger vit --config mine.json",
      "reproduces two of the tasks, on data of your own",
    ],
    ["deno task reproduce --resume", "goes on with the newest reproduction"],
  ],
};
