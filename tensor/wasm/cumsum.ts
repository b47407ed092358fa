/**
 * Running sums along the middle axis of `[outer, n, inner]`, for f32 and i32.
 *
 * Real numbers are summed in f64, so that long sums keep the digits of f32.
 *
 * @module
 */

import type { Kernels } from "../backend.ts";
import {
  type FunctionBuilder,
  i32,
  type Local,
  ModuleBuilder,
  scalar,
  type Target,
} from "./assembler.ts";
import { grainOf } from "./grain.ts";
import type { Kernel, Runtime } from "./runtime.ts";

const chunkElements = 1 << 15;

/** Exports a kernel whose items are lines; `add` adds one element and stores. */
function exportSums(
  module: ModuleBuilder,
  name: string,
  sumType: "f64" | "i32",
  add: (f: FunctionBuilder, sum: Local, source: Local, result: Local) => void,
): void {
  module.export(
    name,
    [
      ...["ptr", "ptr", "i32", "i32", "i32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    undefined,
    (f, x, out, n, inner, reverse, begin, end) => {
      const [item, j] = [f.local("i32"), f.local("i32")];
      const [source, result] = [f.local("ptr"), f.local("ptr")];
      const sum = f.local(sumType);
      const zero = f.local(sumType);
      const lineBytes = f.let(f.times(inner, 4));
      const step = f.let(lineBytes);
      const start = f.local("ptr");
      f.if(reverse, () => {
        f.set(start, f.times(scalar("i32.sub", n, i32(1)), lineBytes));
        f.set(step, f.minus(f.pointer(0), lineBytes));
      });
      f.for(item, begin, end, 1, () => {
        const slice = f.times(
          scalar("i32.mul", scalar("i32.div_u", item, inner), n),
          lineBytes,
        );
        const column = f.times(scalar("i32.rem_u", item, inner), 4);
        const place = f.let(f.offset(start, f.offset(slice, column)));
        f.set(source, f.offset(x, place));
        f.set(result, f.offset(out, place));
        f.set(sum, zero);
        f.for(j, i32(0), n, 1, () => {
          add(f, sum, source, result);
          f.set(source, f.offset(source, step));
          f.set(result, f.offset(result, step));
        });
      });
    },
  );
}

function cumsumModule(target: Target): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  exportSums(module, "f32", "f64", (f, sum, source, result) => {
    const term = scalar("f64.promote_f32", f.load("f32", source));
    f.set(sum, scalar("f64.add", sum, term));
    f.store("f32", result, scalar("f32.demote_f64", sum));
  });
  exportSums(module, "i32", "i32", (f, sum, source, result) => {
    f.set(sum, scalar("i32.add", sum, f.load("i32", source)));
    f.store("i32", result, sum);
  });
  return module.build();
}

/** The running sums of a device; compiled when first used. */
export function createCumsumKernels(
  runtime: Runtime,
): Pick<Kernels, "cumsum"> {
  let loaded: Record<string, Kernel> | undefined;

  return {
    cumsum(x, out, reverse) {
      loaded ??= runtime.load(cumsumModule(runtime.target));
      const [outer, n, inner] = x.shape;
      runtime.launch(
        loaded[x.dtype],
        [
          runtime.address(x),
          runtime.address(out),
          n,
          inner,
          reverse ? 1 : 0,
        ],
        outer * inner,
        grainOf(n, chunkElements),
      );
    },
  };
}
