import { CorpusError } from "./corpus_error.ts";
import { folderEntries, readFile } from "./file_access.ts";
import { findFiles } from "./find_files.ts";
import type { ImageSet } from "./image_set.ts";
import type { Picture } from "./picture.ts";
import { parsePng } from "./png.ts";
import { parsePortablePixmap } from "./portable_pixmap.ts";

/** Whether a file is called as the images are that can be read. */
function isPicturePath(path: string): boolean {
  return /\.(png|ppm|pgm|pnm)$/i.test(path);
}

/**
 * Reads a PNG, PPM or PGM image, whichever its first bytes say.
 *
 * @throws {CorpusError} If it can't be read or isn't one of these.
 */
export async function readPicture(path: string): Promise<Picture> {
  const bytes = await readFile(path);
  if (bytes[0] === 0x89) return await parsePng(bytes, path);
  const isPortable = bytes[0] === 0x50 &&
    /\d/.test(String.fromCharCode(bytes[1]));
  if (isPortable) return parsePortablePixmap(bytes, path);
  throw new CorpusError(
    `${path}: not a PNG, PPM or PGM image, whatever its name says; convert it`,
  );
}

/**
 * Images in folders: each folder in `folder` is a class, and the PNG, PPM and
 * PGM files in it, or in folders in it, are its images; other files are passed
 * over. Classes, and the images of each, are sorted by name. The images of all
 * classes are spread evenly, so that any part of the set has its share of each
 * class. If any image has colours, all have three channels.
 *
 * @throws {CorpusError} If there are no classes, a class has no images, an
 * image can't be read, or images differ in size.
 */
export async function readImageFolder(folder: string): Promise<ImageSet> {
  const name = folder.length > 1 ? folder.replace(/\/+$/, "") : folder;
  const classes = (await folderEntries(name))
    .filter(({ name, isDirectory }) => isDirectory && !name.startsWith("."))
    .map(({ name }) => name).sort();
  if (classes.length === 0) {
    throw new CorpusError(
      `${name}: holds no images; expected a folder for each class, with PNG, ` +
        `PPM or PGM images in it, or IDX files with "images" in their names, ` +
        `or CIFAR-10's data_batch_1.bin and others`,
    );
  }
  const images = spread(
    await Promise.all(
      classes.map((entry) => picturePaths(`${name}/${entry}`)),
    ),
  );
  const pictures: Picture[] = [];
  for (const { path } of images) {
    const picture = await readPicture(path);
    pictures.push(picture);
    requireSize(images[0].path, pictures[0], path, picture);
  }
  const [{ height, width }] = pictures;
  const channels = pictures.some(({ channels }) => channels === 3) ? 3 : 1;
  const size = height * width;
  const pixels = new Uint8Array(pictures.length * channels * size);
  pictures.forEach((picture, image) => {
    for (let channel = 0; channel < channels; channel++) {
      const from = picture.channels === 1 ? 0 : channel * size;
      pixels.set(
        picture.pixels.subarray(from, from + size),
        (image * channels + channel) * size,
      );
    }
  });
  const count = pictures.length;
  const shape = { channels, height, width };
  return {
    name,
    count,
    ...shape,
    pixels,
    labels: Int32Array.from(images, ({ label }) => label),
    classes,
  };
}

/** Paths of each class as one list in which every class is spread evenly. */
function spread(
  classes: readonly (readonly string[])[],
): { readonly path: string; readonly label: number }[] {
  return classes
    .flatMap((paths, label) =>
      paths.map((path, place) => ({
        path,
        label,
        place: (place + 0.5) / paths.length,
      }))
    )
    .sort((a, b) => a.place - b.place);
}

async function picturePaths(folder: string): Promise<string[]> {
  const { files } = await findFiles(folder);
  const pictures = files.filter(isPicturePath);
  if (pictures.length > 0) return pictures;
  throw new CorpusError(
    `${folder}: none of the ${files.length} files in it is a PNG, PPM or PGM ` +
      `image; convert them`,
  );
}

function requireSize(
  firstPath: string,
  { width, height }: Picture,
  path: string,
  given: Picture,
): void {
  if (given.width === width && given.height === height) return;
  throw new CorpusError(
    `${path}: an image of ${given.width} × ${given.height}; expected ` +
      `${width} × ${height}, the size of ${firstPath}`,
  );
}
