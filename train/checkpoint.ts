/**
 * Checkpoints: folders `checkpoints/step-000123` of a run, with the parameters
 * and the optimizer's state as safetensors and `manifest.json`.
 *
 * A checkpoint is written under a temporary name, brought to the disk, then
 * renamed: a process killed at any time leaves the old ones and, perhaps, the
 * new one, each as a whole.
 *
 * @module
 */

import { readSafetensors, writeSafetensors } from "../models/mod.ts";
import { removeIfPresent, syncFolder, writeDurably } from "./durable_files.ts";
import type { HostArrays } from "./host_tensors.ts";
import {
  CheckpointError,
  type Manifest,
  manifestFormat,
  parseManifest,
  type Progress,
} from "./manifest.ts";
import { version } from "./version.ts";

/** What of a checkpoint is enough to use the model, not to train it on. */
export interface ModelCheckpoint {
  /** Its folder. */
  readonly path: string;
  /** What it says of itself. */
  readonly manifest: Manifest;
  /** The parameters by their paths in the model's tree. */
  readonly parameters: HostArrays;
  /** Newer checkpoints that are damaged, and how; usually none. */
  readonly damaged: readonly string[];
}

/** A checkpoint in memory. */
export interface Checkpoint extends ModelCheckpoint {
  /** The optimizer's slots by their paths. */
  readonly optimizer: HostArrays;
  /** What the block's next solve starts from, if it starts from anything. */
  readonly memory?: HostArrays;
}

/** A checkpoint that is about to be written. */
export interface CheckpointContents
  extends Pick<Checkpoint, "parameters" | "optimizer" | "memory"> {
  /** What it says of itself; the rest is filled in. */
  readonly manifest: Omit<Manifest, "format" | "version" | "files">;
}

/** Where a checkpoint lies. */
export interface CheckpointPlace {
  /** Steps done. */
  readonly step: number;
  /** Its folder. */
  readonly path: string;
}

const parameterFile = "parameters.safetensors";
const optimizerFile = "optimizer.safetensors";
const memoryFile = "memory.safetensors";
const manifestFile = "manifest.json";
const partial = /^\.step-\d+\.partial$/;

function folderOf(run: string): string {
  return `${run}/checkpoints`;
}

function nameOf(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

/**
 * The checkpoints of a run, oldest first; none where there is no such folder.
 * They are not looked into.
 */
export async function listCheckpoints(
  run: string,
): Promise<CheckpointPlace[]> {
  const places: CheckpointPlace[] = [];
  for (const name of await namesIn(folderOf(run))) {
    const step = /^step-(\d+)$/.exec(name)?.[1];
    if (step === undefined) continue;
    places.push({ step: Number(step), path: `${folderOf(run)}/${name}` });
  }
  return places.sort((a, b) => a.step - b.step);
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return names;
}

/**
 * Writes a checkpoint into the folder of a run; returns its own folder. Where
 * that fails nothing of it stays, and other checkpoints are as they were.
 */
export async function saveCheckpoint(
  run: string,
  contents: CheckpointContents,
): Promise<string> {
  const folder = folderOf(run);
  const name = nameOf(contents.manifest.progress.step);
  const path = `${folder}/${name}`;
  const temporary = `${folder}/.${name}.partial`;
  await removeIfPresent(temporary);
  try {
    await writeCheckpoint(temporary, contents);
  } catch (error) {
    // A full disk, most likely: the run may need the room.
    await removeIfPresent(temporary);
    throw error;
  }
  // What has this name already is damaged, or the run would have gone on there.
  await removeIfPresent(path);
  await Deno.rename(temporary, path);
  await syncFolder(folder);
  return path;
}

async function writeCheckpoint(
  folder: string,
  contents: CheckpointContents,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const contentsOf: Record<string, Uint8Array<ArrayBuffer>> = {
    [parameterFile]: writeSafetensors(contents.parameters),
    [optimizerFile]: writeSafetensors(contents.optimizer),
    ...(contents.memory && {
      [memoryFile]: writeSafetensors(contents.memory),
    }),
  };
  const files: Record<string, Manifest["files"][string]> = {};
  for (const [file, bytes] of Object.entries(contentsOf)) {
    files[file] = { bytes: bytes.length, sha256: await sha256(bytes) };
    await writeDurably(`${folder}/${file}`, bytes);
  }
  const manifest: Manifest = {
    format: manifestFormat,
    version,
    ...contents.manifest,
    files,
  };
  const text = JSON.stringify(manifest, undefined, 2) + "\n";
  await writeDurably(
    `${folder}/${manifestFile}`,
    new TextEncoder().encode(text),
  );
  await syncFolder(folder);
}

/** Removes what killed writes left behind. */
export async function removePartialCheckpoints(run: string): Promise<void> {
  for (const name of await namesIn(folderOf(run))) {
    if (partial.test(name)) await removeIfPresent(`${folderOf(run)}/${name}`);
  }
}

/**
 * Removes all but the newest checkpoints and that of the best loss. Later ones
 * than the run's step are damaged, or it would have gone on there; they are
 * replaced when it comes to them.
 */
export async function pruneCheckpoints(
  run: string,
  keep: number,
  progress: Progress,
): Promise<void> {
  const places = (await listCheckpoints(run))
    .filter(({ step }) => step <= progress.step);
  for (const { step, path } of places.slice(0, -keep)) {
    if (step === progress.best?.step) continue;
    // Renamed first, for half a checkpoint must not look like one.
    const temporary = `${folderOf(run)}/.${nameOf(step)}.partial`;
    await removeIfPresent(temporary);
    await Deno.rename(path, temporary);
    await removeIfPresent(temporary);
  }
}

/**
 * Reads a checkpoint: the newest whole one of a run, or the one whose own
 * folder is given.
 *
 * @throws {CheckpointError} If there is none or all are damaged; the message
 * names the file.
 *
 * @example
 * ```ts
 * import { CheckpointError, loadCheckpoint } from "@layerbraid/layerbraid/train";
 *
 * try {
 *   const { manifest } = await loadCheckpoint("runs/nowhere");
 *   console.log(manifest.progress.step);
 * } catch (error) {
 *   console.log(error instanceof CheckpointError); // true
 * }
 * ```
 */
export function loadCheckpoint(folder: string): Promise<Checkpoint> {
  return loadNewest(folder, async (path, damaged) => {
    const model = await readModel(path, damaged);
    const { manifest } = model;
    const optimizer = await readArrays(path, optimizerFile, manifest);
    if (!(memoryFile in manifest.files)) return { ...model, optimizer };
    const memory = await readArrays(path, memoryFile, manifest);
    return { ...model, optimizer, memory };
  });
}

/**
 * As {@linkcode loadCheckpoint}, but without the optimizer's state, which may
 * be missing.
 *
 * @throws {CheckpointError} If there is none or all are damaged; the message
 * names the file.
 */
export function loadModelCheckpoint(folder: string): Promise<ModelCheckpoint> {
  return loadNewest(folder, readModel);
}

/** The newest checkpoint that can be read, or the one of this very folder. */
async function loadNewest<C>(
  folder: string,
  read: (path: string, damaged: readonly string[]) => Promise<C>,
): Promise<C> {
  const path = folder.replace(/(?<=.)\/+$/, "");
  if (await exists(`${path}/${manifestFile}`)) return await read(path, []);
  const places = await listCheckpoints(path);
  if (places.length === 0) {
    throw new CheckpointError(
      `${path}: holds no checkpoint: there is neither ${manifestFile} nor ` +
        `checkpoints/step-… in it; give the folder of a run or of a checkpoint`,
    );
  }
  const damaged: string[] = [];
  for (const place of places.reverse()) {
    try {
      return await read(place.path, damaged);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      damaged.push(error.message);
    }
  }
  throw new CheckpointError(
    `${path}: no checkpoint can be read:\n${damaged.join("\n")}`,
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory;
}

async function readModel(
  path: string,
  damaged: readonly string[],
): Promise<ModelCheckpoint> {
  const text = new TextDecoder().decode(
    await readBytes(`${path}/${manifestFile}`),
  );
  const manifest = parseManifest(`${path}/${manifestFile}`, text);
  return {
    path,
    manifest,
    parameters: await readArrays(path, parameterFile, manifest),
    damaged: [...damaged],
  };
}

async function readArrays(
  folder: string,
  name: string,
  { files }: Manifest,
): Promise<HostArrays> {
  const path = `${folder}/${name}`;
  const bytes = await readBytes(path);
  const expected = files[name];
  if (expected === undefined) {
    throw new CheckpointError(
      `${folder}/${manifestFile}: doesn't list ${name}; use another checkpoint`,
    );
  }
  if (bytes.length !== expected.bytes) {
    throw new CheckpointError(
      `${path}: is damaged: it has ${bytes.length} bytes, not ` +
        `${expected.bytes}; use another checkpoint`,
    );
  }
  if (await sha256(bytes) !== expected.sha256) {
    throw new CheckpointError(
      `${path}: is damaged: its SHA-256 differs from the manifest's; ` +
        `use another checkpoint`,
    );
  }
  return readSafetensors(bytes).arrays;
}

async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CheckpointError(`${path}: is missing; use another checkpoint`, {
      cause: error,
    });
  }
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
