/**
 * Who holds device memory: reference-counted storages and their account.
 *
 * @module
 */

import type { Dtype, TypedArray } from "./dtype.ts";
import { type Shape, sizeOf } from "./shape.ts";
import type { Backend, DeviceBuffer, DeviceStats } from "./backend.ts";

/** Live and peak memory of one backend. */
export class Account {
  /** Storages whose buffers are allocated. */
  readonly live: Set<Storage> = new Set();
  #liveBytes = 0;
  #peakBytes = 0;

  /** Counts a new buffer. */
  add(storage: Storage, bytes: number): void {
    this.live.add(storage);
    this.#liveBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
  }

  /** Counts a buffer that was given back. */
  remove(storage: Storage, bytes: number): void {
    this.live.delete(storage);
    this.#liveBytes -= bytes;
  }

  /** Adds to an out-of-memory error what the memory is held by. */
  explain<T>(allocate: () => T): T {
    try {
      return allocate();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const bytes = new Map<string, number>();
      for (const storage of this.live) {
        const place = storage.site ?? storage.origin;
        bytes.set(place, (bytes.get(place) ?? 0) + storage.bytes);
      }
      const largest = [...bytes].sort(([, a], [, b]) => b - a).slice(0, 3)
        .map(([place, size]) =>
          `${place} (${(size / 2 ** 20).toFixed(1)} MiB)`
        );
      throw new RangeError(
        `${error.message}; most is held by ${largest.join(", ")}`,
        { cause: error },
      );
    }
  }

  /** Forgets the peak so far. */
  resetPeak(): void {
    this.#peakBytes = this.#liveBytes;
  }

  /** The numbers. */
  stats(limitBytes: number): DeviceStats {
    return {
      liveBytes: this.#liveBytes,
      liveBuffers: this.live.size,
      peakBytes: this.#peakBytes,
      limitBytes,
    };
  }
}

/** What a storage needs of its device. */
export interface StorageOwner {
  /** Allocates and frees. */
  readonly backend: Backend;
  /** Counts. */
  readonly account: Account;
}

/**
 * Memory of one or more tensors, freed when the last of them goes. A storage
 * may rest on the host instead, where the garbage collector looks after it,
 * and moves to the device when a kernel asks for it.
 */
export class Storage {
  /** Where it lives. */
  readonly owner: StorageOwner;
  /** Its size. */
  readonly bytes: number;
  /** The operation that made it, for messages. */
  readonly origin: string;
  /** Where in the program it was made, in debug mode. */
  readonly site: string | undefined;
  #references = 0;
  #buffer: DeviceBuffer | undefined;
  #host: TypedArray | undefined;

  /** Allocates. */
  constructor(
    owner: StorageOwner,
    dtype: Dtype,
    shape: Shape,
    origin: string,
    site: string | undefined,
  ) {
    this.owner = owner;
    this.bytes = sizeOf(shape) * owner.backend.bytesPerElement[dtype];
    this.origin = origin;
    this.site = site;
    this.#allocate(shape);
  }

  #allocate(shape?: Shape): DeviceBuffer {
    this.#buffer = this.owner.account.explain(() =>
      this.owner.backend.allocate(this.bytes, this.origin, shape)
    );
    this.owner.account.add(this, this.bytes);
    return this.#buffer;
  }

  /** Whether nothing holds it any more. */
  get freed(): boolean {
    return this.#references === 0;
  }

  /** The device memory. */
  get buffer(): DeviceBuffer {
    if (this.#buffer !== undefined) return this.#buffer;
    const buffer = this.#allocate();
    if (this.#host !== undefined) {
      this.owner.backend.write(buffer, this.#host, 0);
      this.#host = undefined;
    }
    return buffer;
  }

  /** The values, where they rest on the host. */
  get host(): TypedArray | undefined {
    return this.#host;
  }

  /** Moves the contents to the host and frees the device memory. */
  rest(values: TypedArray): void {
    this.#host = values;
    this.#free();
  }

  /** One more holder. */
  retain(): void {
    this.#references++;
  }

  /** One holder less. */
  release(): void {
    if (--this.#references === 0) this.#free();
  }

  #free(): void {
    if (this.#buffer === undefined) return;
    this.owner.account.remove(this, this.bytes);
    this.owner.backend.free(this.#buffer);
    this.#buffer = undefined;
  }
}
