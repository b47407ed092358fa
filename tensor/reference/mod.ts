/**
 * The `reference` device: every kernel as plain loops over typed arrays, in
 * double precision. It is slow and obvious, and the oracle of all others.
 *
 * @example
 * ```ts
 * import { createReferenceDevice } from "./mod.ts";
 *
 * const device = createReferenceDevice({ dtype: "f64" });
 * const buffer = device.allocate(3 * 8);
 * device.write(buffer, Float64Array.of(1, 2, 3), 0);
 * console.log(await device.read(buffer, "f64", 1, 2)); // [2, 3]
 * device.free(buffer);
 * ```
 *
 * @module
 */

export { createReferenceDevice, type ReferenceOptions } from "./device.ts";
