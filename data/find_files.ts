import { CorpusError } from "./corpus_error.ts";
import { fileInfo, folderEntries } from "./file_access.ts";

/** What a path stands for. */
export interface FoundFiles {
  /** The files, sorted by path. */
  readonly files: readonly string[];
  /** Whether the path is a folder, in which not every file need be text. */
  readonly fromFolder: boolean;
}

/**
 * The files that a path stands for: a file, all files in a folder and its
 * subfolders, or those that match a pattern with `*`, `**` (any folders) and
 * `?`. Names that begin with a dot are passed over in folders, and by
 * patterns that don't begin with one. Links to folders are not followed.
 *
 * @throws {CorpusError} If there is no such path or no file in it.
 */
export async function findFiles(path: string): Promise<FoundFiles> {
  if (Deno.build.os === "windows") path = path.replaceAll("\\", "/");
  const info = await fileInfo(path);
  if (info?.isFile) return { files: [path], fromFolder: false };
  if (info?.isDirectory) {
    const files = await matchSorted(trimSlash(path), ["**"]);
    if (files.length > 0) return { files, fromFolder: true };
    throw new CorpusError(`${path}: the folder holds no files`);
  }
  if (info !== undefined) {
    throw new CorpusError(`${path}: expected a file or a folder`);
  }
  if (!/[*?]/.test(path)) {
    throw new CorpusError(`${path}: no such file or folder`);
  }
  const segments = path.split("/").filter((segment) => segment !== ".");
  const root = path.startsWith("/") ? "/" : "";
  const files = await matchSorted(root, segments.filter((s) => s !== ""));
  if (files.length > 0) return { files, fromFolder: false };
  throw new CorpusError(`${path}: no file matches the pattern`);
}

function trimSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

async function matchSorted(
  folder: string,
  segments: readonly string[],
): Promise<string[]> {
  const files = new Set<string>();
  await match(folder, segments, files);
  return [...files].sort();
}

/** Adds the files under `folder` that match a pattern, given in segments. */
async function match(
  folder: string,
  segments: readonly string[],
  files: Set<string>,
): Promise<void> {
  const [first, ...rest] = segments;
  const isLast = rest.length === 0;
  if (!/[*?]/.test(first)) {
    const path = join(folder, first);
    const info = await fileInfo(path);
    if (isLast && info?.isFile) files.add(path);
    if (!isLast && info?.isDirectory) await match(path, rest, files);
    return;
  }
  const anyFolders = first === "**";
  if (anyFolders && !isLast) await match(folder, rest, files);
  const name = nameRegExp(anyFolders ? "*" : first);
  for (const entry of await folderEntries(folder === "" ? "." : folder)) {
    if (!name.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory) {
      if (anyFolders) await match(path, segments, files);
      else if (!isLast) await match(path, rest, files);
    } else if (isLast && (await fileInfo(path))?.isFile) {
      files.add(path);
    }
  }
}

function join(folder: string, name: string): string {
  return folder === "" || folder.endsWith("/")
    ? folder + name
    : `${folder}/${name}`;
}

/** What a name must look like to match one segment of a pattern. */
function nameRegExp(segment: string): RegExp {
  const body = RegExp.escape(segment)
    .replaceAll("\\*", ".*")
    .replaceAll("\\?", ".");
  const hidden = segment.startsWith(".") ? "" : "(?!\\.)";
  return new RegExp(`^${hidden}${body}$`, "su");
}
