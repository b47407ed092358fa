/**
 * Cross entropy of rows of logits against integer labels, forward and
 * backward, with label smoothing.
 *
 * With M the row's largest logit and S = Σ exp(x − M), the loss is
 * log S + Σ q (M − x) for the target distribution q, so that M cancels before
 * anything is rounded; logSumExp = M + log S.
 *
 * @module
 */

import type { CrossEntropyArguments, Kernels } from "../backend.ts";
import {
  f32,
  i32,
  lane,
  type Local,
  ModuleBuilder,
  scalar,
  simd,
  splat,
  type Target,
} from "./assembler.ts";
import { grainOf } from "./grain.ts";
import { valuesOf } from "./index_error.ts";
import { largestOfRow, sumElements } from "./row_reduction.ts";
import type { Kernel, Runtime } from "./runtime.ts";
import { exp, log } from "./vector_math.ts";
import { forElements, rowAt, rowExtent } from "./vector_loop.ts";

const chunkElements = 1 << 15;

function crossEntropyModule(target: Target): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);

  // smoothing: e; the result is 1 where a label is no class.
  module.export(
    "crossEntropy",
    [
      ...["ptr", "ptr", "ptr", "ptr", "i32", "i32", "f32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    "i32",
    (f, logits, labels, losses, logSums, ...rest) => {
      const [n, ignored, smoothing, begin, end, scratch] = rest;
      const extent = rowExtent(f, n);
      const count = f.let(scalar("f32.convert_i32_s", n));
      const loop = { extent, scratch, slots: 4 as const };
      const row = f.local("i32");
      const loss = f.local("f32");
      const source = f.local("ptr");
      f.for(row, begin, end, 1, () => {
        const place = f.let(f.times(row, 4));
        const label = f.let(f.load("i32", f.offset(labels, place)));
        const isIgnored = f.let(scalar("i32.eq", label, ignored));
        const isNoClass = scalar("i32.ge_u", label, n);
        f.if(
          scalar("i32.and", isNoClass, scalar("i32.eqz", isIgnored)),
          () => f.return(i32(1)),
        );
        const start = f.let(rowAt(f, logits, row, extent));
        const largest = largestOfRow(f, loop, start);
        const maximum = f.let(lane("f32", largest, 0));

        f.set(source, start);
        const [sum] = sumElements(
          f,
          loop,
          [source],
          1,
          (elements, [partial]) => {
            const shifted = simd("f32x4.sub", elements.load(source), largest);
            const power = elements.only(exp(f, shifted));
            f.set(partial, simd("f32x4.add", partial, power));
          },
        );
        const logSum = f.let(lane("f32", log(f, sum), 0));
        f.store(
          "f32",
          f.offset(logSums, place),
          scalar("f32.add", maximum, logSum),
        );

        f.set(loss, f32(0));
        f.if(scalar("i32.eqz", isIgnored), () => {
          f.set(loss, logSum);
          // Each part only where it has a weight: 0 · ∞ would be NaN.
          f.if(scalar("f32.lt", smoothing, f32(1)), () => {
            const logit = f.load("f32", f.offset(start, f.times(label, 4)));
            const distance = scalar("f32.sub", maximum, logit);
            const weight = scalar("f32.sub", f32(1), smoothing);
            f.set(
              loss,
              scalar("f32.add", loss, scalar("f32.mul", weight, distance)),
            );
          });
          f.if(scalar("f32.gt", smoothing, f32(0)), () => {
            f.set(source, start);
            const [distances] = sumElements(
              f,
              loop,
              [source],
              1,
              (elements, [partial]) => {
                const value = elements.load(source);
                const distance = simd("f32x4.sub", largest, value);
                f.set(
                  partial,
                  simd("f32x4.add", partial, elements.only(distance)),
                );
              },
            );
            const mean = scalar("f32.div", lane("f32", distances, 0), count);
            f.set(
              loss,
              scalar("f32.add", loss, scalar("f32.mul", smoothing, mean)),
            );
          });
        });
        f.store("f32", f.offset(losses, place), loss);
      });
      f.return(i32(0));
      f.emit(i32(0).code);
    },
  );

  // dlogits = dloss · (exp(x − logSumExp) − q)
  module.export(
    "crossEntropyBackward",
    [
      ...["ptr", "ptr", "ptr", "ptr", "ptr", "i32", "i32", "f32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    undefined,
    (f, logits, labels, logSums, dlosses, dlogits, ...rest) => {
      const [n, ignored, smoothing, begin, end] = rest;
      const extent = rowExtent(f, n);
      const row = f.local("i32");
      const [source, result] = [f.local("ptr"), f.local("ptr")];
      const share = f.let(splat(scalar(
        "f32.div",
        smoothing,
        scalar("f32.convert_i32_s", n),
      )));
      f.for(row, begin, end, 1, () => {
        const place = f.let(f.times(row, 4));
        const label: Local = f.let(f.load("i32", f.offset(labels, place)));
        const start = f.let(rowAt(f, dlogits, row, extent));
        f.set(result, start);
        f.if(scalar("i32.eq", label, ignored), () => {
          forElements(f, extent, [result], (elements) => {
            elements.store(result, f.constant(0));
          });
        }, () => {
          const logSum = f.let(f.loadSplat(f.offset(logSums, place)));
          const dloss = f.let(f.load("f32", f.offset(dlosses, place)));
          const factor = f.let(splat(dloss));
          f.set(source, rowAt(f, logits, row, extent));
          forElements(f, extent, [result, source], (elements) => {
            const shifted = simd("f32x4.sub", elements.load(source), logSum);
            const rest = simd("f32x4.sub", exp(f, shifted), share);
            elements.store(result, simd("f32x4.mul", rest, factor));
          });
          f.if(scalar("i32.lt_u", label, n), () => {
            const atLabel = f.let(f.offset(start, f.times(label, 4)));
            const weight = scalar("f32.sub", f32(1), smoothing);
            f.store(
              "f32",
              atLabel,
              scalar(
                "f32.sub",
                f.load("f32", atLabel),
                scalar("f32.mul", weight, dloss),
              ),
            );
          });
        });
      });
    },
  );

  return module.build();
}

function labelError(
  runtime: Runtime,
  { logits, labels, ignoreIndex }: CrossEntropyArguments,
): RangeError {
  const classes = logits.shape[1];
  const values = valuesOf(runtime, labels);
  const isWrong = (label: number): boolean =>
    label !== ignoreIndex && (label < 0 || label >= classes);
  const row = values.findIndex(isWrong);
  return new RangeError(
    `crossEntropy: label ${values[row]} of row ${row} is outside ` +
      `0 … ${classes - 1} (ignoreIndex ${ignoreIndex})`,
  );
}

/** The cross entropy kernels of a device; compiled when first used. */
export function createCrossEntropyKernels(
  runtime: Runtime,
): Pick<Kernels, "crossEntropy" | "crossEntropyBackward"> {
  let loaded: Record<string, Kernel> | undefined;
  const kernels = (): Record<string, Kernel> =>
    loaded ??= runtime.load(crossEntropyModule(runtime.target));

  return {
    crossEntropy(args, loss, logSumExp) {
      const [rows, classes] = args.logits.shape;
      const failed = runtime.launch(
        kernels().crossEntropy,
        [
          runtime.address(args.logits),
          runtime.address(args.labels),
          runtime.address(loss),
          runtime.address(logSumExp),
          classes,
          args.ignoreIndex,
          args.labelSmoothing,
        ],
        rows,
        grainOf(classes, chunkElements),
      );
      if (failed !== 0) throw labelError(runtime, args);
    },
    crossEntropyBackward(args, logSumExp, dloss, dlogits) {
      const [rows, classes] = args.logits.shape;
      runtime.launch(
        kernels().crossEntropyBackward,
        [
          runtime.address(args.logits),
          runtime.address(args.labels),
          runtime.address(logSumExp),
          runtime.address(dloss),
          runtime.address(dlogits),
          classes,
          args.ignoreIndex,
          args.labelSmoothing,
        ],
        rows,
        grainOf(classes, chunkElements),
      );
    },
  };
}
