import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  drawnDigits,
  imageBatch,
  type ImageSet,
  type PixelScale,
  pixelScale,
} from "../../data/mod.ts";

const plain: PixelScale = { mean: [0, 0], deviation: [1, 1] };

/** Two images of 2 channels, 3 rows and 4 columns that count up. */
const images: ImageSet = {
  name: "counting",
  count: 2,
  channels: 2,
  height: 3,
  width: 4,
  pixels: Uint8Array.from({ length: 48 }, (_, place) => place),
  labels: Int32Array.of(1, 0),
  classes: ["a", "b"],
};

Deno.test("pixelScale: each channel gets mean 0 and deviation 1", () => {
  const digits = drawnDigits({ count: 20 });
  const all = Int32Array.from({ length: 20 }, (_, image) => image);
  for (const set of [digits, images]) {
    const scale = pixelScale(set);
    const { pixels } = imageBatch(set, all.slice(0, set.count), scale);
    const size = set.height * set.width;
    for (let channel = 0; channel < set.channels; channel++) {
      const values = [...pixels].filter((_, place) =>
        Math.floor(place / size) % set.channels === channel
      );
      const mean = values.reduce((a, b) => a + b) / values.length;
      const square = values.reduce((a, b) => a + b * b, 0) / values.length;
      // Sums of f32 numbers of order 1.
      assertAlmostEquals(mean, 0, 1e-5);
      assertAlmostEquals(square, 1, 1e-5);
    }
  }
  const equal = { ...images, pixels: new Uint8Array(48).fill(7) };
  assertEquals(pixelScale(equal), { mean: [7, 7], deviation: [1, 1] });
});

Deno.test("imageBatch: images by index, with their labels", () => {
  const { pixels, labels } = imageBatch(images, [1, 0, 1], plain);
  assertEquals([...labels], [0, 1, 0]);
  assertEquals([...pixels.subarray(0, 24)], [...images.pixels.subarray(24)]);
  assertEquals([...pixels.subarray(24, 48)], [
    ...images.pixels.subarray(0, 24),
  ]);
});

Deno.test("imageBatch: shifted images are moved as a whole", () => {
  const shifts = new Set<string>();
  for (let step = 0; step < 60; step++) {
    const shift = { most: 1, seed: 3, step };
    const { pixels } = imageBatch(images, [0], plain, shift);
    assertEquals(pixels, imageBatch(images, [0], plain, shift).pixels);
    // The pixel in the middle tells where its image has gone: row 1, column 1
    // was 5.
    const [down, right] = [-1, 0, 1].flatMap((down) =>
      [-1, 0, 1].map((right) => [down, right])
    ).find(([down, right]) => pixels[5] === 5 - 4 * down - right)!;
    shifts.add(`${down} ${right}`);
    const at = (y: number, x: number) =>
      images.pixels[
        4 * Math.min(2, Math.max(0, y)) + Math.min(3, Math.max(0, x))
      ];
    for (let y = 0; y < 3; y++) {
      for (let x = 0; x < 4; x++) {
        const value = at(y - down, x - right);
        assertEquals(pixels[4 * y + x], value);
        assertEquals(pixels[12 + 4 * y + x], value + 12);
      }
    }
  }
  assertEquals(shifts.size, 9);
  const still = imageBatch(images, [0], plain, { most: 0, seed: 3, step: 1 });
  assertEquals([...still.pixels], [...images.pixels.subarray(0, 24)]);
  const rows = imageBatch(images, Array(30).fill(0), plain, {
    most: 1,
    seed: 3,
    step: 1,
  });
  const firsts = new Set(
    Array.from({ length: 30 }, (_, row) => rows.pixels[24 * row + 5]),
  );
  assert(firsts.size > 3, "images of a batch move each by itself");
});
