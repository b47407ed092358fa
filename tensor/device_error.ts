/**
 * What goes wrong with a device, rather than with what a program asked of it.
 *
 * @module
 */

/**
 * The kinds of faults:
 *
 * - `missing`: there is no such device on this machine
 * - `lost`: the device went away, or was destroyed
 * - `memory`: the device has no memory left
 * - `limit`: the device has no buffers, or bindings, of that size
 * - `validation`: the platform refused a command
 * - `shader`: the platform refused a kernel's source
 */
export type DeviceFault =
  | "missing"
  | "lost"
  | "memory"
  | "limit"
  | "validation"
  | "shader";

/** A fault of a device. */
export class DeviceError extends Error {
  /** What happened. */
  readonly kind: DeviceFault;
  /** The operation at which it happened, where that is known. */
  readonly operation: string | undefined;

  /** Used by devices. */
  constructor(
    kind: DeviceFault,
    message: string,
    operation?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "DeviceError";
    this.kind = kind;
    this.operation = operation;
  }
}
