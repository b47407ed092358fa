/**
 * The largest elements of rows: their first position, or the k largest.
 *
 * Elements are compared as integers in the order of their values, with −0
 * equal to 0 and NaN above everything, as in PyTorch. With the position in the
 * lower half of an i64 no two elements are equal, and the lower position comes
 * first among equal values.
 *
 * topk keeps a heap of the k largest so far, the smallest on top: most
 * elements cost one comparison with it. Sorting the heap ends the row.
 *
 * @module
 */

import type { Kernels, View } from "../backend.ts";
import {
  choose,
  f32,
  type FunctionBuilder,
  i32,
  type Local,
  ModuleBuilder,
  scalar,
  type Target,
  type Value,
} from "./assembler.ts";
import { grainOf } from "./grain.ts";
import { type Kernel, type Runtime, scratchBytes } from "./runtime.ts";

const chunkElements = 1 << 15;

/** An i32 in the order of the elements of a dtype. */
type Order = (f: FunctionBuilder, address: Value) => Value;

const orders: Record<"f32" | "i32", Order> = {
  f32(f, address) {
    const value = f.let(f.load("f32", address));
    // Adding 0 turns −0 into 0; the bits of negative numbers count down.
    const bits = f.let(scalar(
      "i32.reinterpret_f32",
      scalar("f32.add", value, f32(0)),
    ));
    const flip = scalar(
      "i32.shr_u",
      scalar("i32.shr_s", bits, i32(31)),
      i32(1),
    );
    const isNaN = scalar("f32.ne", value, value);
    return choose(isNaN, i32(0x7fffffff), scalar("i32.xor", bits, flip));
  },
  i32: (f, address) => f.load("i32", address),
};

/** Exports `argmax` of one dtype; items are the lines of the middle axis. */
function exportArgmax(module: ModuleBuilder, name: string, order: Order): void {
  module.export(
    name,
    ["ptr", "ptr", "i32", "i32", "i32", "i32", "ptr"],
    undefined,
    (f, x, out, n, inner, begin, end) => {
      const [item, j] = [f.local("i32"), f.local("i32")];
      const [best, position] = [f.local("i32"), f.local("i32")];
      const source = f.local("ptr");
      const step = f.let(f.times(inner, 4));
      f.for(item, begin, end, 1, () => {
        const slice = f.times(
          scalar("i32.mul", scalar("i32.div_u", item, inner), n),
          step,
        );
        const column = f.times(scalar("i32.rem_u", item, inner), 4);
        f.set(source, f.offset(x, f.offset(slice, column)));
        f.set(best, order(f, source));
        f.set(position, i32(0));
        f.for(j, i32(1), n, 1, () => {
          f.set(source, f.offset(source, step));
          const key = f.let(order(f, source));
          f.if(scalar("i32.gt_s", key, best), () => {
            f.set(best, key);
            f.set(position, j);
          });
        });
        f.store("i32", f.offset(out, f.times(item, 4)), position);
      });
    },
  );
}

/** Bytes of a heap entry. */
const entryBytes = 8;

/**
 * Puts `value` into the heap of `size` entries at position `hole`, moving up
 * what is smaller below.
 */
function addSiftDown(module: ModuleBuilder): FunctionBuilder {
  return module.internal(
    ["ptr", "i32", "i32", "i64"],
    undefined,
    (f, heap, hole, size, value) => {
      const at = (position: Value): Value =>
        f.offset(heap, f.times(position, entryBytes));
      const entry = (position: Value): Value => f.load("i64", at(position));
      const right = f.local("i32");
      const firstChild = scalar(
        "i32.add",
        scalar("i32.shl", hole, i32(1)),
        i32(1),
      );
      const child = f.let(firstChild);
      f.while(f.lessThan(child, size), () => {
        f.set(right, scalar("i32.add", child, i32(1)));
        f.if(f.lessThan(right, size), () => {
          const isSmaller = scalar("i64.lt_s", entry(right), entry(child));
          f.if(isSmaller, () => f.set(child, right));
        });
        f.if(scalar("i64.lt_s", value, entry(child)), () => {
          f.store("i64", at(hole), value);
          f.return();
        });
        f.store("i64", at(hole), entry(child));
        f.set(hole, child);
        f.set(child, firstChild);
      });
      f.store("i64", at(hole), value);
    },
  );
}

/** Exports `topk` of one dtype; `heaps` is 0 if a heap fits into scratch. */
function exportTopk(
  module: ModuleBuilder,
  siftDown: FunctionBuilder,
  name: string,
  order: Order,
): void {
  module.export(
    name,
    [
      ...["ptr", "ptr", "ptr", "ptr", "i32", "i32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    undefined,
    (f, x, values, indices, heaps, n, k, begin, end, scratch) => {
      const [row, j] = [f.local("i32"), f.local("i32")];
      const [heap, source, entryAt] = [
        f.local("ptr"),
        f.local("ptr"),
        f.local("ptr"),
      ];
      const heapBytes = f.let(f.times(k, entryBytes));
      /** Order above, complement of the position below. */
      const entry = (): Value =>
        scalar(
          "i64.or",
          scalar(
            "i64.shl",
            scalar("i64.extend_i32_s", order(f, source)),
            scalar("i64.extend_i32_u", i32(32)),
          ),
          scalar("i64.extend_i32_u", scalar("i32.xor", j, i32(-1))),
        );
      f.for(row, begin, end, 1, () => {
        f.set(heap, scratch);
        f.if(f.lessThan(f.pointer(0), heaps), () => {
          f.set(heap, f.offset(heaps, f.times(row, heapBytes)));
        });
        const start = f.let(f.offset(x, f.times(f.times(row, 4), n)));
        f.set(source, start);
        f.set(entryAt, heap);
        f.for(j, i32(0), k, 1, () => {
          f.store("i64", entryAt, entry());
          f.add(entryAt, entryBytes);
          f.add(source, 4);
        });
        const down = (step: (position: Local) => void): void => {
          f.while(scalar("i32.gt_s", j, i32(0)), () => {
            f.add(j, -1);
            step(j);
          });
        };
        const moved = f.local("i64");
        f.set(j, scalar("i32.shr_u", k, i32(1)));
        down((position) => {
          const at = f.offset(heap, f.times(position, entryBytes));
          f.set(moved, f.load("i64", at));
          f.run(siftDown, heap, position, k, moved);
        });

        f.for(j, k, n, 1, () => {
          const candidate = f.let(entry());
          const isLarger = scalar("i64.lt_s", f.load("i64", heap), candidate);
          f.if(isLarger, () => f.run(siftDown, heap, i32(0), k, candidate));
          f.add(source, 4);
        });

        // The smallest goes to the end, again and again.
        f.set(j, k);
        down((position) => {
          const at = f.let(f.offset(heap, f.times(position, entryBytes)));
          f.set(moved, f.load("i64", at));
          f.store("i64", at, f.load("i64", heap));
          f.run(siftDown, heap, i32(0), position, moved);
        });

        f.set(entryAt, heap);
        const place = f.let(f.times(f.times(row, 4), k));
        f.for(j, i32(0), k, 1, () => {
          const low = scalar("i32.wrap_i64", f.load("i64", entryAt));
          const position = f.let(scalar("i32.xor", low, i32(-1)));
          const bits = f.load("i32", f.offset(start, f.times(position, 4)));
          f.store("i32", f.offset(values, place), bits);
          f.store("i32", f.offset(indices, place), position);
          f.add(place, 4);
          f.add(entryAt, entryBytes);
        });
      });
    },
  );
}

function topkModule(target: Target): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  const siftDown = addSiftDown(module);
  for (const dtype of ["f32", "i32"] as const) {
    exportArgmax(module, `argmax ${dtype}`, orders[dtype]);
    exportTopk(module, siftDown, `topk ${dtype}`, orders[dtype]);
  }
  return module.build();
}

/** The kernels that find largest elements; compiled when first used. */
export function createTopkKernels(
  runtime: Runtime,
): Pick<Kernels, "argmax" | "topk"> {
  let loaded: Record<string, Kernel> | undefined;
  const kernel = (name: string, { dtype }: View): Kernel => {
    loaded ??= runtime.load(topkModule(runtime.target));
    return loaded[`${name} ${dtype}`];
  };

  return {
    argmax(x, out) {
      const [outer, n, inner] = x.shape;
      runtime.launch(
        kernel("argmax", x),
        [runtime.address(x), runtime.address(out), n, inner],
        outer * inner,
        grainOf(n, chunkElements),
      );
    },
    topk(x, values, indices) {
      const [rows, n] = x.shape;
      const k = values.shape[1];
      const fits = k * entryBytes <= scratchBytes;
      const heaps = fits ? 0 : runtime.temporary(rows * k * entryBytes);
      runtime.launch(
        kernel("topk", x),
        [
          runtime.address(x),
          runtime.address(values),
          runtime.address(indices),
          heaps,
          n,
          k,
        ],
        rows,
        grainOf(n, chunkElements),
      );
      if (!fits) runtime.release(heaps);
    },
  };
}
