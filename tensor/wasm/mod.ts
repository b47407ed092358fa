/**
 * The `wasm` device: SIMD kernels that TypeScript assembles into WebAssembly,
 * run on a pool of threads over one shared memory.
 *
 * @example
 * ```ts
 * import { createWasmBackend } from "./mod.ts";
 *
 * const backend = await createWasmBackend({ threads: 1, memory: 2 ** 26 });
 * const buffer = backend.allocate(3 * 4);
 * backend.write(buffer, Float32Array.of(1, 2, 3), 0);
 * console.log(await backend.read(buffer, "f32", 1, 2)); // [2, 3]
 * backend.close();
 * ```
 *
 * @module
 */

export { createWasmBackend, type WasmBackendOptions } from "./backend.ts";
