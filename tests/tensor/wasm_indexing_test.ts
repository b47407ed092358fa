import { assert, assertEquals, assertThrows } from "@std/assert";
import type { RandomKey, View } from "../../tensor/backend.ts";
import type { Dtype, TypedArray } from "../../tensor/dtype.ts";
import { randomUnit } from "../../tensor/philox.ts";
import { createCumsumKernels } from "../../tensor/wasm/cumsum.ts";
import { createGatherKernels } from "../../tensor/wasm/gather.ts";
import { createRandomKernels } from "../../tensor/wasm/random.ts";
import { createTakeKernels } from "../../tensor/wasm/take.ts";
import { createTopkKernels } from "../../tensor/wasm/topk.ts";
import {
  assertNear,
  integers,
  numbers,
  onEveryTarget,
  type Subject,
} from "./kernel_subjects.ts";

const inners = [1, 2, 3, 5, 7, 8, 9, 16, 17, 33, 64, 100];

function valuesFor(dtype: Dtype, length: number): ArrayLike<number> {
  if (dtype === "f32") return numbers(length, length);
  return integers(length, dtype === "bool" ? 2 : 1000);
}

Deno.test("wasm take copies rows of any dtype and length", () => {
  onEveryTarget(createTakeKernels, (subject, reference, target) => {
    for (const inner of inners) {
      for (const dtype of ["f32", "i32", "bool"] as const) {
        const [outer, n, k] = [3, 6, 11];
        const size = outer * n * inner;
        const run = ({ kernels, tensor, values }: Subject<"take">) => {
          const x = tensor(dtype, [outer, n, inner], valuesFor(dtype, size));
          const index = tensor("i32", [k], integers(k, n, inner));
          const out = tensor(dtype, [outer, k, inner]);
          kernels.take(x, index, out);
          return values(out);
        };
        const what = `${target}, ${dtype}, rows of ${inner}`;
        assertEquals([...run(subject)], [...run(reference)], what);
      }
    }
  });
});

Deno.test("wasm takeBackward adds in order of the index", () => {
  onEveryTarget(createTakeKernels, (subject, reference, target) => {
    for (const inner of inners) {
      const [outer, n, k] = [3, 5, 200];
      const run = ({ kernels, tensor, values }: Subject<"takeBackward">) => {
        const size = outer * k * inner;
        const y = tensor("f32", [outer, k, inner], numbers(size, inner));
        const index = tensor("i32", [k], integers(k, n, inner));
        const initial = numbers(outer * n * inner, 3);
        const out = tensor("f32", [outer, n, inner], initial);
        kernels.takeBackward(y, index, out);
        return values(out);
      };
      // The same additions in the same order: the very same bits, since the
      // reference rounds every sum to f32 too.
      const what = `${target}, rows of ${inner}`;
      assertEquals([...run(subject)], [...run(reference)], what);
    }
  });
});

Deno.test("wasm takeBackward with threads that share wide rows", () => {
  onEveryTarget(createTakeKernels, (subject, reference, target) => {
    const [n, k, inner] = [40, 3000, 200];
    const run = ({ kernels, tensor, values }: Subject<"takeBackward">) => {
      const y = tensor("f32", [1, k, inner], numbers(k * inner));
      const index = tensor("i32", [k], integers(k, n));
      const out = tensor("f32", [1, n, inner], new Float32Array(n * inner));
      kernels.takeBackward(y, index, out);
      return values(out);
    };
    assertEquals([...run(subject)], [...run(reference)], target);
  });
});

Deno.test("wasm take and gather name the index that is outside", () => {
  onEveryTarget(createTakeKernels, ({ kernels, tensor }) => {
    const x = tensor("f32", [1, 8, 2], numbers(16));
    const y = tensor("f32", [1, 5, 2], numbers(10));
    const wrong = tensor("i32", [5], [0, 7, 3, 9, -1]);
    assertThrows(
      () => kernels.take(x, wrong, y),
      RangeError,
      "take: index 9 at position 3 is outside 0 … 7",
    );
    const negative = tensor("i32", [5], [0, -1, 3, 9, -1]);
    assertThrows(
      () => kernels.takeBackward(y, negative, x),
      RangeError,
      "takeBackward: index -1 at position 1 is outside 0 … 7",
    );
  });
  onEveryTarget(createGatherKernels, ({ kernels, tensor }) => {
    const x = tensor("f32", [2, 4], numbers(8));
    const out = tensor("f32", [2, 3]);
    const index = tensor("i32", [3, 2], [0, 0, 1, 4, 2, 3]);
    const transposed = { ...index, shape: [2, 3], strides: [1, 2] };
    assertThrows(
      () => kernels.gather(x, 1, transposed, out),
      RangeError,
      "gather: index 4 at position 4 is outside 0 … 3",
    );
    assertThrows(
      () => kernels.gatherBackward(out, 1, transposed, x),
      RangeError,
      "gatherBackward: index 4 at position 4 is outside 0 … 3",
    );
  });
});

/** A view with its axes reversed in memory, and shape as given. */
function transposedView(
  { tensor }: Subject<never>,
  dtype: Dtype,
  shape: number[],
  values?: ArrayLike<number>,
): View {
  const view = tensor(dtype, [...shape].reverse(), values);
  return { ...view, shape, strides: [...view.strides].reverse() };
}

Deno.test("wasm gather and its gradient, every axis, strided", () => {
  onEveryTarget(createGatherKernels, (subject, reference, target) => {
    for (const shape of [[4, 3, 5], [1, 6, 1], [7, 1, 2]]) {
      for (const axis of [0, 1, 2]) {
        for (const dtype of ["f32", "i32", "bool"] as const) {
          const indexShape = shape.map((n, a) => a === axis ? 4 : n);
          const size = shape.reduce((a, b) => a * b);
          const count = indexShape.reduce((a, b) => a * b);
          const run = (
            given: Subject<"gather" | "gatherBackward">,
          ): TypedArray[] => {
            const { kernels, tensor, values } = given;
            const x = transposedView(
              given,
              dtype,
              shape,
              valuesFor(dtype, size),
            );
            const index = transposedView(
              given,
              "i32",
              indexShape,
              integers(count, shape[axis], 2),
            );
            const out = tensor(dtype, indexShape);
            kernels.gather(x, axis, index, out);
            if (dtype !== "f32") return [values(out)];
            const gradient = transposedView(
              given,
              "f32",
              shape,
              numbers(size, 5),
            );
            const repeated = {
              ...tensor("f32", [1], [0.3]),
              shape: indexShape,
              strides: [0, 0, 0],
            };
            kernels.gatherBackward(out, axis, index, gradient);
            kernels.gatherBackward(repeated, axis, index, gradient);
            return [values(out), values(gradient)];
          };
          const what = `${target}, ${dtype} [${shape}] along ${axis}`;
          const [actual, expected] = [run(subject), run(reference)];
          assertEquals([...actual[0]], [...expected[0]], what);
          if (dtype !== "f32") continue;
          // Terms of an element come in order of the index: the same bits.
          assertEquals([...actual[1]], [...expected[1]], what);
        }
      }
    }
  });
});

Deno.test("wasm gather reads flipped views", () => {
  onEveryTarget(createGatherKernels, ({ kernels, tensor, values }) => {
    const flipped = (view: View): View => ({
      ...view,
      strides: [-1],
      offset: view.shape[0] - 1,
    });
    const x = flipped(tensor("f32", [4], [10, 11, 12, 13]));
    const index = flipped(tensor("i32", [3], [2, 0, 1]));
    const out = tensor("f32", [3]);
    kernels.gather(x, 0, index, out);
    assertEquals([...values(out)], [12, 13, 11]);
  });
});

Deno.test("wasm cumsum of f32 and i32, both directions", () => {
  onEveryTarget(createCumsumKernels, (subject, reference, target) => {
    for (const [outer, n, inner] of [[3, 50, 1], [2, 7, 5], [1, 1, 4]]) {
      for (const dtype of ["f32", "i32"] as const) {
        for (const reverse of [false, true]) {
          const shape = [outer, n, inner];
          const size = outer * n * inner;
          const run = ({ kernels, tensor, values }: Subject<"cumsum">) => {
            const x = tensor(dtype, shape, valuesFor(dtype, size));
            const out = tensor(dtype, shape);
            kernels.cumsum(x, out, reverse);
            return values(out);
          };
          // Both sum in f64 and round what they store.
          const what = `${target}, ${dtype} [${shape}], reverse ${reverse}`;
          assertEquals([...run(subject)], [...run(reference)], what);
        }
      }
    }
  });
});

Deno.test("wasm argmax and topk equal the reference", () => {
  onEveryTarget(createTopkKernels, (subject, reference, target) => {
    for (const dtype of ["f32", "i32"] as const) {
      for (const [rows, n] of [[1, 1], [4, 2], [3, 17], [2, 1000]]) {
        for (const k of new Set([1, Math.min(n, 5), n])) {
          const run = (
            { kernels, tensor, values }: Subject<"argmax" | "topk">,
          ): TypedArray[] => {
            // Few different values, so that many are equal.
            const given = integers(rows * n, 40, n).map((v) => v - 20);
            const x = tensor(dtype, [rows, n], given);
            const [top, places] = [
              tensor(dtype, [rows, k]),
              tensor("i32", [rows, k]),
            ];
            kernels.topk(x, top, places);
            const best = tensor("i32", [rows, 1]);
            kernels.argmax({ ...x, shape: [rows, n, 1] }, best);
            const columns = tensor("i32", [1, n]);
            kernels.argmax({ ...x, shape: [1, rows, n] }, columns);
            return [top, places, best, columns].map(values);
          };
          const what = `${target}, ${dtype} [${rows}, ${n}], k ${k}`;
          const plain = (arrays: TypedArray[]): number[][] =>
            arrays.map((array) => [...array]);
          assertEquals(plain(run(subject)), plain(run(reference)), what);
        }
      }
    }
  });
});

Deno.test("wasm argmax and topk: NaN is largest, −0 equals 0", () => {
  onEveryTarget(createTopkKernels, ({ kernels, tensor, values }) => {
    const row = [-Infinity, -0, 0, NaN, -1, Infinity, NaN, 2];
    const x = tensor("f32", [1, 8], row);
    const [top, places] = [tensor("f32", [1, 8]), tensor("i32", [1, 8])];
    kernels.topk(x, top, places);
    assertEquals([...values(places)], [3, 6, 5, 7, 1, 2, 4, 0]);
    assertEquals([...values(top)], [...values(places)].map((i) => row[i]));
    const best = tensor("i32", [1, 1]);
    kernels.argmax({ ...x, shape: [1, 8, 1] }, best);
    assertEquals([...values(best)], [3]);
  });
});

Deno.test("wasm topk sorts rows whose heaps exceed a thread's scratch", () => {
  onEveryTarget(createTopkKernels, ({ kernels, tensor, values }, _, target) => {
    if (target === "plain SIMD") return; // no vectors are involved
    const n = 600_000; // 8 bytes each, of 4 MiB
    const x = tensor("f32", [1, n], numbers(n));
    const [top, places] = [tensor("f32", [1, n]), tensor("i32", [1, n])];
    kernels.topk(x, top, places);
    assertEquals(values(top), Float32Array.from(values(x)).sort().reverse());
  });
});

function keyOf(streams: number): RandomKey {
  return {
    seed: 2 ** 40 + 12345,
    streams: Array.from(
      { length: streams },
      (_, n) => [n, 0xffffffff - n, 7] as const,
    ),
  };
}

Deno.test("wasm random numbers are those of Philox, for any size", () => {
  onEveryTarget(
    createRandomKernels,
    ({ kernels, tensor, values }, _, target) => {
      for (const streams of [1, 3]) {
        for (const size of [1, 3, 15, 16, 17, 255, 256, 257, 1000]) {
          const key = keyOf(streams);
          const out = tensor("f32", [streams, size]);
          kernels.random(key, out);
          const expected = Float32Array.from(
            { length: streams * size },
            (_, i) => randomUnit(key, Math.floor(i / size), i % size),
          );
          assertEquals(
            values(out),
            expected,
            `${target}, ${streams} × ${size}`,
          );
        }
      }
    },
  );
});

Deno.test("wasm dropout equals the reference", () => {
  onEveryTarget(createRandomKernels, (subject, reference, target) => {
    for (const probability of [0, 0.1, 0.5, 1 - 2 ** -20]) {
      for (const size of [5, 64, 300]) {
        const run = (
          { kernels, tensor, values }: Subject<"dropout">,
        ): TypedArray => {
          const x = tensor("f32", [2, size], numbers(2 * size));
          const out = tensor("f32", [2, size]);
          kernels.dropout({ probability, key: keyOf(2) }, x, out);
          return values(out);
        };
        // The factor 1 / (1 − p) is rounded once to f32, and so the product.
        const tolerance = { absolute: 0, relative: 2.5e-7 };
        const what = `${target}, p ${probability}, 2 × ${size}`;
        assertNear(run(subject), run(reference), tolerance, what);
      }
    }
  });
});

Deno.test("dropout: dropped elements are 0, whatever they were", () => {
  onEveryTarget(createRandomKernels, (subject, reference, target) => {
    const zeros: number[] = [NaN, Infinity].map((odd) => {
      const run = (
        { kernels, tensor, values }: Subject<"dropout">,
      ): TypedArray => {
        const x = tensor("f32", [2, 50], new Float32Array(100).fill(odd));
        const out = tensor("f32", [2, 50]);
        kernels.dropout({ probability: 0.5, key: keyOf(2) }, x, out);
        return values(out);
      };
      const result = run(subject);
      assertEquals([...result], [...run(reference)], `${target}, ${odd}`);
      return result.filter((x) => x === 0).length;
    });
    for (const count of zeros) assert(count > 20 && count < 80, `${count}`);
  });
});

Deno.test("wasm random numbers don't depend on threads", () => {
  const size = 200_001;
  const results: TypedArray[] = [];
  onEveryTarget(createRandomKernels, ({ kernels, tensor, values }) => {
    const out = tensor("f32", [size]);
    kernels.random(keyOf(1), out);
    results.push(values(out).slice());
  });
  for (const other of results) assertEquals(other, results[0]);
  const mean = Array.from(results[0]).reduce((sum, x) => sum + x / size, 0);
  // Four standard deviations of the mean of uniform numbers.
  assert(Math.abs(mean - 0.5) < 4 * Math.sqrt(1 / 12 / size));
});
