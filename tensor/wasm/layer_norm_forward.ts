/**
 * The forward kernel of layer normalization.
 *
 * The variance takes two passes over the row. The second also sums the
 * deviations, which would vanish but for the rounding of the mean, and so
 * corrects both: rows whose mean is large beside their deviation keep their
 * digits. Several rows at a time keep the processor busy while sums are awaited,
 * and share the loads of weight and bias; their results don't depend on it.
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
import { type RowLoop, sumElements } from "./row_reduction.ts";
import { type Elements, forElements, rowAt, rowExtent } from "./vector_loop.ts";

/** Rows of a group that an item of the kernels handles. */
export const rowsOfItem = 8;

/** What normalizes one row: y = (x − center) · factor + correction. */
interface Normalizer {
  readonly center: Local;
  readonly factor: Local;
  readonly correction: Local;
}

/** 1 / n of an i32. */
function inverseOf(n: Value): Value {
  return scalar("f32.div", f32(1), scalar("f32.convert_i32_s", n));
}

/**
 * Emits the rows of the item that `item` counts, as many at once as `together`
 * (a power of two) says and there are left of its group.
 */
function forRowsOfItem(
  f: FunctionBuilder,
  item: Value,
  rows: Value,
  items: Value,
  together: number,
  write: (group: Local, first: Local, count: number) => void,
): void {
  const group = f.let(scalar("i32.div_u", item, items));
  const within = f.let(scalar(
    "i32.mul",
    scalar("i32.rem_u", item, items),
    i32(rowsOfItem),
  ));
  const row = f.let(
    scalar("i32.add", scalar("i32.mul", group, rows), within),
  );
  const left = f.let(scalar("i32.sub", rows, within));
  f.if(f.lessThan(i32(rowsOfItem), left), () => f.set(left, i32(rowsOfItem)));
  for (let count = together; count >= 1; count /= 2) {
    f.while(scalar("i32.ge_s", left, i32(count)), () => {
      write(group, row, count);
      f.add(row, count);
      f.add(left, -count);
    });
  }
}

/** The mean of each row, an f32. */
function meansOf(
  f: FunctionBuilder,
  loop: RowLoop,
  starts: readonly Local[],
  perElement: Value,
): Local[] {
  const sources = starts.map((start) => f.let(start));
  const sums = sumElements(
    f,
    loop,
    sources,
    sources.length,
    (elements, partial) =>
      sources.forEach((source, row) => {
        const value = elements.only(elements.load(source));
        f.set(partial[row], simd("f32x4.add", partial[row], value));
      }),
  );
  return sums.map((sum) =>
    f.let(scalar("f32.mul", lane("f32", sum, 0), perElement))
  );
}

/** The sums of x − mean and of its square, of each row. */
function deviationsOf(
  f: FunctionBuilder,
  loop: RowLoop,
  starts: readonly Local[],
  centers: readonly Local[],
): [Local, Local][] {
  const sources = starts.map((start) => f.let(start));
  const count = sources.length;
  const sums = sumElements(
    f,
    loop,
    sources,
    2 * count,
    (elements, partial) =>
      sources.forEach((source, row) => {
        const [sum, square] = [partial[row], partial[count + row]];
        const deviation = f.let(elements.only(
          simd("f32x4.sub", elements.load(source), centers[row]),
        ));
        f.set(sum, simd("f32x4.add", sum, deviation));
        f.set(square, f.multiplyAdd(deviation, deviation, square));
      }),
  );
  return sources.map((_, row) => [sums[row], sums[count + row]]);
}

/**
 * The module with the kernel `layerNorm`, with or without weight and bias.
 *
 * @param together Rows that are computed at once, a power of two, at most 8.
 */
export function layerNormModule(
  target: Target,
  together: number,
  hasWeight: boolean,
  hasBias: boolean,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  module.export(
    "layerNorm",
    [
      ...["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"] as const,
      ...["ptr", "ptr", "i32", "i32", "i32", "f32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    undefined,
    (f, x, weight, bias, out, means, inverses, ...rest) => {
      const [weightStride, biasStride, rows, items, n, epsilon] = rest;
      const [begin, end, scratch] = rest.slice(6);
      const extent = rowExtent(f, n);
      const loop = { extent, scratch, slots: 2 as const };
      const perElement = f.let(inverseOf(n));
      const item = f.local("i32");

      /** Stores a row's mean and inverse deviation. */
      const measure = (
        row: Value,
        mean: Local,
        center: Local,
        [sum, square]: [Local, Local],
      ): Normalizer => {
        const average = (total: Local): Value =>
          scalar("f32.mul", lane("f32", total, 0), perElement);
        const shift = f.let(average(sum));
        const variance = scalar(
          "f32.sub",
          average(square),
          scalar("f32.mul", shift, shift),
        );
        const inverse = f.let(scalar(
          "f32.div",
          f32(1),
          scalar("f32.sqrt", scalar("f32.add", variance, epsilon)),
        ));
        const place = f.let(f.times(row, 4));
        f.store("f32", f.offset(means, place), scalar("f32.add", mean, shift));
        f.store("f32", f.offset(inverses, place), inverse);
        const correction = scalar(
          "f32.neg",
          scalar("f32.mul", shift, inverse),
        );
        return {
          center,
          factor: f.let(splat(inverse)),
          correction: f.let(splat(correction)),
        };
      };

      const writeRows = (group: Local, first: Local, count: number): void => {
        const numbers = Array.from({ length: count }, (_, row) => row);
        const rowOf = (row: number): Value =>
          scalar("i32.add", first, i32(row));
        const starts = numbers.map((row) =>
          f.let(rowAt(f, x, rowOf(row), extent))
        );
        const averages = meansOf(f, loop, starts, perElement);
        const centers = averages.map((mean) => f.let(splat(mean)));
        const sums = deviationsOf(f, loop, starts, centers);
        const normalizers = numbers.map((row) =>
          measure(rowOf(row), averages[row], centers[row], sums[row])
        );

        const results = numbers.map((row) =>
          f.let(rowAt(f, out, rowOf(row), extent))
        );
        const groupOf = (base: Value, stride: Value): Local =>
          f.let(f.offset(base, f.times(group, stride)));
        const gains = hasWeight ? [groupOf(weight, weightStride)] : [];
        const shifts = hasBias ? [groupOf(bias, biasStride)] : [];
        const pointers = [...starts, ...results, ...gains, ...shifts];
        forElements(f, extent, pointers, (elements: Elements) => {
          const [gain] = gains.map((p) => f.let(elements.load(p)));
          const [shift] = shifts.map((p) => f.let(elements.load(p)));
          for (const row of numbers) {
            const { center, factor, correction } = normalizers[row];
            const y = f.multiplyAdd(
              simd("f32x4.sub", elements.load(starts[row]), center),
              factor,
              correction,
            );
            elements.store(
              results[row],
              gain && shift
                ? f.multiplyAdd(y, gain, shift)
                : gain
                ? simd("f32x4.mul", y, gain)
                : shift
                ? simd("f32x4.add", y, shift)
                : y,
            );
          }
        });
      };

      f.for(
        item,
        begin,
        end,
        1,
        () => forRowsOfItem(f, item, rows, items, together, writeRows),
      );
    },
  );
  return module.build();
}
