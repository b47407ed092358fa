/**
 * What kernels of the wasm device stand on: modules that are loaded on every
 * thread, and launches that split their work over the threads.
 *
 * @module
 */

import { bytesPerElement } from "../dtype.ts";
import type { View } from "../backend.ts";
import { formatShape } from "../shape.ts";
import { ModuleBuilder, type Target } from "./assembler.ts";
import { Allocator, type WasmBuffer } from "./memory.ts";
import {
  callKernel,
  controlBytes,
  type KernelFunction,
  ThreadPool,
} from "./threads.ts";

/** An exported function of a loaded module. */
export interface Kernel {
  /** For messages. */
  readonly name: string;
  /** Its number, the same on every thread. */
  readonly index: number;
}

/** How V8 runs kernels: with 128-bit or, behind two flags, 256-bit vectors. */
export type Mode = "portable" | "turbo";

/** What kernel families need of the device that they belong to. */
export interface Runtime {
  /** What modules are built for. */
  readonly target: Target;
  /** Threads, with the calling one. */
  readonly threads: number;
  /** `turbo` where V8 runs 256-bit kernels (see docs/devices.md). */
  readonly mode: Mode;
  /**
   * Compiles a module here and on all threads; returns its exports by name.
   * Every exported kernel has the parameters
   * `(…args, begin: i32, end: i32, scratch: ptr)` and may have an i32 result,
   * 0 for success.
   */
  load(module: Uint8Array<ArrayBuffer>): Record<string, Kernel>;
  /**
   * Runs a kernel over items 0 … count − 1, in chunks of `grain` items that
   * threads claim; returns when all are done. Chunks write disjoint outputs, so
   * results don't depend on who runs them. A launch of one chunk, or with one
   * thread, is a plain call. Returns the smallest non-zero result of the
   * chunks, or 0.
   */
  launch(
    kernel: Kernel,
    args: readonly number[],
    count: number,
    grain: number,
  ): number;
  /**
   * Byte address of a view's first element, for a launch. The one place where
   * extents are checked against buffers: kernels run without bounds checks.
   *
   * @throws {RangeError} If any element of the view lies outside its buffer.
   * @throws {Error} If the buffer was freed.
   */
  address(view: View): number;
  /**
   * Byte address of `bytes` of memory that lives until `release`: packed
   * operands, tables of offsets. Cheap.
   */
  temporary(bytes: number): number;
  /** Gives temporary memory back. */
  release(address: number): void;
  /** The device's memory, for tables that launches read. */
  readonly memory: WebAssembly.Memory;
}

/** A runtime as its owner sees it: with its heap, and an end. */
export interface OwnedRuntime extends Runtime {
  /** Set after a probe; kernel families look at it when they are made. */
  mode: Mode;
  /** Bytes that may be allocated. */
  readonly limitBytes: number;
  /**
   * A block of the memory, with undefined contents.
   *
   * @throws {RangeError} If there is none left.
   */
  allocate(bytes: number): WasmBuffer;
  /** Gives a block back. */
  free(buffer: WasmBuffer): void;
  /** Ends the worker threads and forgets all memory. */
  close(): void;
}

/** What a runtime may use. */
export interface RuntimeOptions {
  /** Threads, with the calling one; capped at 1 without shared memory. */
  readonly threads: number;
  /** Bytes of memory; beyond 4 GiB, pointers become 64 bits wide. */
  readonly memory: number;
  /** Whether fused multiply-adds may be used where the platform has them. */
  readonly relaxed: boolean;
}

/** Private memory of every thread, given to kernels as `scratch`, in bytes. */
export const scratchBytes: number = 4 << 20;

const pageBytes = 65536;

/** Shared memory needs an isolated page in browsers; elsewhere it is there. */
function canShare(): boolean {
  const { crossOriginIsolated } = globalThis as {
    crossOriginIsolated?: boolean;
  };
  return typeof SharedArrayBuffer !== "undefined" &&
    crossOriginIsolated !== false;
}

function canRelax(): boolean {
  const target = { wide: false, pages: 1, shared: false, relaxed: true };
  const module = new ModuleBuilder(target);
  module.export("probe", ["ptr"], undefined, (f, x) => {
    const value = f.loadVector(x);
    f.storeVector(x, f.multiplyAdd(value, value, value));
  });
  return WebAssembly.validate(module.build());
}

function createMemory(
  pages: number,
  wide: boolean,
  shared: boolean,
): WebAssembly.Memory {
  const count = wide ? BigInt(pages) : pages;
  const descriptor = {
    initial: count,
    maximum: count,
    shared,
    ...(wide ? { address: "i64" } : {}),
  };
  try {
    return new WebAssembly.Memory(
      descriptor as unknown as WebAssembly.MemoryDescriptor,
    );
  } catch (cause) {
    throw new RangeError(
      `wasm device: the platform refuses ${pages * pageBytes} bytes of ` +
        `memory; ask for less with device("wasm", { memory: bytes })`,
      { cause },
    );
  }
}

/** Names the view that doesn't fit its buffer: a bug in an operation. */
function outside(view: View, low: number, high: number): RangeError {
  return new RangeError(
    `wasm device: a ${view.dtype} view of shape ${formatShape(view.shape)}, ` +
      `strides ${formatShape(view.strides)} and offset ${view.offset} ` +
      `reaches elements ${low} … ${high} of a buffer of ` +
      `${view.buffer.bytes} bytes; this is a bug in an operation`,
  );
}

/** Names the view whose buffer was given back: a bug in an operation, too. */
function freed(view: View): Error {
  return new Error(
    `wasm device: a ${view.dtype} view of shape ${formatShape(view.shape)} ` +
      `is used after its buffer of ${view.buffer.bytes} bytes was freed`,
  );
}

/**
 * Makes a memory with what runs kernels on it.
 *
 * @throws {RangeError} If the platform refuses that much memory.
 */
export function createRuntime(options: RuntimeOptions): OwnedRuntime {
  const shared = canShare();
  const threads = shared ? options.threads : 1;
  const heapBegin = controlBytes + threads * scratchBytes;
  // The last page stays unused, so that no end of a block wraps to 0.
  const wanted = Math.ceil((options.memory + heapBegin) / pageBytes) + 1;
  const wide = options.memory > 2 ** 32;
  const pages = wide ? wanted : Math.min(wanted, 65536);
  const target: Target = {
    wide,
    pages,
    shared,
    relaxed: options.relaxed && canRelax(),
  };
  const memory = createMemory(pages, wide, shared);
  const heapEnd = Math.min(
    (pages - 1) * pageBytes,
    heapBegin + Math.ceil(options.memory / 64) * 64,
  );
  const heap = new Allocator(heapBegin, heapEnd);
  const functions: KernelFunction[] = [];
  const pool = threads > 1
    ? new ThreadPool(memory, threads, scratchBytes)
    : undefined;
  const temporaries = new Map<number, WasmBuffer>();

  return {
    target,
    threads,
    memory,
    mode: "portable",
    limitBytes: heap.limitBytes,

    load(bytes): Record<string, Kernel> {
      const module = new WebAssembly.Module(bytes);
      const { exports } = new WebAssembly.Instance(module, {
        layerbraid: { memory },
      });
      const kernels: Record<string, Kernel> = {};
      for (const { name } of WebAssembly.Module.exports(module)) {
        kernels[name] = { name, index: functions.length };
        functions.push(exports[name] as KernelFunction);
      }
      if (pool !== undefined) {
        pool.publish(bytes, heap.allocate(bytes.length + 16).address);
      }
      return kernels;
    },

    launch(kernel, args, count, grain): number {
      if (count <= 0) return 0;
      const run = functions[kernel.index];
      if (pool === undefined || count <= grain) {
        return callKernel(run, args, 0, count, controlBytes) ?? 0;
      }
      return pool.run(run, kernel, args, count, grain);
    },

    address(view): number {
      const { shape, strides, offset, dtype } = view;
      const buffer = view.buffer as WasmBuffer;
      if (buffer.sizeClass < 0) throw freed(view);
      let low = offset;
      let high = offset;
      for (let axis = 0; axis < shape.length; axis++) {
        const extent = shape[axis];
        const reach = (extent - 1) * strides[axis];
        if (reach > 0) high += reach;
        else if (extent > 0) low += reach;
        else return buffer.address; // no elements at all
      }
      const bytes = bytesPerElement[dtype];
      if (low < 0 || (high + 1) * bytes > buffer.bytes) {
        throw outside(view, low, high);
      }
      return buffer.address + offset * bytes;
    },

    temporary(bytes): number {
      const buffer = heap.allocate(bytes);
      temporaries.set(buffer.address, buffer);
      return buffer.address;
    },

    release(address): void {
      const buffer = temporaries.get(address);
      if (buffer === undefined) {
        throw new Error(`release: nothing temporary is at ${address}`);
      }
      temporaries.delete(address);
      heap.free(buffer);
    },

    allocate(bytes): WasmBuffer {
      return heap.allocate(bytes);
    },

    free(buffer): void {
      heap.free(buffer);
    },

    close(): void {
      pool?.close();
      heap.clear();
    },
  };
}
