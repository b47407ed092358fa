/**
 * The options of `deno task serve`, all of them, and nothing else.
 *
 * @module
 */

import { flag, integer, type OptionValues, section, text } from "./option.ts";
import type { Command } from "./parse.ts";

const options = {
  ...section("Server", {
    port: integer({
      help: "Where it listens on this machine; 0 takes any that is free",
      default: 8000,
      least: 0,
      most: 65535,
    }),
    golden: text<string | undefined>({
      help: "Folder of the golden data that tests/browser/ checks",
      default: undefined,
      defaultText: "none",
      placeholder: "FOLDER",
    }),
    help: flag({ help: "Print this" }),
  }),
};

/** The values of the options of `serve`. */
export type ServeValues = OptionValues<typeof options>;

/** The command `serve`. */
export const serveCommand: Command<typeof options> = {
  name: "serve",
  summary: "Serves the library to a browser on this machine, types stripped " +
    "as it goes: no build, no bundler.",
  options,
  examples: [
    ["deno task serve", "then open http://localhost:8000/"],
    [
      "deno task serve --golden ../golden",
      "http://localhost:8000/tests/browser/ checks the devices there",
    ],
  ],
};
