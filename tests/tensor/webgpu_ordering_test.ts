import { assertEquals } from "@std/assert";
import { sizeOf } from "../../tensor/shape.ts";
import { assertNear, integers, numbers } from "./kernel_subjects.ts";
import {
  assertSame,
  compare,
  gpuTest,
  indexingForms,
  splitForms,
  valuesFor,
  withBench,
  within,
} from "./webgpu_compare.ts";
import { webgpuBackend } from "./webgpu_subject.ts";

gpuTest("webgpu cumsum of f32 and i32, both directions", async () => {
  for (
    const [outer, n, inner] of [
      ...[[3, 50, 1], [2, 7, 5], [1, 1, 4], [1, 5000, 1], [2, 1111, 3]],
      ...[[40, 100, 2]],
    ]
  ) {
    for (const dtype of ["f32", "i32"] as const) {
      for (const reverse of [false, true]) {
        const shape = [outer, n, inner];
        await compare(
          [...indexingForms, { ...indexingForms[1], bindingLimit: 2 ** 15 }],
          async ({ backend, tensor, values }) => {
            const x = tensor(dtype, shape, valuesFor(dtype, sizeOf(shape)));
            const out = tensor(dtype, shape);
            backend.cumsum(x, out, reverse);
            return await values(out);
          },
          (actual, expected, form) => {
            const what = `${form}, ${dtype} [${shape}], reverse ${reverse}`;
            // Sums of n numbers of size 1 are about √n; so are those of n
            // roundings, of half an ulp each. Six times that.
            const absolute = dtype === "i32" ? 0 : 6 * n * 2 ** -24;
            assertNear(actual, expected, { absolute, relative: 0 }, what);
          },
        );
      }
    }
  }
});

gpuTest("webgpu argmax and topk equal the reference", async () => {
  for (const dtype of ["f32", "i32", "bool"] as const) {
    for (
      const [rows, n] of [[1, 1], [4, 2], [3, 64], [3, 65], [2, 1000], [
        1,
        9000,
      ]]
    ) {
      for (const k of new Set([1, Math.min(n, 5), Math.min(n, 70), n])) {
        const what = `${dtype} [${rows}, ${n}], k ${k}`;
        await assertSame(
          indexingForms,
          what,
          async ({ backend, tensor, values }) => {
            // Few different values, so that many are equal.
            const few = integers(rows * n, dtype === "bool" ? 2 : 40, n);
            const given = dtype === "bool" ? few : few.map((v) => v - 20);
            const x = tensor(dtype, [rows, n], given);
            const top = tensor(dtype, [rows, k]);
            const places = tensor("i32", [rows, k]);
            backend.topk(x, top, places);
            const best = tensor("i32", [rows, 1]);
            backend.argmax(within(x, [rows, n, 1], 0), best);
            const columns = tensor("i32", [1, n]);
            backend.argmax(within(x, [1, rows, n], 0), columns);
            return await Promise.all([top, places, best, columns].map(values));
          },
        );
      }
    }
  }
});

gpuTest("webgpu argmax and topk: NaN is largest, −0 equals 0", async () => {
  const row = Float32Array.of(
    ...[-Infinity, -0, 0, NaN, -1, Infinity, NaN, 2, -1e-40, 1e-40],
  );
  // NaNs of other signs and contents are equal to it, and to each other.
  const bits = new Uint32Array(row.buffer);
  [bits[3], bits[6]] = [0xffc00000, 0x7fc00001];
  await assertSame(indexingForms, "", async ({ backend, tensor, values }) => {
    const x = tensor("f32", [1, 10], row);
    const [top, places] = [tensor("f32", [1, 10]), tensor("i32", [1, 10])];
    backend.topk(x, top, places);
    const best = tensor("i32", [1, 1]);
    backend.argmax(within(x, [1, 10, 1], 0), best);
    return await Promise.all([top, places, best].map(values));
  });
});

gpuTest(
  "webgpu cumsum, argmax and topk split what can't be bound",
  async () => {
    const [rows, n] = [20, 600];
    await assertSame(splitForms, "", async ({ backend, tensor, values }) => {
      const x = tensor("f32", [rows, n], numbers(rows * n));
      const integer = tensor("i32", [rows, n], integers(rows * n, 1000));
      const sums = tensor("i32", [rows, n]);
      backend.cumsum(
        within(integer, [rows, n, 1], 0),
        within(sums, [rows, n, 1], 0),
        false,
      );
      const best = tensor("i32", [rows, 1]);
      backend.argmax(within(x, [rows, n, 1], 0), best);
      const [top, places] = [
        tensor("f32", [rows, 9]),
        tensor("i32", [rows, 9]),
      ];
      backend.topk(x, top, places);
      return await Promise.all([sums, best, top, places].map(values));
    });
  },
);

// Some adapters leave a loop after 65,535 turns, and tell nobody.
gpuTest("webgpu orders and adds lines longer than loops may be", async () => {
  await assertSame(indexingForms, "", async ({ backend, tensor, values }) => {
    const n = 150_001;
    const x = tensor("i32", [5, n], integers(5 * n, 1_000_000));
    const best = tensor("i32", [5, 1]);
    backend.argmax(within(x, [5, n, 1], 0), best);
    const columns = tensor("i32", [1, 3]);
    backend.argmax(within(x, [1, n, 3], 0), columns);
    const sums = tensor("i32", [200_001]);
    const row = within(sums, [1, 200_001, 1], 0);
    backend.cumsum(within(x, row.shape as [1, 200_001, 1], 0), row, false);
    const [top, places] = [tensor("i32", [1, 5]), tensor("i32", [1, 5])];
    backend.topk(
      { ...x, shape: [1, 70_001], strides: [70_001, 1] },
      top,
      places,
    );
    return await Promise.all([best, columns, sums, top, places].map(values));
  });
});

gpuTest("webgpu: so does it where lines are many", async () => {
  // As many as occupy a CPU: no need to cut them otherwise.
  const [count, n] = [64, 70_001];
  const host = new Int32Array(count * n);
  const ends = Array.from({ length: count }, (_, line) => n - 1 - line);
  ends.forEach((end, line) => host[line * n + end] = 1 + line);
  await withBench(await webgpuBackend(indexingForms[0]), async (bench) => {
    const { backend, tensor, values } = bench;
    const x = within(tensor("i32", [count, n], host), [count, n, 1], 0);
    const best = tensor("i32", [count, 1]);
    backend.argmax(x, best);
    assertEquals([...await values(best)], ends);
    backend.cumsum(x, x, false);
    const sums = await values(x);
    const wrong = sums.findIndex((sum, i) =>
      sum !== (i % n < ends[Math.floor(i / n)] ? 0 : 1 + Math.floor(i / n))
    );
    assertEquals(wrong, -1);
  });
});
