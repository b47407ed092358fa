/**
 * Where the golden reference data lie, how they are read, and on which devices
 * they are checked.
 *
 * The folder is named by `LAYERBRAID_GOLDEN`, by default `../shared/golden`
 * beside the repository. Where the default is missing, tests that need it are
 * skipped; a folder that is named must be there.
 *
 * @module
 */

import { assert } from "@std/assert";
import { readSafetensors } from "../models/safetensors.ts";
import { type Device, device } from "../tensor/mod.ts";
import {
  type Arrays,
  type GoldenReader,
  type GoldenSet,
  runGolden,
} from "./golden_case.ts";

const named = Deno.env.get("LAYERBRAID_GOLDEN");

/** The folder. */
export const goldenFolder: string = named ??
  `${import.meta.dirname}/../../shared/golden`;

/** Whether it is missing, for `Deno.test({ ignore })`. */
export const goldenMissing: boolean = !exists(goldenFolder);

if (named !== undefined && goldenMissing) {
  throw new Error(
    `LAYERBRAID_GOLDEN: there is no folder "${named}"; name the folder of the ` +
      `golden data, or unset the variable`,
  );
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** A JSON file of the folder. */
// deno-lint-ignore no-explicit-any -- the recipe's layout, see its README
export function goldenJson(name: string): any {
  return JSON.parse(Deno.readTextFileSync(`${goldenFolder}/${name}`));
}

/** A safetensors file of the folder. */
export function goldenArrays(name: string): Arrays {
  return readSafetensors(Deno.readFileSync(`${goldenFolder}/${name}`)).arrays;
}

/** Reads the folder for the sets. */
export const goldenReader: GoldenReader = {
  text: (name) => Deno.readTextFile(`${goldenFolder}/${name}`),
  json: (name) => Promise.resolve(goldenJson(name)),
  arrays: (name) => Promise.resolve(goldenArrays(name)),
};

/** A device that the golden sets are checked on. */
export interface GoldenDevice {
  /** For the names of tests. */
  readonly name: string;
  /** Whether this machine hasn't got it; by default it has. */
  readonly missing?: boolean;
  /** Makes it. */
  readonly make: () => Promise<Device>;
}

/** The devices that run everywhere, each of which must pass every set. */
export const goldenDevices = {
  reference64: {
    name: "reference f64",
    make: () => device("reference", { dtype: "f64" }),
  },
  reference32: { name: "reference f32", make: () => device("reference") },
  wasm: { name: "wasm", make: () => device("wasm", { threads: 1 }) },
} as const satisfies Record<string, GoldenDevice>;

/**
 * Tests a set on devices, on each in a test of its own; a slow one says so in
 * its name, a rare one runs with `LAYERBRAID_SLOW` only.
 */
export function testGolden(
  name: string,
  set: GoldenSet,
  devices: readonly GoldenDevice[] = Object.values(goldenDevices),
  speed: "fast" | "slow" | "rare" = "fast",
): void {
  const prefix = speed === "fast" ? "" : "slow: ";
  for (const { name: deviceName, missing = false, make } of devices) {
    Deno.test({
      name: `${prefix}golden ${name} on ${deviceName}`,
      ignore: goldenMissing || missing ||
        speed === "rare" && !Deno.env.has("LAYERBRAID_SLOW"),
      fn: async () => {
        const here = await make();
        try {
          const cases = await set(goldenReader, here);
          assert(cases.length > 0, "there are no cases");
          const { failures } = await runGolden(cases, here);
          assert(
            failures.length === 0,
            `${failures.length} of ${cases.length} cases fail\n` +
              failures.join("\n"),
          );
        } finally {
          here.close();
        }
      },
    });
  }
}

export { deviation } from "./golden_case.ts";
