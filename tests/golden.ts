/**
 * Where the golden reference data lie, and how they are read.
 *
 * The folder is named by `LAYERBRAID_GOLDEN`, by default `../shared/golden`
 * beside the repository; tests that need it are skipped where it is missing.
 *
 * @module
 */

import { type HostArray, readSafetensors } from "../models/safetensors.ts";

/** The folder. */
export const goldenFolder: string = Deno.env.get("LAYERBRAID_GOLDEN") ??
  new URL("../../shared/golden", import.meta.url).pathname;

/** Whether it is missing, for `Deno.test({ ignore })`. */
export const goldenMissing: boolean = !exists(goldenFolder);

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
