import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CorpusError,
  parsePng,
  parsePortablePixmap,
  readImageFolder,
} from "../../data/mod.ts";
import { encodePng, type PngImage } from "./encode_png.ts";
import { inFolder } from "./in_folder.ts";

/** Rows of bytes that no filter makes simple. */
function rows(height: number, rowBytes: number): number[][] {
  return Array.from(
    { length: height },
    (_, y) =>
      Array.from({ length: rowBytes }, (_, x) => (x * x * 7 + y * 31) % 256),
  );
}

/** Pixels in the order `[channels, height, width]`. */
function planes(rows: readonly number[][], samples: number): number[] {
  return Array.from(
    { length: samples },
    (_, sample) =>
      rows.flatMap((row) =>
        row.filter((_, place) => place % samples === sample)
      ),
  ).flat();
}

async function pixels(image: PngImage): Promise<number[]> {
  return [...(await parsePng(await encodePng(image), "x.png")).pixels];
}

Deno.test("PNG: grey and colours of 8 bits, through every filter", async () => {
  const filters = [4, 3, 2, 1, 0, 1, 2, 3, 4];
  const size = { width: 5, height: 9, depth: 8, filters };
  const grey = { ...size, colour: 0, rows: rows(9, 5) };
  assertEquals(await pixels(grey), grey.rows.flat());
  const colours = { ...size, colour: 2, rows: rows(9, 15) };
  const picture = await parsePng(await encodePng(colours), "x.png");
  assertEquals([...picture.pixels], planes(colours.rows, 3));
  assertEquals([picture.channels, picture.height, picture.width], [3, 9, 5]);
});

Deno.test("PNG: palettes, and less than 8 bits a sample", async () => {
  const image = {
    width: 3,
    height: 1,
    colour: 0,
    depth: 2,
    rows: [[0b00011100]],
  };
  assertEquals(await pixels(image), [0, 85, 255]);
  const PLTE = [255, 0, 0, 0, 255, 0, 0, 0, 255];
  const indexed = { ...image, colour: 3, chunks: { PLTE } };
  assertEquals(
    await pixels({ ...indexed, rows: [[0b00011000]] }),
    [255, 0, 0, 0, 255, 0, 0, 0, 255],
  );
  const tRNS = [0];
  assertEquals(
    await pixels({
      ...indexed,
      rows: [[0b00011000]],
      chunks: { PLTE, tRNS },
    }),
    [255, 0, 0, 255, 255, 0, 255, 0, 255],
  );
  await assertRejects(
    () => pixels(indexed),
    CorpusError,
    "x.png: pixel 2 is colour 3 of a palette of 3",
  );
});

Deno.test("PNG: what is transparent shows white; 16 bits are cut to 8", async () => {
  const size = { width: 3, height: 1 };
  assertEquals(
    await pixels({
      ...size,
      colour: 4,
      depth: 8,
      rows: [[100, 255, 100, 0, 55, 51]],
    }),
    [100, 255, 215],
  );
  assertEquals(
    await pixels({
      ...size,
      colour: 6,
      depth: 8,
      rows: [[9, 8, 7, 255, 9, 8, 7, 0, 0, 255, 0, 51]],
    }),
    [9, 255, 204, 8, 255, 255, 7, 255, 204],
  );
  assertEquals(
    await pixels({
      ...size,
      colour: 0,
      depth: 16,
      rows: [[1, 200, 2, 0, 255, 255]],
      chunks: { tRNS: [2, 0] },
    }),
    [1, 255, 255],
  );
});

Deno.test("PNG: colours that are all grey have one channel", async () => {
  const { channels } = await parsePng(
    await encodePng({
      width: 1,
      height: 1,
      colour: 2,
      depth: 8,
      rows: [[4, 4, 4]],
    }),
    "x.png",
  );
  assertEquals(channels, 1);
});

Deno.test("PNG: what can't be read is told", async () => {
  const image = { width: 2, height: 2, colour: 0, depth: 8, rows: rows(2, 2) };
  const whole = await encodePng(image);
  const damaged = whole.slice();
  damaged[20] ^= 1;
  const broken: [Uint8Array<ArrayBuffer>, string][] = [
    [new TextEncoder().encode("GIF89a"), "not a PNG image"],
    [whole.slice(0, -13), "the PNG image is cut off"],
    [whole.slice(0, 9), "the PNG image is cut off"],
    [damaged, "the checksum of IHDR at byte 8 is wrong"],
    [
      await encodePng({ ...image, interlace: 1 }),
      "an interlaced PNG image; save it without interlacing",
    ],
    [await encodePng({ ...image, filters: [5] }), "row 0 has filter 5"],
    [await encodePng({ ...image, depth: 5 }), "colour 0, 5 bits"],
    [await encodePng({ ...image, colour: 3 }), "lacks its palette"],
    [
      await encodePng({ ...image, height: 3 }),
      "6 bytes of pixels; expected 3 rows of 3",
    ],
  ];
  for (const [bytes, message] of broken) {
    await assertRejects(() => parsePng(bytes, "x.png"), CorpusError, message);
  }
});

function bytesOf(text: string, ...values: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...new TextEncoder().encode(text), ...values]);
}

Deno.test("PGM and PPM: comments, white space, one and two bytes", () => {
  const read = (
    bytes: Uint8Array,
  ) => [...parsePortablePixmap(bytes, "x").pixels];
  assertEquals(
    read(bytesOf("P5 # grey\n2\t1 # size\n255\n", 10, 32)),
    [10, 32],
  );
  assertEquals(read(bytesOf("P5\n2 1\n15\n", 0, 15)), [0, 255]);
  assertEquals(read(bytesOf("P5 1 1 65535\n", 128, 0)), [128]);
  assertEquals(
    read(bytesOf("P6 2 1 255\n", 1, 2, 3, 4, 5, 6)),
    [1, 4, 2, 5, 3, 6],
  );
  const broken: [Uint8Array, string][] = [
    [bytesOf("P2\n1 1\n255\n1"), 'of the kind "P2"; expected P5 or P6'],
    [bytesOf("P5\n0 1\n255\n"), 'its header says "P5 0 1 255"'],
    [bytesOf("P5\n2"), 'its header says "P5"'],
    [
      bytesOf("P6 2 1 255\n", 1, 2),
      "2 bytes after the header; expected 2 × 1 × 3",
    ],
  ];
  for (const [bytes, message] of broken) {
    assertThrows(() => parsePortablePixmap(bytes, "x"), CorpusError, message);
  }
});

Deno.test("a folder of images: a folder for each class", async () => {
  const grey = await encodePng({
    width: 2,
    height: 1,
    colour: 0,
    depth: 8,
    rows: [[10, 20]],
  });
  const colour = bytesOf("P6 2 1 255\n", 1, 2, 3, 4, 5, 6);
  await inFolder({
    "dog/b.png": grey,
    "dog/a.PPM": colour,
    "dog/readme.txt": "passed over",
    "cat/deep/a.pgm": bytesOf("P5 2 1 255\n", 7, 8),
    ".hidden/a.png": grey,
  }, async (folder) => {
    const images = await readImageFolder(`${folder}/`);
    assertEquals(images, {
      name: folder,
      count: 3,
      channels: 3,
      height: 1,
      width: 2,
      pixels: Uint8Array.of(
        ...[1, 4, 2, 5, 3, 6],
        ...[7, 8, 7, 8, 7, 8],
        ...[10, 20, 10, 20, 10, 20],
      ),
      labels: Int32Array.of(1, 0, 1),
      classes: ["cat", "dog"],
    });
  });
});

Deno.test("a folder of images: mistakes are told", async () => {
  const image = bytesOf("P5 2 1 255\n", 7, 8);
  const cases: [Record<string, string | Uint8Array>, string][] = [
    [{ "a.txt": "" }, "holds no images; expected a folder for each class"],
    [{ "a/x.pgm": image, "b/x.jpg": "?" }, "b: none of the 1 files in it is a"],
    [
      { "a/x.pgm": image, "b/y.pgm": bytesOf("P5 3 4 255\n", ...Array(12)) },
      "b/y.pgm: an image of 3 × 4; expected 2 × 1, the size of ",
    ],
    [{ "a/x.png": "GIF89a" }, "a/x.png: not a PNG, PPM or PGM image"],
    [{ "a/x.png": "" }, "a/x.png: the file is empty"],
  ];
  for (const [files, message] of cases) {
    await inFolder(files, async (folder) => {
      await assertRejects(() => readImageFolder(folder), CorpusError, message);
    });
  }
});
