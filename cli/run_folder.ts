/**
 * Where runs lie: folders in `runs/`, unless the user says otherwise.
 *
 * @module
 */

import { listCheckpoints } from "../train/mod.ts";
import { UsageError } from "./failure.ts";
import { exists, parent } from "./path.ts";
import { nearest } from "./suggestion.ts";

const runsFolder = "runs";

/**
 * A folder for a new run: `runs/2025-01-31-name`, and a number behind it if
 * there is one already.
 */
export async function newRunFolder(name: string, now: Date): Promise<string> {
  const day = [now.getFullYear(), now.getMonth() + 1, now.getDate()]
    .map((part) => String(part).padStart(2, "0")).join("-");
  const word = name.split("/").at(-1)!.replace(/(?<=.)\.[^.]*$/, "")
    .replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-|-$/g, "").slice(0, 40);
  const base = `${runsFolder}/${day}-${word || "text"}`;
  for (let i = 1;; i++) {
    const folder = i === 1 ? base : `${base}-${i}`;
    if (!await exists(folder)) return folder;
  }
}

/**
 * Makes sure that a folder is free for a new run, or can be made. A run that
 * ended before its first checkpoint can't go on, and may be replaced.
 *
 * @throws {UsageError} If it holds a run, or isn't a folder.
 */
export async function requireNoRun(folder: string): Promise<void> {
  let path = folder;
  while (!await exists(path)) path = parent(path);
  if (!(await Deno.stat(path)).isDirectory) {
    throw new UsageError(
      `--out ${folder}: ${path} is a file; name a folder, or one to be made`,
    );
  }
  if (path !== folder || (await listCheckpoints(folder)).length === 0) return;
  throw new UsageError(
    `--out ${folder}: holds a run; go on with it by --resume ${folder}, or ` +
      `choose another folder`,
  );
}

/**
 * The folder of a run that has a checkpoint.
 *
 * @param given A folder, the name of one in `runs/`, or `newest`.
 * @throws {UsageError} If there is no such run.
 */
export async function findRun(option: string, given: string): Promise<string> {
  const folder = await findModel(option, given);
  if (!await isCheckpoint(folder)) return folder;
  const run = parent(parent(folder));
  throw new UsageError(
    `${option} ${given}: is a checkpoint; a run goes on from its newest one: ` +
      `${option} ${run}`,
  );
}

/**
 * The folder of a run that has a checkpoint, or of a checkpoint.
 *
 * @param given A folder, the name of one in `runs/`, or `newest`.
 * @throws {UsageError} If there is no such folder.
 */
export async function findModel(
  option: string,
  given: string,
): Promise<string> {
  if (given === "newest") {
    const newest = (await listRuns())[0];
    if (newest !== undefined) return newest;
    throw new UsageError(
      `${option}: there is no run in ${runsFolder}/; ` +
        `make one by deno task train, or name the folder of one`,
    );
  }
  for (const folder of [given, `${runsFolder}/${given}`]) {
    if (!await exists(folder)) continue;
    const isModel = (await listCheckpoints(folder)).length > 0 ||
      await isCheckpoint(folder);
    if (isModel) return folder;
  }
  if (await exists(given)) {
    throw new UsageError(
      `${option} ${given}: holds no checkpoint of a run`,
    );
  }
  const hint = nearest(given, await listRuns());
  throw new UsageError(
    `${option} ${given}: there is no such run` +
      (hint === undefined ? "" : `; did you mean ${hint}?`),
  );
}

/** The runs in `runs/` that have a checkpoint, the newest first. */
async function listRuns(): Promise<string[]> {
  const runs: { folder: string; time: number }[] = [];
  if (!await exists(runsFolder)) return [];
  for await (const { name, isDirectory } of Deno.readDir(runsFolder)) {
    const folder = `${runsFolder}/${name}`;
    if (!isDirectory) continue;
    const newest = (await listCheckpoints(folder)).at(-1);
    if (newest === undefined) continue;
    const { mtime } = await Deno.stat(newest.path);
    runs.push({ folder, time: mtime?.getTime() ?? 0 });
  }
  return runs.sort((a, b) => b.time - a.time).map(({ folder }) => folder);
}

function isCheckpoint(folder: string): Promise<boolean> {
  return exists(`${folder}/manifest.json`);
}

/** What to tell of newer checkpoints than the one that is used. */
export function damageNotes(
  path: string,
  damaged: readonly string[] = [],
): string[] {
  return damaged.map((message) =>
    `${message.replace(/; use another checkpoint$/, "")}; ` +
    `${path} is used in its place`
  );
}
