/**
 * Which device a program runs on, as its user says.
 *
 * @module
 */

import {
  type Device,
  device,
  type DeviceName,
  type DeviceOptions,
} from "../tensor/internal.ts";

/** What is said explicitly; it counts more than the environment. */
export interface DeviceOverrides extends DeviceOptions {
  /** `auto`, `webgpu`, `wasm` or `reference`; only `wasm` has threads. */
  readonly device?: string;
}

/** As many as a device takes. */
const mostThreads = 64;

/** All devices, and `auto`, which stands for one of them. */
export const deviceNames: readonly DeviceName[] = [
  "auto",
  "webgpu",
  "wasm",
  "reference",
];

/**
 * Makes the device that the user wants: as given, else as the environment
 * variables `LAYERBRAID_DEVICE` (`auto`, `webgpu`, `wasm`, `reference`) and
 * `LAYERBRAID_THREADS` (an integer, 1 … 64) say, else `wasm` on all cores, at
 * most 8. `auto` is a real GPU if there is one, else `wasm`.
 *
 * @throws {RangeError} If a value is none of these, which it names, or if
 * a device without threads is given several.
 * @throws {DeviceError} Of kind `missing`, if there is no adapter for `webgpu`.
 *
 * @example
 * ```ts
 * import { deviceFromEnvironment } from "@layerbraid/layerbraid/train";
 *
 * const chosen = await deviceFromEnvironment({ device: "reference" });
 * console.log(chosen.name); // reference
 * ```
 */
export async function deviceFromEnvironment(
  overrides: DeviceOverrides = {},
): Promise<Device> {
  const { device: given, ...options } = overrides;
  const name = given === undefined
    ? checkName("LAYERBRAID_DEVICE", variable("LAYERBRAID_DEVICE") ?? "wasm")
    : checkName("device", given);
  if (name === "reference" || name === "webgpu") {
    const { threads = 1 } = options;
    if (threads === 1) return await device(name, options);
    throw new RangeError(
      `threads: ${threads} are given, but the device "${name}" has one; ` +
        `leave them out, or choose wasm`,
    );
  }
  return await device(name, {
    ...options,
    threads: options.threads ?? threadsFromEnvironment(),
  });
}

function variable(name: string): string | undefined {
  const value = Deno.env.get(name)?.trim();
  return value === "" ? undefined : value;
}

function checkName(source: string, name: string): DeviceName {
  const found = deviceNames.find((known) => known === name);
  if (found !== undefined) return found;
  throw new RangeError(
    `${source}: there is no device "${name}"; choose ${deviceNames.join(", ")}`,
  );
}

function threadsFromEnvironment(): number | undefined {
  const text = variable("LAYERBRAID_THREADS");
  if (text === undefined) return undefined;
  const threads = Number(text);
  const isCount = Number.isInteger(threads) && threads >= 1;
  if (isCount && threads <= mostThreads) return threads;
  throw new RangeError(
    `LAYERBRAID_THREADS: "${text}" must be an integer, 1 … ${mostThreads}`,
  );
}
