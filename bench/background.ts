/**
 * Measuring devices that work in the background.
 *
 * @module
 */

import { preferVulkan } from "../cli/vulkan.ts";
import { type Device, device, type DeviceName } from "../tensor/mod.ts";
import { count, type Flags } from "./arguments.ts";
import { median, type Timing } from "./timing.ts";

/** The device of `--device`, with `--threads` where it has any. */
export async function openDevice(flags: Flags): Promise<Device> {
  preferVulkan();
  // An unknown name is refused by the device's own message.
  const name = flags.text.device as DeviceName;
  return await device(name, { threads: count(flags, "threads") });
}

/**
 * Milliseconds until all that was launched so far is handed over to a device
 * that works in the background: what the program itself takes.
 *
 * @param start Of the work, by `performance.now()`.
 */
export async function untilSubmitted(start: number): Promise<number> {
  // Recordings are submitted at the end of the turn, before this goes on.
  await null;
  return performance.now() - start;
}

/**
 * Times `f` where it only launches work, in samples so long that waiting for
 * the last of it, about 10 milliseconds, is a twentieth at most.
 */
export async function timeInBackground(
  f: () => void,
  device: Device,
  budget = 800,
): Promise<Timing> {
  const sample = async (repeats: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) f();
    await device.finished();
    return (performance.now() - start) / repeats;
  };
  await sample(1); // kernels are compiled
  let repeats = 1;
  while (await sample(repeats) * repeats < budget / 4) repeats *= 2;
  const samples: number[] = [];
  const end = performance.now() + budget;
  do samples.push(await sample(repeats)); while (
    performance.now() < end || samples.length < 3
  );
  return { best: Math.min(...samples), median: median(samples) };
}
