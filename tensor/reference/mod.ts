/**
 * The `reference` device: every kernel as plain loops over typed arrays, in
 * double precision. It is slow and obvious, and the oracle of all others.
 *
 * @example
 * ```ts
 * import { createReferenceBackend } from "./mod.ts";
 *
 * const backend = createReferenceBackend({ dtype: "f64" });
 * const buffer = backend.allocate(3 * 8);
 * backend.write(buffer, Float64Array.of(1, 2, 3), 0);
 * console.log(await backend.read(buffer, "f64", 1, 2)); // [2, 3]
 * backend.free(buffer);
 * ```
 *
 * @module
 */

export {
  createReferenceBackend,
  type ReferenceBackendOptions,
} from "./backend.ts";
