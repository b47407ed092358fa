/**
 * One process at a time trains in a folder.
 *
 * @module
 */

import { UsageError } from "./failure.ts";
import { exists, isMissing, parent } from "./path.ts";

/**
 * Makes the folder of a run and keeps other processes from training in it,
 * until this one disposes of the claim or ends, however it ends. A folder that
 * is empty then is removed.
 *
 * @throws {UsageError} If another process trains in it, or it can't be made.
 */
export async function claimRun(folder: string): Promise<Disposable> {
  try {
    const made = await makeFolders(folder);
    const path = `${folder}/running.lock`;
    const file = await lock(path);
    if (file !== undefined) {
      return {
        [Symbol.dispose]: () => {
          Deno.removeSync(path);
          file.close();
          removeEmpty(made);
        },
      };
    }
    throw new UsageError(
      `${folder}: the process ${await owner(path)} trains in it; wait until ` +
        `it has ended, or choose another folder by --out`,
    );
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `${folder}: a run can't be saved there (${(error as Error).message}); ` +
        `choose another folder by --out`,
    );
  }
}

/** Makes a folder; returns those that were missing, the innermost first. */
async function makeFolders(folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (let path = folder; !await exists(path); path = parent(path)) {
    missing.push(path);
  }
  await Deno.mkdir(folder, { recursive: true });
  return missing;
}

/** A file locked by this process; `undefined` if another one has locked it. */
async function lock(path: string): Promise<Deno.FsFile | undefined> {
  for (;;) {
    const file = await Deno.open(path, {
      read: true,
      write: true,
      create: true,
    });
    // The system unlocks it when the process ends, even by being killed.
    if (!await file.tryLock(true)) {
      file.close();
      return undefined;
    }
    // Its last owner may have removed it after it was opened.
    if (await isAt(file, path)) {
      await file.truncate();
      await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
      return file;
    }
    file.close();
  }
}

async function isAt(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).ino === (await file.stat()).ino;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function owner(path: string): Promise<string> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch {
    // Windows lets nobody read what another process has locked.
    return "of another program";
  }
}

function removeEmpty(folders: readonly string[]): void {
  try {
    for (const folder of folders) Deno.removeSync(folder);
  } catch {
    // It holds something.
  }
}
