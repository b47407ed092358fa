/**
 * Copying rows by index, and adding to rows by index: embeddings and their
 * gradients, one-dimensional indexing.
 *
 * A row is `inner` neighbouring elements, copied by vectors whatever their
 * dtype. The gradient adds in order of the index; threads share its columns,
 * so the order and with it every bit is the same for any number of them.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import { bytesPerElement } from "../dtype.ts";
import {
  type FunctionBuilder,
  i32,
  type Local,
  ModuleBuilder,
  scalar,
  simd,
  type Target,
  type Value,
} from "./assembler.ts";
import { grainOf } from "./grain.ts";
import { indexError } from "./index_error.ts";
import type { Kernel, Runtime } from "./runtime.ts";
import { forElements, rowExtent } from "./vector_loop.ts";

const chunkBytes = 1 << 18;

/** Columns that one item of the gradient owns: a cache line of them. */
const stripColumns = 16;

/** Copies `bytes` bytes; the pointers are advanced. */
function copyBytes(
  f: FunctionBuilder,
  source: Local,
  target: Local,
  bytes: Value,
): void {
  const end = f.let(f.offset(source, bytes));
  const fits = (size: number): Value =>
    f.lessThan(source, f.minus(end, f.pointer(size - 1)));
  const advance = (size: number): void => {
    f.add(source, size);
    f.add(target, size);
  };
  // Rows are shorter than addresses are high, so end − 31 is no wrap-around.
  f.while(fits(32), () => {
    f.storeVector(target, f.loadVector(source));
    f.storeVector(target, f.loadVector(source, 16), 16);
    advance(32);
  });
  f.while(fits(4), () => {
    f.store("i32", target, f.load("i32", source));
    advance(4);
  });
  f.while(fits(1), () => {
    f.store("u8", target, f.load("u8", source));
    advance(1);
  });
}

function takeModule(target: Target): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);

  // Item o · k + j is row j of slice o; the result is 1 for a bad index.
  module.export(
    "take",
    [
      ...["ptr", "ptr", "ptr", "i32", "i32", "ptr"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    "i32",
    (f, x, indices, out, n, k, rowBytes, begin, end) => {
      const sliceBytes = f.let(f.times(n, rowBytes));
      const slice = f.let(
        f.offset(x, f.times(scalar("i32.div_u", begin, k), sliceBytes)),
      );
      const j = f.let(scalar("i32.rem_u", begin, k));
      const place = f.let(f.offset(indices, f.times(j, 4)));
      const [item, index] = [f.local("i32"), f.local("i32")];
      const source = f.local("ptr");
      const result = f.let(f.offset(out, f.times(begin, rowBytes)));
      f.for(item, begin, end, 1, () => {
        f.set(index, f.load("i32", place));
        f.if(scalar("i32.ge_u", index, n), () => f.return(i32(1)));
        f.set(source, f.offset(slice, f.times(index, rowBytes)));
        copyBytes(f, source, result, rowBytes);
        f.add(place, 4);
        f.add(j, 1);
        f.if(scalar("i32.eq", j, k), () => {
          f.set(j, i32(0));
          f.set(place, indices);
          f.set(slice, f.offset(slice, sliceBytes));
        });
      });
      f.return(i32(0));
      f.emit(i32(0).code);
    },
  );

  // Item o · strips + s is strip s of the columns of slice o.
  module.export(
    "takeBackward",
    [
      ...["ptr", "ptr", "ptr", "i32", "i32", "i32", "i32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    "i32",
    (f, y, indices, out, n, k, inner, strips, begin, end) => {
      const rowBytes = f.let(f.times(inner, 4));
      const item = f.let(begin);
      const [columns, last, j, index] = [
        f.local("i32"),
        f.local("i32"),
        f.local("i32"),
        f.local("i32"),
      ];
      const [source, result] = [f.local("ptr"), f.local("ptr")];
      f.while(f.lessThan(item, end), () => {
        // All strips of this slice that are ours, at once.
        const slice = f.let(scalar("i32.div_u", item, strips));
        const strip = f.let(scalar("i32.rem_u", item, strips));
        f.set(last, scalar("i32.sub", end, scalar("i32.sub", item, strip)));
        f.if(f.lessThan(strips, last), () => f.set(last, strips));
        const first = f.let(scalar("i32.mul", strip, i32(stripColumns)));
        f.set(columns, scalar("i32.mul", last, i32(stripColumns)));
        f.if(f.lessThan(inner, columns), () => f.set(columns, inner));
        const extent = rowExtent(f, scalar("i32.sub", columns, first));
        const offset = f.let(f.times(first, 4));
        const rowOf = (base: Value, rows: Value): Value =>
          f.offset(f.offset(base, f.times(rows, rowBytes)), offset);
        const given = f.let(rowOf(y, scalar("i32.mul", slice, k)));
        const sums = f.let(rowOf(out, scalar("i32.mul", slice, n)));
        f.for(j, i32(0), k, 1, () => {
          f.set(index, f.load("i32", f.offset(indices, f.times(j, 4))));
          f.if(scalar("i32.ge_u", index, n), () => f.return(i32(1)));
          f.set(result, f.offset(sums, f.times(index, rowBytes)));
          f.set(source, given);
          forElements(f, extent, [result, source], (elements) => {
            const sum = simd(
              "f32x4.add",
              elements.load(result),
              elements.load(source),
            );
            elements.store(result, sum);
          });
          f.set(given, f.offset(given, rowBytes));
        });
        f.set(item, scalar("i32.add", item, scalar("i32.sub", last, strip)));
      });
      f.return(i32(0));
      f.emit(i32(0).code);
    },
  );

  return module.build();
}

/** The kernels that index one axis with a vector; compiled when first used. */
export function createTakeKernels(
  runtime: Runtime,
): Pick<Kernels, "take" | "takeBackward"> {
  let loaded: Record<string, Kernel> | undefined;
  const kernels = (): Record<string, Kernel> =>
    loaded ??= runtime.load(takeModule(runtime.target));

  return {
    take(x, index, out) {
      const [outer, n, inner] = x.shape;
      const [k] = index.shape;
      const rowBytes = inner * bytesPerElement[x.dtype];
      const failed = runtime.launch(
        kernels().take,
        [
          runtime.address(x),
          runtime.address(index),
          runtime.address(out),
          n,
          k,
          rowBytes,
        ],
        outer * k,
        grainOf(rowBytes, chunkBytes),
      );
      if (failed !== 0) throw indexError(runtime, "take", index, n);
    },
    takeBackward(y, index, out) {
      const [outer, n, inner] = out.shape;
      const [k] = index.shape;
      const strips = Math.ceil(inner / stripColumns);
      const stripBytes = 4 * Math.min(inner, stripColumns) * k;
      const failed = runtime.launch(
        kernels().takeBackward,
        [
          runtime.address(y),
          runtime.address(index),
          runtime.address(out),
          n,
          k,
          inner,
          strips,
        ],
        outer * strips,
        // Wide chunks: every chunk reads the whole index.
        Math.max(
          grainOf(stripBytes, chunkBytes),
          Math.ceil((outer * strips) / (2 * runtime.threads)),
        ),
      );
      if (failed !== 0) throw indexError(runtime, "takeBackward", index, n);
    },
  };
}
