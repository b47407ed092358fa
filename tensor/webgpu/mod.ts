/**
 * The `webgpu` device: WGSL kernels through `navigator.gpu`, in Deno and in
 * browsers alike.
 *
 * @module
 */

export {
  type AdapterDescription,
  type AdapterLimit,
  automaticDevice,
  listAdapters,
} from "./adapter.ts";
export { createWebgpuBackend, type WebgpuBackend } from "./backend.ts";
export type { GpuOptions, KernelForm } from "./gpu_options.ts";
