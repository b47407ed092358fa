/**
 * The operations, family by family.
 *
 * @module
 */

export * from "./attention.ts";
export * from "./convolution.ts";
export * from "./creation.ts";
export * from "./elementwise.ts";
export * from "./indexing.ts";
export * from "./losses.ts";
export * from "./matmul.ts";
export * from "./movement.ts";
export * from "./normalization.ts";
export * from "./random.ts";
export * from "./reductions.ts";
