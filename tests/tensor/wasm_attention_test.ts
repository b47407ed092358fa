import { assert } from "@std/assert";
import type {
  AttentionArguments,
  Kernels,
  RandomKey,
  View,
} from "../../tensor/backend.ts";
import type { Dtype, TypedArray } from "../../tensor/dtype.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import { contiguousStrides, sizeOf } from "../../tensor/shape.ts";
import { createAttentionKernels } from "../../tensor/wasm/attention.ts";
import type { OwnedRuntime } from "../../tensor/wasm/runtime.ts";
import { threadsAndModes, variants, withRuntime } from "./kernel_subjects.ts";

type Attention = Pick<Kernels, "attention" | "attentionBackward">;

/** A device as this test sees it: kernels and memory, reals of one type. */
interface Place {
  readonly real: "f32" | "f64";
  readonly kernels: Attention;
  view(dtype: Dtype, layout: Layout): View;
  values(view: View): TypedArray;
}

/** How a tensor lies in its buffer. */
interface Layout {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** One problem: extents, options, layouts. */
interface Problem {
  readonly shape: readonly [number, number, number, number, number]; // B H T S D
  readonly causal?: boolean;
  readonly keep?: "padding" | "strided" | "nothing";
  readonly bias?: "columns" | "strided";
  readonly probability?: number;
  readonly streams?: number;
  readonly interleaved?: boolean;
  readonly scale?: number;
}

function wasmPlace(runtime: OwnedRuntime): Place {
  const types = { f32: Float32Array, bool: Uint8Array } as const;
  return {
    real: "f32",
    kernels: createAttentionKernels(runtime),
    view(dtype, layout) {
      const bytes = lengthOf(layout) * (dtype === "bool" ? 1 : 4);
      const buffer = runtime.allocate(bytes);
      return { buffer, dtype, ...layout };
    },
    values({ buffer, dtype }) {
      const { address } = buffer as unknown as { address: number };
      const Type = types[dtype as "f32" | "bool"];
      const length = buffer.bytes / Type.BYTES_PER_ELEMENT;
      return new Type(runtime.memory.buffer, address, length);
    },
  };
}

function referencePlace(): Place {
  const device = createReferenceBackend({ dtype: "f64" });
  const memory = new Map<unknown, TypedArray>();
  return {
    real: "f64",
    kernels: device,
    view(dtype, layout) {
      const buffer = device.allocate(
        lengthOf(layout) * (dtype === "bool" ? 1 : 8),
      );
      const { values } = buffer as unknown as { values: ArrayBuffer };
      const all = dtype === "bool"
        ? new Uint8Array(values)
        : new Float64Array(values);
      memory.set(buffer, all.subarray(0, lengthOf(layout)));
      return { buffer, dtype, ...layout };
    },
    values: (view) => memory.get(view.buffer)!,
  };
}

function lengthOf({ shape, strides, offset }: Layout): number {
  return shape.reduce(
    (reach, extent, axis) => reach + Math.max(0, extent - 1) * strides[axis],
    offset,
  ) + 1;
}

function contiguous(shape: readonly number[]): Layout {
  return { shape, strides: contiguousStrides(shape), offset: 0 };
}

let seed = 1;

/** Numbers in [−1, 1), the same in every run and on every place. */
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return Math.fround(seed / 2 ** 31);
}

/** Heads side by side in rows, as a projection to all of them leaves them. */
function headLayout(
  [batch, heads, rows, depth]: readonly number[],
  interleaved: boolean,
): Layout {
  const shape = [batch, heads, rows, depth];
  if (!interleaved) return contiguous(shape);
  const width = 3 * heads * depth + 1;
  const strides = [rows * width, depth, width, 1];
  return { shape, strides, offset: 1 };
}

/** Runs forward and backward; returns all of the results, row-major. */
function run(place: Place, problem: Problem): Record<string, number[]> {
  seed = 17;
  const [batches, heads, queries, keys, depth] = problem.shape;
  const interleaved = problem.interleaved ?? false;
  const layouts = (rows: number): Layout =>
    headLayout([batches, heads, rows, depth], interleaved);
  const real = (layout: Layout): View => {
    const view = place.view(place.real, layout);
    const values = place.values(view);
    for (let i = 0; i < values.length; i++) values[i] = random();
    return view;
  };
  const key: RandomKey = {
    seed: 2 ** 40 + 12345,
    streams: Array.from({ length: problem.streams ?? 1 }, (_, i) => [i, 2, 3]),
  };
  const args: AttentionArguments = {
    query: real(layouts(queries)),
    key: real(layouts(keys)),
    value: real(layouts(keys)),
    causal: problem.causal ?? false,
    scale: problem.scale ?? 1 / Math.sqrt(depth),
    ...(problem.keep && { keep: keepView(place, problem) }),
    ...(problem.bias && {
      bias: real({
        shape: [batches, heads, queries, keys],
        strides: problem.bias === "columns" ? [0, queries * keys, keys, 1] : [
          ...[2 * heads * queries * keys, 2 * queries * keys],
          ...[2, 2 * queries],
        ],
        offset: 0,
      }),
    }),
    ...(problem.probability && {
      dropout: { probability: problem.probability, key },
    }),
  };
  const out = real(layouts(queries));
  const logSumExp = real(contiguous([batches, heads, queries]));
  place.kernels.attention(args, out, logSumExp);
  const dout = real(layouts(queries));
  const gradients = {
    dquery: real(layouts(queries)),
    dkey: real(layouts(keys)),
    dvalue: real(layouts(keys)),
  };
  const { dquery, dkey, dvalue } = gradients;
  place.kernels.attentionBackward(
    ...[args, out, logSumExp, dout, dquery, dkey, dvalue] as const,
  );
  const results: Record<string, number[]> = {};
  for (
    const [name, view] of Object.entries({ out, logSumExp, ...gradients })
  ) {
    const values = place.values(view);
    results[name] = elementsOf(view, values);
    results[`${name} outside`] = outsideOf(view, values);
  }
  return results;
}

function keepView(place: Place, problem: Problem): View {
  const [batches, heads, queries, keys] = problem.shape;
  const shape = [batches, heads, queries, keys];
  const strides = problem.keep === "strided"
    ? [2 * queries * keys, 0, 1, 2 * queries]
    : [keys, 0, 0, 1];
  const view = place.view("bool", { shape, strides, offset: 0 });
  const values = place.values(view);
  for (let i = 0; i < values.length; i++) {
    values[i] = problem.keep === "nothing" && i < keys ? 0 : +(random() > -0.4);
  }
  return view;
}

function positionsOf({ shape, strides, offset }: View): number[] {
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    let at = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (i % shape[axis]) * strides[axis];
      i = Math.floor(i / shape[axis]);
    }
    return at;
  });
}

function elementsOf(view: View, values: ArrayLike<number>): number[] {
  return positionsOf(view).map((at) => values[at]);
}

/** What lies between the rows of a view, and must stay what it was. */
function outsideOf(view: View, values: ArrayLike<number>): number[] {
  const inside = new Set(positionsOf(view));
  return Array.from(values).filter((_, at) => !inside.has(at));
}

/**
 * Scores are sums of ~10 products of numbers below 1, whose f32 rounding (6e-8
 * each) probabilities and gradients inherit: 1e-5 leaves a margin of 10.
 */
const tolerance = 1e-5;

function check(runtime: OwnedRuntime, problem: Problem): void {
  const wanted = run(referencePlace(), problem);
  const found = run(wasmPlace(runtime), problem);
  for (const [name, values] of Object.entries(wanted)) {
    values.forEach((value, i) => {
      const limit = name.endsWith("outside")
        ? 0
        : tolerance * (1 + Math.abs(value));
      const close = Math.abs(found[name][i] - value) <= limit ||
        Object.is(found[name][i], value);
      assert(
        close,
        `${JSON.stringify(problem)}: ${name}[${i}] is ` +
          `${found[name][i]}, not ${value}`,
      );
    });
  }
}

const shapes: Problem["shape"][] = [
  [1, 1, 1, 1, 1],
  [2, 3, 5, 7, 5],
  [1, 2, 64, 64, 32],
  [2, 2, 13, 13, 8],
  [1, 2, 100, 70, 17],
  [1, 2, 9, 300, 33],
  [1, 1, 120, 290, 16],
];

for (const [name, options] of Object.entries(variants)) {
  Deno.test(`wasm attention (${name}): full and causal, heads apart and interleaved`, () => {
    withRuntime(options, (runtime) => {
      for (const shape of shapes) {
        for (const causal of [false, true]) {
          for (const interleaved of [false, true]) {
            check(runtime, { shape, causal, interleaved });
          }
        }
      }
    });
  });

  Deno.test(`wasm attention (${name}): masks, biases and dropout`, () => {
    withRuntime(options, (runtime) => {
      for (const shape of shapes) {
        for (const keep of [undefined, "padding", "strided"] as const) {
          for (const bias of [undefined, "columns", "strided"] as const) {
            const probability = keep === undefined ? 0.3 : undefined;
            const causal = bias === undefined;
            check(runtime, { shape, keep, bias, probability, causal });
          }
        }
      }
    });
  });

  Deno.test(`wasm attention (${name}): queries without keys, empty extents`, () => {
    withRuntime(options, (runtime) => {
      check(runtime, { shape: [2, 2, 6, 9, 8], keep: "nothing" });
      check(runtime, { shape: [2, 2, 60, 9, 8], causal: true });
      check(runtime, { shape: [1, 2, 3, 0, 8] });
      check(runtime, { shape: [1, 2, 0, 5, 8] });
      check(runtime, { shape: [0, 2, 4, 5, 8] });
    });
  });
}

Deno.test("wasm attention: each stream of dropout serves a slice of the batch", () => {
  withRuntime({}, (runtime) => {
    const problem: Problem = {
      shape: [6, 2, 5, 7, 4],
      probability: 0.5,
      streams: 3,
    };
    check(runtime, problem);
  });
});

Deno.test("wasm attention: large scores don't overflow", () => {
  withRuntime({}, (runtime) => {
    const problem: Problem = { shape: [1, 1, 8, 8, 4], scale: 1 };
    const place = wasmPlace(runtime);
    const big: Place = {
      ...place,
      kernels: {
        attention: (args, ...rest) =>
          place.kernels.attention({ ...args, scale: 1e4 }, ...rest),
        attentionBackward: (args, ...rest) =>
          place.kernels.attentionBackward({ ...args, scale: 1e4 }, ...rest),
      },
    };
    for (const [name, values] of Object.entries(run(big, problem))) {
      assert(values.every(Number.isFinite), name);
    }
  });
});

Deno.test("wasm attention: threads and modes don't change a bit", () => {
  const problem: Problem = {
    shape: [2, 3, 130, 130, 24],
    causal: true,
    probability: 0.1,
    interleaved: true,
  };
  const results = threadsAndModes.map((options) => {
    let result: Record<string, number[]> = {};
    withRuntime(options, (runtime) => {
      result = run(wasmPlace(runtime), problem);
    });
    return result;
  });
  for (const result of results) {
    for (const [name, values] of Object.entries(result)) {
      assert(values.every((x, i) => x === results[0][name][i]), name);
    }
  }
});

Deno.test("wasm attention: keys that don't stay packed", () => {
  withRuntime({ mode: "turbo" }, (runtime) => {
    check(runtime, { shape: [1, 1, 50, 700, 300], causal: true });
    check(runtime, { shape: [1, 1, 3, 30, 2500] });
  });
});
