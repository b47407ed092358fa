/**
 * What attention does to single rows of scores, as functions of its module.
 *
 * A row is `count` scores in scratch memory, of which only the first `valid`
 * may be attended; the others end as zeros, so that products may read them.
 *
 * @module
 */

import {
  f32,
  type FunctionBuilder,
  i32,
  lane,
  type Local,
  type ModuleBuilder,
  scalar,
  simd,
  splat,
  type Value,
} from "./assembler.ts";
import { minus } from "./integer.ts";
import { addDropoutFactors } from "./random.ts";
import { largestOfRow, sumElements } from "./row_reduction.ts";
import { exp, log } from "./vector_math.ts";
import { forElements, rowExtent } from "./vector_loop.ts";

/** Functions on rows; pointers and strides are in bytes. */
export interface RowFunctions {
  /** Adds elements `step` apart: `(row, source, step, count)`. */
  readonly add: FunctionBuilder;
  /** Sets −∞ where a byte is 0: `(row, bytes, step, count)`. */
  readonly mask: FunctionBuilder;
  /**
   * Replaces scores by e^(score − largest), and stores their logSumExp and the
   * reciprocal of their sum, or −∞ and 0 where nothing may be attended:
   * `(row, valid, count, logSumExp, factor, scratch)`.
   */
  readonly exponentials: FunctionBuilder;
  /**
   * Replaces scores by probabilities p, times dropout's factors f, and their
   * gradients d by scale · p (f d − mean): `(row, gradients, valid, count,
   * logSumExp, mean, scale, factors)`; no dropout where `factors` is 0.
   */
  readonly gradient: FunctionBuilder;
  /** The factors of dropout; see `addDropoutFactors`. */
  readonly dropout: FunctionBuilder;
  /** Multiplies by factors: `(row, factors, count)`. */
  readonly multiply: FunctionBuilder;
  /** Multiplies by a number: `(row, factor, count)`. */
  readonly scale: FunctionBuilder;
  /** The inner product, an f32: `(x, y, count, scratch)`. */
  readonly dot: FunctionBuilder;
}

/** Adds them to a module. */
export function emitRowFunctions(module: ModuleBuilder): RowFunctions {
  return {
    add: emitAdd(module),
    mask: emitMask(module),
    exponentials: emitExponentials(module),
    gradient: emitGradient(module),
    dropout: addDropoutFactors(module),
    multiply: module.internal(
      ["ptr", "ptr", "i32"],
      undefined,
      (f, row, factors, count) =>
        forElements(f, rowExtent(f, count), [row, factors], (at) => {
          at.store(row, simd("f32x4.mul", at.load(row), at.load(factors)));
        }),
    ),
    scale: module.internal(
      ["ptr", "f32", "i32"],
      undefined,
      (f, row, factor, count) => {
        const by = f.let(splat(factor));
        forElements(f, rowExtent(f, count), [row], (at) => {
          at.store(row, simd("f32x4.mul", at.load(row), by));
        });
      },
    ),
    dot: module.internal(
      ["ptr", "ptr", "i32", "ptr"],
      "f32",
      (f, x, y, count, scratch) => {
        const loop = {
          extent: rowExtent(f, count),
          scratch,
          slots: 4 as const,
        };
        const [sum] = sumElements(f, loop, [x, y], 1, (at, [partial]) => {
          const left = at.only(at.load(x));
          f.set(partial, f.multiplyAdd(left, at.load(y), partial));
        });
        f.return(lane("f32", sum, 0));
      },
    ),
  };
}

function emitAdd(module: ModuleBuilder): FunctionBuilder {
  return module.internal(
    ["ptr", "ptr", "ptr", "i32"],
    undefined,
    (f, row, source, step, count) => {
      f.while(count, () => {
        const sum = scalar(
          "f32.add",
          f.load("f32", row),
          f.load("f32", source),
        );
        f.store("f32", row, sum);
        f.add(row, 4);
        f.add(source, step);
        f.add(count, -1);
      });
    },
  );
}

function emitMask(module: ModuleBuilder): FunctionBuilder {
  return module.internal(
    ["ptr", "ptr", "ptr", "i32"],
    undefined,
    (f, row, bytes, step, count) => {
      f.while(count, () => {
        f.if(
          scalar("i32.eqz", f.load("u8", bytes)),
          () => f.store("f32", row, f32(-Infinity)),
        );
        f.add(row, 4);
        f.add(bytes, step);
        f.add(count, -1);
      });
    },
  );
}

/** Zeros from element `valid` to `count` of every row. */
function clearRest(
  f: FunctionBuilder,
  rows: readonly Local[],
  valid: Value,
  count: Value,
): void {
  const extent = rowExtent(f, minus(count, valid));
  for (const row of rows) {
    const rest = f.let(f.offset(row, f.times(valid, 4)));
    forElements(f, extent, [rest], (at) => {
      at.store(rest, f.constant(0));
    });
  }
}

function emitExponentials(module: ModuleBuilder): FunctionBuilder {
  return module.internal(
    ["ptr", "i32", "i32", "ptr", "ptr", "ptr"],
    undefined,
    (f, row, valid, count, logSumExp, factor, scratch) => {
      const loop = { extent: rowExtent(f, valid), scratch, slots: 4 as const };
      const largest = largestOfRow(f, loop, row);
      const nothing = scalar("f32.eq", lane("f32", largest, 0), f32(-Infinity));
      f.if(nothing, () => {
        clearRest(f, [row], i32(0), count);
        f.store("f32", logSumExp, f32(-Infinity));
        f.store("f32", factor, f32(0));
        f.return();
      });
      const element = f.let(row);
      const [sum] = sumElements(f, loop, [element], 1, (at, [partial]) => {
        const shifted = simd("f32x4.sub", at.load(element), largest);
        const power = f.let(exp(f, shifted));
        at.store(element, power);
        f.set(partial, simd("f32x4.add", partial, at.only(power)));
      });
      clearRest(f, [row], valid, count);
      const logSum = simd("f32x4.add", largest, log(f, sum));
      f.storeLane(logSumExp, logSum, 0);
      f.storeLane(factor, simd("f32x4.div", f.constant(1), sum), 0);
    },
  );
}

function emitGradient(module: ModuleBuilder): FunctionBuilder {
  return module.internal(
    ["ptr", "ptr", "i32", "i32", "f32", "f32", "f32", "ptr"],
    undefined,
    (f, row, gradients, valid, count, ...more) => {
      const [logSumExp, mean, scale, factors] = more;
      const nothing = scalar("f32.eq", logSumExp, f32(-Infinity));
      f.if(nothing, () => f.set(valid, i32(0)));
      clearRest(f, [row, gradients], valid, count);
      const extent = rowExtent(f, valid);
      const [shift, center, by] = [logSumExp, mean, scale].map((x) =>
        f.let(splat(x))
      );
      const loop = (dropping: boolean): void => {
        const pointers = dropping
          ? [row, gradients, factors]
          : [row, gradients];
        forElements(f, extent, pointers, (at) => {
          const p = f.let(exp(f, simd("f32x4.sub", at.load(row), shift)));
          const kept = dropping ? f.let(at.load(factors)) : undefined;
          const d = at.load(gradients);
          const change = simd(
            "f32x4.sub",
            kept ? simd("f32x4.mul", d, kept) : d,
            center,
          );
          const scaled = simd("f32x4.mul", p, by);
          at.store(gradients, simd("f32x4.mul", scaled, change));
          at.store(row, kept ? simd("f32x4.mul", p, kept) : p);
        });
      };
      f.if(f.lessThan(f.pointer(0), factors), () => loop(true), () => {
        loop(false);
      });
    },
  );
}
