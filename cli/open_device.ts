/**
 * The device that a command computes on.
 *
 * @module
 */

import type { Device } from "../tensor/mod.ts";
import { deviceFromEnvironment } from "../train/mod.ts";
import { UsageError } from "./failure.ts";
import { preferVulkan } from "./vulkan.ts";

/**
 * Makes the device that options and environment ask for.
 *
 * @throws {UsageError} If the environment asks for what there isn't.
 * @throws {DeviceError} If this machine has no such device.
 */
export async function openDevice(
  { device, threads }: {
    readonly device: string | undefined;
    readonly threads: number | undefined;
  },
): Promise<Device> {
  preferVulkan();
  try {
    return await deviceFromEnvironment({ device, threads });
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

/**
 * A device in words, such as `wasm, turbo kernels, 2 threads`, or `webgpu` and
 * the adapter.
 */
export function describeDevice({ name, mode, threads }: Device): string {
  if (name === "webgpu") return `${name}, ${mode}`;
  const parts = [
    name,
    name === "wasm" ? `${mode} kernels` : mode,
    `${threads} thread${threads === 1 ? "" : "s"}`,
  ];
  return parts.join(", ");
}
