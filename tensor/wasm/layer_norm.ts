/**
 * Layer normalization of contiguous rows, forward and backward.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import { grainOf } from "./grain.ts";
import {
  type BackwardParts,
  layerNormBackwardModule,
  rowsOfBlock,
} from "./layer_norm_backward.ts";
import { layerNormModule, rowsOfItem } from "./layer_norm_forward.ts";
import type { Kernel, Mode, Runtime } from "./runtime.ts";

const chunkElements = 1 << 16;

/** Floating point operations per element, about. */
const flops = 8;

/** Rows that the forward kernel computes at once: what fits into registers. */
const rowsTogether: Record<Mode, number> = { portable: 2, turbo: 4 };

/** Stride between the groups of a weight or bias, in bytes. */
function groupStride(view: View | undefined): number {
  return view === undefined ? 0 : 4 * view.strides[0];
}

/** The layer normalization kernels of a device; compiled when first used. */
export function createLayerNormKernels(
  runtime: Runtime,
): Pick<Kernels, "layerNorm" | "layerNormBackward"> {
  const { target } = runtime;
  const variants = new Map<number, Record<string, Kernel>>();
  /** By a number, since building a string takes as long as a small launch. */
  const load = (
    variant: number,
    build: () => Uint8Array<ArrayBuffer>,
  ): Record<string, Kernel> => {
    let kernels = variants.get(variant);
    if (kernels === undefined) {
      kernels = runtime.load(build());
      variants.set(variant, kernels);
    }
    return kernels;
  };
  const addressOr0 = (view: View | undefined): number =>
    view === undefined ? 0 : runtime.address(view);

  return {
    layerNorm(x, weight, bias, epsilon, out, mean, inverseDeviation) {
      const [groups, rows, n] = x.shape;
      const [hasWeight, hasBias] = [weight !== undefined, bias !== undefined];
      const items = Math.ceil(rows / rowsOfItem);
      const together = rowsTogether[runtime.modeFor(flops * groups * rows * n)];
      const kernels = load(
        2 * together + 16 * Number(hasWeight) + 32 * Number(hasBias),
        () => layerNormModule(target, together, hasWeight, hasBias),
      );
      runtime.launch(
        kernels.layerNorm,
        [
          runtime.address(x),
          addressOr0(weight),
          addressOr0(bias),
          runtime.address(out),
          runtime.address(mean),
          runtime.address(inverseDeviation),
          groupStride(weight),
          groupStride(bias),
          rows,
          items,
          n,
          epsilon,
        ],
        groups * items,
        grainOf(rowsOfItem * n, chunkElements),
      );
    },

    layerNormBackward(
      ...[x, weight, mean, inverseDeviation, dy, dx, dweight, dbias]
    ) {
      const [groups, rows, n] = x.shape;
      const parts: BackwardParts = {
        weight: weight !== undefined,
        dweight: dweight !== undefined,
        dbias: dbias !== undefined,
      };
      const kernels = load(
        1 + 2 * Number(parts.weight) + 4 * Number(parts.dweight) +
          8 * Number(parts.dbias),
        () => layerNormBackwardModule(target, parts),
      );
      const blockRows = rowsOfBlock(n);
      const blocks = Math.max(1, Math.ceil(rows / blockRows));
      const partBytes = 4 * groups * blocks * n;
      // The sums of a single block are the gradients.
      const temporary = blocks > 1 && (parts.dweight || parts.dbias)
        ? runtime.temporary(2 * partBytes)
        : undefined;
      const [weightParts, biasParts] = temporary === undefined
        ? [addressOr0(dweight), addressOr0(dbias)]
        : [temporary, temporary + partBytes];
      runtime.launch(
        kernels.layerNormBackward,
        [
          runtime.address(x),
          addressOr0(weight),
          runtime.address(mean),
          runtime.address(inverseDeviation),
          runtime.address(dy),
          runtime.address(dx),
          weightParts,
          biasParts,
          groupStride(weight),
          rows,
          n,
          blockRows,
          blocks,
        ],
        groups * blocks,
        grainOf(Math.min(rows, blockRows) * n, chunkElements),
      );
      if (temporary === undefined) return;
      const sumBlocks = (from: number, out: View | undefined): void => {
        if (out === undefined) return;
        runtime.launch(
          kernels.sumBlocks,
          [from, runtime.address(out), n, blocks],
          groups,
          grainOf(blocks * n, chunkElements),
        );
      };
      sumBlocks(weightParts, dweight);
      sumBlocks(biasParts, dbias);
      runtime.release(temporary);
    },
  };
}
