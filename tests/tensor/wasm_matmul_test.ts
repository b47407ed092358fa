import { assert, assertEquals } from "@std/assert";
import type { MatmulArguments, View } from "../../tensor/backend.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { createMatmulKernels } from "../../tensor/wasm/matmul.ts";
import type { OwnedRuntime } from "../../tensor/wasm/runtime.ts";
import { threadsAndModes, variants, withRuntime } from "./kernel_subjects.ts";
import {
  batches,
  layoutOf,
  lengthOf,
  type LooseLayout,
  placesOf,
  transposed,
} from "./layouts.ts";

let seed = 1;

/** Numbers in [−1, 1), the same in every run. */
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return seed / 2 ** 31;
}

function viewOf(runtime: OwnedRuntime, given: LooseLayout): View {
  const layout = layoutOf(given);
  const buffer = runtime.allocate(4 * lengthOf(layout));
  const view: View = { buffer, dtype: "f32", ...layout };
  const values = memoryOf(runtime, view);
  for (let i = 0; i < values.length; i++) values[i] = random();
  return view;
}

/** The whole buffer below a view. */
function memoryOf(runtime: OwnedRuntime, { buffer }: View): Float32Array {
  const { address } = buffer as unknown as { address: number };
  return new Float32Array(runtime.memory.buffer, address, buffer.bytes / 4);
}

/** The elements of a view in row-major order. */
function elementsOf(runtime: OwnedRuntime, view: View): Float64Array {
  const values = memoryOf(runtime, view);
  return Float64Array.from(placesOf(view), (place) => values[place]);
}

/** What `args.out` should become, and the scale of rounding errors. */
function expected(
  runtime: OwnedRuntime,
  { a, b, out, bias, residual, alpha }: MatmulArguments,
): { value: number; scale: number }[] {
  const [m, n] = out.shape.slice(-2);
  const k = a.shape.at(-1)!;
  const [left, right] = [elementsOf(runtime, a), elementsOf(runtime, b)];
  const plus = bias && elementsOf(runtime, bias);
  const rest = residual && elementsOf(runtime, residual);
  return Array.from({ length: sizeOf(out.shape) }, (_, i) => {
    const [column, row] = [i % n, Math.floor(i / n)];
    const batch = Math.floor(row / m);
    let [sum, scale] = [plus?.[i] ?? 0, Math.abs(plus?.[i] ?? 0)];
    for (let j = 0; j < k; j++) {
      const term = left[row * k + j] * right[(batch * k + j) * n + column];
      sum += term;
      scale += Math.abs(term);
    }
    return {
      value: (rest?.[i] ?? 0) + alpha * sum,
      scale: Math.abs(rest?.[i] ?? 0) + Math.abs(alpha) * scale,
    };
  });
}

/** Runs a product and compares it; each of k roundings is within 2⁻²⁴. */
function check(runtime: OwnedRuntime, args: MatmulArguments): void {
  const untouched = memoryOf(runtime, args.out).slice();
  const wanted = expected(runtime, args);
  createKernels(runtime).matmul(args);
  const found = elementsOf(runtime, args.out);
  const k = args.a.shape.at(-1)!;
  wanted.forEach(({ value, scale }, i) => {
    const tolerance = (k + 4) * 2 ** -24 * scale;
    assert(
      Math.abs(found[i] - value) <= tolerance,
      `element ${i} of ${args.a.shape} × ${args.b.shape}: ` +
        `${found[i]}, not ${value} (± ${tolerance})`,
    );
  });
  checkOutside(runtime, args.out, untouched);
}

/** Nothing in the output's buffer changed but the output. */
function checkOutside(
  runtime: OwnedRuntime,
  out: View,
  before: Float32Array,
): void {
  const after = memoryOf(runtime, out);
  const inside = new Set<number>();
  for (let i = 0; i < sizeOf(out.shape); i++) {
    let [rest, at] = [i, out.offset];
    for (let axis = out.shape.length - 1; axis >= 0; axis--) {
      at += (rest % out.shape[axis]) * out.strides[axis];
      rest = Math.floor(rest / out.shape[axis]);
    }
    inside.add(at);
  }
  for (let i = 0; i < after.length; i++) {
    if (!inside.has(i)) assertEquals(after[i], before[i], `outside, at ${i}`);
  }
}

const kernelsOf = new WeakMap<
  OwnedRuntime,
  ReturnType<typeof createMatmulKernels>
>();

function createKernels(
  runtime: OwnedRuntime,
): ReturnType<typeof createMatmulKernels> {
  let kernels = kernelsOf.get(runtime);
  if (kernels === undefined) {
    kernelsOf.set(runtime, kernels = createMatmulKernels(runtime));
  }
  return kernels;
}

const extents: readonly (readonly [number, number, number])[] = [
  ...[[1, 1, 1], [2, 2, 2], [3, 5, 7], [6, 16, 4], [7, 17, 5]] as const,
  ...[[1, 33, 70], [2, 64, 300], [4, 40, 129], [5, 1, 50]] as const,
  ...[[70, 1, 33], [65, 3, 64], [13, 48, 257], [64, 64, 64]] as const,
  ...[[97, 31, 33], [200, 24, 100], [200, 70, 530], [30, 1100, 20]] as const,
  ...[[100, 310, 130], [200, 20, 0]] as const,
];

for (const [name, options] of Object.entries(variants)) {
  Deno.test(`wasm matmul (${name}): NN, NT, TN, TT and strided operands`, () => {
    withRuntime(options, (runtime) => {
      for (const [m, n, k] of extents) {
        const lefts: LooseLayout[] = [
          { shape: [m, k] },
          transposed([m, k]),
          { shape: [m, k], strides: [3 * k + 1, 3], offset: 2 },
        ];
        const rights: LooseLayout[] = [
          { shape: [k, n] },
          transposed([k, n]),
          { shape: [k, n], strides: [-2 * n, 2], offset: 2 * n * k },
        ];
        for (const left of lefts) {
          for (const right of rights) {
            check(runtime, {
              a: viewOf(runtime, left),
              b: viewOf(runtime, right),
              out: viewOf(runtime, {
                shape: [m, n],
                strides: [n + 3, 1],
                offset: 1,
              }),
              alpha: 1,
            });
          }
        }
      }
    });
  });

  Deno.test(`wasm matmul (${name}): alpha, bias and residual`, () => {
    withRuntime(options, (runtime) => {
      for (const [m, n, k] of extents) {
        const biases: (LooseLayout | undefined)[] = [
          undefined,
          { shape: [m, n], strides: [0, 1] },
          { shape: [m, n], strides: [1, 0] },
          { shape: [m, n], strides: [2 * n, 2] },
        ];
        for (const bias of biases) {
          for (const rest of ["none", "own", "strided", "out"]) {
            const out = viewOf(runtime, { shape: [m, n] });
            const strides = [1, m];
            check(runtime, {
              a: viewOf(runtime, { shape: [m, k] }),
              b: viewOf(runtime, { shape: [k, n] }),
              out,
              bias: bias && viewOf(runtime, bias),
              residual: rest === "none"
                ? undefined
                : rest === "out"
                ? out
                : viewOf(runtime, {
                  shape: [m, n],
                  strides: rest === "own" ? undefined : strides,
                }),
              alpha: 0.75,
            });
          }
        }
      }
    });
  });

  Deno.test(`wasm matmul (${name}): batches`, () => {
    withRuntime(options, (runtime) => {
      for (const [left, right, bias] of batches) {
        const shape = [...left.shape.slice(0, -1), right.shape.at(-1)!];
        const out = viewOf(runtime, { shape });
        check(runtime, {
          a: viewOf(runtime, left),
          b: viewOf(runtime, right),
          out,
          bias: bias && viewOf(runtime, bias),
          residual: bias && out,
          alpha: 0.5,
        });
      }
    });
  });

  Deno.test(`wasm matmul (${name}): empty extents`, () => {
    withRuntime(options, (runtime) => {
      const [m, n] = [7, 18];
      for (const bias of [undefined, viewOf(runtime, { shape: [m, n] })]) {
        check(runtime, {
          a: viewOf(runtime, { shape: [m, 0] }),
          b: viewOf(runtime, { shape: [0, n] }),
          out: viewOf(runtime, { shape: [m, n] }),
          bias,
          alpha: 2,
        });
      }
      for (const [batch, rows, columns] of [[0, 3, 3], [2, 0, 3], [2, 3, 0]]) {
        check(runtime, {
          a: viewOf(runtime, { shape: [batch, rows, 4] }),
          b: viewOf(runtime, { shape: [batch, 4, columns] }),
          out: viewOf(runtime, { shape: [batch, rows, columns] }),
          alpha: 1,
        });
      }
    });
  });
}

Deno.test("wasm matmul: a large b is packed in parts, bias added once", () => {
  withRuntime({ mode: "turbo" }, (runtime) => {
    const [m, n, k] = [150, 1400, 800];
    for (const residual of [true, false]) {
      const out = viewOf(runtime, { shape: [m, n] });
      check(runtime, {
        a: viewOf(runtime, transposed([m, k])),
        b: viewOf(runtime, { shape: [k, n] }),
        out,
        bias: viewOf(runtime, { shape: [m, n], strides: [0, 1] }),
        residual: residual ? out : undefined,
        alpha: 0.5,
      });
    }
  });
});

Deno.test("wasm matmul: threads and modes don't change a bit", () => {
  const shapes = [[250, 130, 300], [20, 900, 300], [2, 400, 500], [70, 64, 64]];
  const results = threadsAndModes.map((options) => {
    seed = 7;
    const all: number[] = [];
    withRuntime(options, (runtime) => {
      for (const [m, n, k] of shapes) {
        for (const batch of [1, 5]) {
          const out = viewOf(runtime, { shape: [batch, m, n] });
          createKernels(runtime).matmul({
            a: viewOf(runtime, { shape: [batch, m, k] }),
            b: viewOf(runtime, { shape: [batch, k, n] }),
            residual: out,
            out,
            alpha: 0.3,
          });
          for (const x of elementsOf(runtime, out)) all.push(x);
        }
      }
    });
    return Float64Array.from(all);
  });
  for (const result of results) {
    assert(result.every((x, i) => x === results[0][i]));
  }
});
