import { assert, assertEquals, assertRejects } from "@std/assert";
import type {
  Backend,
  CrossEntropyArguments,
  View,
} from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import { listAdapters } from "../../tensor/webgpu/adapter.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import type { GpuOptions } from "../../tensor/webgpu/gpu_options.ts";
import { assertNear, integers, numbers } from "./kernel_subjects.ts";
import {
  gpuMissing,
  gpuTensor,
  gpuValues,
  webgpuBackend,
} from "./webgpu_subject.ts";

const reference = createReferenceBackend({ dtype: "f64" });

// Both forms; and bindings so small that rows have to be launched in windows.
const forms: Readonly<Record<string, GpuOptions>> = {
  registers: { rows: "registers" },
  tiled: { rows: "tiled" },
  "registers, windows": { rows: "registers", bindingLimit: 4096 },
  "tiled, windows": { rows: "tiled", bindingLimit: 4096 },
};

// Lengths below, at and beyond one element, vector and team of threads.
const lengths = [1, 2, 3, 4, 5, 8, 31, 32, 33, 64, 127, 128, 257, 300];

const halvesMissing = !(await listAdapters())
  .some(({ features }) => features.includes("shader-f16"));

type Tolerance = { readonly absolute: number; readonly relative: number };

/** Runs a test on every form of the kernels. */
function onEveryForm(
  name: string,
  check: (on: WebgpuBackend, form: string) => Promise<void>,
  chosen: Readonly<Record<string, GpuOptions>> = forms,
  ignore = gpuMissing,
): void {
  Deno.test({
    name: `webgpu ${name}`,
    ignore,
    fn: async () => {
      for (const [form, options] of Object.entries(chosen)) {
        await check(await webgpuBackend(options), form);
      }
    },
  });
}

function real(on: Backend, shape: number[], values?: ArrayLike<number>): View {
  return gpuTensor(on, on.floatDtype, shape, values);
}

/** Reads all at once. */
function valuesOf(on: Backend, views: readonly View[]): Promise<TypedArray[]> {
  return Promise.all(views.map((view) => gpuValues(on, view)));
}

/** Runs on the device and on the reference, and compares each result. */
async function assertLikeReference(
  on: Backend,
  run: (on: Backend) => View[],
  tolerances: readonly Tolerance[],
  what: string,
): Promise<void> {
  const actual = await valuesOf(on, run(on));
  const expected = await valuesOf(reference, run(reference));
  for (const [i, values] of actual.entries()) {
    const tolerance = tolerances[i] ?? tolerances.at(-1);
    assertNear(values, expected[i], tolerance, `${what}, result ${i}`);
  }
}

function runSoftmax(on: Backend, rows: number, n: number): View[] {
  const x = real(on, [rows, n], numbers(rows * n, n, 8));
  const y = real(on, [rows, n]);
  on.softmax(x, y);
  const dy = real(on, [rows, n], numbers(rows * n, n + 1));
  const dx = real(on, [rows, n]);
  on.softmaxBackward(y, dy, dx);
  return [y, dx];
}

// x − max, of size up to 60, is rounded by up to 2e-6; subnormals may be 0.
const softmaxTolerances: Tolerance[] = [
  { absolute: 1.2e-38, relative: 5e-6 },
  { absolute: 3e-6, relative: 1e-6 },
];

onEveryForm("softmax equals the reference", async (on, form) => {
  for (const n of lengths) {
    await assertLikeReference(
      on,
      (on) => runSoftmax(on, 9, n),
      softmaxTolerances,
      `${form}, rows of ${n}`,
    );
  }
});

onEveryForm("softmax of rows that are long and few", async (on, form) => {
  for (const [rows, n] of [[1, 50257], [3, 50260], [70, 4099]]) {
    await assertLikeReference(
      on,
      (on) => runSoftmax(on, rows, n),
      softmaxTolerances,
      `${form}, ${rows} rows of ${n}`,
    );
  }
}, {
  registers: { rows: "registers" },
  tiled: { rows: "tiled" },
  "registers, windows": { rows: "registers", bindingLimit: 2 ** 18 },
});

onEveryForm("softmax of very many rows", async (on, form) => {
  // More workgroups than one axis of a launch has.
  await assertLikeReference(
    on,
    (on) => runSoftmax(on, 70_000, 3),
    softmaxTolerances,
    form,
  );
}, { tiled: { rows: "tiled" } });

onEveryForm("softmax at the edges of f32", async (on, form) => {
  const softmax = async (row: number[]): Promise<number[]> => {
    const out = real(on, [1, row.length]);
    on.softmax(real(on, [1, row.length], row), out);
    return [...await gpuValues(on, out)];
  };
  const big = 3e38;
  assertEquals(
    await softmax([big, big, -big, big, big]),
    [0.25, 0.25, 0, 0.25, 0.25],
    form,
  );
  assertEquals(await softmax([-1e30, 1e30, 1e30, -1e30]), [0, 0.5, 0.5, 0]);
  for (const length of [5, 8, 20_000]) {
    const masked = new Array<number>(length).fill(-Infinity);
    assert((await softmax(masked)).every(Number.isNaN), `${form}: ${length}`);
    masked[1] = masked[length - 1] = 0;
    const expected = new Array<number>(length).fill(0);
    expected[1] = expected[length - 1] = 0.5;
    assertEquals(await softmax(masked), expected, `${form}: ${length}`);
    for (const wrong of [NaN, Infinity]) {
      masked[length - 2] = wrong;
      const found = await softmax(masked);
      assert(Number.isNaN(found[length - 2]), `${form}: ${length}, ${wrong}`);
    }
  }
}, { registers: { rows: "registers" }, tiled: { rows: "tiled" } });

interface Classification {
  readonly rows: number;
  readonly n: number;
  readonly smoothing: number;
}

function classify(
  on: Backend,
  { rows, n, smoothing }: Classification,
): View[] {
  const labels = integers(rows, n, n);
  labels[2] = -100;
  const logits = numbers(rows * n, n + 3, 5).map((x) => x + 40);
  const args: CrossEntropyArguments = {
    logits: real(on, [rows, n], logits),
    labels: gpuTensor(on, "i32", [rows], labels),
    ignoreIndex: -100,
    labelSmoothing: smoothing,
  };
  const [loss, logSum] = [real(on, [rows]), real(on, [rows])];
  on.crossEntropy(args, loss, logSum);
  const dloss = real(on, [rows], numbers(rows, 9));
  const dlogits = real(on, [rows, n]);
  on.crossEntropyBackward(args, logSum, dloss, dlogits);
  return [loss, logSum, dlogits];
}

// Losses are differences of logits near 40, rounded to 4e-6; so is the
// exponent of the gradient, whose size is that of dloss, up to 3.
const crossEntropyTolerances: Tolerance[] = [
  { absolute: 8e-6, relative: 1e-6 },
  { absolute: 0, relative: 3e-7 },
  { absolute: 2e-5, relative: 0 },
];

onEveryForm("cross entropy equals the reference", async (on, form) => {
  for (const n of lengths) {
    for (const smoothing of [0, 0.1, 1]) {
      await assertLikeReference(
        on,
        (on) => classify(on, { rows: 9, n, smoothing }),
        crossEntropyTolerances,
        `${form}, ${n} classes, smoothing ${smoothing}`,
      );
    }
  }
});

onEveryForm("cross entropy of many classes", async (on, form) => {
  for (const [rows, n] of [[3, 50257], [4, 50260], [70, 4100]]) {
    for (const smoothing of [0, 0.1]) {
      await assertLikeReference(
        on,
        (on) => classify(on, { rows, n, smoothing }),
        crossEntropyTolerances,
        `${form}, ${rows} rows of ${n} classes, smoothing ${smoothing}`,
      );
    }
  }
}, {
  registers: { rows: "registers" },
  tiled: { rows: "tiled" },
  "tiled, windows": { rows: "tiled", bindingLimit: 2 ** 18 },
});

function crossEntropy(
  on: Backend,
  logits: number[],
  labels: number[],
  ignoreIndex: number,
  labelSmoothing = 0,
): { loss: View; logSum: View; dlogits: View } {
  const rows = labels.length;
  const shape = [rows, logits.length / rows];
  const args: CrossEntropyArguments = {
    logits: real(on, shape, logits),
    labels: gpuTensor(on, "i32", [rows], labels),
    ignoreIndex,
    labelSmoothing,
  };
  const results = {
    loss: real(on, [rows]),
    logSum: real(on, [rows]),
    dlogits: real(on, shape),
  };
  on.crossEntropy(args, results.loss, results.logSum);
  const ones = real(on, [rows], new Array(rows).fill(1));
  on.crossEntropyBackward(args, results.logSum, ones, results.dlogits);
  return results;
}

onEveryForm("cross entropy of infinite logits", async (on, form) => {
  const inf = Infinity;
  const cases: readonly (readonly [number[], number[], number, number])[] = [
    [[-inf, 0, 0, NaN, 1, 2], [1, 7], 7, 0],
    [[-inf, 0, 0, NaN, 1, 2], [0, 0], 0, 0],
    [[-inf, 0, 0, 5, 1, 2], [1, 1], 7, 0.25],
    [[-1e30, 1e30, 0], [1], -1, 0],
    [[-1e30, 1e30, 0, 0], [0], -1, 0],
    [[-inf, -inf, -inf, -inf], [2], -1, 0],
    [[-inf, -inf, -inf], [2], -1, 1],
    [[0, inf, 1], [1], -1, 0],
    [[2, 2, 2, 2], [0], -1, 1],
  ];
  for (const given of cases) {
    await assertLikeReference(
      on,
      (on) => Object.values(crossEntropy(on, ...given)),
      [{ absolute: 1e-6, relative: 1e-6 }],
      `${form}, ${given.map((part) => `[${part}]`)}`,
    );
  }
});

onEveryForm("cross entropy rejects the read after a bad label", async (on) => {
  const { loss } = crossEntropy(
    on,
    new Array(5 * 600).fill(0),
    Array.from({ length: 600 }, (_, i) => i === 517 ? 5 : i % 6 - 1),
    -1,
  );
  const error = await assertRejects(() => gpuValues(on, loss), RangeError);
  assertEquals(
    error.message,
    "crossEntropy: label 5 of row 517 is outside 0 … 4 (ignoreIndex -1)",
  );
  assertEquals((await gpuValues(on, loss)).length, 600);
  const wide = crossEntropy(on, new Array(20_000).fill(0), [-2], -1);
  const other = await assertRejects(() => gpuValues(on, wide.loss), RangeError);
  assertEquals(
    other.message,
    "crossEntropy: label -2 of row 0 is outside 0 … 19999 (ignoreIndex -1)",
  );
}, {
  registers: { rows: "registers", bindingLimit: 2 ** 17 },
  tiled: { rows: "tiled", bindingLimit: 2 ** 17 },
});

interface Norm {
  readonly shape: readonly [groups: number, rows: number, n: number];
  readonly mean?: number;
  readonly weight?: boolean;
  readonly bias?: boolean;
  /** Distance of the groups' weights, and of their biases. */
  readonly stride?: number;
}

function normalize(
  on: Backend,
  { shape, mean = 0.5, weight = true, bias = true, stride = shape[2] }: Norm,
): View[] {
  const [groups, rows, n] = shape;
  const size = groups * rows * n;
  const x = real(on, [...shape], numbers(size, n).map((v) => v + mean));
  const reach = (groups - 1) * stride + n + 4;
  const strided = (seed: number): View => ({
    ...real(on, [reach], numbers(reach, seed)),
    shape: [groups, n],
    strides: [stride, 1],
    offset: stride % 4,
  });
  const weights = weight ? strided(5) : undefined;
  const [out, dx] = [real(on, [...shape]), real(on, [...shape])];
  const [means, inverses] = [
    real(on, [groups, rows]),
    real(on, [groups, rows]),
  ];
  on.layerNorm(
    x,
    weights,
    bias ? strided(6) : undefined,
    1e-5,
    out,
    means,
    inverses,
  );
  const dy = real(on, [...shape], numbers(size, n + 1));
  const dweight = weight ? real(on, [groups, n]) : undefined;
  const dbias = bias ? real(on, [groups, n]) : undefined;
  on.layerNormBackward(x, weights, means, inverses, dy, dx, dweight, dbias);
  return [out, means, inverses, dx, dweight, dbias]
    .filter((view) => view !== undefined);
}

async function assertNormal(
  on: Backend,
  norm: Norm,
  what: string,
): Promise<void> {
  // Rows that are short may have little variance, and lose digits to
  // cancellation: the inverse deviation is the scale.
  const inverses = await gpuValues(reference, normalize(reference, norm)[2]);
  const scale = Math.max(1, ...inverses);
  await assertLikeReference(
    on,
    (on) => normalize(on, norm),
    // The sums over rows: of up to 700 terms of size 3.
    [0, 1, 2, 3].map(() => ({ absolute: 3e-6 * scale, relative: 1e-5 }))
      .concat({ absolute: 3e-5 * scale, relative: 1e-5 }),
    what,
  );
}

onEveryForm("layer norm equals the reference", async (on, form) => {
  for (const n of lengths) {
    for (const [weight, bias] of [[true, true], [false, false]]) {
      const norm: Norm = { shape: [3, 7, n], weight, bias };
      await assertNormal(on, norm, `${form}, rows of ${n}, weight ${weight}`);
    }
  }
}, {
  registers: { rows: "registers" },
  tiled: { rows: "tiled" },
  "registers, windows": { rows: "registers", bindingLimit: 2 ** 14 },
});

onEveryForm("layer norm with one vector, or strided ones", async (on, form) => {
  const norms: Norm[] = [
    { shape: [2, 5, 12], weight: false },
    { shape: [2, 5, 12], bias: false },
    { shape: [3, 5, 12], stride: 16 },
    { shape: [3, 5, 12], stride: 15 },
    { shape: [3, 5, 13], stride: 16 },
    { shape: [1, 5, 12], stride: 13 },
    { shape: [3, 5, 12], stride: 0 },
    { shape: [40, 1, 8] },
    { shape: [2, 0, 8] },
    { shape: [2, 3, 2500] },
  ];
  for (const norm of norms) {
    await assertNormal(on, norm, `${form}, ${JSON.stringify(norm)}`);
  }
}, {
  registers: { rows: "registers" },
  tiled: { rows: "tiled" },
  "tiled, windows": { rows: "tiled", bindingLimit: 2 ** 15 },
});

onEveryForm("layer norm gradients over many rows", async (on, form) => {
  for (const n of [130, 132]) {
    await assertNormal(on, { shape: [2, 700, n] }, `${form}, rows of ${n}`);
  }
}, {
  registers: { rows: "registers" },
  tiled: { rows: "tiled" },
  "registers, windows": { rows: "registers", bindingLimit: 2 ** 16 },
});

onEveryForm("layer norm keeps digits where mean ≫ deviation", async (on) => {
  const n = 200;
  const x = numbers(n, 3).map((v) => v + 20000);
  const out = real(on, [1, 1, n]);
  const [means, inverses] = [real(on, [1, 1]), real(on, [1, 1])];
  const source = real(on, [1, 1, n], x);
  on.layerNorm(source, undefined, undefined, 0, out, means, inverses);
  const mean = x.reduce((sum, v) => sum + v / n, 0);
  const variance = x.reduce((sum, v) => sum + (v - mean) ** 2 / n, 0);
  // The mean is rounded to 2e-3, which shifts all results alike.
  const values = await gpuValues(on, out);
  const shift = values[0] - (x[0] - mean) / Math.sqrt(variance);
  assert(Math.abs(shift) < 2e-3);
  const expected = Array.from(
    x,
    (v) => (v - mean) / Math.sqrt(variance) + shift,
  );
  assertNear(values, expected, { absolute: 3e-6, relative: 1e-5 }, "out");
});

onEveryForm("rows give the same results from run to run", async (on) => {
  const run = (): Promise<TypedArray[]> =>
    valuesOf(on, [
      ...runSoftmax(on, 2, 20_000),
      ...classify(on, { rows: 3, n: 20_000, smoothing: 0.1 }),
      ...normalize(on, { shape: [2, 700, 33] }),
    ]);
  assertEquals(await run(), await run());
}, { registers: { rows: "registers" }, tiled: { rows: "tiled" } });

onEveryForm("rows within one buffer, at any offset", async (on, form) => {
  const [rows, n] = [6, 36];
  for (const gap of [0, 1]) {
    const size = rows * n + gap;
    const run = (on: Backend): View[] => {
      const all = real(on, [6 * size + gap], numbers(6 * size + gap, 4));
      const view = (k: number, shape: number[]): View => ({
        ...real(on, shape),
        buffer: all.buffer,
        offset: gap + k * size,
      });
      const wide = [0, 1, 2].map((k) => view(k, [rows, n]));
      on.softmax(wide[0], wide[1]);
      on.softmaxBackward(wide[1], wide[0], wide[2]);
      const x = view(2, [1, rows, n]);
      const scalars = [view(4, [1, rows]), view(5, [1, rows])] as const;
      const weight = view(1, [1, n]);
      on.layerNorm(x, weight, weight, 1e-5, view(3, [1, rows, n]), ...scalars);
      return [all];
    };
    await assertLikeReference(
      on,
      run,
      // Gradients of softmax are of size 0.1 before they are normalized.
      [{ absolute: 2e-4, relative: 1e-4 }],
      `${form}, gap ${gap}`,
    );
  }
}, { registers: { rows: "registers" }, tiled: { rows: "tiled" } });

onEveryForm(
  "rows stored in 16 bits",
  async (on, form) => {
    for (const [rows, n] of [[6, 64], [5, 33], [2, 20_000]]) {
      const half = (shape: number[], values?: Float32Array): View =>
        gpuTensor(on, "f16", shape, values);
      const x = half([rows, n], numbers(rows * n, 2));
      const labels = integers(rows, n);
      const given = await gpuValues(on, x);
      const results = (on: Backend, make: typeof half): View[] => {
        const x = make([rows, n], given as Float32Array);
        const [y, dlogits] = [make([rows, n]), make([rows, n])];
        on.softmax(x, y);
        const args: CrossEntropyArguments = {
          logits: x,
          labels: gpuTensor(on, "i32", [rows], labels),
          ignoreIndex: -1,
          labelSmoothing: 0.1,
        };
        const [loss, logSum] = [real(on, [rows]), real(on, [rows])];
        on.crossEntropy(args, loss, logSum);
        const dloss = real(on, [rows], new Float32Array(rows).fill(1));
        on.crossEntropyBackward(args, logSum, dloss, dlogits);
        const norm = make([1, rows, n]);
        const scalars = [real(on, [1, rows]), real(on, [1, rows])] as const;
        const wide = { ...x, shape: [1, rows, n], strides: [rows * n, n, 1] };
        on.layerNorm(wide, undefined, undefined, 1e-5, norm, ...scalars);
        return [y, dlogits, norm, loss, logSum, ...scalars];
      };
      const actual = await valuesOf(on, results(on, half));
      const expected = await valuesOf(
        reference,
        results(reference, (shape, values) => real(reference, shape, values)),
      );
      for (const [i, values] of actual.entries()) {
        // Results in 16 bits have 11 digits, and subnormal ones down to 6e-8.
        const tolerance = i < 3
          ? { absolute: 6e-8, relative: 2 ** -11 }
          : { absolute: 1e-6, relative: 2e-6 };
        assertNear(
          values,
          expected[i],
          tolerance,
          `${form}, ${n}, result ${i}`,
        );
      }
    }
  },
  { registers: { rows: "registers" }, tiled: { rows: "tiled" } },
  halvesMissing,
);
