import { CorpusError } from "./corpus_error.ts";

/**
 * What an action on a user's file or folder gives.
 *
 * @throws {CorpusError} If the system refuses it: the path and why.
 */
export async function accessing<T>(
  path: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw refusal(path, error) ?? error;
  }
}

function refusal(path: string, error: unknown): CorpusError | undefined {
  if (error instanceof Deno.errors.NotFound) {
    return new CorpusError(`${path}: no such file`);
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return new CorpusError(`${path}: is a folder; expected a file`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new CorpusError(
      `${path}: can't be read: permission denied; allow it, or name another`,
    );
  }
  const isFromSystem = error instanceof Deno.errors.NotCapable ||
    error instanceof Error && /\(os error \d+\)/.test(error.message);
  if (!isFromSystem) return undefined;
  const reason = error.message.replace(/ \(os error \d+\).*/s, "");
  return new CorpusError(`${path}: can't be read: ${reason}`);
}

/**
 * What a path leads to; `undefined` if nothing.
 *
 * @throws {CorpusError} If the system doesn't say.
 */
export function fileInfo(path: string): Promise<Deno.FileInfo | undefined> {
  return accessing(path, async () => {
    try {
      return await Deno.stat(path);
    } catch (error) {
      if (
        error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotADirectory
      ) return undefined;
      throw error;
    }
  });
}

/**
 * What lies in a folder, in no order.
 *
 * @throws {CorpusError} If it can't be read.
 */
export function folderEntries(path: string): Promise<Deno.DirEntry[]> {
  return accessing(path, () => Array.fromAsync(Deno.readDir(path)));
}

/**
 * The bytes of a file that isn't empty.
 *
 * @throws {CorpusError} If it can't be read, or is empty.
 */
export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await accessing(path, () => Deno.readFile(path));
  if (bytes.length > 0) return bytes;
  throw new CorpusError(`${path}: the file is empty`);
}
