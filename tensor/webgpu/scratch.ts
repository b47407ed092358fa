/**
 * Memory that kernels use between launches.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { PooledBuffer } from "./buffer_pool.ts";
import type { Gpu } from "./gpu.ts";
import { gpuBytesPerElement } from "./view_memory.ts";

/** A view whose buffer goes back to the pool. */
export type Scratch = View & { readonly buffer: PooledBuffer };

/**
 * A row of `length` numbers, of undefined contents. To be freed as soon as the
 * last launch that uses it is recorded: what is recorded later runs later.
 */
export function scratch(
  gpu: Gpu,
  operation: string,
  length: number,
  dtype: "f32" | "i32" = "f32",
): Scratch {
  return {
    buffer: gpu.pool.allocate(gpuBytesPerElement[dtype] * length, operation),
    dtype,
    shape: [length],
    strides: [1],
    offset: 0,
  };
}
