/**
 * Bindings: which buffers a launch sees, and where in them its views lie.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { DeviceError } from "../device_error.ts";
import { formatShape } from "../shape.ts";
import type { Block, PooledBuffer } from "./buffer_pool.ts";
import type { Recorder } from "./recorder.ts";
import type { Shader } from "./shader.ts";
import { gpuBytesPerElement, touchedRange } from "./view_memory.ts";

/** What the bindings of a kernel look like; kernels alike share one. */
export interface BindingLayout {
  /** Unique on its device. */
  readonly id: string;
  /** The platform's handle. */
  readonly handle: GPUBindGroupLayout;
  /** For pipelines with these bindings. */
  readonly pipelineLayout: GPUPipelineLayout;
  /** Bytes of uniform numbers. */
  readonly uniformBytes: number;
}

/** A launch, as its bindings see it. */
export interface BoundLaunch {
  /** The kernel. */
  readonly shader: Shader;
  /** Its bindings. */
  readonly layout: BindingLayout;
  /** Which binding each view uses. */
  readonly slots: readonly number[];
  /** One for each operand. */
  readonly views: readonly View[];
}

/** What bindings need of their device. */
export interface BindingOwner {
  /** Makes groups and layouts. */
  readonly device: GPUDevice;
  /** Has the uniform numbers. */
  readonly recorder: Recorder;
  /** Largest binding, in bytes. */
  readonly limit: number;
  /** Where kernels report bad indices. */
  readonly badIndex: Block;
}

/** Bind groups that are kept. */
const mostGroups = 2 ** 15;

/** Layouts and groups, each made once. */
export class Bindings {
  readonly #owner: BindingOwner;
  readonly #layouts = new Map<string, BindingLayout>();
  readonly #groups = new Map<string, GPUBindGroup>();

  /** None yet. */
  constructor(owner: BindingOwner) {
    this.#owner = owner;
  }

  /** Groups that are kept. */
  get groups(): number {
    return this.#groups.size;
  }

  /** Forgets all groups, before buffers that they hold are destroyed. */
  clear(): void {
    this.#groups.clear();
  }

  /** The layout of bindings that may be written, or only read. */
  layout(writable: readonly boolean[], uniformBytes: number): BindingLayout {
    const id = `${uniformBytes}${writable.map((w) => w ? "w" : "r").join("")}`;
    const known = this.#layouts.get(id);
    if (known !== undefined) return known;
    const visibility = 4; // COMPUTE
    const { device } = this.#owner;
    const handle = device.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility,
          buffer: { type: "uniform", hasDynamicOffset: true },
        },
        ...writable.map((w, i): GPUBindGroupLayoutEntry => ({
          binding: i + 1,
          visibility,
          buffer: { type: w ? "storage" : "read-only-storage" },
        })),
      ],
    });
    const layout = {
      id,
      handle,
      uniformBytes,
      pipelineLayout: device.createPipelineLayout({
        bindGroupLayouts: [handle],
      }),
    };
    this.#layouts.set(id, layout);
    return layout;
  }

  /**
   * The group that binds whole buffers.
   *
   * @param blocks Names the buffers in the order of their bindings.
   */
  group(
    layout: BindingLayout,
    blocks: string,
    shader: Shader,
    views: readonly View[],
  ): GPUBindGroup {
    const key = layout.id + blocks;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const used = new Set(
        views.map(({ buffer }) => (buffer as PooledBuffer).block),
      );
      group = this.#bind(
        shader,
        layout,
        [...used].map(({ handle }) => ({ buffer: handle })),
      );
      // Programs whose shapes keep changing would collect groups for ever.
      if (this.#groups.size >= mostGroups) this.#groups.clear();
      this.#groups.set(key, group);
    }
    return group;
  }

  /**
   * A group that binds what the views touch, where a whole buffer is too large.
   *
   * @param at Where the launch's uniform numbers are; offsets of views are
   *   reduced there.
   * @throws {DeviceError} Of kind `limit`, if even that is too large.
   */
  windowGroup(
    { shader, layout, slots, views }: BoundLaunch,
    at: number,
  ): GPUBindGroup {
    const { limit, recorder: { words } } = this.#owner;
    const resources: GPUBufferBinding[] = [];
    for (let slot = 0; slot <= Math.max(...slots); slot++) {
      const users = views.filter((_, i) => slots[i] === slot);
      const { block } = users[0].buffer as PooledBuffer;
      const bytes = gpuBytesPerElement[users[0].dtype];
      const ranges = users.map(touchedRange);
      const first = Math.min(...ranges.map(([from]) => from)) * bytes;
      const end = Math.max(...ranges.map(([, to]) => to)) * bytes;
      const from = Math.floor(first / 256) * 256;
      const size = Math.min(
        Math.ceil((end - from) / 16) * 16,
        block.capacity - from,
      );
      if (size > limit) {
        throw new DeviceError(
          "limit",
          `${shader.operation}: a tensor of shape ` +
            `${
              formatShape(users[0].shape)
            } spans ${size} bytes, more than the ` +
            `${limit} that this adapter can bind; split it, or choose the ` +
            `device "wasm"`,
          shader.operation,
        );
      }
      resources.push({ buffer: block.handle, offset: from, size });
      slots.forEach((of, i) => {
        if (of === slot) words[at + i] -= from / bytes;
      });
    }
    return this.#bind(shader, layout, resources);
  }

  #bind(
    shader: Shader,
    layout: BindingLayout,
    resources: GPUBufferBinding[],
  ): GPUBindGroup {
    const { device, recorder, badIndex } = this.#owner;
    if (shader.indexed) {
      resources.push({ buffer: badIndex.handle, size: 16 });
    }
    return device.createBindGroup({
      label: shader.operation,
      layout: layout.handle,
      entries: [
        { buffer: recorder.uniforms, size: layout.uniformBytes },
        ...resources,
      ].map((resource, binding) => ({ binding, resource })),
    });
  }
}
