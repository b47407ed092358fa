/**
 * What can be forced on a GPU.
 *
 * @module
 */

/** Forms of kernels: for CPUs that play the GPU, and for GPUs. */
export type KernelForm = "registers" | "tiled";

/** What tests and measurements force; by default the adapter decides. */
export interface GpuOptions {
  /** Form of matrix products; default: what is fastest here. */
  readonly matmul?: KernelForm | "subgroup";
  /** Form of attention. */
  readonly attention?: KernelForm;
  /** Form of reductions. */
  readonly reduce?: KernelForm;
  /** Form of kernels on rows: softmax, cross entropy, layer norm. */
  readonly rows?: KernelForm;
  /** Form of kernels that index, order or add up along an axis. */
  readonly indexing?: KernelForm;
  /** Largest binding in bytes, at most the adapter's. */
  readonly bindingLimit?: number;
}
