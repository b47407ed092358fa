import { assertEquals, assertRejects } from "@std/assert";
import type { View } from "../../tensor/backend.ts";
import type { Dtype } from "../../tensor/dtype.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { integers, numbers } from "./kernel_subjects.ts";
import {
  assertSame,
  type Bench,
  gpuTest,
  indexingForms,
  splitForms,
  valuesFor,
  withBench,
  within,
} from "./webgpu_compare.ts";
import { halvesMissing, webgpuBackend } from "./webgpu_subject.ts";

const dtypes = ["f32", "i32", "bool"] as const;

gpuTest("webgpu take copies rows of any dtype and length", async () => {
  for (const inner of [1, 3, 4, 7, 8, 64, 100, 260]) {
    for (const dtype of dtypes) {
      const [outer, n, k] = [3, 6, 11];
      const run = async ({ backend, tensor, values }: Bench) => {
        const size = outer * n * inner;
        const x = tensor(dtype, [outer, n, inner], valuesFor(dtype, size));
        const index = tensor("i32", [k], integers(k, n, inner));
        const out = tensor(dtype, [outer, k, inner]);
        backend.take(x, index, out);
        return [await values(out)];
      };
      await assertSame(indexingForms, `${dtype}, rows of ${inner}`, run);
    }
  }
});

gpuTest("webgpu take of more rows than one axis of a launch has", async () => {
  // 64 more than 65,535 workgroups of 64 threads have.
  const [outer, k] = [128, 32_768];
  for (const options of indexingForms) {
    await withBench(await webgpuBackend(options), async (bench) => {
      const { backend, tensor, values } = bench;
      const index = new Int32Array(k).map((_, i) => i % 3);
      const x = tensor("i32", [outer, 3, 1], integers(3 * outer, 1000));
      const picked = tensor("i32", [outer, k, 1]);
      backend.take(x, tensor("i32", [k], index), picked);
      const rows = await values(x);
      const wrong = (await values(picked)).findIndex((value, i) =>
        value !== rows[3 * Math.floor(i / k) + i % k % 3]
      );
      assertEquals(wrong, -1, JSON.stringify(options));
    });
  }
});

gpuTest("webgpu take and its gradient within one buffer", async () => {
  for (const offset of [4, 7]) {
    await assertSame(indexingForms, `${offset}`, async (bench) => {
      const { backend, tensor, values } = bench;
      const whole = tensor("f32", [400], numbers(400));
      const index = tensor("i32", [6], [3, 0, 3, 1, 4, 3]);
      const x = within(whole, [1, 5, 8], offset);
      const out = within(whole, [1, 6, 8], offset + 40);
      const gradient = within(whole, [1, 5, 8], offset + 100);
      backend.take(x, index, out);
      backend.takeBackward(out, index, gradient);
      return [await values(whole)];
    });
  }
});

gpuTest("webgpu takeBackward adds in order of the index", async () => {
  for (
    const [outer, n, k, inner] of [
      ...[[3, 5, 200, 7], [1, 5, 300, 64], [2, 40, 700, 12]],
      ...[[1, 600, 500, 4], [1, 1, 50, 3], [1, 3000, 2000, 1]],
    ]
  ) {
    const shape = `[${outer}, ${n}, ${inner}], ${k} indices`;
    // The same additions in the same order: the very same bits, since the
    // reference rounds every sum to f32 too.
    await assertSame(
      indexingForms,
      shape,
      async ({ backend, tensor, values }) => {
        const y = tensor("f32", [outer, k, inner], numbers(outer * k * inner));
        const index = tensor("i32", [k], integers(k, n, inner));
        const initial = numbers(outer * n * inner, 3);
        const out = tensor("f32", [outer, n, inner], initial);
        backend.takeBackward(y, index, out);
        return [await values(out)];
      },
    );
  }
});

gpuTest(
  "webgpu takeBackward sorts large tables in several passes",
  async () => {
    const [n, k, inner] = [300_000, 400, 1];
    await assertSame(indexingForms, "", async ({ backend, tensor, values }) => {
      const index = integers(k, n).map((i, j) => j % 3 === 0 ? 262_144 : i);
      const y = tensor("f32", [1, k, inner], numbers(k * inner));
      const out = tensor("f32", [1, n, inner], new Float32Array(n * inner));
      backend.takeBackward(y, tensor("i32", [k], index), out);
      return [await values(out)];
    });
  },
);

gpuTest("webgpu take and takeBackward split what can't be bound", async () => {
  for (
    const [outer, n, k, inner] of [
      ...[[1, 900, 40, 8], [1, 9, 500, 8], [1, 700, 600, 8]],
      ...[[30, 20, 10, 12], [3, 900, 300, 5]],
    ]
  ) {
    const shape = `[${outer}, ${n}, ${inner}], ${k} indices`;
    await assertSame(splitForms, shape, async (bench) => {
      const { backend, tensor, values } = bench;
      const table = [outer, n, inner];
      const x = tensor("f32", table, numbers(sizeOf(table)));
      const index = tensor("i32", [k], integers(k, n, inner));
      const out = tensor("f32", [outer, k, inner]);
      backend.take(x, index, out);
      const gradient = tensor("f32", table, numbers(sizeOf(table), 3));
      backend.takeBackward(out, index, gradient);
      return [await values(out), await values(gradient)];
    });
  }
});

// Some adapters leave a loop after 65,535 turns, and tell nobody.
gpuTest("webgpu adds by an index longer than loops may be", async () => {
  const [n, k] = [3, 150_001];
  const [places, y] = [integers(k, n), integers(k, 5)];
  const equal = [0, y.reduce((sum, value) => sum + value), 0];
  const mixed = [0, 0, 0];
  places.forEach((place, j) => mixed[place] += y[j]);
  // Integers below 2^24: sums are exact.
  for (const options of indexingForms) {
    await withBench(await webgpuBackend(options), async (bench) => {
      const { backend, tensor, values } = bench;
      const form = JSON.stringify(options);
      for (
        const [index, sums] of [[places.map(() => 1), equal], [places, mixed]]
      ) {
        const added = tensor("f32", [1, n, 1], [0, 0, 0]);
        const positions = tensor("i32", [k], index);
        const picked = tensor("f32", [1, k, 1], y);
        backend.takeBackward(picked, positions, added);
        assertEquals([...await values(added)], sums, form);
        backend.take(added, positions, picked);
        const taken = await values(picked);
        assertEquals(taken.findIndex((v, j) => v !== sums[index[j]]), -1, form);
      }
    });
  }
});

gpuTest("webgpu gathers along axes longer than loops may be", async () => {
  const [n, k] = [3, 70_001];
  for (const [axis, shape] of [[0, [k, 2]], [1, [2, k]]] as const) {
    await assertSame(indexingForms, `along ${axis}`, async (bench) => {
      const { backend, tensor, values } = bench;
      const index = tensor("i32", shape, integers(2 * k, n));
      const table = shape.with(axis, n);
      const x = tensor("f32", table, integers(2 * n, 100));
      const out = tensor("f32", shape);
      backend.gather(x, axis, index, out);
      const gradient = tensor("f32", table, new Float32Array(2 * n));
      backend.gatherBackward(out, axis, index, gradient);
      return [await values(out), await values(gradient)];
    });
  }
});

gpuTest("webgpu: the first of many indices outside is named", async () => {
  const [n, k] = [4, 150_001];
  for (const first of [140_000, 29_999]) {
    const places = integers(k, n);
    for (const bad of [first, 145_000, k - 1]) places[bad] = n + bad;
    const told = `index ${n + first} at position ${first} is outside 0 … 3`;
    for (const options of indexingForms) {
      await withBench(await webgpuBackend(options), async (bench) => {
        const { backend, tensor, values } = bench;
        const index = tensor("i32", [k], places);
        const x = tensor("f32", [n], numbers(n));
        const y = tensor("f32", [k], numbers(k));
        const [rows, picked] = [
          within(x, [1, n, 1], 0),
          within(y, [1, k, 1], 0),
        ];
        for (
          const [operation, run] of [
            ["take", () => backend.take(rows, index, picked)],
            ["takeBackward", () => backend.takeBackward(picked, index, rows)],
            ["gather", () => backend.gather(x, 0, index, y)],
            ["gatherBackward", () => backend.gatherBackward(y, 0, index, x)],
          ] as const
        ) {
          run();
          const message = `${operation}: ${told}`;
          await assertRejects(() => values(x), RangeError, message);
        }
      });
    }
  }
});

gpuTest("webgpu: the next read names the first index outside", async () => {
  for (const options of [...indexingForms, ...splitForms]) {
    const backend = await webgpuBackend(options);
    await withBench(backend, async ({ tensor, values }) => {
      const x = tensor("f32", [1, 8, 300], numbers(2400));
      const y = tensor("f32", [1, 5, 300], numbers(1500));
      const before = await values(x);
      const wrong = tensor("i32", [5], [0, 7, 3, 9, -1]);
      backend.take(x, wrong, y);
      await assertRejects(
        () => values(y),
        RangeError,
        "take: index 9 at position 3 is outside 0 … 7",
      );
      const negative = tensor("i32", [5], [-2147483648, -1, 9, 8, 8]);
      backend.takeBackward(y, negative, x);
      await assertRejects(
        () => values(x),
        RangeError,
        "takeBackward: index -2147483648 at position 0 is outside 0 … 7",
      );
      // Nothing was added, and the device goes on.
      assertEquals(await values(x), before);

      const small = tensor("f32", [2, 4], numbers(8));
      const out = tensor("f32", [2, 3]);
      const index = tensor("i32", [3, 2], [0, 0, 1, 4, 2, -3]);
      const transposed = { ...index, shape: [2, 3], strides: [1, 2] };
      backend.gather(small, 1, transposed, out);
      await assertRejects(
        () => values(out),
        RangeError,
        "gather: index 4 at position 4 is outside 0 … 3",
      );
      backend.gatherBackward(out, 1, transposed, small);
      await assertRejects(
        () => values(small),
        RangeError,
        "gatherBackward: index 4 at position 4 is outside 0 … 3",
      );
    });
  }
});

/** A view with its axes reversed in memory, and shape as given. */
function transposedView(
  { tensor }: Bench,
  dtype: Dtype,
  shape: number[],
  values?: ArrayLike<number>,
): View {
  const view = tensor(dtype, [...shape].reverse(), values);
  return { ...view, shape, strides: [...view.strides].reverse() };
}

gpuTest("webgpu gather and its gradient, every axis, strided", async () => {
  for (const shape of [[4, 3, 5], [1, 6, 1], [50, 1, 2]]) {
    for (const axis of [0, 1, 2]) {
      for (const dtype of dtypes) {
        // Longer than what one thread adds, in the form for GPUs.
        const indexShape = shape.map((n, a) => a === axis ? 40 : n);
        const [size, count] = [sizeOf(shape), sizeOf(indexShape)];
        const what = `${dtype} [${shape}] along ${axis}`;
        await assertSame(indexingForms, what, async (bench) => {
          const { backend, tensor, values } = bench;
          const given = valuesFor(dtype, size);
          const x = transposedView(bench, dtype, shape, given);
          const places = integers(count, shape[axis], 2);
          const index = transposedView(bench, "i32", indexShape, places);
          const out = tensor(dtype, indexShape);
          backend.gather(x, axis, index, out);
          if (dtype !== "f32") return [await values(out)];
          const initial = numbers(size, 5);
          const gradient = transposedView(bench, "f32", shape, initial);
          const repeated = {
            ...tensor("f32", [1], [0.3]),
            shape: indexShape,
            strides: [0, 0, 0],
          };
          backend.gatherBackward(out, axis, index, gradient);
          backend.gatherBackward(repeated, axis, index, gradient);
          return [await values(out), await values(gradient)];
        });
      }
    }
  }
});

gpuTest("webgpu gather reads flipped views and vectors", async () => {
  const flipped = (view: View): View => ({
    ...view,
    strides: [-1],
    offset: view.shape[0] - 1,
  });
  await assertSame(indexingForms, "", async ({ backend, tensor, values }) => {
    const x = flipped(tensor("f32", [4], [10, 11, 12, 13]));
    const index = flipped(tensor("i32", [3], [2, 0, 1]));
    const out = tensor("f32", [3]);
    backend.gather(x, 0, index, out);
    return [await values(out)];
  });
  // Within windows of buffers that can't be bound as a whole.
  await assertSame(splitForms, "", async ({ backend, tensor, values }) => {
    const whole = tensor("f32", [5000], numbers(5000));
    const x = { ...whole, shape: [200], strides: [-2], offset: 4500 };
    const out = { ...whole, shape: [90], strides: [1], offset: 4600 };
    const index = tensor("i32", [90], integers(90, 200));
    backend.gather(x, 0, index, out);
    return [await values(whole)];
  });
});

gpuTest("webgpu: indexing numbers of 16 bits", async () => {
  const [outer, n, k, inner] = [2, 9, 15, 7];
  await assertSame(indexingForms, "", async ({ backend, tensor, values }) => {
    // Integers below 2048, and so are their sums: all are exact.
    const whole = (shape: number[], seed: number): View =>
      tensor("f16", shape, integers(sizeOf(shape), 100, seed));
    const x = whole([outer, n, inner], 1);
    const gradient = whole([outer, n, inner], 2);
    const index = tensor("i32", [k], integers(k, n));
    const taken = tensor("f16", [outer, k, inner]);
    backend.take(x, index, taken);
    backend.takeBackward(taken, index, gradient);
    const places = tensor("i32", [outer, 5, inner], integers(70, n));
    const gathered = tensor("f16", [outer, 5, inner]);
    backend.gather(x, 1, places, gathered);
    backend.gatherBackward(gathered, 1, places, gradient);
    const sums = tensor("f16", [outer, n, inner]);
    backend.cumsum(x, sums, true);
    const best = tensor("i32", [outer, inner]);
    backend.argmax(x, best);
    const [top, at] = [tensor("f16", [18, 3]), tensor("i32", [18, 3])];
    backend.topk({ ...x, shape: [18, 7], strides: [7, 1] }, top, at);
    const dropped = tensor("f16", [outer, n, inner]);
    const key = { seed: 3, streams: [[0, 0, 1], [0, 0, 2]] as const };
    backend.dropout({ probability: 0.5, key }, x, dropped);
    return await Promise.all(
      [taken, gradient, gathered, sums, best, top, at, dropped].map(values),
    );
  });
}, halvesMissing);

gpuTest("webgpu: kernels that index leave no memory behind", async () => {
  const backend = await webgpuBackend(indexingForms[1]);
  await withBench(backend, async ({ tensor, values }) => {
    const x = tensor("f32", [1, 5000, 4], numbers(20_000));
    const index = tensor("i32", [300], integers(300, 5000));
    const y = tensor("f32", [1, 300, 4], numbers(1200));
    const out = tensor("f32", [1, 5000, 4]);
    const [top, places] = [tensor("f32", [4, 70]), tensor("i32", [4, 70])];
    const step = (): void => {
      backend.takeBackward(y, index, out);
      backend.cumsum(x, out, false);
      backend.topk({ ...x, shape: [4, 5000], strides: [5000, 1] }, top, places);
    };
    step();
    await values(out);
    const { blocks } = backend.gpu.pool;
    for (let i = 0; i < 5; i++) step();
    await values(out);
    assertEquals(backend.gpu.pool.blocks, blocks);
  });
});
