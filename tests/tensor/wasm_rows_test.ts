import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Kernels, View } from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { createCrossEntropyKernels } from "../../tensor/wasm/cross_entropy.ts";
import { createLayerNormKernels } from "../../tensor/wasm/layer_norm.ts";
import { createSoftmaxKernels } from "../../tensor/wasm/softmax.ts";
import {
  assertNear,
  integers,
  numbers,
  onEveryTarget,
  type Subject,
} from "./kernel_subjects.ts";

// Lengths below, at and beyond one element, vector and block of vectors.
const lengths = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 127, 128, 257];

Deno.test("wasm softmax equals the reference for rows of any length", () => {
  onEveryTarget(createSoftmaxKernels, (subject, reference, target) => {
    for (const n of lengths) {
      const rows = 5;
      const run = (
        { kernels, tensor, values }: Subject<
          "softmax" | "softmaxBackward"
        >,
      ): TypedArray[] => {
        const x = tensor("f32", [rows, n], numbers(rows * n, n, 8));
        const y = tensor("f32", [rows, n]);
        kernels.softmax(x, y);
        const dy = tensor("f32", [rows, n], numbers(rows * n, n + 1));
        const dx = tensor("f32", [rows, n]);
        kernels.softmaxBackward(y, dy, dx);
        return [values(y), values(dx)];
      };
      const [y, dx] = run(subject);
      const [expectedY, expectedDx] = run(reference);
      const what = `${target}, rows of ${n}`;
      // x − max, of size up to 60, is rounded by up to 2e-6.
      assertNear(y, expectedY, { absolute: 1e-37, relative: 4e-6 }, what);
      assertNear(dx, expectedDx, { absolute: 2e-6, relative: 1e-6 }, what);
    }
  });
});

Deno.test("wasm softmax at the edges of f32", () => {
  onEveryTarget(createSoftmaxKernels, ({ kernels, tensor, values }) => {
    const softmax = (row: number[]): number[] => {
      const x = tensor("f32", [1, row.length], row);
      const out = tensor("f32", [1, row.length]);
      kernels.softmax(x, out);
      return [...values(out)];
    };
    const big = 3e38;
    assertEquals(softmax([big, big, -big, big, big]), [
      ...[0.25, 0.25, 0, 0.25, 0.25],
    ]);
    assertEquals(softmax([-Infinity, 0, 0, -Infinity, -Infinity]), [
      ...[0, 0.5, 0.5, 0, 0],
    ]);
    const nowhere = softmax(new Array(9).fill(-Infinity));
    assertEquals(nowhere, new Array(9).fill(NaN));
    for (const wrong of [NaN, Infinity]) {
      assert(Number.isNaN(softmax([1, 2, 3, 4, 5, wrong])[5]));
    }
  });
});

function crossEntropyArguments(
  { tensor }: Subject<never>,
  logits: Float32Array,
  labels: ArrayLike<number>,
  ignoreIndex: number,
  labelSmoothing: number,
): Parameters<Kernels["crossEntropy"]>[0] {
  const rows = labels.length;
  return {
    logits: tensor("f32", [rows, logits.length / rows], logits),
    labels: tensor("i32", [rows], labels),
    ignoreIndex,
    labelSmoothing,
  };
}

Deno.test("wasm cross entropy equals the reference", () => {
  onEveryTarget(createCrossEntropyKernels, (subject, reference, target) => {
    for (const n of lengths) {
      for (const smoothing of [0, 0.1, 1]) {
        const rows = 6;
        const run = (
          given: Subject<"crossEntropy" | "crossEntropyBackward">,
        ): TypedArray[] => {
          const { kernels, tensor, values } = given;
          const labels = integers(rows, n, n);
          labels[2] = -100;
          const logits = numbers(rows * n, n + 3, 5).map((x) => x + 40);
          const args = crossEntropyArguments(
            given,
            logits,
            labels,
            -100,
            smoothing,
          );
          const [loss, logSum] = [tensor("f32", [rows]), tensor("f32", [rows])];
          kernels.crossEntropy(args, loss, logSum);
          const dloss = tensor("f32", [rows], numbers(rows, 9));
          const dlogits = tensor("f32", [rows, n]);
          kernels.crossEntropyBackward(args, logSum, dloss, dlogits);
          return [values(loss), values(logSum), values(dlogits)];
        };
        const [loss, logSum, dlogits] = run(subject);
        const expected = run(reference);
        const what = `${target}, ${n} classes, smoothing ${smoothing}`;
        assertEquals(loss[2], 0);
        assertNear(loss, expected[0], { absolute: 2e-6, relative: 1e-6 }, what);
        assertNear(logSum, expected[1], { absolute: 0, relative: 2e-7 }, what);
        // exp(x − logSumExp) carries the rounding of logSumExp near 50: 4e-6.
        assertNear(dlogits, expected[2], { absolute: 1e-5, relative: 0 }, what);
      }
    }
  });
});

Deno.test("wasm cross entropy: infinite logits, ignored rows, bad labels", () => {
  onEveryTarget(createCrossEntropyKernels, (subject) => {
    const { kernels, tensor, values } = subject;
    const run = (
      logits: number[],
      labels: number[],
      ignoreIndex: number,
      smoothing = 0,
    ): [View, View] => {
      const args = crossEntropyArguments(
        subject,
        Float32Array.from(logits),
        labels,
        ignoreIndex,
        smoothing,
      );
      const loss = tensor("f32", [labels.length]);
      const logSum = tensor("f32", [labels.length]);
      kernels.crossEntropy(args, loss, logSum);
      return [loss, logSum];
    };
    const [masked] = run([-Infinity, 0, 0, NaN, 1, 2], [1, 7], 7);
    assertNear(
      values(masked),
      [Math.LN2, 0],
      { absolute: 1e-6, relative: 0 },
      "masked class",
    );
    const [huge] = run([-1e30, 1e30, 0], [1], -1);
    assertEquals(values(huge)[0], 0);
    const [, flat] = run([2, 2, 2, 2], [0], -1, 1);
    assertNear(
      values(flat),
      [2 + Math.log(4)],
      { absolute: 1e-6, relative: 0 },
      "all smoothing",
    );
    const error = assertThrows(
      () => run(new Array(40).fill(0), [3, -1, 2, 4, 0, 5, -7, 9], -1),
      RangeError,
    );
    assertEquals(
      error.message,
      "crossEntropy: label 5 of row 5 is outside 0 … 4 (ignoreIndex -1)",
    );
  });
});

type Norm = Subject<"layerNorm" | "layerNormBackward">;

function runLayerNorm(
  { kernels, tensor, values }: Norm,
  [groups, rows, n]: [number, number, number],
  mean: number,
  [hasWeight, hasBias]: [boolean, boolean],
  stride: number,
): TypedArray[] {
  const size = groups * rows * n;
  const shape = [groups, rows, n];
  const x = tensor("f32", shape, numbers(size, n).map((v) => v + mean));
  const strided = (seed: number): View => ({
    ...tensor("f32", [groups * stride], numbers(groups * stride, seed)),
    shape: [groups, n],
    strides: [stride, 1],
  });
  const weight = hasWeight ? strided(5) : undefined;
  const bias = hasBias ? strided(6) : undefined;
  const [out, dx] = [tensor("f32", shape), tensor("f32", shape)];
  const means = tensor("f32", [groups, rows]);
  const inverses = tensor("f32", [groups, rows]);
  kernels.layerNorm(x, weight, bias, 1e-5, out, means, inverses);
  const dy = tensor("f32", shape, numbers(size, n + 1));
  const dweight = hasWeight ? tensor("f32", [groups, n]) : undefined;
  const dbias = hasBias ? tensor("f32", [groups, n]) : undefined;
  kernels.layerNormBackward(
    ...[x, weight, means, inverses, dy, dx, dweight, dbias] as const,
  );
  const results = [out, means, inverses, dx];
  if (dweight) results.push(dweight);
  if (dbias) results.push(dbias);
  return results.map(values);
}

Deno.test("wasm layer norm equals the reference", () => {
  onEveryTarget(createLayerNormKernels, (subject, reference, target) => {
    for (const n of lengths) {
      for (const given of [[true, true], [false, false], [true, false]]) {
        const run = (on: Norm): TypedArray[] =>
          runLayerNorm(on, [3, 7, n], 0.5, given as [boolean, boolean], n + 3);
        const [actual, expected] = [run(subject), run(reference)];
        const what = `${target}, rows of ${n}, weight and bias ${given}`;
        // Deviations lose digits to cancellation where a row is short and so
        // may have little variance: the inverse deviation is the scale.
        const scale = Math.max(1, ...expected[2]);
        for (const [i, values] of actual.entries()) {
          const tolerance = { absolute: 3e-6 * scale, relative: 1e-5 };
          assertNear(values, expected[i], tolerance, `${what}, result ${i}`);
        }
      }
    }
  });
});

Deno.test("wasm layer norm keeps digits where mean ≫ deviation", () => {
  onEveryTarget(createLayerNormKernels, ({ kernels, tensor, values }) => {
    const n = 200;
    const x = numbers(n, 3).map((v) => v + 20000);
    const out = tensor("f32", [1, 1, n]);
    const scalars = [tensor("f32", [1, 1]), tensor("f32", [1, 1])] as const;
    const source = tensor("f32", [1, 1, n], x);
    kernels.layerNorm(source, undefined, undefined, 0, out, ...scalars);
    const mean = x.reduce((sum, v) => sum + v / n, 0);
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2 / n, 0);
    // x itself is only known to 1e-3, but what is known of it must count.
    const expected = Array.from(x, (v) => (v - mean) / Math.sqrt(variance));
    assertNear(values(out), expected, { absolute: 2e-6, relative: 0 }, "out");
  });
});

Deno.test("wasm layer norm gradients over many rows, any thread count", () => {
  const results: TypedArray[][] = [];
  onEveryTarget(createLayerNormKernels, (subject, reference, target) => {
    const run = (on: Norm): TypedArray[] =>
      runLayerNorm(on, [2, 700, 130], 0, [true, true], 130).map((v) =>
        v.slice()
      );
    const [actual, expected] = [run(subject), run(reference)];
    for (const [i, values] of actual.entries()) {
      // Sums of 700 terms of size 1.
      const tolerance = { absolute: 3e-5, relative: 1e-5 };
      assertNear(values, expected[i], tolerance, `${target}, result ${i}`);
    }
    if (target !== "plain SIMD") results.push(actual);
  });
  const [first, ...others] = results;
  for (const other of others) assertEquals(other, first);
});
