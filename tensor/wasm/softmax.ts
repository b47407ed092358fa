/**
 * Softmax of contiguous rows, forward and backward.
 *
 * The row's largest element is subtracted first, so no finite input overflows.
 * A row that holds NaN or +∞, or nothing but −∞, becomes NaN, as in PyTorch.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import { ModuleBuilder, simd, type Target } from "./assembler.ts";
import { grainOf } from "./grain.ts";
import { largestOfRow, sumElements } from "./row_reduction.ts";
import type { Kernel, Runtime } from "./runtime.ts";
import { exp } from "./vector_math.ts";
import { forElements, rowAt, rowExtent } from "./vector_loop.ts";

const chunkElements = 1 << 15;

function softmaxModule(target: Target): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);

  module.export(
    "softmax",
    ["ptr", "ptr", "i32", "i32", "i32", "ptr"],
    undefined,
    (f, x, out, n, begin, end, scratch) => {
      const extent = rowExtent(f, n);
      const loop = { extent, scratch, slots: 4 as const };
      const row = f.local("i32");
      const [source, result] = [f.local("ptr"), f.local("ptr")];
      f.for(row, begin, end, 1, () => {
        const largest = largestOfRow(f, loop, rowAt(f, x, row, extent));

        f.set(source, rowAt(f, x, row, extent));
        f.set(result, rowAt(f, out, row, extent));
        const pointers = [result, source];
        const [sum] = sumElements(
          f,
          loop,
          pointers,
          1,
          (elements, [partial]) => {
            const shifted = simd("f32x4.sub", elements.load(source), largest);
            const power = f.let(exp(f, shifted));
            elements.store(result, power);
            f.set(partial, simd("f32x4.add", partial, elements.only(power)));
          },
        );

        const factor = f.let(simd("f32x4.div", f.constant(1), sum));
        f.set(result, rowAt(f, out, row, extent));
        forElements(f, extent, [result], (elements) => {
          const power = elements.load(result);
          elements.store(result, simd("f32x4.mul", power, factor));
        });
      });
    },
  );

  module.export(
    "softmaxBackward",
    ["ptr", "ptr", "ptr", "i32", "i32", "i32", "ptr"],
    undefined,
    (f, y, dy, dx, n, begin, end, scratch) => {
      const extent = rowExtent(f, n);
      const loop = { extent, scratch, slots: 4 as const };
      const row = f.local("i32");
      const [source, gradient, result] = [
        f.local("ptr"),
        f.local("ptr"),
        f.local("ptr"),
      ];
      f.for(row, begin, end, 1, () => {
        f.set(source, rowAt(f, y, row, extent));
        f.set(gradient, rowAt(f, dy, row, extent));
        const read = [source, gradient];
        const [mean] = sumElements(f, loop, read, 1, (elements, [partial]) => {
          const value = elements.only(elements.load(source));
          const product = f.multiplyAdd(
            value,
            elements.load(gradient),
            partial,
          );
          f.set(partial, product);
        });

        f.set(source, rowAt(f, y, row, extent));
        f.set(gradient, rowAt(f, dy, row, extent));
        f.set(result, rowAt(f, dx, row, extent));
        forElements(f, extent, [result, source, gradient], (elements) => {
          const centered = simd("f32x4.sub", elements.load(gradient), mean);
          const value = elements.load(source);
          elements.store(result, simd("f32x4.mul", value, centered));
        });
      });
    },
  );

  return module.build();
}

/** The softmax kernels of a device; compiled when first used. */
export function createSoftmaxKernels(
  runtime: Runtime,
): Pick<Kernels, "softmax" | "softmaxBackward"> {
  let loaded: Record<string, Kernel> | undefined;
  const kernels = (): Record<string, Kernel> =>
    loaded ??= runtime.load(softmaxModule(runtime.target));

  return {
    softmax(x, out) {
      const [rows, n] = x.shape;
      runtime.launch(
        kernels().softmax,
        [runtime.address(x), runtime.address(out), n],
        rows,
        grainOf(n, chunkElements),
      );
    },
    softmaxBackward(y, dy, dx) {
      const [rows, n] = y.shape;
      runtime.launch(
        kernels().softmaxBackward,
        [runtime.address(y), runtime.address(dy), runtime.address(dx), n],
        rows,
        grainOf(n, chunkElements),
      );
    },
  };
}
