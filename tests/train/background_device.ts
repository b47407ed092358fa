/**
 * A device that computes in the background, as far as a program can tell: what
 * it reads arrives later.
 *
 * @module
 */

import {
  type Backend,
  Device,
  type TypedArray,
} from "../../tensor/internal.ts";
import { createWasmBackend } from "../../tensor/wasm/mod.ts";

/** A device, and how often it was waited for. */
export interface BackgroundDevice {
  /** The wasm device behind a delay. */
  readonly device: Device;
  /** Waits for values so far; reads that begin together share one. */
  readonly waits: () => number;
  /** Whatever is read fails with this, after so many more waits. */
  readonly breakWith: (error: Error, waits?: number) => void;
}

/** How long a wait takes. */
const delayMilliseconds = 5;

/** Makes a wasm device whose values take a while, and which says it's webgpu. */
export async function backgroundDevice(): Promise<BackgroundDevice> {
  const backend = await createWasmBackend({ threads: 1 });
  let waits = 0;
  let fault: Error | undefined;
  let faultAfter = Infinity;
  let shared: Promise<void> | undefined;
  const wait = (): Promise<void> => {
    waits++;
    return new Promise((resolve) => {
      setTimeout(() => {
        shared = undefined;
        resolve();
      }, delayMilliseconds);
    });
  };
  const background: Backend = Object.assign(Object.create(backend), {
    name: "webgpu",
    synchronous: false,
    read: async (
      ...where: Parameters<Backend["read"]>
    ): Promise<TypedArray> => {
      const values = await backend.read(...where);
      await (shared ??= wait());
      if (waits > faultAfter) throw fault;
      return values;
    },
  });
  return {
    device: new Device(background),
    waits: () => waits,
    breakWith: (error, more = 0) => {
      fault = error;
      faultAfter = waits + more;
    },
  };
}
