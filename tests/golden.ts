/**
 * Where the golden reference data lie, and how they are read.
 *
 * The folder is named by `LAYERBRAID_GOLDEN`, by default `../shared/golden`
 * beside the repository. Where the default is missing, tests that need it are
 * skipped; a folder that is named must be there.
 *
 * @module
 */

import { type HostArray, readSafetensors } from "../models/safetensors.ts";

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
export function goldenArrays(
  name: string,
): Readonly<Record<string, HostArray>> {
  return readSafetensors(Deno.readFileSync(`${goldenFolder}/${name}`)).arrays;
}

/** Largest |a − b| / (atol + rtol |b|); NaN differs from everything. */
export function deviation(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  rtol: number,
  atol: number,
): number {
  if (actual.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    const off = Math.abs(actual[i] - expected[i]) /
      (atol + rtol * Math.abs(expected[i]));
    largest = off <= largest ? largest : Number.isNaN(off) ? Infinity : off;
  }
  return largest;
}
