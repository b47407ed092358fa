/**
 * The backward kernels of layer normalization.
 *
 * With x̂ = (x − mean) · inverse and g = dy · weight, over each row of n:
 * dx = inverse · (g − Σ g / n − x̂ · Σ g x̂ / n).
 *
 * The gradients of weight and bias are sums over rows: first over blocks of
 * rows, whose size depends on the row length only, then over the blocks in
 * order. So they are the same for any number of threads.
 *
 * @module
 */

import {
  f32,
  type FunctionBuilder,
  i32,
  lane,
  type Local,
  ModuleBuilder,
  scalar,
  simd,
  splat,
  type Target,
  type Value,
} from "./assembler.ts";
import { sumElements } from "./row_reduction.ts";
import {
  type Elements,
  forElements,
  rowAt,
  type RowExtent,
  rowExtent,
} from "./vector_loop.ts";

/** Which operands a backward kernel has, and so what it is compiled for. */
export interface BackwardParts {
  /** Whether there is a weight. */
  readonly weight: boolean;
  /** Whether the gradient of the weight is wanted. */
  readonly dweight: boolean;
  /** Whether the gradient of the bias is wanted. */
  readonly dbias: boolean;
}

/** Rows of one block: about 16 Ki elements, and an even number. */
export function rowsOfBlock(n: number): number {
  return 2 * Math.max(8, Math.ceil(8192 / Math.max(1, n)));
}

/** Writes zeros to the row at `start`. */
function fillZero(f: FunctionBuilder, extent: RowExtent, start: Value): void {
  const pointer = f.let(start);
  forElements(
    f,
    extent,
    [pointer],
    (elements) => elements.store(pointer, f.constant(0)),
  );
}

/** Exports `layerNormBackward`, whose items are blocks of rows of a group. */
function exportBackward(module: ModuleBuilder, parts: BackwardParts): void {
  module.export(
    "layerNormBackward",
    [
      ...["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"] as const,
      ...["ptr", "i32", "i32", "i32", "i32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    undefined,
    (f, x, weight, means, inverses, dy, dx, dweight, dbias, ...rest) => {
      const [weightStride, rows, n, blockRows, blocks] = rest;
      const [begin, end, scratch] = rest.slice(5);
      const extent = rowExtent(f, n);
      const loop = { extent, scratch, slots: 2 as const };
      const perElement = f.let(
        scalar("f32.div", f32(1), scalar("f32.convert_i32_s", n)),
      );
      const [item, row] = [f.local("i32"), f.local("i32")];
      const [gains, gainSums, biasSums] = [
        f.local("ptr"),
        f.local("ptr"),
        f.local("ptr"),
      ];

      const writeRows = (count: number): void => {
        const numbers = Array.from({ length: count }, (_, at) => at);
        const rowsOf = (base: Value): Local[] =>
          numbers.map((at) => {
            const place = scalar("i32.add", row, i32(at));
            return f.let(rowAt(f, base, place, extent));
          });
        const scalarsOf = (base: Value): Local[] =>
          numbers.map((at) =>
            f.let(f.load("f32", f.offset(base, f.times(row, 4)), 4 * at))
          );
        const centers = scalarsOf(means).map((x) => f.let(splat(x)));
        const inverse = scalarsOf(inverses);
        const factors = inverse.map((x) => f.let(splat(x)));
        /** Pointers that start anew, and what is read through them. */
        const reader = () => {
          const [sources, gradients] = [rowsOf(x), rowsOf(dy)];
          const gain = parts.weight ? [f.let(gains)] : [];
          return {
            pointers: [...sources, ...gradients, ...gain],
            gain: (elements: Elements): Local | undefined =>
              gain.map((pointer) => f.let(elements.load(pointer)))[0],
            gradient: (elements: Elements, at: number): Local =>
              f.let(elements.load(gradients[at])),
            normalized: (elements: Elements, at: number): Local => {
              const value = elements.load(sources[at]);
              const deviation = simd("f32x4.sub", value, centers[at]);
              return f.let(simd("f32x4.mul", deviation, factors[at]));
            },
          };
        };

        const first = reader();
        const sums = sumElements(
          f,
          loop,
          first.pointers,
          2 * count,
          (elements, partial) => {
            const gain = first.gain(elements);
            for (const at of numbers) {
              const [sum, product] = [partial[at], partial[count + at]];
              const gradient = first.gradient(elements, at);
              const g = f.let(elements.only(
                gain ? simd("f32x4.mul", gradient, gain) : gradient,
              ));
              f.set(sum, simd("f32x4.add", sum, g));
              const xHat = first.normalized(elements, at);
              f.set(product, f.multiplyAdd(g, xHat, product));
            }
          },
        );
        const coefficients = numbers.map((at) => {
          const part = f.let(scalar("f32.mul", inverse[at], perElement));
          const times = (sum: Local): Local =>
            f.let(splat(scalar("f32.mul", lane("f32", sum, 0), part)));
          return { offset: times(sums[at]), slope: times(sums[count + at]) };
        });

        const second = reader();
        const results = rowsOf(dx);
        const gainSum = parts.dweight ? [f.let(gainSums)] : [];
        const biasSum = parts.dbias ? [f.let(biasSums)] : [];
        const pointers = [
          ...second.pointers,
          ...results,
          ...gainSum,
          ...biasSum,
        ];
        forElements(f, extent, pointers, (elements) => {
          const gain = second.gain(elements);
          let [gainTotal, biasTotal] = [gainSum, biasSum].map((pointer) =>
            pointer.map((p) => elements.load(p))[0]
          );
          for (const at of numbers) {
            const { offset, slope } = coefficients[at];
            const gradient = second.gradient(elements, at);
            const xHat = second.normalized(elements, at);
            const g = gain ? simd("f32x4.mul", gradient, gain) : gradient;
            const scaled = simd(
              "f32x4.sub",
              simd("f32x4.mul", g, factors[at]),
              offset,
            );
            elements.store(
              results[at],
              f.negativeMultiplyAdd(xHat, slope, scaled),
            );
            if (gainTotal) gainTotal = f.multiplyAdd(xHat, gradient, gainTotal);
            if (biasTotal) biasTotal = simd("f32x4.add", biasTotal, gradient);
          }
          if (gainTotal) elements.store(gainSum[0], gainTotal);
          if (biasTotal) elements.store(biasSum[0], biasTotal);
        });
      };

      f.for(item, begin, end, 1, () => {
        const group = f.let(scalar("i32.div_u", item, blocks));
        f.set(gains, f.offset(weight, f.times(group, weightStride)));
        f.set(gainSums, rowAt(f, dweight, item, extent));
        f.set(biasSums, rowAt(f, dbias, item, extent));
        if (parts.dweight) fillZero(f, extent, gainSums);
        if (parts.dbias) fillZero(f, extent, biasSums);
        const within = f.let(scalar(
          "i32.mul",
          scalar("i32.rem_u", item, blocks),
          blockRows,
        ));
        const left = f.let(scalar("i32.sub", rows, within));
        f.if(f.lessThan(blockRows, left), () => f.set(left, blockRows));
        f.set(
          row,
          scalar("i32.add", scalar("i32.mul", group, rows), within),
        );
        f.while(scalar("i32.ge_s", left, i32(2)), () => {
          writeRows(2);
          f.add(row, 2);
          f.add(left, -2);
        });
        f.if(left, () => writeRows(1));
      });
    },
  );
}

/** Exports `sumBlocks`: out[group] = Σ parts[group, block]; items are groups. */
function exportSumBlocks(module: ModuleBuilder): void {
  module.export(
    "sumBlocks",
    ["ptr", "ptr", "i32", "i32", "i32", "i32", "ptr"],
    undefined,
    (f, parts, out, n, blocks, begin, end) => {
      const extent = rowExtent(f, n);
      const [group, block] = [f.local("i32"), f.local("i32")];
      const [source, result] = [f.local("ptr"), f.local("ptr")];
      f.for(group, begin, end, 1, () => {
        const start = f.let(rowAt(f, out, group, extent));
        fillZero(f, extent, start);
        const firstBlock = scalar("i32.mul", group, blocks);
        f.set(source, rowAt(f, parts, firstBlock, extent));
        f.for(block, i32(0), blocks, 1, () => {
          f.set(result, start);
          forElements(f, extent, [result, source], (elements) => {
            const sum = simd(
              "f32x4.add",
              elements.load(result),
              elements.load(source),
            );
            elements.store(result, sum);
          });
        });
      });
    },
  );
}

/** The module with the kernels `layerNormBackward` and `sumBlocks`. */
export function layerNormBackwardModule(
  target: Target,
  parts: BackwardParts,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  exportBackward(module, parts);
  exportSumBlocks(module);
  return module.build();
}
