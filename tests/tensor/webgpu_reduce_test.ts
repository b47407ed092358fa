import { assert, assertEquals } from "@std/assert";
import type { ReduceKind, View } from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { elementwise, toFloat } from "../../tensor/expression.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import type { GpuOptions } from "../../tensor/webgpu/gpu_options.ts";
import {
  assertReduced,
  identity,
  largeReduceShapes,
  launchReduce,
  type Machine,
  randomShape,
  type ReduceTrial,
  reduceTrial,
  reductions,
} from "./elementwise_cases.ts";
import { numbers, referenceSubject } from "./kernel_subjects.ts";
import {
  gpuMissing,
  gpuTensor,
  gpuValues,
  webgpuBackend,
} from "./webgpu_subject.ts";

const ignore = gpuMissing;

/** The forms of the kernel. */
const forms: readonly GpuOptions[] = [
  { reduce: "registers" },
  { reduce: "tiled" },
];

/** A test of both forms. */
function testForms(
  name: string,
  check: (backend: WebgpuBackend, what: string) => Promise<void>,
  options: GpuOptions = {},
): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      for (const form of forms) {
        const backend = await webgpuBackend({ ...form, ...options });
        await check(backend, form.reduce!);
      }
    },
  });
}

/** Runs all trials before it reads anything, then compares. */
async function checkTrials(
  backend: WebgpuBackend,
  trials: readonly ReduceTrial[],
  what: string,
): Promise<void> {
  const machine: Machine = {
    kernels: backend,
    tensor: (dtype, shape, values) => gpuTensor(backend, dtype, shape, values),
  };
  const reference = referenceSubject<"map" | "reduce">();
  const found = await Promise.all(
    trials.map((trial) => gpuValues(backend, launchReduce(machine, trial))),
  );
  trials.forEach((trial, i) => {
    const expected = reference.values(launchReduce(reference, trial));
    assertReduced(trial, found[i], expected, what);
  });
}

testForms(
  "webgpu reduce equals the reference on any shapes and strides",
  async (backend, what) => {
    const trials = Array.from({ length: 54 }, (_, i) => {
      const [shape, reduction] = [
        randomShape(),
        reductions[i % reductions.length],
      ];
      // Extremes of nothing are the caller's affair.
      if (sizeOf(shape) === 0 && reduction[0] !== "sum") return [];
      return reduceTrial(shape, reduction) ?? [];
    }).flat();
    await checkTrials(backend, trials, what);
  },
);

testForms(
  "webgpu reduce equals the reference on large tensors",
  async (backend, what) => {
    const trials = largeReduceShapes.flatMap((shape, i) =>
      [reductions[0], reductions[1], reductions[3 + i]].flatMap((reduction) =>
        reduceTrial(shape, reduction) ?? []
      )
    );
    await checkTrials(backend, trials, what);
  },
);

testForms(
  "webgpu reduce of tensors that can't be bound whole",
  async (backend, what) => {
    const shapes = [[19001], [3, 5000], [90, 131], [5001, 2], [20, 30, 23]];
    const trials = shapes.flatMap((shape, i) =>
      [reductions[0], reductions[1], reductions[3 + i]].flatMap((reduction) =>
        reduceTrial(shape, reduction) ?? []
      )
    );
    await checkTrials(backend, trials, `${what}, in parts`);
  },
  { bindingLimit: 32768 },
);

function reduced(
  backend: WebgpuBackend,
  kind: ReduceKind,
  x: View,
  outShape: number[],
): Promise<TypedArray> {
  const out = gpuTensor(backend, x.dtype, outShape);
  backend.reduce(kind, identity, [x], out, []);
  return gpuValues(backend, out);
}

testForms("webgpu sums of nothing are 0", async (backend) => {
  const x = gpuTensor(backend, "f32", [0, 5]);
  assertEquals([...await reduced(backend, "sum", x, [1, 5])], [0, 0, 0, 0, 0]);
});

testForms(
  "webgpu max and min propagate NaN wherever it stands",
  async (backend) => {
    const checks: Promise<TypedArray>[] = [];
    for (const size of [1, 6, 37, 100, 3000]) {
      for (let at = 0; at < size; at += Math.ceil(size / 7)) {
        const data = numbers(size, size);
        data[at] = NaN;
        const x = gpuTensor(backend, "f32", [size], data);
        checks.push(reduced(backend, "max", x, [1]));
        checks.push(reduced(backend, "min", x, [1]));
      }
    }
    for (const values of await Promise.all(checks)) {
      assertEquals([...values], [NaN]);
    }
  },
);

testForms(
  "webgpu extremes of infinities, and sums that are infinite",
  async (backend) => {
    const lowest = gpuTensor(backend, "f32", [9], new Array(9).fill(-Infinity));
    assertEquals([...await reduced(backend, "max", lowest, [1])], [-Infinity]);
    assertEquals([...await reduced(backend, "sum", lowest, [1])], [-Infinity]);
    const mixed = gpuTensor(backend, "f32", [5], [
      1,
      Infinity,
      2,
      -Infinity,
      3,
    ]);
    assertEquals([...await reduced(backend, "sum", mixed, [1])], [NaN]);
    assertEquals([...await reduced(backend, "min", mixed, [1])], [-Infinity]);
  },
);

testForms(
  "webgpu sums of many numbers keep their digits",
  async (backend) => {
    const size = 1 << 20;
    const x = gpuTensor(backend, "f32", [size], new Array(size).fill(0.1));
    const exact = size * Math.fround(0.1);
    // Naive summation is off by 4e-3 here.
    const [all] = await reduced(backend, "sum", x, [1]);
    assert(Math.abs(all / exact - 1) < 3e-6, `${all / exact - 1}`);
    for (const [rows, columns] of [[size / 64, 64], [64, size / 64]]) {
      const wide = { ...x, shape: [rows, columns], strides: [columns, 1] };
      for (const y of await reduced(backend, "sum", wide, [1, columns])) {
        assert(Math.abs(y / (exact / columns) - 1) < 3e-6);
      }
      for (const y of await reduced(backend, "sum", wide, [rows, 1])) {
        assert(Math.abs(y / (exact / rows) - 1) < 3e-6);
      }
    }
  },
);

testForms(
  "webgpu reduce of more elements than a loop of some adapters can turn",
  async (backend) => {
    const check = async (
      shape: number[],
      outShape: number[],
    ): Promise<void> => {
      const size = sizeOf(shape);
      const data = new Float32Array(size).fill(0.5);
      data[size - 1] = 2;
      const x = gpuTensor(backend, "f32", shape, data);
      const each = size / sizeOf(outShape) / 2;
      const [sums, most] = await Promise.all([
        reduced(backend, "sum", x, outShape),
        reduced(backend, "max", x, outShape),
      ]);
      const count = sizeOf(outShape);
      const at = (i: number, last: number, other: number): number =>
        i === count - 1 ? last : other;
      const expected = Array.from(
        { length: count },
        (_, i) => [at(i, each + 1.5, each), at(i, 2, 0.5)],
      );
      assertEquals([...sums], expected.map(([sum]) => sum));
      assertEquals([...most], expected.map(([, largest]) => largest));
    };
    await check([5, 300_001], [5, 1]);
    await check([300_001, 5], [1, 5]);
    await check([3_000_000], [1]);
    // Enough results to keep an adapter busy without chunks.
    await check([34, 300_001], [34, 1]);
    await check([70_001, 136], [1, 136]);
  },
);

testForms(
  "webgpu reductions are the same from run to run",
  async (backend) => {
    const shape = [37, 129, 40];
    const x = gpuTensor(backend, "f32", shape, numbers(sizeOf(shape)));
    const outShapes = [[1, 1, 1], [1, 129, 40], [37, 1, 40], [37, 129, 1]];
    for (const outShape of outShapes) {
      const runs = await Promise.all(
        [0, 1, 2].map(() => reduced(backend, "sum", x, outShape)),
      );
      assertEquals(runs[1], runs[0]);
      assertEquals(runs[2], runs[0]);
    }
  },
);

testForms(
  "webgpu counts truth values and finds whether any is true",
  async (backend) => {
    const truths = Array.from({ length: 999 }, (_, i) => i % 3 === 0 ? 1 : 0);
    const x = gpuTensor(backend, "bool", [999], truths);
    const count = elementwise("count", ["bool"], ([x]) => [toFloat(x)]);
    const out = gpuTensor(backend, "f32", [1]);
    backend.reduce("sum", count, [x], out, []);
    assertEquals([...await gpuValues(backend, out)], [333]);
    const same = elementwise("any", ["bool"], ([x]) => [x]);
    const any = gpuTensor(backend, "bool", [1]);
    const all = gpuTensor(backend, "bool", [1]);
    backend.reduce("max", same, [x], any, []);
    backend.reduce("min", same, [x], all, []);
    assertEquals([...await gpuValues(backend, any)], [1]);
    assertEquals([...await gpuValues(backend, all)], [0]);
  },
);
