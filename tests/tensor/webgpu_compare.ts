/**
 * Runs the same kernels on the reference and on the GPU, in every form.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Backend, View } from "../../tensor/backend.ts";
import { type Dtype, type TypedArray, typedArray } from "../../tensor/dtype.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import { contiguousStrides, sizeOf } from "../../tensor/shape.ts";
import type { GpuOptions } from "../../tensor/webgpu/gpu_options.ts";
import { integers, numbers } from "./kernel_subjects.ts";
import { gpuMissing, webgpuBackend } from "./webgpu_subject.ts";

/** A backend with memory that tests fill and read. */
export interface Bench {
  /** What is tested, or the reference. */
  readonly backend: Backend;
  /**
   * A contiguous view of fresh memory, with values if given. The reference
   * stores f16 as f32.
   */
  tensor(
    dtype: Dtype,
    shape: readonly number[],
    values?: ArrayLike<number>,
  ): View;
  /** The elements of the buffer of a contiguous view, from its first one on. */
  values(view: View): Promise<TypedArray>;
}

/** Lends a bench on a backend, and frees what was made on it. */
export async function withBench<Result>(
  backend: Backend,
  body: (bench: Bench) => Promise<Result>,
): Promise<Result> {
  const views: View[] = [];
  try {
    return await body({
      backend,
      tensor(asked, shape, values) {
        const reference = backend.name === "reference";
        const dtype = asked === "f16" && reference ? "f32" : asked;
        const host = typedArray(dtype, sizeOf(shape));
        if (values !== undefined) host.set(values);
        const bytes = host.length * backend.bytesPerElement[dtype];
        const buffer = backend.allocate(bytes, "test");
        backend.write(buffer, host, 0, dtype);
        const strides = contiguousStrides(shape);
        const view = { buffer, dtype, shape, strides, offset: 0 };
        views.push(view);
        return view;
      },
      values: async ({ buffer, dtype, offset, shape }) =>
        await backend.read(buffer, dtype, offset, sizeOf(shape)),
    });
  } finally {
    for (const { buffer } of views) backend.free(buffer);
  }
}

/**
 * Runs `run` on the reference and on the GPU with each of the options, and
 * hands the results to `check`.
 */
export async function compare<Result>(
  options: readonly GpuOptions[],
  run: (bench: Bench) => Promise<Result>,
  check: (actual: Result, expected: Result, form: string) => void,
): Promise<void> {
  const expected = await withBench(createReferenceBackend(), run);
  for (const each of options) {
    const actual = await withBench(await webgpuBackend(each), run);
    check(actual, expected, JSON.stringify(each));
  }
}

/** Compares every bit: `run` gives the same on the reference and on the GPU. */
export async function assertSame(
  options: readonly GpuOptions[],
  what: string,
  run: (bench: Bench) => Promise<TypedArray[]>,
): Promise<void> {
  await compare(options, run, (actual, expected, form) => {
    for (const [i, values] of expected.entries()) {
      assertEquals(actual[i], values, `${form}, ${what}, ${i}`);
    }
  });
}

/** A test that is skipped, by name, where there is no adapter. */
export function gpuTest(
  name: string,
  fn: () => Promise<void>,
  ignore = gpuMissing,
): void {
  Deno.test({ name, ignore, fn });
}

/** Forms of kernels that index or order: for CPUs, and for GPUs. */
export const indexingForms: readonly GpuOptions[] = [
  { indexing: "registers" },
  { indexing: "tiled" },
];

/** Bindings so small that what tests make must be split. */
export const splitForms: readonly GpuOptions[] = indexingForms.map((form) => ({
  ...form,
  bindingLimit: 4096,
}));

/** Numbers of a dtype that look random. */
export function valuesFor(dtype: Dtype, length: number): ArrayLike<number> {
  if (dtype === "f32") return numbers(length, length);
  return integers(length, dtype === "bool" ? 2 : 1000);
}

/** A contiguous view of three axes within the buffer of another one. */
export function within(
  view: View,
  shape: readonly [number, number, number],
  offset: number,
): View {
  const strides = [shape[1] * shape[2], shape[2], 1];
  return { ...view, shape, strides, offset };
}
