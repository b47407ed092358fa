/**
 * What kernels of the wasm device stand on: modules that are loaded on every
 * thread, and launches that split their work over the threads.
 *
 * @module
 */

import { bytesPerElement } from "../dtype.ts";
import type { DeviceBuffer, View } from "../backend.ts";
import { formatShape } from "../shape.ts";
import { ModuleBuilder, type Target } from "./assembler.ts";
import { createModeChoice } from "./autotune.ts";
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
  /**
   * The mode to build kernels for that now do `work` floating point operations.
   * Which one the platform runs faster is measured once enough work came
   * together; until then it is `portable`. Results are the same in both.
   */
  modeFor(work: number): Mode;
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
   * @throws {TypeError} If the buffer belongs to another device.
   * @throws {Error} If the buffer was freed, or the device was closed.
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
  /** `turbo` where V8 runs 256-bit kernels (see docs/devices.md). */
  readonly mode: Mode;
  /** Bytes that may be allocated. */
  readonly limitBytes: number;
  /**
   * A block of the memory, with undefined contents.
   *
   * @throws {RangeError} If `bytes` is no integer ≥ 0, or there is none left.
   * @throws {Error} If the device was closed.
   */
  allocate(bytes: number): WasmBuffer;
  /**
   * Gives a block back; nothing happens once the device was closed.
   *
   * @throws {TypeError} If the block belongs to another device.
   * @throws {Error} If it is free already.
   */
  free(buffer: DeviceBuffer): void;
  /**
   * Byte address of a block.
   *
   * @throws {TypeError} If the block belongs to another device.
   * @throws {Error} If it was freed, or the device was closed.
   */
  addressOf(buffer: DeviceBuffer): number;
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
  /** What kernels are built for; measured if it isn't given. */
  readonly mode?: Mode;
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

function foreign(buffer: DeviceBuffer): TypeError {
  return new TypeError(
    `wasm device: a buffer of ${buffer.bytes} bytes belongs to another ` +
      `device; copy its values to this one`,
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
  let closed = false;
  const checkOpen = (): void => {
    if (closed) throw new Error("wasm device: the device was closed");
  };
  const addressOf = (buffer: DeviceBuffer): number => {
    checkOpen();
    const { owner, address, sizeClass } = buffer as WasmBuffer;
    if (owner !== heap) throw foreign(buffer);
    if (sizeClass < 0) {
      throw new Error(
        `wasm device: a buffer of ${buffer.bytes} bytes is used after it was ` +
          `freed`,
      );
    }
    return address;
  };
  const functions: KernelFunction[] = [];
  const pool = threads > 1
    ? new ThreadPool(memory, threads, scratchBytes)
    : undefined;
  const temporaries = new Map<number, WasmBuffer>();

  const { mode } = options;
  const choice = mode === undefined
    ? createModeChoice(target, memory)
    : { mode, modeFor: () => mode };

  return {
    target,
    get threads(): number {
      return pool?.threads ?? 1;
    },
    memory,
    get mode(): Mode {
      return choice.mode;
    },
    modeFor: choice.modeFor,
    limitBytes: heap.limitBytes,

    load(bytes): Record<string, Kernel> {
      checkOpen();
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
      checkOpen();
      if (count <= 0) return 0;
      const run = functions[kernel.index];
      if (pool === undefined || count <= grain) {
        return callKernel(run, args, 0, count, controlBytes) ?? 0;
      }
      return pool.run(run, kernel, args, count, grain);
    },

    address(view): number {
      const { shape, strides, offset, dtype } = view;
      const start = addressOf(view.buffer);
      let low = offset;
      let high = offset;
      for (let axis = 0; axis < shape.length; axis++) {
        const extent = shape[axis];
        if (extent === 0) return start; // no elements at all
        const reach = (extent - 1) * strides[axis];
        if (reach > 0) high += reach;
        else low += reach;
      }
      const bytes = bytesPerElement[dtype];
      if (low < 0 || (high + 1) * bytes > view.buffer.bytes) {
        throw outside(view, low, high);
      }
      return start + offset * bytes;
    },

    addressOf,

    temporary(bytes): number {
      checkOpen();
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
      checkOpen();
      return heap.allocate(bytes);
    },

    free(buffer): void {
      if (closed) return;
      const block = buffer as WasmBuffer;
      if (block.owner !== heap) throw foreign(buffer);
      heap.free(block);
    },

    close(): void {
      closed = true;
      pool?.close();
      heap.clear();
    },
  };
}
