import { assert, assertEquals } from "@std/assert";
import type { RandomKey } from "../../tensor/backend.ts";
import { randomUnit } from "../../tensor/philox.ts";
import type { GpuOptions } from "../../tensor/webgpu/gpu_options.ts";
import { mostStreams } from "../../tensor/webgpu/philox.ts";
import { assertNear, numbers } from "./kernel_subjects.ts";
import { compare, gpuTest, withBench } from "./webgpu_compare.ts";
import { webgpuBackend } from "./webgpu_subject.ts";

const plain: readonly GpuOptions[] = [{}];
const split: GpuOptions = { bindingLimit: 2048 };

function keyOf(streams: number): RandomKey {
  return {
    seed: 2 ** 52 + 2 ** 40 + 12345,
    streams: Array.from(
      { length: streams },
      (_, n) => [n, 0xffffffff - n, 0x80000000] as const,
    ),
  };
}

function expectedUnits(key: RandomKey, size: number): Float32Array {
  return Float32Array.from(
    { length: key.streams.length * size },
    (_, i) => randomUnit(key, Math.floor(i / size), i % size),
  );
}

gpuTest(
  "webgpu random: the numbers of Philox, for any size and streams",
  async () => {
    const backend = await webgpuBackend();
    for (const streams of [1, 2, 3, 7]) {
      for (const size of [1, 3, 4, 15, 16, 257, 260, 1000]) {
        await withBench(backend, async ({ tensor, values }) => {
          const key = keyOf(streams);
          const out = tensor("f32", [streams, size]);
          backend.random(key, out);
          assertEquals(
            await values(out),
            expectedUnits(key, size),
            `${streams} × ${size}`,
          );
        });
      }
    }
  },
);

gpuTest("webgpu random writes its view and nothing else", async () => {
  const backend = await webgpuBackend();
  for (const [offset, size] of [[1, 8], [4, 8], [4, 6], [3, 5]]) {
    await withBench(backend, async ({ tensor, values }) => {
      const whole = tensor("f32", [40], new Float32Array(40).fill(-1));
      const shape = [2, size];
      backend.random(keyOf(2), {
        ...whole,
        shape,
        strides: [size, 1],
        offset,
      });
      const expected = new Float32Array(40).fill(-1);
      expected.set(expectedUnits(keyOf(2), size), offset);
      assertEquals(await values(whole), expected, `${offset}, ${size}`);
    });
  }
});

gpuTest(
  "webgpu random: more streams than a launch takes, and small bindings",
  async () => {
    for (
      const [options, streams, size] of [
        [{}, mostStreams + 1, 5],
        [split, 3, 1000],
        [split, 1, 4001],
        [split, 700, 6],
      ] as const
    ) {
      const backend = await webgpuBackend(options);
      await withBench(backend, async ({ tensor, values }) => {
        const key = keyOf(streams);
        const out = tensor("f32", [streams, size]);
        backend.random(key, out);
        assertEquals(await values(out), expectedUnits(key, size));
      });
    }
  },
);

gpuTest("webgpu dropout equals the reference, in place too", async () => {
  for (const probability of [0, 0.1, 0.5, 1 - 2 ** -20]) {
    for (const [size, offset] of [[5, 0], [64, 0], [300, 1], [1, 2]]) {
      for (const inPlace of [false, true]) {
        await compare(
          [...plain, split],
          async ({ backend, tensor, values }) => {
            const length = 3 * size + offset;
            const [x, y] = [numbers(length), numbers(length, 2)];
            const part = {
              ...{ shape: [3, size], strides: [size, 1], offset },
            };
            const source = tensor("f32", [length], x);
            const target = inPlace ? source : tensor("f32", [length], y);
            const key = keyOf(3);
            backend.dropout(
              { probability, key },
              { ...source, ...part },
              { ...target, ...part },
            );
            return await values(target);
          },
          // The factor 1 / (1 − p) is rounded to f32, and so is the product.
          (actual, expected, form) =>
            assertNear(
              actual,
              expected,
              { absolute: 0, relative: 2.5e-7 },
              `${form}, p ${probability}, 3 × ${size} at ${offset}`,
            ),
        );
      }
    }
  }
});

gpuTest(
  "webgpu dropout: dropped elements are 0, whatever they were",
  async () => {
    for (const odd of [NaN, Infinity]) {
      await compare(
        plain,
        async ({ backend, tensor, values }) => {
          const x = tensor("f32", [2, 50], new Float32Array(100).fill(odd));
          const out = tensor("f32", [2, 50]);
          backend.dropout({ probability: 0.5, key: keyOf(2) }, x, out);
          return [...await values(out)];
        },
        (actual, expected) => {
          assertEquals(actual, expected);
          const zeros = actual.filter((x) => x === 0).length;
          assert(zeros > 20 && zeros < 80, `${zeros}`);
        },
      );
    }
  },
);
