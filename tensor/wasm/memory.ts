/**
 * Allocation inside one fixed-size WebAssembly memory.
 *
 * Sizes are rounded up to classes, four to the octave (64, 128, 192, 256, 320,
 * 384, 448, 512, 640, …), and freed blocks wait in the list of their class:
 * the tensors of a training step find last step's blocks, in about 30 ns. Only
 * when that and fresh memory fail are free neighbours merged.
 *
 * @module
 */

import type { DeviceBuffer } from "../backend.ts";

/** A block of the device's memory. */
export class WasmBuffer implements DeviceBuffer {
  /** Size that was asked for, in bytes. */
  readonly bytes: number;
  /** Byte address; a multiple of 64. */
  readonly address: number;
  /** Size class of the block, or −1 once it is free. */
  sizeClass: number;
  /** The heap it belongs to. */
  readonly owner: Allocator;

  /** Made by `Allocator.allocate`. */
  constructor(
    bytes: number,
    address: number,
    sizeClass: number,
    owner: Allocator,
  ) {
    this.bytes = bytes;
    this.address = address;
    this.sizeClass = sizeClass;
    this.owner = owner;
  }
}

const unit = 64;

/** Number of the smallest class that holds `bytes`. */
function classOf(bytes: number): number {
  const units = Math.max(1, Math.ceil(bytes / unit));
  if (units <= 8) return units - 1;
  // units − 1 lies in [4, 8) · 2^shift, which four classes divide.
  const shift = Math.floor(Math.log2(units - 1)) - 2;
  return 4 * shift + Math.floor((units - 1) / 2 ** shift);
}

/** Bytes of the blocks of a class. */
function bytesOfClass(sizeClass: number): number {
  if (sizeClass < 8) return unit * (sizeClass + 1);
  const shift = Math.floor(sizeClass / 4) - 1;
  return unit * (sizeClass - 4 * shift + 1) * 2 ** shift;
}

/** Bytes in the unit that suits them, for messages. */
function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  while (bytes >= 1024 && power < units.length - 1) {
    bytes /= 1024;
    power++;
  }
  return `${Number(bytes.toPrecision(4))} ${units[power]}`;
}

interface Hole {
  address: number;
  bytes: number;
}

/** Hands out the addresses `begin` … `end` − 1 of a memory. */
export class Allocator {
  /** Bytes that may be in use at once. */
  readonly limitBytes: number;
  /** Bytes in use, rounded up to classes. */
  liveBytes = 0;
  #begin: number;
  #top: number;
  #end: number;
  #free: number[][] = Array.from({ length: 256 }, () => []);
  #holes: Hole[] = [];

  /** An empty heap; `begin` is a multiple of 64. */
  constructor(begin: number, end: number) {
    this.#begin = this.#top = begin;
    this.#end = end;
    this.limitBytes = end - begin;
  }

  /**
   * A block of at least `bytes`, aligned to 64.
   *
   * @throws {RangeError} If `bytes` is no integer ≥ 0, or no free stretch is
   * long enough.
   */
  allocate(bytes: number): WasmBuffer {
    if (!Number.isInteger(bytes) || bytes < 0) {
      throw new RangeError(
        `allocate: bytes is ${bytes}, not an integer ≥ 0`,
      );
    }
    const sizeClass = classOf(bytes);
    const size = bytesOfClass(sizeClass);
    const address = this.#free[sizeClass]?.pop() ?? this.#fresh(size) ??
      this.#merged(size);
    if (address === undefined) throw this.#exhausted(bytes);
    this.liveBytes += size;
    return new WasmBuffer(bytes, address, sizeClass, this);
  }

  /**
   * Gives a block back.
   *
   * @throws {Error} If it is free already.
   */
  free(buffer: WasmBuffer): void {
    const { sizeClass } = buffer;
    if (sizeClass < 0) {
      throw new Error(
        `free: the buffer of ${buffer.bytes} bytes at ${buffer.address} ` +
          `is free already`,
      );
    }
    this.#free[sizeClass].push(buffer.address);
    this.liveBytes -= bytesOfClass(sizeClass);
    buffer.sizeClass = -1;
  }

  /** Forgets all blocks. */
  clear(): void {
    for (const list of this.#free) list.length = 0;
    this.#holes = [];
    this.#top = this.#begin;
    this.liveBytes = 0;
  }

  #fresh(size: number): number | undefined {
    let best: Hole | undefined;
    for (const hole of this.#holes) {
      if (hole.bytes >= size && hole.bytes < (best?.bytes ?? Infinity)) {
        best = hole;
      }
    }
    if (best !== undefined) {
      best.bytes -= size;
      if (best.bytes === 0) this.#holes.splice(this.#holes.indexOf(best), 1);
      return best.address + best.bytes;
    }
    if (this.#top + size > this.#end) return undefined;
    const address = this.#top;
    this.#top += size;
    return address;
  }

  /** Merges everything free into holes, and tries once more. */
  #merged(size: number): number | undefined {
    const blocks = this.#holes;
    for (const [sizeClass, list] of this.#free.entries()) {
      const bytes = bytesOfClass(sizeClass);
      for (const address of list) blocks.push({ address, bytes });
      list.length = 0;
    }
    blocks.sort((a, b) => a.address - b.address);
    const holes: Hole[] = [];
    for (const block of blocks) {
      const last = holes.at(-1);
      if (last !== undefined && last.address + last.bytes === block.address) {
        last.bytes += block.bytes;
      } else holes.push(block);
    }
    const last = holes.at(-1);
    if (last !== undefined && last.address + last.bytes === this.#top) {
      this.#top = last.address;
      holes.pop();
    }
    this.#holes = holes;
    return this.#fresh(size);
  }

  #exhausted(bytes: number): RangeError {
    return new RangeError(
      `allocate: no room for ${formatBytes(bytes)}: ` +
        `${formatBytes(this.liveBytes)} of ${formatBytes(this.limitBytes)} ` +
        `are in use; free tensors, use smaller batches, or allow more with ` +
        `device("wasm", { memory: bytes })`,
    );
  }
}
