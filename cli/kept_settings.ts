/**
 * What makes several runs one thing that can go on: a file in the folder above
 * theirs, which keeps what they were asked for.
 *
 * @module
 */

import { UsageError } from "./failure.ts";
import { exists, isMissing } from "./path.ts";

/** Several runs as one thing. */
export interface Kept {
  /** What it is called: `study`; the file is `study.json`. */
  readonly noun: string;
  /** The command that makes it. */
  readonly command: string;
}

function settingsPath(folder: string, { noun }: Kept): string {
  return `${folder}/${noun}.json`;
}

/**
 * Makes sure that a folder holds no such thing.
 *
 * @throws {UsageError} If it does.
 */
export async function requireNone(folder: string, kept: Kept): Promise<void> {
  if (!await exists(settingsPath(folder, kept))) return;
  throw new UsageError(
    `--out ${folder}: holds a ${kept.noun}; go on with it by --resume ` +
      `${folder}, or choose another folder`,
  );
}

/** Keeps settings in a folder. */
export async function writeSettings(
  folder: string,
  kept: Kept,
  settings: unknown,
): Promise<void> {
  const text = JSON.stringify(settings, undefined, 2);
  await Deno.writeTextFile(settingsPath(folder, kept), `${text}\n`);
}

/**
 * The settings in a folder, as they were written.
 *
 * @throws {UsageError} If they can't be read.
 */
export async function readSettings<T>(folder: string, kept: Kept): Promise<T> {
  const path = settingsPath(folder, kept);
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new UsageError(
      `${path}: can't be read (${(error as Error).message})`,
    );
  }
}

/**
 * The folder of what was begun.
 *
 * @param given A folder, the name of one in `runs/`, or `newest`.
 * @throws {UsageError} If there is none.
 */
export async function findBegun(given: string, kept: Kept): Promise<string> {
  const { noun, command } = kept;
  if (given === "newest") {
    const newest = await newestBegun(kept);
    if (newest !== undefined) return newest;
    throw new UsageError(
      `--resume: there is no ${noun} in runs/; begin one by deno task ` +
        `${command}, or name the folder of one`,
    );
  }
  for (const folder of [given, `runs/${given}`]) {
    if (await exists(settingsPath(folder, kept))) return folder;
  }
  throw new UsageError(`--resume ${given}: there is no such ${noun}`);
}

async function newestBegun(kept: Kept): Promise<string | undefined> {
  const begun: { folder: string; time: number }[] = [];
  try {
    for await (const { name } of Deno.readDir("runs")) {
      const folder = `runs/${name}`;
      if (!await exists(settingsPath(folder, kept))) continue;
      const { mtime } = await Deno.stat(settingsPath(folder, kept));
      begun.push({ folder, time: mtime?.getTime() ?? 0 });
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return begun.sort((a, b) => b.time - a.time)[0]?.folder;
}
