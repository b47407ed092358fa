/**
 * Translations of programs' messages: compiled gettext catalogues, `.mo` ("The
 * Format of GNU MO Files" in the manual of GNU gettext).
 *
 * @module
 */

import { CorpusError } from "./corpus_error.ts";
import { fileInfo, folderEntries, readFile } from "./file_access.ts";
import type { SentencePair } from "./sentence_pair.ts";

const magic = 0x950412de;
const headerBytes = 20;

/**
 * The messages of a catalogue and their translations, in either byte order and
 * the charset that its header names. Contexts are dropped; of a message with
 * plural forms the singular and its first form are taken; messages without a
 * translation and the header are left out. Markup, line breaks and formats such
 * as `%s` stay; white space around a message is dropped.
 *
 * @param name How errors call the catalogue.
 * @throws {CorpusError} If the bytes aren't a catalogue, point outside
 * themselves, or aren't in their charset.
 */
export function parseGettextCatalogue(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
): SentencePair[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const littleEndian = byteOrder(view, name);
  const number = (place: number) => view.getUint32(place, littleEndian);
  const revision = number(4) >>> 16;
  if (revision > 1) {
    throw new CorpusError(
      `${name}: a catalogue of revision ${revision}; expected 0 or 1`,
    );
  }
  const count = number(8);
  const tables = [number(12), number(16)];
  const text = (table: number, entry: number): Uint8Array<ArrayBuffer> => {
    const place = table + 8 * entry;
    if (place + 8 > bytes.length) {
      throw new CorpusError(
        `${name}: entry ${entry} of ${count} is at byte ${place}, behind the ` +
          `end at ${bytes.length}; the file is cut off or damaged`,
      );
    }
    const [length, start] = [number(place), number(place + 4)];
    if (start + length > bytes.length) {
      throw new CorpusError(
        `${name}: entry ${entry} has ${length} bytes from byte ${start} on, ` +
          `behind the end at ${bytes.length}; the file is cut off or damaged`,
      );
    }
    return bytes.subarray(start, start + length);
  };
  const decoder = catalogueDecoder(
    count > 0 && text(tables[0], 0).length === 0
      ? text(tables[1], 0)
      : undefined,
    name,
  );
  const pairs: SentencePair[] = [];
  for (let entry = 0; entry < count; entry++) {
    const [source, target] = tables.map((table) =>
      decode(decoder, text(table, entry), entry, name).split("\0")[0].trim()
    );
    // A context stands before its message with an End of Transmission between.
    const message = source.slice(source.indexOf("\x04") + 1).trim();
    if (message !== "" && target !== "") {
      pairs.push({ source: message, target });
    }
  }
  return pairs;
}

/** Whether numbers are little-endian. */
function byteOrder(view: DataView, name: string): boolean {
  if (view.byteLength < headerBytes) {
    throw new CorpusError(
      `${name}: ${view.byteLength} bytes; a gettext catalogue has at least ` +
        `${headerBytes}`,
    );
  }
  if (view.getUint32(0, true) === magic) return true;
  if (view.getUint32(0, false) === magic) return false;
  throw new CorpusError(
    `${name}: not a gettext catalogue: it begins with 0x${
      view.getUint32(0, true).toString(16).padStart(8, "0")
    }; expected 0x${magic.toString(16)} in either byte order`,
  );
}

/** Decodes the charset that a catalogue's header names; UTF-8 if none. */
function catalogueDecoder(
  header: Uint8Array<ArrayBuffer> | undefined,
  name: string,
): TextDecoder {
  const charset = new TextDecoder().decode(header)
    .match(/^content-type:.*\bcharset=\s*([^\s;]+)/im)?.[1];
  // Templates say CHARSET until someone fills it in.
  const label = charset === undefined || charset === "CHARSET"
    ? "utf-8"
    : charset;
  try {
    return new TextDecoder(label, { fatal: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorpusError(
      `${name}: its header names the charset "${label}", which isn't known; ` +
        `expected one such as UTF-8: convert it by msgconv`,
    );
  }
}

function decode(
  decoder: TextDecoder,
  bytes: Uint8Array<ArrayBuffer>,
  entry: number,
  name: string,
): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CorpusError(
      `${name}: entry ${entry} isn't valid ${decoder.encoding}`,
    );
  }
}

/**
 * The messages of all catalogues of a language, `LANGUAGE/LC_MESSAGES/*.mo` in
 * a folder such as `/usr/share/locale`, sorted by file; or those of one `.mo`
 * file. A pair that comes again is left out.
 *
 * @throws {CorpusError} If there are no catalogues of the language, or one is
 * broken.
 */
export async function readGettextCatalogues(
  path: string,
  language: string,
): Promise<SentencePair[]> {
  const seen = new Set<string>();
  const pairs: SentencePair[] = [];
  for (const file of await cataloguePaths(path, language)) {
    for (const pair of parseGettextCatalogue(await readFile(file), file)) {
      const key = `${pair.source}\0${pair.target}`;
      if (seen.has(key)) continue;
      seen.add(key);
      pairs.push(pair);
    }
  }
  if (pairs.length > 0) return pairs;
  throw new CorpusError(`${path}: holds no translated messages`);
}

async function cataloguePaths(
  path: string,
  language: string,
): Promise<string[]> {
  if (path.endsWith(".mo")) return [path];
  const messages = `${path.replace(/\/+$/, "")}/${language}/LC_MESSAGES`;
  const names = (await entriesOf(messages) ?? [])
    .filter((name) => name.endsWith(".mo")).sort();
  if (names.length > 0) return names.map((name) => `${messages}/${name}`);
  const languages = await entriesOf(path);
  if (languages === undefined) {
    throw new CorpusError(`${path}: no such folder`);
  }
  const others = languages.sort().slice(0, 20).join(", ") || "nothing";
  throw new CorpusError(
    `${messages}: holds no catalogues (.mo); in ${path} there are ` +
      `${others}${languages.length > 20 ? ", …" : ""}`,
  );
}

/** The names in a folder; `undefined` if there is none. */
async function entriesOf(folder: string): Promise<string[] | undefined> {
  if (!(await fileInfo(folder))?.isDirectory) return undefined;
  return (await folderEntries(folder)).map(({ name }) => name);
}
