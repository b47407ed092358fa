/**
 * Values on their way back: all that is asked for at one time shares a
 * submission and a wait.
 *
 * @module
 */

import type { Block } from "./buffer_pool.ts";
import type { Recorder } from "./recorder.ts";

/** Smallest staging buffer, in bytes; several values share one. */
const pageBytes = 2 ** 16;
/** Idle staging memory that is kept, in bytes. */
const keptBytes = 64 * 2 ** 20;

interface Page {
  readonly handle: GPUBuffer;
  readonly capacity: number;
  used: number;
}

interface Request {
  readonly page: Page;
  readonly at: number;
  readonly bytes: number;
  readonly resolve: (values: ArrayBuffer) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly pages: Page[];
  readonly requests: Request[];
}

/** Reads bytes of blocks. */
export class Readback {
  /** Waits so far; concurrent reads are one. */
  readbacks = 0;
  readonly #device: GPUDevice;
  readonly #recorder: Recorder;
  readonly #idle: Page[] = [];
  #idleBytes = 0;
  #batch: Batch | undefined;

  /** Nothing asked for yet. */
  constructor(device: GPUDevice, recorder: Recorder) {
    this.#device = device;
    this.#recorder = recorder;
  }

  /**
   * The bytes that a block holds after all that is recorded so far. `from` and
   * `bytes` are multiples of 4.
   */
  read(block: Block, from: number, bytes: number): Promise<ArrayBuffer> {
    if (this.#batch === undefined) {
      this.#batch = { pages: [], requests: [] };
      queueMicrotask(() => this.#flush());
    }
    const { pages, requests } = this.#batch;
    let page = pages.at(-1);
    if (page === undefined || page.used + bytes > page.capacity) {
      page = this.#page(bytes);
      pages.push(page);
    }
    const at = page.used;
    page.used += Math.ceil(bytes / 8) * 8;
    block.usedIn = this.#recorder.serial;
    // Now, for what is launched next may write there.
    this.#recorder.encoder().copyBufferToBuffer(
      block.handle,
      from,
      page.handle,
      at,
      bytes,
    );
    return new Promise((resolve, reject) => {
      requests.push({ page, at, bytes, resolve, reject });
    });
  }

  #page(bytes: number): Page {
    const fits = this.#idle.findIndex(({ capacity }) =>
      capacity >= bytes && capacity <= Math.max(pageBytes, 4 * bytes)
    );
    if (fits >= 0) {
      const [page] = this.#idle.splice(fits, 1);
      this.#idleBytes -= page.capacity;
      page.used = 0;
      return page;
    }
    const capacity = Math.max(pageBytes, Math.ceil(bytes / 8) * 8);
    const handle = this.#device.createBuffer({
      label: "read",
      size: capacity,
      usage: 0x01 | 0x08, // MAP_READ | COPY_DST
    });
    return { handle, capacity, used: 0 };
  }

  async #flush(): Promise<void> {
    const { pages, requests } = this.#batch!;
    this.#batch = undefined;
    this.readbacks++;
    try {
      this.#recorder.submit();
      await Promise.all(
        pages.map(({ handle, used }) => handle.mapAsync(1, 0, used)),
      );
      for (const { page, at, bytes, resolve } of requests) {
        resolve(page.handle.getMappedRange(at, bytes).slice(0));
      }
      // Throws as well where the device was lost meanwhile.
      for (const { handle } of pages) handle.unmap();
    } catch (error) {
      for (const { reject } of requests) reject(error);
      for (const { handle } of pages) handle.destroy();
      return;
    }
    for (const page of pages) this.#giveBack(page);
  }

  #giveBack(page: Page): void {
    if (this.#idleBytes + page.capacity > keptBytes) {
      page.handle.destroy();
      return;
    }
    this.#idle.push(page);
    this.#idleBytes += page.capacity;
  }
}
