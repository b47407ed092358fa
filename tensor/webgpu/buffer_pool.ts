/**
 * Buffers of a GPU, reused.
 *
 * @module
 */

import type { DeviceBuffer } from "../backend.ts";
import { DeviceError } from "../device_error.ts";
import { formatShape, type Shape } from "../shape.ts";

/** A buffer of the GPU, which serves one tensor after another. */
export interface Block {
  /** Unique on its device. */
  readonly id: number;
  /** The platform's handle. */
  readonly handle: GPUBuffer;
  /** Its size in bytes. */
  readonly capacity: number;
  /** The recording that used it last, see `Recorder.serial`. */
  usedIn: number;
}

/** A tensor's share of a block: the whole of it, for a while. */
export interface PooledBuffer extends DeviceBuffer {
  /** The memory. */
  readonly block: Block;
}

/** What a pool needs to know of its device. */
export interface PoolOwner {
  /** Makes buffers. */
  readonly device: GPUDevice;
  /** The largest buffer, in bytes. */
  readonly maxBufferSize: number;
  /** Hears of allocations that failed after all. */
  readonly fail: (error: DeviceError) => void;
  /** Called before blocks are destroyed, which recorded commands may still use. */
  readonly onTrim: (blocks: readonly Block[]) => void;
}

/** Bytes of idle blocks that are kept beside as many as are in use. */
const idleAllowance = 256 * 2 ** 20;

const usage = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST

/** Sizes are rounded up to one of four steps an octave, so that blocks fit again. */
export function capacityFor(bytes: number): number {
  if (bytes <= 1024) return Math.max(256, Math.ceil(bytes / 256) * 256);
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
  return Math.ceil(bytes / step) * step;
}

/** Blocks in use and blocks to be had. */
export class BufferPool {
  readonly #owner: PoolOwner;
  /** By capacity; ids fall, so that the oldest is at the end. */
  readonly #free = new Map<number, Block[]>();
  #nextId = 1;
  #blocks = 0;
  #bytes = 0;
  #idleBytes = 0;

  /** An empty pool. */
  constructor(owner: PoolOwner) {
    this.#owner = owner;
  }

  /** Blocks that the platform holds, in use or not. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * A buffer of undefined contents.
   *
   * @throws {DeviceError} Of kind `limit`, if the device has none of that size.
   */
  allocate(bytes: number, origin = "allocate", shape?: Shape): PooledBuffer {
    const { maxBufferSize } = this.#owner;
    const exact = Math.max(4, Math.ceil(bytes / 4) * 4);
    if (exact > maxBufferSize) {
      throw new DeviceError(
        "limit",
        `${origin}: a tensor of ${
          shape ? `shape ${formatShape(shape)}, ` : ""
        }` +
          `${bytes} bytes, is larger than the largest buffer of this adapter, ` +
          `${maxBufferSize} bytes; take a smaller model or batch, or another device`,
        origin,
      );
    }
    const rounded = capacityFor(bytes);
    const capacity = rounded > maxBufferSize ? exact : rounded;
    // The oldest first: what a training step gets then depends only on which
    // blocks are free, not on the order in which they became so, and bind
    // groups of the step before fit again.
    const block = this.#free.get(capacity)?.pop();
    if (block === undefined) {
      if (this.#idleBytes > this.#bytes / 2 + idleAllowance) this.#trim();
      return { bytes, block: this.#create(capacity, origin) };
    }
    this.#idleBytes -= capacity;
    return { bytes, block };
  }

  #create(capacity: number, origin: string): Block {
    const { device, fail } = this.#owner;
    const before = this.#bytes;
    device.pushErrorScope("out-of-memory");
    const handle = device.createBuffer({
      label: origin,
      size: capacity,
      usage,
    });
    device.popErrorScope().then((error) => {
      if (error === null) return;
      fail(
        new DeviceError(
          "memory",
          `${origin}: the device has no ${capacity} bytes left beside the ` +
            `${before} in use; use smaller batches or models`,
          origin,
        ),
      );
    }, () => {}); // a lost device is told elsewhere
    this.#blocks++;
    this.#bytes += capacity;
    return { id: this.#nextId++, handle, capacity, usedIn: 0 };
  }

  /** Takes a buffer back; commands recorded before may still use it. */
  free({ block }: PooledBuffer): void {
    let list = this.#free.get(block.capacity);
    if (list === undefined) this.#free.set(block.capacity, list = []);
    let at = list.length;
    while (at > 0 && list[at - 1].id < block.id) at--;
    list.splice(at, 0, block);
    this.#idleBytes += block.capacity;
  }

  /** Destroys the blocks that nobody uses. */
  #trim(): void {
    const idle = [...this.#free.values()].flat();
    this.#owner.onTrim(idle);
    for (const { handle } of idle) handle.destroy();
    this.#blocks -= idle.length;
    this.#bytes -= this.#idleBytes;
    this.#idleBytes = 0;
    this.#free.clear();
  }
}
