/**
 * Networks: right-hand sides of ODE blocks, the models made of them, their
 * weights in and out.
 *
 * @module
 */

export * from "./generate.ts";
export * from "./gpt.ts";
export * from "./gpt_weights.ts";
export * from "./safetensors.ts";
export * from "./transformer.ts";
