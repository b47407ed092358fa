/**
 * The wasm backend: its options, its memory seen from the host, and the kernel
 * families it is made of.
 *
 * @module
 */

import type { Backend, DeviceBuffer } from "../backend.ts";
import { bytesPerElement, type Dtype, type TypedArray } from "../dtype.ts";
import { createAttentionKernels } from "./attention.ts";
import { createCrossEntropyKernels } from "./cross_entropy.ts";
import { createCumsumKernels } from "./cumsum.ts";
import { createGatherKernels } from "./gather.ts";
import { createLayerNormKernels } from "./layer_norm.ts";
import { createMapKernels } from "./map.ts";
import { createMatmulKernels } from "./matmul.ts";
import { createRandomKernels } from "./random.ts";
import { createReduceKernels } from "./reduce.ts";
import { createRuntime, type Mode, type OwnedRuntime } from "./runtime.ts";
import { createSoftmaxKernels } from "./softmax.ts";
import { createTakeKernels } from "./take.ts";
import { createTopkKernels } from "./topk.ts";

/** How a wasm backend is made. */
export interface WasmBackendOptions {
  /**
   * Threads that share the work, 1 … 64. Default: all cores, at most 8. One
   * where memory can't be shared (a browser page that is not isolated).
   */
  readonly threads?: number;
  /**
   * Bytes of memory, at most 16 GiB; pages are taken from the system when they
   * are first written. Default: 4 GiB, or less where the platform refuses.
   * Beyond 4 GiB, addresses are 64 bits wide.
   */
  readonly memory?: number;
  /**
   * Whether fused multiply-adds (relaxed SIMD) may be used where the platform
   * has them. Default true.
   */
  readonly relaxed?: boolean;
}

const gibibyte = 2 ** 30;
const maxThreads = 64;
const maxMemory = 16 * gibibyte;

function checkRange(
  name: string,
  value: number,
  least: number,
  most: number,
): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `device("wasm"): ${name} is ${value}, not an integer in ` +
        `${least} … ${most}`,
    );
  }
}

function defaultThreads(): number {
  return Math.max(1, Math.min(8, navigator.hardwareConcurrency ?? 1));
}

/** A runtime with 4 GiB, or the most that the platform gives. */
function createLargestRuntime(
  threads: number,
  relaxed: boolean,
): OwnedRuntime {
  for (let memory = 4 * gibibyte;; memory /= 2) {
    try {
      return createRuntime({ threads, relaxed, memory });
    } catch (error) {
      if (!(error instanceof RangeError) || memory < gibibyte / 8) throw error;
    }
  }
}

/** Elements of a buffer, seen from the host. */
function elementsOf(
  runtime: OwnedRuntime,
  buffer: DeviceBuffer,
  dtype: Dtype,
  offset: number,
  length: number,
): Float32Array | Int32Array | Uint8Array {
  const bytes = bytesPerElement[dtype];
  // What is empty lies nowhere: a reversed axis has its first element at −1.
  if (length === 0) offset = 0;
  if (offset < 0 || (offset + length) * bytes > buffer.bytes) {
    throw new RangeError(
      `wasm device: elements ${offset} … ${offset + length - 1} of ${dtype} ` +
        `lie outside of a buffer of ${buffer.bytes} bytes`,
    );
  }
  const start = runtime.addressOf(buffer) + offset * bytes;
  const { memory } = runtime;
  switch (dtype) {
    case "f32":
      return new Float32Array(memory.buffer, start, length);
    case "i32":
      return new Int32Array(memory.buffer, start, length);
    case "bool":
      return new Uint8Array(memory.buffer, start, length);
    case "f16":
    case "f64":
      throw new TypeError(
        `wasm device: there is no ${dtype} here; real numbers are f32`,
      );
  }
}

/** The dtype that host values have on this device: real numbers are f32. */
function storedDtype(values: TypedArray): Dtype {
  if (values instanceof Int32Array) return "i32";
  return values instanceof Uint8Array ? "bool" : "f32";
}

/**
 * Makes the backend that runs SIMD kernels in WebAssembly, on several threads.
 *
 * Its `mode` is measured when it is asked for, or once there was enough work
 * that it matters. After `close()` nothing works but `free`, which finalizers
 * may call.
 *
 * @throws {RangeError} If an option is out of range, or the platform refuses
 * that much memory.
 */
export function createWasmBackend(
  options: WasmBackendOptions = {},
): Promise<Backend> {
  return new Promise((resolve) => resolve(createBackend(options)));
}

function createBackend(options: WasmBackendOptions): Backend {
  const { threads = defaultThreads(), relaxed = true } = options;
  checkRange("threads", threads, 1, maxThreads);
  let runtime: OwnedRuntime;
  if (options.memory === undefined) {
    runtime = createLargestRuntime(threads, relaxed);
  } else {
    checkRange("memory", options.memory, 1, maxMemory);
    runtime = createRuntime({ threads, relaxed, memory: options.memory });
  }
  return {
    name: "wasm",
    floatDtype: "f32",
    bytesPerElement,
    halves: false,
    synchronous: true,
    submits: 0,
    readbacks: 0,
    finished: () => Promise.resolve(),
    get threads(): number {
      return runtime.threads;
    },
    get mode(): Mode {
      return runtime.mode;
    },
    limitBytes: runtime.limitBytes,
    allocate: (bytes) => runtime.allocate(bytes),
    free: (buffer) => runtime.free(buffer),
    write: (buffer, values, offset) => {
      const dtype = storedDtype(values);
      elementsOf(runtime, buffer, dtype, offset, values.length).set(values);
    },
    read: (buffer, dtype, offset, length) =>
      elementsOf(runtime, buffer, dtype, offset, length).slice(),
    close: () => runtime.close(),
    ...createMapKernels(runtime),
    ...createReduceKernels(runtime),
    ...createMatmulKernels(runtime),
    ...createSoftmaxKernels(runtime),
    ...createCrossEntropyKernels(runtime),
    ...createLayerNormKernels(runtime),
    ...createAttentionKernels(runtime),
    ...createTakeKernels(runtime),
    ...createGatherKernels(runtime),
    ...createCumsumKernels(runtime),
    ...createTopkKernels(runtime),
    ...createRandomKernels(runtime),
  };
}
