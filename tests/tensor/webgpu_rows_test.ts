import { assertEquals } from "@std/assert";
import type {
  Backend,
  CrossEntropyArguments,
  View,
} from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { assertNear, integers, numbers } from "./kernel_subjects.ts";
import {
  assertLikeReference,
  classify,
  normalize,
  onEveryForm,
  real,
  reference,
  runSoftmax,
  valuesOf,
  wholeForms,
} from "./webgpu_rows_subject.ts";
import { gpuTensor, gpuValues, halvesMissing } from "./webgpu_subject.ts";

onEveryForm("rows give the same results from run to run", async (on) => {
  const run = (): Promise<TypedArray[]> =>
    valuesOf(on, [
      ...runSoftmax(on, 2, 20_000),
      ...classify(on, { rows: 3, n: 20_000, smoothing: 0.1 }),
      ...normalize(on, { shape: [2, 700, 33] }),
    ]);
  assertEquals(await run(), await run());
}, wholeForms);

onEveryForm("rows within one buffer, at any offset", async (on, form) => {
  const [rows, n] = [6, 36];
  for (const gap of [0, 1]) {
    const size = rows * n + gap;
    const run = (on: Backend): View[] => {
      const all = real(on, [6 * size + gap], numbers(6 * size + gap, 4));
      const view = (k: number, shape: number[]): View => ({
        ...real(on, shape),
        buffer: all.buffer,
        offset: gap + k * size,
      });
      const wide = [0, 1, 2].map((k) => view(k, [rows, n]));
      on.softmax(wide[0], wide[1]);
      on.softmaxBackward(wide[1], wide[0], wide[2]);
      const x = view(2, [1, rows, n]);
      const scalars = [view(4, [1, rows]), view(5, [1, rows])] as const;
      const weight = view(1, [1, n]);
      on.layerNorm(x, weight, weight, 1e-5, view(3, [1, rows, n]), ...scalars);
      return [all];
    };
    await assertLikeReference(
      on,
      run,
      // Gradients of softmax are of size 0.1 before they are normalized.
      [{ absolute: 2e-4, relative: 1e-4 }],
      `${form}, gap ${gap}`,
    );
  }
}, wholeForms);

onEveryForm(
  "rows stored in 16 bits",
  async (on, form) => {
    for (const [rows, n] of [[6, 64], [5, 33], [2, 20_000]]) {
      const half = (shape: number[], values?: Float32Array): View =>
        gpuTensor(on, "f16", shape, values);
      const x = half([rows, n], numbers(rows * n, 2));
      const labels = integers(rows, n);
      const given = await gpuValues(on, x);
      const results = (on: Backend, make: typeof half): View[] => {
        const x = make([rows, n], given as Float32Array);
        const [y, dlogits] = [make([rows, n]), make([rows, n])];
        on.softmax(x, y);
        const args: CrossEntropyArguments = {
          logits: x,
          labels: gpuTensor(on, "i32", [rows], labels),
          ignoreIndex: -1,
          labelSmoothing: 0.1,
        };
        const [loss, logSum] = [real(on, [rows]), real(on, [rows])];
        on.crossEntropy(args, loss, logSum);
        const dloss = real(on, [rows], new Float32Array(rows).fill(1));
        on.crossEntropyBackward(args, logSum, dloss, dlogits);
        const norm = make([1, rows, n]);
        const scalars = [real(on, [1, rows]), real(on, [1, rows])] as const;
        const wide = { ...x, shape: [1, rows, n], strides: [rows * n, n, 1] };
        on.layerNorm(wide, undefined, undefined, 1e-5, norm, ...scalars);
        return [y, dlogits, norm, loss, logSum, ...scalars];
      };
      const actual = await valuesOf(on, results(on, half));
      const expected = await valuesOf(
        reference,
        results(reference, (shape, values) => real(reference, shape, values)),
      );
      for (const [i, values] of actual.entries()) {
        // Results in 16 bits have 11 digits, and subnormal ones down to 6e-8.
        const tolerance = i < 3
          ? { absolute: 6e-8, relative: 2 ** -11 }
          : { absolute: 1e-6, relative: 2e-6 };
        assertNear(
          values,
          expected[i],
          tolerance,
          `${form}, ${n}, result ${i}`,
        );
      }
    }
  },
  wholeForms,
  halvesMissing,
);
