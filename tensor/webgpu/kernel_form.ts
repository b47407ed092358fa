/**
 * Which form a family of kernels takes on a GPU.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import type { KernelForm } from "./gpu_options.ts";

/** Families whose form can be forced; matrix products choose by trying. */
export type KernelFamily = "attention" | "reduce" | "rows" | "indexing";

/** The form that is forced, else the one that suits the adapter. */
export function kernelForm(
  { options, software }: Gpu,
  family: KernelFamily,
): KernelForm {
  return options[family] ?? (software ? "registers" : "tiled");
}
