/**
 * Kernels on rows, in every form, against the reference in f64.
 *
 * @module
 */

import type {
  Backend,
  CrossEntropyArguments,
  View,
} from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import type { GpuOptions } from "../../tensor/webgpu/gpu_options.ts";
import { assertNear, integers, numbers } from "./kernel_subjects.ts";
import {
  gpuMissing,
  gpuTensor,
  gpuValues,
  webgpuBackend,
} from "./webgpu_subject.ts";

/** What results are compared with. */
export const reference: Backend = createReferenceBackend({
  dtype: "f64",
});

/** Forms of the kernels, with nothing to split. */
export const wholeForms: Readonly<Record<string, GpuOptions>> = {
  registers: { rows: "registers" },
  tiled: { rows: "tiled" },
};

// Both forms; and bindings so small that rows have to be launched in windows.
const forms: Readonly<Record<string, GpuOptions>> = {
  ...wholeForms,
  "registers, windows": { rows: "registers", bindingLimit: 4096 },
  "tiled, windows": { rows: "tiled", bindingLimit: 4096 },
};

/** Lengths below, at and beyond one element, vector and team of threads. */
export const lengths: readonly number[] = [
  1,
  2,
  3,
  4,
  5,
  8,
  31,
  32,
  33,
  64,
  127,
  128,
  257,
  300,
];

/** What a result may be off by. */
export type Tolerance = {
  readonly absolute: number;
  readonly relative: number;
};

/** Runs a test on every form of the kernels. */
export function onEveryForm(
  name: string,
  check: (on: WebgpuBackend, form: string) => Promise<void>,
  chosen: Readonly<Record<string, GpuOptions>> = forms,
  ignore = gpuMissing,
): void {
  Deno.test({
    name: `webgpu ${name}`,
    ignore,
    fn: async () => {
      for (const [form, options] of Object.entries(chosen)) {
        await check(await webgpuBackend(options), form);
      }
    },
  });
}

/** A tensor of real numbers, in the dtype that the backend computes in. */
export function real(
  on: Backend,
  shape: number[],
  values?: ArrayLike<number>,
): View {
  return gpuTensor(on, on.floatDtype, shape, values);
}

/** Reads all at once. */
export function valuesOf(
  on: Backend,
  views: readonly View[],
): Promise<TypedArray[]> {
  return Promise.all(views.map((view) => gpuValues(on, view)));
}

/** Runs on the device and on the reference, and compares each result. */
export async function assertLikeReference(
  on: Backend,
  run: (on: Backend) => View[],
  tolerances: readonly Tolerance[],
  what: string,
): Promise<void> {
  const actual = await valuesOf(on, run(on));
  const expected = await valuesOf(reference, run(reference));
  for (const [i, values] of actual.entries()) {
    const tolerance = tolerances[i] ?? tolerances.at(-1);
    assertNear(values, expected[i], tolerance, `${what}, result ${i}`);
  }
}

/** Softmax of random rows, and a gradient of it. */
export function runSoftmax(on: Backend, rows: number, n: number): View[] {
  const x = real(on, [rows, n], numbers(rows * n, n, 8));
  const y = real(on, [rows, n]);
  on.softmax(x, y);
  const dy = real(on, [rows, n], numbers(rows * n, n + 1));
  const dx = real(on, [rows, n]);
  on.softmaxBackward(y, dy, dx);
  return [y, dx];
}

/** Random logits and labels, the third of which is to be ignored. */
export interface Classification {
  readonly rows: number;
  readonly n: number;
  readonly smoothing: number;
}

/** Losses, logarithms of sums, and the gradient of the logits. */
export function classify(
  on: Backend,
  { rows, n, smoothing }: Classification,
): View[] {
  const labels = integers(rows, n, n);
  labels[2] = -100;
  const logits = numbers(rows * n, n + 3, 5).map((x) => x + 40);
  const args: CrossEntropyArguments = {
    logits: real(on, [rows, n], logits),
    labels: gpuTensor(on, "i32", [rows], labels),
    ignoreIndex: -100,
    labelSmoothing: smoothing,
  };
  const [loss, logSum] = [real(on, [rows]), real(on, [rows])];
  on.crossEntropy(args, loss, logSum);
  const dloss = real(on, [rows], numbers(rows, 9));
  const dlogits = real(on, [rows, n]);
  on.crossEntropyBackward(args, logSum, dloss, dlogits);
  return [loss, logSum, dlogits];
}

/** Random groups of rows around a mean, and the vectors that there are. */
export interface Norm {
  readonly shape: readonly [groups: number, rows: number, n: number];
  readonly mean?: number;
  readonly weight?: boolean;
  readonly bias?: boolean;
  /** Distance of the groups' weights, and of their biases. */
  readonly stride?: number;
}

/** Layer norm: all results, then all gradients. */
export function normalize(
  on: Backend,
  { shape, mean = 0.5, weight = true, bias = true, stride = shape[2] }: Norm,
): View[] {
  const [groups, rows, n] = shape;
  const size = groups * rows * n;
  const x = real(on, [...shape], numbers(size, n).map((v) => v + mean));
  const reach = (groups - 1) * stride + n + 4;
  const strided = (seed: number): View => ({
    ...real(on, [reach], numbers(reach, seed)),
    shape: [groups, n],
    strides: [stride, 1],
    offset: stride % 4,
  });
  const weights = weight ? strided(5) : undefined;
  const [out, dx] = [real(on, [...shape]), real(on, [...shape])];
  const [means, inverses] = [
    real(on, [groups, rows]),
    real(on, [groups, rows]),
  ];
  on.layerNorm(
    x,
    weights,
    bias ? strided(6) : undefined,
    1e-5,
    out,
    means,
    inverses,
  );
  const dy = real(on, [...shape], numbers(size, n + 1));
  const dweight = weight ? real(on, [groups, n]) : undefined;
  const dbias = bias ? real(on, [groups, n]) : undefined;
  on.layerNormBackward(x, weights, means, inverses, dy, dx, dweight, dbias);
  return [out, means, inverses, dx, dweight, dbias]
    .filter((view) => view !== undefined);
}
