/** Stands in for `jsr:@std/assert` where JSR can't be reached. @module */

// deno-std ships no types, so the ones we use are declared here.
import * as std from "npm:deno-std@1.4.0/assert/mod.js";

// deno-lint-ignore no-explicit-any -- any constructor will do
type Class<T> = abstract new (...args: any[]) => T;

export const assert: (expr: unknown, msg?: string) => asserts expr = std.assert;

export const assertEquals: <T>(
  actual: T,
  expected: T,
  msg?: string,
) => void = std.assertEquals;

export const assertNotEquals: <T>(
  actual: T,
  expected: T,
  msg?: string,
) => void = std.assertNotEquals;

export const assertAlmostEquals: (
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
) => void = std.assertAlmostEquals;

export const assertStringIncludes: (
  actual: string,
  expected: string,
  msg?: string,
) => void = std.assertStringIncludes;

export const assertMatch: (
  actual: string,
  expected: RegExp,
  msg?: string,
) => void = std.assertMatch;

export const assertThrows: <E extends Error = Error>(
  fn: () => unknown,
  errorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
) => E = std.assertThrows;

export const assertRejects: <E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
) => Promise<E> = std.assertRejects;
