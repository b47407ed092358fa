/**
 * How a command ends: what the user got wrong, what failed, with which exit
 * code; never with a stack trace.
 *
 * @module
 */

import { CorpusError } from "../data/mod.ts";
import { CheckpointError } from "../train/mod.ts";

/** A mistake in how a command was called; its message is one line. */
export class UsageError extends Error {
  /** The name of the class. */
  override readonly name: string = "UsageError";
}

/**
 * What is made of options.
 *
 * @throws {UsageError} If they are out of range.
 */
export function fromOptions<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

/** Exit code of a mistake in how a command was called, or in its files. */
const usageExitCode = 2;

/** Exit code of a failure while a command runs. */
const failureExitCode = 1;

/**
 * Runs a command and ends the process with its exit code. What it throws
 * becomes one line on stderr; code 2 if the user can call it differently,
 * else 1.
 */
export async function runCommand(
  name: string,
  command: () => Promise<number>,
): Promise<never> {
  try {
    Deno.exit(await command());
  } catch (error) {
    const { line, exitCode } = describeFailure(name, error);
    console.error(line);
    Deno.exit(exitCode);
  }
}

/** What to print for something thrown, and which code to exit with. */
function describeFailure(
  name: string,
  error: unknown,
): { line: string; exitCode: number } {
  const message = error instanceof Error ? error.message : String(error);
  const words = message.replaceAll(/\s*\n\s*/g, " ").trim();
  const line = words.startsWith(`${name}: `) ? words : `${name}: ${words}`;
  const isMistake = [UsageError, CorpusError, CheckpointError]
    .some((kind) => error instanceof kind);
  return { line, exitCode: isMistake ? usageExitCode : failureExitCode };
}
