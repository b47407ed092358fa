/**
 * The webgpu backend: memory and kernels on a GPU.
 *
 * @module
 */

import type { Backend } from "../backend.ts";
import { type Dtype, dtypeOf, isFloat } from "../dtype.ts";
import type { PooledBuffer } from "./buffer_pool.ts";
import { type Gpu, openGpu } from "./gpu.ts";
import { gpuBytesPerElement } from "./view_memory.ts";
import type { GpuOptions } from "./gpu_options.ts";
import { fromDevice, toDevice } from "./host_values.ts";
import { webgpuKernels } from "./kernels.ts";
import { autotuneMatmul } from "./matmul_autotune.ts";

/** A backend, and the GPU below it, for tests and measurements. */
export interface WebgpuBackend extends Backend {
  /** The GPU. */
  readonly gpu: Gpu;
}

/**
 * Makes the backend that runs kernels on the GPU that the platform prefers.
 *
 * Kernels are recorded and run later: faults, and indices that are out of
 * range, show up in the next `read` or `finished`. Memory that nobody wrote has
 * undefined contents. Real numbers are f32.
 *
 * @throws {DeviceError} Of kind `missing`, if there is no adapter.
 */
export async function createWebgpuBackend(
  options: GpuOptions = {},
): Promise<WebgpuBackend> {
  const gpu = await openGpu(options);
  const matmulForm = await autotuneMatmul(gpu);
  return {
    gpu,
    name: "webgpu",
    floatDtype: "f32",
    bytesPerElement: gpuBytesPerElement,
    halves: gpu.halves,
    synchronous: false,
    get submits(): number {
      return gpu.recorder.submits;
    },
    get readbacks(): number {
      return gpu.readbacks;
    },
    threads: 1,
    mode: gpu.adapter.name,
    limitBytes: Infinity,
    allocate: (bytes, origin, shape) => {
      gpu.check();
      return gpu.pool.allocate(bytes, origin, shape);
    },
    free: (buffer) => gpu.pool.free(buffer as PooledBuffer),
    write: (buffer, values, offset, dtype = storedDtype(dtypeOf(values))) => {
      const bytes = toDevice(values, dtype);
      const at = offset * gpuBytesPerElement[dtype];
      gpu.write((buffer as PooledBuffer).block, at, bytes);
    },
    read: async (buffer, dtype, offset, length) => {
      const bytes = gpuBytesPerElement[dtype];
      const from = Math.floor(offset * bytes / 4) * 4;
      const end = Math.ceil((offset + length) * bytes / 4) * 4;
      const { block } = buffer as PooledBuffer;
      const found = await gpu.read(block, from, Math.max(4, end - from));
      return fromDevice(found, dtype, offset - from / bytes, length);
    },
    finished: () => gpu.finished(),
    close: () => gpu.close(),
    ...webgpuKernels(gpu, matmulForm),
  };
}

function storedDtype(dtype: Dtype): Dtype {
  return isFloat(dtype) ? "f32" : dtype;
}
