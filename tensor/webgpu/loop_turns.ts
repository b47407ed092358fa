/**
 * Loops too long for an adapter.
 *
 * @module
 */

import { DeviceError } from "../device_error.ts";
import type { Gpu } from "./gpu.ts";

/**
 * Refuses a launch whose invocations would turn too often, all their loops
 * added up: the adapter would stop in the middle and tell nobody.
 *
 * @throws {DeviceError} Of kind `limit`, if there are more turns than that.
 */
export function assertTurns(gpu: Gpu, operation: string, turns: number): void {
  if (turns <= gpu.mostTurns) return;
  throw new DeviceError(
    "limit",
    `${operation}: ${turns} steps of one sum or search are more than the ` +
      `${gpu.mostTurns} that this software adapter can be trusted with; choose ` +
      `the device "wasm"`,
    operation,
  );
}
