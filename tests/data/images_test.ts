import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  CorpusError,
  drawnDigit,
  drawnDigits,
  type ImageSet,
  joinImages,
  openImages,
  parseCifar10,
  parseIdx,
  sliceImages,
  splitImages,
} from "../../data/mod.ts";
import { inFolder } from "./in_folder.ts";

/** An IDX file; its numbers count up. */
function idx(shape: readonly number[], start = 0): Uint8Array<ArrayBuffer> {
  const size = shape.reduce((product, length) => product * length, 1);
  const bytes = new Uint8Array(4 + 4 * shape.length + size);
  bytes.set([0, 0, 8, shape.length]);
  const view = new DataView(bytes.buffer);
  shape.forEach((length, axis) => view.setUint32(4 + 4 * axis, length));
  for (let place = 0; place < size; place++) {
    bytes[bytes.length - size + place] = start + place;
  }
  return bytes;
}

async function gzip(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("IDX: a folder's images and labels, by their names", async () => {
  await inFolder({
    "train-images-idx3-ubyte.gz": await gzip(idx([3, 2, 4])),
    "train-labels-idx1-ubyte": idx([3], 1),
    "t10k-images.idx3-ubyte": idx([1, 2, 4], 100),
    "t10k-labels.idx1-ubyte.gz": await gzip(idx([1])),
    "readme.txt": "passed over",
  }, async (folder) => {
    const { training, validation } = await openImages([folder]);
    assertEquals(training, {
      name: `${folder}/train-images-idx3-ubyte.gz`,
      count: 3,
      channels: 1,
      height: 2,
      width: 4,
      pixels: Uint8Array.from({ length: 24 }, (_, place) => place),
      labels: Int32Array.of(1, 2, 3),
      classes: ["0", "1", "2", "3"],
    });
    assertEquals([validation?.count, validation?.pixels[0]], [1, 100]);
    const file = `${folder}/t10k-images.idx3-ubyte`;
    assertEquals((await openImages([file])).training.count, 1);
  });
});

Deno.test("IDX: files that aren't what they should be", async () => {
  const floats = idx([2]);
  floats[2] = 0x0d;
  const broken: [Uint8Array, string][] = [
    [new TextEncoder().encode("P5 28 28"), 'it begins with "50 35 20 32"'],
    [floats, "of type 0x0d; expected 0x08, unsigned bytes"],
    [idx([2, 2]).subarray(0, 9), "ends within its header of 12 bytes"],
    [
      idx([2, 2]).subarray(0, 13),
      "1 bytes after the header; expected 2 × 2 = 4",
    ],
    [Uint8Array.of(...idx([1]), 0), "2 bytes after the header; expected 1 = 1"],
  ];
  for (const [bytes, message] of broken) {
    assertThrows(() => parseIdx(bytes, "x"), CorpusError, message);
  }
  const images = "images-idx3-ubyte";
  const labels = "labels-idx1-ubyte";
  const cases: [Record<string, Uint8Array>, string][] = [
    [{ [images]: idx([2, 1, 1]) }, "there are no labels beside it"],
    [
      { [images]: idx([2, 1, 1]), [labels]: idx([3]) },
      "3 labels for the 2 images of",
    ],
    [
      { [images]: idx([2, 1]), [labels]: idx([2]) },
      "an IDX file of 2 axes; expected 3: images, rows, columns",
    ],
    [{ [images]: idx([0, 1, 1]), [labels]: idx([0]) }, "holds no images"],
    [
      {
        [`${images}.gz`]: (await gzip(idx([2, 9, 9]))).slice(0, -20),
        [labels]: idx([2]),
      },
      "its gzip data are damaged or cut off",
    ],
  ];
  for (const [files, message] of cases) {
    await inFolder(files, async (folder) => {
      await assertRejects(() => openImages([folder]), CorpusError, message);
    });
  }
});

/** A record of CIFAR-10: red is 1, green 2, blue 3. */
function record(label: number): number[] {
  return [label, ...[1, 2, 3].flatMap((value) => Array(1024).fill(value))];
}

Deno.test("CIFAR-10: batches are joined, test_batch is for validation", () =>
  inFolder({
    "data_batch_1.bin": Uint8Array.from(record(9)),
    "data_batch_2.bin": Uint8Array.from([...record(0), ...record(3)]),
    "test_batch.bin": Uint8Array.from(record(5)),
  }, async (folder) => {
    const { training, validation } = await openImages([folder]);
    assertEquals([...training.labels], [9, 0, 3]);
    assertEquals(training.channels, 3);
    assertEquals(training.classes[9], "truck");
    assertEquals([...training.pixels.subarray(3 * 1024 - 1, 3 * 1024 + 1)], [
      3,
      1,
    ]);
    assertEquals([...validation!.labels], [5]);
  }));

Deno.test("CIFAR-10: cut records and bad labels are told", () => {
  assertThrows(
    () => parseCifar10(new Uint8Array(3072), "x.bin"),
    CorpusError,
    "x.bin: 3072 bytes; expected records of 3073",
  );
  assertThrows(
    () => parseCifar10(Uint8Array.from([...record(1), ...record(10)]), "x.bin"),
    CorpusError,
    "x.bin: image 1 has the label 10; expected 0 … 9",
  );
});

Deno.test("images: folders train and test, several paths, mistakes", async () => {
  const image = new TextEncoder().encode("P5 1 1 255\nx");
  const wide = new TextEncoder().encode("P5 2 1 255\nxy");
  await inFolder({
    "split/train/a/1.pgm": image,
    "split/train/b/1.pgm": image,
    "split/test/a/1.pgm": image,
    "other/a/1.pgm": image,
    "other/c/1.pgm": image,
    "wide/a/1.pgm": wide,
    "words.txt": "no image",
  }, async (folder) => {
    const { training, validation } = await openImages([`${folder}/split/`]);
    assertEquals([training.count, validation?.count], [2, 1]);
    const twice = await openImages([`${folder}/split`, `${folder}/split`]);
    assertEquals(twice.training.count, 4);
    const cases: [string, string][] = [
      ["other", 'class 1 is "c"; expected "b", as in '],
      ["wide", "images of 2 × 1, 1 channel; expected 1 × 1, 1 channel, as in"],
      ["none", "no such file or folder"],
      ["words.txt", "expected a folder, a"],
    ];
    for (const [path, message] of cases) {
      await assertRejects(
        () => openImages([`${folder}/split`, `${folder}/${path}`]),
        CorpusError,
        message,
      );
    }
  });
});

Deno.test("images: parts of a set and their union", () => {
  const images: ImageSet = drawnDigits({ count: 10, seed: 2 });
  const { training, validation } = splitImages(images, 0.3);
  assertEquals([training.count, validation.count], [7, 3]);
  assertEquals(validation.pixels.length, 3 * 28 * 28);
  const joined = joinImages([training, validation]);
  assertEquals(joined.pixels, images.pixels);
  assertEquals(joined.labels, images.labels);
  assertEquals(sliceImages(images, 2, 5).labels, images.labels.slice(2, 5));
  for (const share of [0, 1, 0.01, NaN]) {
    assertThrows(() => splitImages(images, share), RangeError, "a share of");
  }
});

Deno.test("drawn digits: a function of index and seed", () => {
  const digits = drawnDigits({ count: 50, first: 30, seed: 5 });
  for (const image of [0, 7, 49]) {
    const { label, pixels } = drawnDigit(30 + image, 5);
    assertEquals(digits.labels[image], label);
    assertEquals(digits.pixels.slice(image * 784, (image + 1) * 784), pixels);
  }
  assertNotEquals(drawnDigit(30, 5).pixels, drawnDigit(30, 6).pixels);
  assertNotEquals(drawnDigit(30, 5).pixels, drawnDigit(31, 5).pixels);
  assertThrows(() => drawnDigits({ count: 0 }), RangeError, "count 0");
});

Deno.test("drawn digits: all classes, ink on paper", () => {
  const { count, labels, pixels, classes } = drawnDigits({ count: 400 });
  const counts = new Map(
    Map.groupBy(labels, (label) => label).entries()
      .map(([label, images]) => [label, images.length]),
  );
  assertEquals(classes.length, 10);
  // 40 are expected; fewer than 15 come by chance once in a million.
  for (let label = 0; label < 10; label++) assert(counts.get(label)! >= 15);
  for (let image = 0; image < count; image++) {
    const digit = pixels.subarray(image * 784, (image + 1) * 784);
    const ink = digit.filter((value) => value > 100).length / 784;
    assert(ink > 0.02 && ink < 0.4, `image ${image}: ${ink} is ink`);
  }
});
