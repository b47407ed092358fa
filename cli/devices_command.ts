/**
 * The options of `deno task devices`, all of them, and nothing else.
 *
 * @module
 */

import { flag, type OptionValues, section } from "./option.ts";
import type { Command } from "./parse.ts";

const options = {
  ...section("Output", {
    json: flag({ help: "Print one line of JSON" }),
    help: flag({ help: "Print this" }),
  }),
};

/** The values of the options of `devices`. */
export type DevicesValues = OptionValues<typeof options>;

/** The command `devices`. */
export const devicesCommand: Command<typeof options> = {
  name: "devices",
  summary: "Lists what this machine can compute on, and what --device auto " +
    "takes.",
  options,
  examples: [
    ["deno task devices", "lists devices, graphics adapters and their limits"],
    ["deno task train --device webgpu", "trains on the first adapter"],
  ],
};
