/**
 * Paths of files and folders.
 *
 * @module
 */

/** Whether there is a file or folder. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Whether something failed since there is no such file or folder, or only one
 * that Deno lets nobody see, such as those in /proc.
 */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.NotCapable;
}

/** The folder that a file or folder lies in. */
export function parent(path: string): string {
  return /^(.*[^/\\])[/\\]+[^/\\]+[/\\]*$/.exec(path)?.[1] ??
    (/^[/\\]/.test(path) ? "/" : ".");
}

/**
 * Goes to the folder that `deno task` was called in, so that paths are relative
 * to that: it runs tasks in the project's, and says in `INIT_CWD` which it was.
 */
export function enterCallersFolder(): void {
  const project = Deno.realPathSync(new URL("..", import.meta.url));
  if (Deno.realPathSync(Deno.cwd()) !== project) return;
  const folder = Deno.env.get("INIT_CWD");
  try {
    if (folder) Deno.chdir(folder);
  } catch (error) {
    // Another program said it, long ago.
    if (!isMissing(error)) throw error;
  }
}

/** A path as a shell takes it. */
export function shellWord(path: string): string {
  return /^[\w./:-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
