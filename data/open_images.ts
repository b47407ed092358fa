import { readCifar10 } from "./cifar10.ts";
import { CorpusError } from "./corpus_error.ts";
import { fileInfo, folderEntries } from "./file_access.ts";
import { findFiles } from "./find_files.ts";
import { findIdxFiles, labelsName, readIdxImages } from "./idx.ts";
import { readImageFolder } from "./image_folder.ts";
import { type ImageSet, joinImages, requireLike } from "./image_set.ts";

/** Images as they lie in files. */
export interface OpenedImages {
  /** Images to train on. */
  readonly training: ImageSet;
  /** Images to measure on, where the files keep them apart. */
  readonly validation?: ImageSet;
}

/**
 * Reads images of any kind known here; each path is
 *
 * - a folder with IDX files, found by their names; those called `t10k`,
 *   `test` or `val` are for validation if there are others
 * - a folder with CIFAR-10's binary files; `test_batch.bin` is for validation
 * - a folder with a folder of PNG, PPM or PGM images for each class, or with
 *   folders `train` and `test` (or `validation`, `val`) of such folders
 * - a `.bin` file of CIFAR-10, or an IDX file of images whose labels lie beside
 *   it
 *
 * Several paths, and several files of a folder, are joined. All is read into
 * memory.
 *
 * @throws {CorpusError} If a path can't be read or isn't any of these, or the
 * images differ in size.
 */
export async function openImages(
  paths: readonly string[],
): Promise<OpenedImages> {
  const parts: { images: ImageSet; isTest: boolean }[] = [];
  for (const path of paths) {
    const info = await fileInfo(path);
    if (info === undefined) {
      throw new CorpusError(`${path}: no such file or folder`);
    }
    parts.push(
      ...info.isDirectory ? await openFolder(path) : [await openFile(path)],
    );
  }
  const tests = parts.filter(({ isTest }) => isTest);
  const others = parts.filter(({ isTest }) => !isTest);
  const [training, validation] = others.length > 0
    ? [others, tests]
    : [tests, []];
  const join = (parts: readonly { images: ImageSet }[]) =>
    joinImages(parts.map(({ images }) => images));
  const joined = join(training);
  if (validation.length === 0) return { training: joined };
  const measured = join(validation);
  requireLike(joined, measured);
  return { training: joined, validation: measured };
}

type Part = { readonly images: ImageSet; readonly isTest: boolean };

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether a file or folder is called as one is whose images are kept apart. */
function isTestName(path: string): boolean {
  return /(^|[-_.])(t10k|test|val)/i.test(nameOf(path));
}

async function openFile(path: string): Promise<Part> {
  if (path.endsWith(".bin")) {
    return { images: await readCifar10(path), isTest: isTestName(path) };
  }
  const files = [path];
  const labels = labelsName(path.replace(/\.gz$/, ""));
  for (const name of [labels, `${labels}.gz`]) {
    if ((await fileInfo(name))?.isFile) files.push(name);
  }
  const [pair] = findIdxFiles(files);
  if (pair === undefined) {
    throw new CorpusError(
      `${path}: expected a folder, a ".bin" file of CIFAR-10, or an IDX file ` +
        `with "images" in its name`,
    );
  }
  return {
    images: await readIdxImages(pair.images, pair.labels),
    isTest: isTestName(path),
  };
}

async function openFolder(folder: string): Promise<Part[]> {
  const { files } = await findFiles(folder);
  const direct = files.filter((path) =>
    path.lastIndexOf("/") === folder.replace(/\/+$/, "").length
  );
  const pairs = findIdxFiles(direct);
  if (pairs.length > 0) {
    return await Promise.all(pairs.map(async ({ images, labels }) => ({
      images: await readIdxImages(images, labels),
      isTest: isTestName(images),
    })));
  }
  const batches = direct.filter((path) =>
    /^(data|test)_batch.*\.bin$/.test(nameOf(path))
  );
  if (batches.length > 0) return await Promise.all(batches.map(openFile));
  const parts = await partFolders(folder);
  return await Promise.all(
    parts.map(async (path) => ({
      images: await readImageFolder(path),
      isTest: parts.length > 1 && isTestName(path),
    })),
  );
}

/** The folders `train` and `test` in a folder, or the folder itself. */
async function partFolders(folder: string): Promise<string[]> {
  const names = (await folderEntries(folder))
    .filter(({ name, isDirectory }) => isDirectory && !name.startsWith("."))
    .map(({ name }) => name);
  const isPart = (name: string) =>
    /^(train|training|test|val|validation)$/i.test(name);
  const trains = names.some((name) => /^train/i.test(name));
  return names.length > 1 && trains && names.every(isPart)
    ? names.sort().map((name) => `${folder.replace(/\/+$/, "")}/${name}`)
    : [folder];
}
