/**
 * Elements selected along one axis of strided views, and their gradient.
 *
 * One loop serves both: an item is a line of the index along one axis. A
 * gather takes lines along the last axis that is longer than 1. The gradient
 * takes them along the gathered axis, so that no two items add to the same
 * element and every element's terms come in order.
 *
 * The kernels read a table of i32 words: for every outer axis, the innermost
 * first, its extent and its strides in index, x and out, in elements.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import {
  type FunctionBuilder,
  i32,
  type Local,
  ModuleBuilder,
  scalar,
  type Target,
  type Value,
} from "./assembler.ts";
import { grainOf } from "./grain.ts";
import { indexError } from "./index_error.ts";
import type { Kernel, Runtime } from "./runtime.ts";

const chunkElements = 1 << 15;

/** Words of the table for each outer axis: extent and three strides. */
const axisWords = 4;

/** What a kernel does with a selected element and its partner. */
type Write = (f: FunctionBuilder, selected: Value, partner: Value) => void;

/**
 * Exports a kernel that calls `write` for every element of the index, where
 * elements have `bytes` bytes. The result is 1 where an index is outside
 * `0 … extent − 1`.
 */
function exportLines(
  module: ModuleBuilder,
  name: string,
  bytes: number,
  write: Write,
): void {
  module.export(
    name,
    [
      ...["ptr", "ptr", "ptr", "ptr", "i32", "i32", "i32"] as const,
      ...["i32", "i32", "i32", "i32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    "i32",
    (
      f,
      table,
      indices,
      selection,
      partners,
      outer,
      length,
      extent,
      ...rest
    ) => {
      const [indexStride, selectionStride, partnerStride, axisStride] = rest;
      const [begin, end] = rest.slice(4);
      const indexStep = f.let(f.times(indexStride, 4));
      const selectionStep = f.let(f.times(selectionStride, bytes));
      const partnerStep = f.let(f.times(partnerStride, bytes));
      const axisStep = f.let(f.times(axisStride, bytes));
      const [item, axis, left, index, step] = [
        f.local("i32"),
        f.local("i32"),
        f.local("i32"),
        f.local("i32"),
        f.local("i32"),
      ];
      const [row, indexAt, selected, partner] = [
        f.local("ptr"),
        f.local("ptr"),
        f.local("ptr"),
        f.local("ptr"),
      ];
      f.for(item, begin, end, 1, () => {
        f.set(left, item);
        f.set(indexAt, indices);
        f.set(selected, selection);
        f.set(partner, partners);
        f.set(row, table);
        f.for(axis, i32(0), outer, 1, () => {
          const count = f.let(f.load("i32", row));
          const place = f.let(scalar("i32.rem_u", left, count));
          f.set(left, scalar("i32.div_u", left, count));
          const move = (pointer: Local, word: number, size: number): void => {
            const stride = f.times(f.load("i32", row, 4 * word), size);
            f.set(pointer, f.offset(pointer, f.times(place, stride)));
          };
          move(indexAt, 1, 4);
          move(selected, 2, bytes);
          move(partner, 3, bytes);
          f.add(row, 4 * axisWords);
        });
        f.for(step, i32(0), length, 1, () => {
          f.set(index, f.load("i32", indexAt));
          f.if(scalar("i32.ge_u", index, extent), () => f.return(i32(1)));
          write(f, f.offset(selected, f.times(index, axisStep)), partner);
          f.set(indexAt, f.offset(indexAt, indexStep));
          f.set(selected, f.offset(selected, selectionStep));
          f.set(partner, f.offset(partner, partnerStep));
        });
      });
      f.return(i32(0));
      f.emit(i32(0).code);
    },
  );
}

function gatherModule(target: Target): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  exportLines(module, "gather", 4, (f, selected, partner) => {
    f.store("i32", partner, f.load("i32", selected));
  });
  exportLines(module, "gatherBytes", 1, (f, selected, partner) => {
    f.store("u8", partner, f.load("u8", selected));
  });
  exportLines(module, "gatherBackward", 4, (f, selected, partner) => {
    const sum = f.let(selected);
    const term = f.load("f32", partner);
    f.store("f32", sum, scalar("f32.add", f.load("f32", sum), term));
  });
  return module.build();
}

/** The last axis longer than 1, or the last. */
function lastLongAxis(shape: readonly number[]): number {
  const axis = shape.findLastIndex((extent) => extent > 1);
  return axis < 0 ? shape.length - 1 : axis;
}

/** The gather kernels of a device; compiled when first used. */
export function createGatherKernels(
  runtime: Runtime,
): Pick<Kernels, "gather" | "gatherBackward"> {
  let loaded: Record<string, Kernel> | undefined;
  const kernels = (): Record<string, Kernel> =>
    loaded ??= runtime.load(gatherModule(runtime.target));

  /** `selection` is x or its gradient, `partner` has the index's shape. */
  const launch = (
    kernel: Kernel,
    selection: View,
    axis: number,
    index: View,
    partner: View,
    line: number,
  ): number => {
    const { shape } = index;
    const strides = shape.map((_, n) => [
      index.strides[n],
      n === axis ? 0 : selection.strides[n],
      partner.strides[n],
    ]);
    const outer = shape
      .map((extent, n) => [extent, ...strides[n]])
      .filter(([extent], n) => n !== line && extent !== 1)
      .reverse();
    const table = runtime.temporary(4 * axisWords * outer.length);
    try {
      const words = new Int32Array(
        runtime.memory.buffer,
        table,
        axisWords * outer.length,
      );
      words.set(outer.flat());
      return runtime.launch(
        kernel,
        [
          table,
          runtime.address(index),
          runtime.address(selection),
          runtime.address(partner),
          outer.length,
          shape[line],
          selection.shape[axis],
          ...strides[line],
          selection.strides[axis],
        ],
        outer.reduce((size, [extent]) => size * extent, 1),
        grainOf(shape[line], chunkElements),
      );
    } finally {
      runtime.release(table);
    }
  };

  return {
    gather(x, axis, index, out) {
      const { gather, gatherBytes } = kernels();
      const kernel = x.dtype === "bool" ? gatherBytes : gather;
      const line = lastLongAxis(index.shape);
      const failed = launch(kernel, x, axis, index, out, line);
      if (failed !== 0) {
        throw indexError(runtime, "gather", index, x.shape[axis]);
      }
    },
    gatherBackward(y, axis, index, out) {
      const kernel = kernels().gatherBackward;
      const failed = launch(kernel, out, axis, index, y, axis);
      if (failed !== 0) {
        throw indexError(runtime, "gatherBackward", index, out.shape[axis]);
      }
    },
  };
}
