/**
 * All kernels of the webgpu device.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import { attentionKernels } from "./attention.ts";
import { argmaxKernels } from "./argmax.ts";
import { crossEntropyKernels } from "./cross_entropy.ts";
import { cumsumKernels } from "./cumsum.ts";
import { gatherKernels } from "./gather.ts";
import type { Gpu } from "./gpu.ts";
import { mapKernels } from "./map.ts";
import { reduceKernels } from "./reduce.ts";
import { matmulKernels } from "./matmul.ts";
import type { MatmulForm } from "./matmul_plan.ts";
import { layerNormKernels } from "./layer_norm.ts";
import { randomKernels } from "./random.ts";
import { softmaxKernels } from "./softmax.ts";
import { takeKernels } from "./take.ts";
import { takeBackwardKernels } from "./take_backward.ts";
import { topkKernels } from "./topk.ts";

/** The kernels of one GPU, with matrix products in the form given. */
export function webgpuKernels(gpu: Gpu, matmulForm: MatmulForm): Kernels {
  return {
    ...attentionKernels(gpu),
    ...softmaxKernels(gpu),
    ...crossEntropyKernels(gpu),
    ...layerNormKernels(gpu),
    ...mapKernels(gpu),
    ...reduceKernels(gpu),
    ...matmulKernels(gpu, matmulForm),
    ...takeKernels(gpu),
    ...takeBackwardKernels(gpu),
    ...gatherKernels(gpu),
    ...cumsumKernels(gpu),
    ...argmaxKernels(gpu),
    ...topkKernels(gpu),
    ...randomKernels(gpu),
  };
}
