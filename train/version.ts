/**
 * Which version of the library this is.
 *
 * @module
 */

/** The version in `deno.json`, as checkpoints record it. */
export const version: string = "0.1.0";
