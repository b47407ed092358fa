import { CorpusError } from "./corpus_error.ts";
import type { Picture } from "./picture.ts";

/**
 * A binary portable grey map (`P5`) or pixmap (`P6`) of Netpbm, with values of
 * one or two bytes; they are scaled to 0 … 255.
 *
 * @param name How errors call it.
 * @throws {CorpusError} If the bytes aren't such an image.
 */
export function parsePortablePixmap(
  bytes: Uint8Array,
  name: string,
): Picture {
  const { fields: [kind, ...numbers], end } = readHeader(bytes);
  const channels = kind === "P5" ? 1 : 3;
  if (kind !== "P5" && kind !== "P6") {
    throw new CorpusError(
      `${name}: a Netpbm image of the kind "${kind}"; expected P5 or P6`,
    );
  }
  const [width, height, most] = numbers.map(Number);
  if (!(width > 0 && height > 0 && most > 0 && most < 65536)) {
    throw new CorpusError(
      `${name}: its header says "${[kind, ...numbers].join(" ")}"; expected ` +
        `${kind}, width, height and the largest value, 1 … 65535`,
    );
  }
  const valueBytes = most < 256 ? 1 : 2;
  const count = width * height * channels;
  if (bytes.length - end < count * valueBytes) {
    throw new CorpusError(
      `${name}: ${bytes.length - end} bytes after the header; expected ` +
        `${width} × ${height} × ${channels * valueBytes} = ${
          count * valueBytes
        }`,
    );
  }
  const value = valueBytes === 1
    ? (place: number) => bytes[end + place]
    : (place: number) =>
      bytes[end + 2 * place] * 256 + bytes[end + 2 * place + 1];
  const pixels = new Uint8Array(count);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const scaled = value(pixel * channels + channel) * 255 / most;
      pixels[channel * width * height + pixel] = Math.min(
        255,
        Math.round(scaled),
      );
    }
  }
  return { channels, height, width, pixels };
}

/** Four fields between white space, and where the pixels begin. */
function readHeader(bytes: Uint8Array): { fields: string[]; end: number } {
  const fields: string[] = [];
  let field = "";
  let place = 0;
  for (; place < bytes.length && fields.length < 4; place++) {
    const character = String.fromCharCode(bytes[place]);
    if (character === "#") {
      while (place < bytes.length && bytes[place] !== 0x0a) place++;
    } else if (!/\s/.test(character)) {
      field += character;
      continue;
    }
    if (field !== "") fields.push(field);
    field = "";
  }
  return { fields, end: place };
}
