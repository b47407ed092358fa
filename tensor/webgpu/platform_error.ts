/**
 * Errors of the platform, as the device tells them.
 *
 * @module
 */

import { DeviceError } from "../device_error.ts";

/** Says of an error of the platform what kind of fault it is. */
export function asDeviceError(error: unknown): DeviceError {
  if (error instanceof DeviceError) return error;
  const message = error instanceof Error || error instanceof GPUError
    ? error.message
    : String(error);
  return error instanceof GPUOutOfMemoryError
    ? new DeviceError(
      "memory",
      `device "webgpu": the device is out of memory (${message}); use smaller ` +
        `batches or models`,
    )
    : new DeviceError(
      "validation",
      `device "webgpu": the platform refused a command: ${message}`,
    );
}
