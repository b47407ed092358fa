/**
 * Devices: where tensors live, how much memory they use, which one is the
 * default.
 *
 * @example
 * ```ts
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * const cpu = await device("wasm", { threads: 1 });
 * const x = tensor([1, 2, 3]); // on the default device, the first one made
 * console.log(x.device === cpu, cpu.stats().liveBuffers); // true 1
 * ```
 *
 * @module
 */

import type { Backend, DeviceStats } from "./backend.ts";
import {
  add,
  type Elementwise,
  elementwise,
  toBool,
  toInt,
} from "./expression.ts";
import type { Dtype } from "./dtype.ts";
import { createReferenceBackend } from "./reference/mod.ts";
import { countLaunches } from "./launches.ts";
import { Scope } from "./scope.ts";
import { Account } from "./storage.ts";
import { empty, type Tensor } from "./tensor.ts";
import { createWasmBackend } from "./wasm/mod.ts";
import {
  automaticDevice,
  createWebgpuBackend,
  type GpuOptions,
  listAdapters,
} from "./webgpu/mod.ts";

/** How a device is made. */
export interface DeviceOptions {
  /**
   * `wasm`: threads that share the work, 1 … 64; default: all cores, at most 8.
   */
  readonly threads?: number;
  /** `wasm`: bytes of memory, at most 16 GiB; default 4 GiB. */
  readonly memory?: number;
  /** `webgpu`: what is forced, for tests and measurements. */
  readonly gpu?: GpuOptions;
  /** `reference`: dtype of real numbers; default f32. */
  readonly dtype?: "f32" | "f64";
  /** Record where tensors are made, for `liveTensors` and messages. Slow. */
  readonly debug?: boolean;
}

/**
 * Names of the devices; `auto` is `webgpu` where there is a real GPU, and `wasm`
 * elsewhere.
 */
export type DeviceName = "auto" | "webgpu" | "wasm" | "reference";

/** A live tensor's memory, as `liveTensors` lists it. */
export interface LiveTensor {
  /** The operation that made it. */
  readonly origin: string;
  /** Where in the program, in debug mode. */
  readonly site: string | undefined;
  /** How many of them. */
  readonly count: number;
  /** Their bytes together. */
  readonly bytes: number;
}

const copies: Readonly<Record<Dtype, Elementwise>> = {
  f16: elementwise("copy", ["float"], ([x]) => [x]),
  f32: elementwise("copy", ["float"], ([x]) => [x]),
  f64: elementwise("copy", ["float"], ([x]) => [x]),
  i32: elementwise("copy", ["int"], ([x]) => [x]),
  bool: elementwise("copy", ["bool"], ([x]) => [x]),
};

const addition = elementwise(
  "add",
  ["float", "float"],
  ([a, b]) => [add(a, b)],
);

const fills: Readonly<Record<Dtype, Elementwise>> = {
  f16: elementwise("fill", [], (_, [value]) => [value], 1),
  f32: elementwise("fill", [], (_, [value]) => [value], 1),
  f64: elementwise("fill", [], (_, [value]) => [value], 1),
  i32: elementwise("fill", [], (_, [value]) => [toInt(value)], 1),
  bool: elementwise("fill", [], (_, [value]) => [toBool(value)], 1),
};

/** A backend with an account of its memory. */
export class Device {
  /** Runs kernels. */
  readonly backend: Backend;
  /** Counts memory. */
  readonly account: Account = new Account();
  /** Whether creation sites are recorded. */
  readonly debug: boolean;
  #closed = false;
  #launches = 0;

  /** Used by {@linkcode device}. */
  constructor(backend: Backend, debug = false) {
    this.backend = countLaunches(backend, () => {
      this.#launches++;
    });
    this.debug = debug;
  }

  /** `webgpu`, `wasm` or `reference`. */
  get name(): string {
    return this.backend.name;
  }

  /** Dtype of real numbers here. */
  get floatDtype(): "f32" | "f64" {
    return this.backend.floatDtype;
  }

  /** Whether real numbers may also be stored in 16 bits, as `f16`. */
  get halves(): boolean {
    return this.backend.halves;
  }

  /** Threads that share the work. */
  get threads(): number {
    return this.backend.threads;
  }

  /** How kernels are built: `portable`, `turbo`; `f32`, `f64`; the adapter. */
  get mode(): string {
    return this.backend.mode;
  }

  /** Kernels launched since it was made. */
  get launches(): number {
    return this.#launches;
  }

  /** Command buffers submitted since it was made; 0 where there are none. */
  get submits(): number {
    return this.backend.submits;
  }

  /** Waits for values from the device since it was made; 0 where none waits. */
  get readbacks(): number {
    return this.backend.readbacks;
  }

  /**
   * Resolves when all work launched so far is done.
   *
   * @throws {DeviceError} If some of it failed.
   */
  async finished(): Promise<void> {
    await this.backend.finished();
  }

  /** Memory in use. */
  stats(): DeviceStats {
    return this.account.stats(this.backend.limitBytes);
  }

  /** Lets `stats().peakBytes` start again from now. */
  resetPeak(): void {
    this.account.resetPeak();
  }

  /** Live memory by origin and, in debug mode, creation site; largest first. */
  liveTensors(): LiveTensor[] {
    const groups = new Map<string, LiveTensor>();
    for (const { origin, site, bytes } of this.account.live) {
      const key = `${origin} ${site}`;
      const group = groups.get(key) ?? { origin, site, count: 0, bytes: 0 };
      groups.set(key, {
        ...group,
        count: group.count + 1,
        bytes: group.bytes + bytes,
      });
    }
    return [...groups.values()].sort((a, b) => b.bytes - a.bytes);
  }

  /** Opens a scope; write `using scope = device.scope();`. */
  scope(): Scope {
    return new Scope();
  }

  /** A contiguous copy, on nobody's tape. */
  copy(x: Tensor): Tensor {
    const copy = empty(this, x.dtype, x.shape, "copy");
    this.assign(copy, x);
    return copy;
  }

  /** Copies `source` into `target`, a tensor or view of the same shape. */
  assign(target: Tensor, source: Tensor): void {
    this.backend.map(copies[target.dtype], [source], [target], []);
  }

  /** Adds `source` to `target`, a tensor or view of the same shape, in place. */
  addInto(target: Tensor, source: Tensor): void {
    this.backend.map(addition, [target, source], [target], []);
  }

  /** Sets all elements of a tensor or view to one value. */
  fill(target: Tensor, value: number): void {
    this.backend.map(fills[target.dtype], [], [target], [value]);
  }

  /**
   * Refuses work after `close`.
   *
   * @throws {Error} If the device was closed.
   */
  assertOpen(): void {
    if (this.#closed) {
      throw new Error(`device: this ${this.name} device was closed`);
    }
  }

  /** Ends its threads; its tensors are lost. */
  close(): void {
    this.#closed = true;
    this.backend.close();
    if (defaultDevice === this) defaultDevice = undefined;
  }
}

let defaultDevice: Device | undefined;

/**
 * Makes a device. The first one made is the default for new tensors until
 * {@linkcode setDefaultDevice} says otherwise.
 *
 * @throws {RangeError} If the name or an option is unknown or out of range.
 * @throws {DeviceError} Of kind `missing`, if there is no adapter for `webgpu`.
 */
export async function device(
  name: DeviceName = "wasm",
  options: DeviceOptions = {},
): Promise<Device> {
  const backend = await createBackend(name, options);
  const result = new Device(backend, options.debug);
  defaultDevice ??= result;
  return result;
}

async function createBackend(
  name: DeviceName,
  options: DeviceOptions,
): Promise<Backend> {
  switch (name) {
    case "auto":
      return await createBackend(
        automaticDevice(await listAdapters()),
        options,
      );
    case "webgpu":
      return await createWebgpuBackend(options.gpu);
    case "reference":
      return createReferenceBackend({ dtype: options.dtype });
    case "wasm":
      return await createWasmBackend({
        threads: options.threads,
        memory: options.memory,
      });
    default:
      throw new RangeError(
        `device: there is no device "${name}"; choose auto, webgpu, wasm or reference`,
      );
  }
}

/** Makes a device the default for new tensors. */
export function setDefaultDevice(device: Device): void {
  defaultDevice = device;
}

/**
 * The default device.
 *
 * @throws {Error} If none was made yet.
 */
export function getDefaultDevice(): Device {
  if (defaultDevice === undefined) {
    throw new Error(
      'there is no device yet: call `await device("wasm")` before making tensors',
    );
  }
  return defaultDevice;
}
