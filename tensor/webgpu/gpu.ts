/**
 * A GPU at work: kernels are compiled once, launched on views, and recorded.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { DeviceError } from "../device_error.ts";
import type { Dtype } from "../dtype.ts";
import {
  type AdapterDescription,
  adapterLimits,
  describeAdapter,
  requestAdapter,
} from "./adapter.ts";
import { type BindingLayout, Bindings } from "./bindings.ts";
import { type Block, BufferPool, type PooledBuffer } from "./buffer_pool.ts";
import type { GpuOptions } from "./gpu_options.ts";
import { asDeviceError } from "./platform_error.ts";
import { Readback } from "./readback.ts";
import { Recorder } from "./recorder.ts";
import { subgroupDirective } from "./subgroups.ts";
import { headWords, type Shader, wgslOf, writableSlots } from "./shader.ts";

/** Turns what a kernel reported into an error: the bad index and its place. */
export type DescribeIndex = (position: number, value: number) => RangeError;

interface Pipeline {
  readonly handle: GPUComputePipeline;
  readonly layout: BindingLayout;
  readonly slots: readonly number[];
}

/** A kernel that was asked for by key; compiled for each layout on first use. */
export class CompiledShader {
  /** The kernel. */
  readonly shader: Shader;
  /** 32-bit words of numbers before the tail. */
  readonly headWords: number;
  /** By layout of the operands. */
  readonly pipelines: Map<string, Pipeline> = new Map();

  /** Used by `Gpu.shader`. */
  constructor(shader: Shader) {
    this.shader = shader;
    this.headWords = headWords(shader);
  }
}

const dtypeLetters: Readonly<Record<Dtype, string>> = {
  f16: "h",
  f32: "f",
  f64: "d",
  i32: "i",
  bool: "b",
};

/** A device of the platform, and all that kernels need of it. */
export class Gpu {
  /** The platform's handle. */
  readonly device: GPUDevice;
  /** What it runs on. */
  readonly adapter: AdapterDescription;
  /** What is forced. */
  readonly options: GpuOptions;
  /** Whether a CPU plays the GPU. */
  readonly software: boolean;
  /** Whether kernels may use subgroups. */
  readonly subgroups: boolean;
  /** Whether numbers may be stored in 16 bits. */
  readonly halves: boolean;
  /** Limits in force. */
  readonly limits: AdapterDescription["limits"];
  /**
   * Turns that the loops of one invocation may take, all added up: llvmpipe
   * leaves every loop after 65,535, without a word.
   */
  readonly mostTurns: number;
  /** Memory. */
  readonly pool: BufferPool;
  /** Commands. */
  readonly recorder: Recorder;
  readonly #readback: Readback;
  readonly #subgroupDirective: string | undefined;
  readonly #shaders = new Map<string, CompiledShader>();
  readonly #bindings: Bindings;
  readonly #badIndex: Block;
  readonly #indexedLaunches = new Map<number, DescribeIndex>();
  #nextIndexedLaunch = 1;
  #fault: Error | undefined;
  #closed = false;

  /** Used by {@linkcode openGpu}. */
  constructor(
    device: GPUDevice,
    adapter: AdapterDescription,
    options: GpuOptions,
    subgroupDirective: string | undefined,
  ) {
    this.device = device;
    this.adapter = adapter;
    this.options = options;
    this.software = adapter.software;
    this.subgroups = subgroupDirective !== undefined;
    this.#subgroupDirective = subgroupDirective;
    this.halves = device.features.has("shader-f16");
    const limits = Object.fromEntries(
      adapterLimits.map((limit) => [limit, device.limits[limit]]),
    ) as AdapterDescription["limits"];
    this.limits = {
      ...limits,
      maxStorageBufferBindingSize: Math.min(
        limits.maxStorageBufferBindingSize,
        options.bindingLimit ?? Infinity,
      ),
    };
    this.mostTurns = adapter.software ? 60_000 : Infinity;
    this.recorder = new Recorder(device);
    this.#readback = new Readback(device, this.recorder);
    this.pool = new BufferPool({
      device,
      maxBufferSize: limits.maxBufferSize,
      fail: (error) => this.fail(error),
      onTrim: () => {
        this.recorder.submit();
        this.#bindings.clear();
      },
    });
    this.#badIndex = this.pool.allocate(16, "index check").block;
    this.#bindings = new Bindings({
      device,
      recorder: this.recorder,
      limit: this.limits.maxStorageBufferBindingSize,
      badIndex: this.#badIndex,
    });
    device.lost.then(({ reason, message }) => {
      if (this.#closed) return;
      this.fail(
        new DeviceError(
          "lost",
          `device "webgpu": the GPU was lost (${reason}: ${message})`,
        ),
      );
    });
    device.addEventListener("uncapturederror", (event: Event) => {
      event.preventDefault();
      // Deno's own types call it an Event, those of the DOM know more.
      this.fail(asDeviceError((event as GPUUncapturedErrorEvent).error));
    });
  }

  /** Waits for values so far. */
  get readbacks(): number {
    return this.#readback.readbacks;
  }

  /** Bind groups that are kept, for tests. */
  get bindGroups(): number {
    return this.#bindings.groups;
  }

  /** Notes a fault; the first one is thrown by whatever comes next. */
  fail(error: Error): void {
    this.#fault ??= error;
  }

  /** Throws the first fault that was noted, if there is one. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** The kernel of a key, which says all that `make`'s result depends on. */
  shader(key: string, make: () => Shader): CompiledShader {
    let compiled = this.#shaders.get(key);
    if (compiled === undefined) {
      compiled = new CompiledShader(make());
      this.#shaders.set(key, compiled);
    }
    return compiled;
  }

  /**
   * Records a launch.
   *
   * @param views One for each operand.
   * @param values One for each parameter.
   * @param workgroups Along three axes, each at most 65,535.
   * @param tail Further 32-bit words, unsigned.
   * @param describe Makes the error for a bad index, where the kernel checks.
   */
  launch(
    compiled: CompiledShader,
    views: readonly View[],
    values: readonly number[],
    workgroups: readonly [number, number, number],
    tail?: ArrayLike<number>,
    describe?: DescribeIndex,
  ): void {
    this.check();
    const { shader, headWords } = compiled;
    const count = views.length;
    let pattern = "";
    let blocks = "";
    let windowed = false;
    for (let i = 0; i < count; i++) {
      const { buffer, dtype } = views[i];
      const { block } = buffer as PooledBuffer;
      let slot = 0;
      while ((views[slot].buffer as PooledBuffer).block !== block) slot++;
      pattern += dtypeLetters[dtype] + slot;
      if (slot === i) {
        blocks += `,${block.id}`;
        windowed ||= block.capacity > this.limits.maxStorageBufferBindingSize;
      }
    }
    let pipeline = compiled.pipelines.get(pattern);
    if (pipeline === undefined) {
      pipeline = this.#compile(compiled, views);
      compiled.pipelines.set(pattern, pipeline);
    }
    const { recorder } = this;
    const { words, floats } = recorder;
    const { parameters, operands } = shader;
    const at = recorder.reserve(headWords + (shader.tail ?? 0));
    const { serial } = recorder;
    for (let i = 0; i < count; i++) {
      const { buffer, offset } = views[i];
      words[at + i] = offset;
      (buffer as PooledBuffer).block.usedIn = serial;
    }
    for (let i = 0; i < parameters.length; i++) {
      const place = at + operands.length + i;
      if (parameters[i].type === "f32") floats[place] = values[i];
      else words[place] = values[i];
    }
    if (tail !== undefined) words.set(tail, at + headWords);
    if (shader.indexed) {
      words[at + operands.length + parameters.length] = this.#watch(describe!);
    }
    const group = windowed
      ? this.#bindings.windowGroup({ shader, ...pipeline, views }, at)
      : this.#bindings.group(pipeline.layout, blocks, shader, views);
    recorder.dispatch(pipeline.handle, group, at, workgroups);
  }

  #watch(describe: DescribeIndex): number {
    const launch = this.#nextIndexedLaunch++;
    this.#indexedLaunches.set(launch, describe);
    // A program that never reads would collect them for ever.
    this.#indexedLaunches.delete(launch - mostIndexedLaunches);
    return launch;
  }

  #compile({ shader }: CompiledShader, views: readonly View[]): Pipeline {
    const first = views.map(({ buffer }) =>
      views.findIndex((other) =>
        (other.buffer as PooledBuffer).block === (buffer as PooledBuffer).block
      )
    );
    const distinct = [...new Set(first)];
    const slots = first.map((i) => distinct.indexOf(i));
    const operands = { slots, dtypes: views.map(({ dtype }) => dtype) };
    const writable = writableSlots(shader, operands);
    const { maxStorageBuffersPerShaderStage: most } = this.limits;
    if (writable.length > most) {
      throw new DeviceError(
        "limit",
        `${shader.operation}: ${writable.length} buffers in one kernel are more ` +
          `than the ${most} of this adapter; compute it in steps, or choose the ` +
          `device "wasm"`,
        shader.operation,
      );
    }
    const uniformBytes = 4 * (headWords(shader) + (shader.tail ?? 0));
    const layout = this.#bindings.layout(writable, uniformBytes);
    const code = wgslOf(shader, operands, this.#subgroupDirective);
    const { device } = this;
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: shader.operation, code });
    const handle = device.createComputePipeline({
      label: shader.operation,
      layout: layout.pipelineLayout,
      compute: { module, entryPoint: "main" },
    });
    device.popErrorScope().then((error) => {
      if (error === null) return;
      this.fail(
        new DeviceError(
          "shader",
          `${shader.operation}: the platform refused the kernel: ` +
            `${error.message}`,
          shader.operation,
        ),
      );
    }, () => {}); // a lost device is told elsewhere
    return { handle, layout, slots };
  }

  /** Copies bytes into a buffer, after all that is recorded. */
  write(block: Block, at: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.check();
    if (bytes.length === 0) return; // which Deno's queue doesn't survive
    // The queue writes at once, before what is recorded and not submitted.
    if (block.usedIn === this.recorder.serial) this.recorder.submit();
    this.device.queue.writeBuffer(block.handle, at, bytes);
  }

  /**
   * The bytes of a block from `from` on, multiples of 4, once all that is
   * recorded has run.
   *
   * @throws What went wrong until then.
   */
  async read(block: Block, from: number, bytes: number): Promise<ArrayBuffer> {
    this.check();
    const checks = this.#indexedLaunches.size === 0
      ? undefined
      : this.#readback.read(this.#badIndex, 0, 16);
    const [lastChecked, pending] = [
      this.#nextIndexedLaunch,
      this.#readback.read(block, from, bytes),
    ];
    try {
      const [values, found] = await Promise.all([pending, checks]);
      this.check();
      if (found !== undefined) this.#checkIndices(found, lastChecked);
      return values;
    } catch (error) {
      if (error instanceof RangeError) throw error;
      // What the device itself says of its end is better than what follows.
      await Promise.race([
        this.device.lost,
        new Promise((resolve) => setTimeout(resolve, patience)),
      ]);
      this.check();
      throw asDeviceError(error);
    }
  }

  #checkIndices(found: ArrayBuffer, end: number): void {
    const [count, launch, position, value] = new Uint32Array(found);
    const describe = this.#indexedLaunches.get(launch);
    for (const seen of this.#indexedLaunches.keys()) {
      if (seen < end) this.#indexedLaunches.delete(seen);
    }
    if (count === 0 || describe === undefined) return;
    this.write(this.#badIndex, 0, new Uint8Array(16));
    throw describe(position, value | 0);
  }

  /**
   * Resolves when all that is recorded has run.
   *
   * @throws What went wrong until then.
   */
  async finished(): Promise<void> {
    this.check();
    if (this.#indexedLaunches.size > 0) {
      // Whoever reads next may have nothing to do with a bad index.
      await this.read(this.#badIndex, 0, 16);
      return;
    }
    this.recorder.submit();
    await this.device.queue.onSubmittedWorkDone();
    this.check();
  }

  /** Destroys the device and its memory. */
  close(): void {
    this.#closed = true;
    this.fail(new Error("device: this webgpu device was closed"));
    this.device.destroy();
  }
}

/** Launches whose bad indices can still be told, if nothing is read. */
const mostIndexedLaunches = 2 ** 16;

/** Milliseconds in which a lost device says so. */
const patience = 100;

/**
 * Opens the adapter that the platform prefers.
 *
 * @throws {DeviceError} Of kind `missing`, if there is none.
 */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  const adapter = await requestAdapter();
  const device = await adapter.requestDevice({
    requiredFeatures: (["shader-f16", "subgroups"] as GPUFeatureName[])
      .filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(
      adapterLimits.map((limit) => [limit, adapter.limits[limit]]),
    ),
  }).catch((error) => {
    throw asDeviceError(error);
  });
  return new Gpu(
    device,
    describeAdapter(adapter),
    options,
    await subgroupDirective(device),
  );
}
