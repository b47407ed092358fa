/**
 * The `wasm` device: SIMD kernels that TypeScript assembles into WebAssembly,
 * run on a pool of threads over one shared memory.
 *
 * @example
 * ```ts
 * import { createWasmDevice } from "./mod.ts";
 *
 * const device = await createWasmDevice({ threads: 1, memory: 2 ** 26 });
 * const buffer = device.allocate(3 * 4);
 * device.write(buffer, Float32Array.of(1, 2, 3), 0);
 * console.log(await device.read(buffer, "f32", 1, 2)); // [2, 3]
 * device.close();
 * ```
 *
 * @module
 */

export { createWasmDevice, type WasmDeviceOptions } from "./device.ts";
