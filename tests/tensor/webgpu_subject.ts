/**
 * What tests of the webgpu device run on.
 *
 * @module
 */

import { preferVulkan } from "../../cli/vulkan.ts";
import type { Backend, View } from "../../tensor/backend.ts";
import { type Dtype, type TypedArray, typedArray } from "../../tensor/dtype.ts";
import { contiguousStrides, sizeOf } from "../../tensor/shape.ts";
import {
  type AdapterDescription,
  listAdapters,
} from "../../tensor/webgpu/adapter.ts";
import {
  createWebgpuBackend,
  type WebgpuBackend,
} from "../../tensor/webgpu/backend.ts";
import type { GpuOptions } from "../../tensor/webgpu/gpu_options.ts";

preferVulkan();
/** All there are. */
export const adapters: readonly AdapterDescription[] = await listAdapters();

/** Whether there is no adapter, for `Deno.test({ ignore })`. */
export const gpuMissing: boolean = adapters.length === 0;

/** Whether there is no storage in 16 bits. */
export const halvesMissing: boolean = !adapters[0]?.features
  .includes("shader-f16");

const backends = new Map<string, Promise<WebgpuBackend>>();

/** A backend with these options, shared by all who ask for the same ones. */
export function webgpuBackend(
  options: GpuOptions = {},
): Promise<WebgpuBackend> {
  const key = JSON.stringify(options);
  let backend = backends.get(key);
  if (backend === undefined) {
    backends.set(key, backend = createWebgpuBackend(options));
  }
  return backend;
}

/** A contiguous view of fresh memory, with values if given. */
export function gpuTensor(
  backend: Backend,
  dtype: Dtype,
  shape: readonly number[],
  values?: ArrayLike<number>,
): View {
  const size = sizeOf(shape);
  const buffer = backend.allocate(size * backend.bytesPerElement[dtype]);
  if (values !== undefined) {
    const host = typedArray(dtype, size);
    host.set(values);
    backend.write(buffer, host, 0, dtype);
  }
  return { buffer, dtype, shape, strides: contiguousStrides(shape), offset: 0 };
}

/** The first `length` elements of a view's buffer, from the view's first on. */
export async function gpuValues(
  backend: Backend,
  { buffer, dtype, offset, shape }: View,
  length: number = sizeOf(shape),
): Promise<TypedArray> {
  return await backend.read(buffer, dtype, offset, length);
}
