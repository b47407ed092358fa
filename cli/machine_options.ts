/**
 * The options of all commands that say what to compute on.
 *
 * @module
 */

import type { DeviceName } from "../tensor/mod.ts";
import { deviceNames } from "../train/mod.ts";
import { choice, integer, type Option } from "./option.ts";

/** The option `device`. */
export const device: Option<DeviceName | undefined> = choice<
  DeviceName | undefined
>(deviceNames, {
  help: "Where to compute: auto is a real GPU if there is one, else wasm; " +
    "reference is slow and simple, without threads",
  default: undefined,
  defaultText: "$LAYERBRAID_DEVICE or wasm",
});

/** The option `threads`. */
export const threads: Option<number | undefined> = integer<number | undefined>({
  help: "Threads of wasm; results don't depend on it",
  default: undefined,
  defaultText: "$LAYERBRAID_THREADS or all cores up to 8",
  least: 1,
  most: 64,
});
