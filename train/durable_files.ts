/**
 * Files that are there as a whole or not at all, whatever happens to the
 * process or the machine.
 *
 * @module
 */

/** Writes a file and waits until the disk has it. */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  using file = await Deno.create(path);
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
  await file.sync();
}

/** Waits until the disk knows of the files in a folder. */
export async function syncFolder(path: string): Promise<void> {
  // Windows opens no folders, and orders its own journal.
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path);
  await folder.sync();
}

/** Replaces a file by a new one, in one instant. */
export async function replaceFile(
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = `${path}.partial`;
  await writeDurably(temporary, bytes);
  await Deno.rename(temporary, path);
}

/** Removes a file or folder, if it is there. */
export async function removeIfPresent(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
