/**
 * Tests on a device that must give back all that they take from it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Device } from "../tensor/mod.ts";

/** A test on a device of its own, in a scope, after which nothing stays. */
export function testLeakFree(
  name: string,
  make: () => Promise<Device>,
  fn: (device: Device) => void | Promise<void>,
): void {
  Deno.test(name, async () => {
    const device = await make();
    try {
      using _ = device.scope();
      await fn(device);
    } finally {
      device.close();
    }
    assertEquals(device.stats().liveBuffers, 0, "buffers left behind");
  });
}
