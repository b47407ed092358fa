/**
 * Golden checks as data, for every environment that runs the library: Deno and
 * the worker of a browser's page. Nothing here, and in the sets that stand on
 * it, asks for Deno or for `@std`.
 *
 * @module
 */

import type { HostArray } from "../models/mod.ts";
import type { Device } from "../tensor/mod.ts";

/** Arrays by name. */
export type Arrays = Readonly<Record<string, HostArray>>;

/** Reads the golden folder. */
export interface GoldenReader {
  /** A file as text. */
  readonly text: (name: string) => Promise<string>;
  /** A JSON file. */
  // deno-lint-ignore no-explicit-any -- the recipe's layout, see its README
  readonly json: (name: string) => Promise<any>;
  /** A safetensors file. */
  readonly arrays: (name: string) => Promise<Arrays>;
}

/** A check; it throws an error that says what is off, and by how much. */
export interface GoldenCase {
  /** Which one failed, for messages. */
  readonly name: string;
  /** Compares what the library gives with the reference. */
  readonly run: () => void | Promise<void>;
}

/** The cases of a part of the golden folder, on the default device. */
export type GoldenSet = (
  reader: GoldenReader,
  device: Device,
) => Promise<readonly GoldenCase[]>;

/** How the cases of a set ended. */
export interface GoldenReport {
  /** How many there were. */
  readonly cases: number;
  /** Which failed, and why. */
  readonly failures: readonly string[];
}

/** Runs cases one after the other; tensors that they leave are freed. */
export async function runGolden(
  cases: readonly GoldenCase[],
  device: Device,
): Promise<GoldenReport> {
  const failures: string[] = [];
  for (const { name, run } of cases) {
    using _ = device.scope();
    try {
      await run();
    } catch (error) {
      failures.push(`${name}: ${describe(error)}`);
    }
  }
  return { cases: cases.length, failures };
}

/** What happened and, where that isn't known, in which place: one line. */
function describe(error: unknown): string {
  if (error instanceof GoldenMismatch) return error.message;
  const stack = error instanceof Error ? error.stack : undefined;
  return `${error} ${/\bat .*/.exec(stack ?? "")?.[0] ?? ""}`;
}

/** A result that isn't the reference's. */
class GoldenMismatch extends Error {}

/** Throws an error with a message if something isn't so. */
export function check(
  condition: boolean,
  message: string,
): asserts condition {
  if (!condition) throw new GoldenMismatch(message);
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
