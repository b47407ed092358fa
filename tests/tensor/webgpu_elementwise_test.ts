import { assertEquals } from "@std/assert";
import type { View } from "../../tensor/backend.ts";
import {
  add,
  div,
  elementwise,
  equal,
  floor,
  mul,
  select,
  sqrt,
  sub,
} from "../../tensor/expression.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import {
  assertMapped,
  largeMapShapes,
  launchMap,
  type Machine,
  mapPrograms,
  type MapTrial,
  mapTrial,
  randomShape,
} from "./elementwise_cases.ts";
import { assertNear, numbers, referenceSubject } from "./kernel_subjects.ts";
import {
  gpuMissing,
  gpuTensor,
  gpuValues,
  webgpuBackend,
} from "./webgpu_subject.ts";

const ignore = gpuMissing;

function machineOf(backend: WebgpuBackend): Machine {
  return {
    kernels: backend,
    tensor: (dtype, shape, values) => gpuTensor(backend, dtype, shape, values),
  };
}

/** Runs all trials before it reads anything, then compares. */
async function checkTrials(
  backend: WebgpuBackend,
  trials: readonly MapTrial[],
  what: string,
): Promise<void> {
  const machine = machineOf(backend);
  const reference = referenceSubject<"map" | "reduce">();
  const pending = trials.map((trial) =>
    Promise.all(
      launchMap(machine, trial).map((view) => gpuValues(backend, view)),
    )
  );
  const found = await Promise.all(pending);
  trials.forEach((trial, i) => {
    const expected = launchMap(reference, trial).map(reference.values);
    assertMapped(trial, found[i], expected, what);
  });
}

Deno.test({
  name: "webgpu map equals the reference on any shapes and strides",
  ignore,
  fn: async () => {
    const trials = Array.from(
      { length: 99 },
      (_, i) => mapTrial(randomShape(), mapPrograms[i % mapPrograms.length]),
    );
    await checkTrials(await webgpuBackend(), trials, "webgpu");
  },
});

Deno.test({
  name: "webgpu map equals the reference on large tensors",
  ignore,
  fn: async () => {
    const trials = largeMapShapes.flatMap((shape, i) => [
      mapTrial(shape, mapPrograms[6]),
      mapTrial(shape, mapPrograms[i % mapPrograms.length]),
    ]);
    await checkTrials(await webgpuBackend(), trials, "webgpu");
  },
});

Deno.test({
  name: "webgpu map of tensors that can't be bound whole",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend({ bindingLimit: 16384 });
    const shapes = [[9001], [3, 5000], [70, 131], [2, 60, 77], [5001, 2]];
    const trials = shapes.flatMap((shape, i) => [
      mapTrial(shape, mapPrograms[0]),
      mapTrial(shape, mapPrograms[i]),
    ]);
    await checkTrials(backend, trials, "in parts");
  },
});

Deno.test({
  name: "webgpu map adds a bias along rows",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const program = elementwise("bias", ["float", "float"], ([x, b]) => [
      add(x, b),
    ]);
    for (const [rows, columns] of [[5, 64], [300, 48], [3, 7], [2, 1001]]) {
      const [x, b] = [numbers(rows * columns, 1), numbers(columns, 2)];
      const shape = [rows, columns];
      const out = gpuTensor(backend, "f32", shape);
      const bias = { ...gpuTensor(backend, "f32", shape, b), strides: [0, 1] };
      const input = gpuTensor(backend, "f32", shape, x);
      backend.map(program, [input, bias], [out], []);
      const expected = x.map((value, i) => value + b[i % columns]);
      assertEquals(await gpuValues(backend, out), expected);
    }
  },
});

Deno.test({
  name: "webgpu map may write where it reads",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const step = elementwise("step", ["float", "float"], ([p, m], [s]) => [
      add(p, mul(m, s)),
      mul(m, 0.5),
    ], 1);
    for (const size of [3, 16, 1001]) {
      const p = gpuTensor(backend, "f32", [size], new Array(size).fill(1));
      const m = gpuTensor(backend, "f32", [size], new Array(size).fill(4));
      backend.map(step, [p, m], [p, m], [0.25]);
      const twos = new Float32Array(size).fill(2);
      assertEquals(await gpuValues(backend, p), twos);
      assertEquals(await gpuValues(backend, m), twos);
    }
  },
});

Deno.test({
  name: "webgpu map between slices of one buffer",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const double = elementwise("double", ["float"], ([x]) => [mul(x, 2)]);
    for (const size of [8, 13]) {
      const values = numbers(3 * size);
      const whole = gpuTensor(backend, "f32", [3 * size], values);
      const part = (i: number): View => ({
        ...whole,
        shape: [size],
        offset: i * size,
      });
      backend.map(double, [part(0)], [part(2)], []);
      const expected = values.slice();
      for (let i = 0; i < size; i++) expected[2 * size + i] = 2 * values[i];
      assertEquals(await gpuValues(backend, whole), expected);
    }
  },
});

Deno.test({
  name: "webgpu map writes truth values at odd offsets, and nothing beside",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const program = elementwise("whole", ["float"], ([x]) => [
      equal(x, floor(x)),
    ]);
    const size = 11;
    for (const offset of [1, 3, 6]) {
      const x = Float32Array.from({ length: size }, (_, i) => i / 2);
      const marks = gpuTensor(backend, "bool", [24], new Array(24).fill(1));
      const out = { ...marks, shape: [size], offset };
      backend.map(program, [gpuTensor(backend, "f32", [size], x)], [out], []);
      const expected = new Uint8Array(24).fill(1);
      x.forEach((value, i) => expected[offset + i] = value % 1 === 0 ? 1 : 0);
      assertEquals([...await gpuValues(backend, marks)], [...expected]);
    }
  },
});

Deno.test({
  name: "webgpu map of four inputs, three outputs and scalars, as in Adam",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const adam = elementwise(
      "adam",
      ["float", "float", "float", "float"],
      ([p, g, m, v], [rate, first, second]) => {
        const mean = add(mul(m, first), mul(g, sub(1, first)));
        const square = add(mul(v, second), mul(mul(g, g), sub(1, second)));
        const moved = sub(p, mul(rate, div(mean, add(sqrt(square), 1e-8))));
        const skip = equal(g, 0);
        return [select(skip, p, moved), mean, square];
      },
      3,
    );
    const size = 5003;
    const scalars = [0.01, 0.9, 0.99];
    const data = [1, 2, 3, 4].map((seed) => numbers(size, seed));
    data[3] = data[3].map(Math.abs);
    const reference = referenceSubject<"map" | "reduce">();
    const run = (on: Machine): View[] => {
      const views = data.map((values) => on.tensor("f32", [size], values));
      const [p, g, m, v] = views;
      on.kernels.map(adam, [p, g, m, v], [p, m, v], scalars);
      return views;
    };
    const actual = await Promise.all(
      run(machineOf(backend)).map((view) => gpuValues(backend, view)),
    );
    run(reference).forEach((view, i) => {
      // A few roundings of numbers below 10.
      const bound = { absolute: 2e-6, relative: 1e-6 };
      assertNear(actual[i], reference.values(view), bound, `adam ${i}`);
    });
  },
});
