import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Backend, DeviceBuffer, View } from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { add, elementwise, exp, mul, tanh } from "../../tensor/expression.ts";
import { contiguousStrides, sizeOf } from "../../tensor/shape.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import { createModeChoice } from "../../tensor/wasm/autotune.ts";
import { createMatmulKernels } from "../../tensor/wasm/matmul.ts";
import { createWasmBackend } from "../../tensor/wasm/mod.ts";
import { Allocator } from "../../tensor/wasm/memory.ts";
import { i32, ModuleBuilder, scalar } from "../../tensor/wasm/assembler.ts";
import { createRuntime, type Mode } from "../../tensor/wasm/runtime.ts";
import { controlBytes } from "../../tensor/wasm/threads.ts";
import { numbers } from "./kernel_subjects.ts";

function view(buffer: DeviceBuffer, shape: number[]): View {
  const strides = contiguousStrides(shape);
  return { buffer, dtype: "f32", shape, strides, offset: 0 };
}

function tensor(device: Backend, shape: number[], values?: TypedArray): View {
  const buffer = device.allocate(4 * sizeOf(shape));
  if (values) device.write(buffer, values, 0);
  return view(buffer, shape);
}

async function valuesOf(device: Backend, x: View): Promise<TypedArray> {
  return await device.read(x.buffer, x.dtype, x.offset, sizeOf(x.shape));
}

const gate = elementwise("gate", ["float", "float"], ([x, y], [s]) => [
  add(mul(tanh(x), exp(y)), s),
], 1);
const product = elementwise("product", ["float", "float"], ([x, y]) => [
  mul(x, y),
]);

Deno.test("wasm results don't depend on the number of threads", async () => {
  const size = 500_009;
  const results = await Promise.all([1, 2, 3].map(async (threads) => {
    const device = await createWasmBackend({ threads, memory: 2 ** 27 });
    const x = tensor(device, [size], numbers(size, 1));
    const y = tensor(device, [size], numbers(size, 2));
    const out = tensor(device, [size]);
    const all = tensor(device, [1]);
    const columns = view(x.buffer, [5000, 100]);
    const sums = tensor(device, [1, 100]);
    // Often, so that workers have time to start and to take part.
    for (let round = 0; round < 60; round++) {
      device.map(gate, [x, y], [out], [round]);
      device.reduce("sum", product, [x, y], all, []);
      device.reduce("sum", product, [columns, columns], sums, []);
    }
    const values = await Promise.all(
      [out, all, sums].map((result) => valuesOf(device, result)),
    );
    device.close();
    return values;
  }));
  assertEquals(results[1], results[0]);
  assertEquals(results[2], results[0]);
});

Deno.test("wasm worker threads take chunks, and report failures", async () => {
  const runtime = createRuntime({ threads: 2, memory: 2 ** 24, relaxed: true });
  const module = new ModuleBuilder(runtime.target);
  // Takes a while, and counts its calls on this thread.
  module.export(
    "count",
    ["ptr", "i32", "i32", "ptr"],
    "i32",
    (f, callers, begin, _end, scratch) => {
      const turn = f.local("i32");
      f.for(turn, i32(0), i32(50_000), 1, () => {});
      const calls = scalar("i32.add", f.load("i32", scratch), i32(1));
      f.store("i32", scratch, calls);
      f.store("i32", f.offset(callers, f.times(begin, 4)), calls);
      f.return(begin);
    },
  );
  module.export("trap", ["i32", "i32", "ptr"], undefined, (f) => {
    f.emit([0x00]);
  });
  const { count, trap } = runtime.load(module.build());
  try {
    const chunks = 64;
    const table = runtime.temporary(4 * chunks);
    const calls = new Int32Array(runtime.memory.buffer, table, chunks);
    const deadline = performance.now() + 10_000;
    let launches = 0;
    let shared = false;
    while (!shared && performance.now() < deadline) {
      // Chunk 0 returns 0, which doesn't count; the smallest other result does.
      assertEquals(runtime.launch(count, [table], chunks, 1), 1);
      launches++;
      // Deno may want this thread to load the worker's module.
      await new Promise((resolve) => setTimeout(resolve, 1));
      shared = Math.max(...calls) < launches * chunks;
    }
    assert(shared, "the worker took no chunk in 10 s");
    assertEquals(runtime.launch(count, [table], 0, 1), 0);
    assertThrows(
      () => runtime.launch(trap, [], 4, 1),
      Error,
      "unreachable",
    );
    assertEquals(runtime.launch(count, [table], chunks, 1), 1);
  } finally {
    runtime.close();
  }
});

Deno.test("wasm devices run on one thread where memory can't be shared", async () => {
  const page = globalThis as { crossOriginIsolated?: boolean };
  page.crossOriginIsolated = false;
  try {
    const device = await createWasmBackend({ threads: 4, memory: 2 ** 24 });
    assertEquals(device.threads, 1);
    const x = tensor(device, [3], Float32Array.of(1, 2, 3));
    device.map(product, [x, x], [x], []);
    assertEquals([...await valuesOf(device, x)], [1, 4, 9]);
    device.close();
  } finally {
    delete page.crossOriginIsolated;
  }
});

/** Runs a program on a device of two threads that it doesn't close. */
async function runProgram(permissions: string[]): Promise<string> {
  const mod = new URL("../../tensor/wasm/mod.ts", import.meta.url);
  const expressions = new URL("../../tensor/expression.ts", import.meta.url);
  const program = `
    import { createWasmBackend } from "${mod}";
    import { add, elementwise } from "${expressions}";
    const device = await createWasmBackend({ threads: 2, memory: 2 ** 26 });
    const size = 2 ** 20;
    const buffer = device.allocate(4 * size);
    const x = { buffer, dtype: "f32", shape: [size], strides: [1], offset: 0 };
    const step = elementwise("step", ["float"], ([x]) => [add(x, 1)]);
    device.write(buffer, new Float32Array(size), 0);
    for (let i = 0; i < 200; i++) {
      if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      device.map(step, [x], [x], []);
    }
    console.log((await device.read(buffer, "f32", 7, 1))[0]);
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", ...permissions, file],
      signal: AbortSignal.timeout(20_000),
    }).output();
    return `${new TextDecoder().decode(stdout).trim()}, exit code ${code}`;
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("a program that never closes its wasm device ends by itself", async () => {
  assertEquals(await runProgram(["--allow-read"]), "200, exit code 0");
});

Deno.test("without permission to start workers, one thread does the work", async () => {
  assertEquals(await runProgram([]), "200, exit code 0");
});

Deno.test("wasm memory beyond 4 GiB is reserved, not touched", async () => {
  const memory = 6 * 2 ** 30;
  const device = await createWasmBackend({ threads: 1, memory });
  assertEquals(device.limitBytes, memory);
  // Placed beyond 4 GiB by a block that nobody writes to.
  const placeholder = device.allocate(4.5 * 2 ** 30);
  const x = tensor(device, [3], Float32Array.of(1, 2, 3));
  device.map(product, [x, x], [x], []);
  assertEquals([...await valuesOf(device, x)], [1, 4, 9]);
  device.free(placeholder);
  device.close();
});

Deno.test("wasm devices without relaxed SIMD work", async () => {
  const options = { threads: 1, memory: 2 ** 24, relaxed: false };
  const device = await createWasmBackend(options);
  const x = tensor(device, [3], Float32Array.of(1, 2, 3));
  device.map(product, [x, x], [x], []);
  assertEquals([...await valuesOf(device, x)], [1, 4, 9]);
  device.close();
});

Deno.test("wasm device options are checked", async () => {
  for (const threads of [0, 65, 1.5]) {
    await assertRejects(
      () => createWasmBackend({ threads }),
      RangeError,
      `threads is ${threads}, not an integer in 1 … 64`,
    );
  }
  await assertRejects(
    () => createWasmBackend({ memory: 2 ** 40 }),
    RangeError,
    "memory is 1099511627776",
  );
});

Deno.test("wasm device says what is wrong when memory runs out", async () => {
  const device = await createWasmBackend({ threads: 1, memory: 2 ** 24 });
  const big = device.allocate(12 * 2 ** 20);
  const error = assertThrows(() => device.allocate(6 * 2 ** 20), RangeError);
  for (const part of ["6 MiB", "12 MiB", "16 MiB", 'device("wasm", { memory']) {
    assert(error.message.includes(part), error.message);
  }
  device.free(big);
  device.free(device.allocate(6 * 2 ** 20));
  device.close();
});

Deno.test("wasm kernels refuse views that leave their buffer", async () => {
  const device = await createWasmBackend({ threads: 1, memory: 2 ** 24 });
  const x = tensor(device, [4]);
  const bad: View[] = [
    { ...x, shape: [5] },
    { ...x, offset: 1 },
    { ...x, offset: -1 },
    { ...x, strides: [-1] },
    { ...x, shape: [2, 2], strides: [3, 1] },
  ];
  for (const y of bad) {
    const out = tensor(device, [...y.shape]);
    assertThrows(
      () => device.map(product, [y, y], [out], []),
      RangeError,
      "of a buffer of 16 bytes",
    );
  }
  const backwards: View = { ...x, strides: [-1], offset: 3 };
  device.map(product, [backwards, backwards], [tensor(device, [4])], []);
  const values = Float32Array.of(1, 2);
  assertThrows(() => device.write(x.buffer, values, 3), RangeError);
  assertThrows(() => device.read(x.buffer, "f32", 0, 5), RangeError);
  assertThrows(() => device.read(x.buffer, "f64", 0, 1), TypeError, "no f64");
  device.free(x.buffer);
  assertThrows(() => device.free(x.buffer), Error, "free already");
  assertThrows(
    () => device.map(product, [x, x], [x], []),
    Error,
    "a buffer of 16 bytes is used after it was freed",
  );
  device.close();
});

Deno.test("a backend refuses buffers of others", async () => {
  const [one, other] = await Promise.all(
    [1, 2].map((threads) => createWasmBackend({ threads, memory: 2 ** 24 })),
  );
  const reference = createReferenceBackend();
  const x = tensor(one, [3], Float32Array.of(1, 2, 3));
  const elsewhere = "a buffer of 12 bytes belongs to another device";
  for (const owner of [other, reference]) {
    const y = tensor(owner, [3], Float32Array.of(1, 2, 3));
    for (const [inputs, out] of [[[x, y], x], [[x, x], y]] as const) {
      const call = (): void => one.map(product, inputs, [out], []);
      assertThrows(call, TypeError, elsewhere);
    }
    const values = Float32Array.of(1);
    assertThrows(() => one.write(y.buffer, values, 0), TypeError, elsewhere);
    assertThrows(() => one.read(y.buffer, "f32", 0, 1), TypeError, elsewhere);
    assertThrows(() => one.free(y.buffer), TypeError, elsewhere);
    assertEquals([...await valuesOf(owner, y)], [1, 2, 3]);
  }
  const out = tensor(reference, [3]);
  const call = (): void => reference.map(product, [x, x], [out], []);
  assertThrows(call, TypeError, elsewhere);
  one.map(product, [x, x], [x], []);
  assertEquals([...await valuesOf(one, x)], [1, 4, 9]);
  one.close();
  other.close();
});

Deno.test("allocate refuses sizes that are no integers ≥ 0", async () => {
  const wasm = await createWasmBackend({ threads: 1, memory: 2 ** 24 });
  for (const backend of [wasm, createReferenceBackend()]) {
    for (const bytes of [NaN, 1.5, -1, -64, Infinity]) {
      assertThrows(
        () => backend.allocate(bytes),
        RangeError,
        `bytes is ${bytes}, not an integer ≥ 0`,
      );
    }
    const none = backend.allocate(0);
    const x = tensor(backend, [2], Float32Array.of(3, 4));
    backend.map(product, [x, x], [x], []);
    assertEquals([...await valuesOf(backend, x)], [9, 16]);
    backend.free(none);
    backend.close();
  }
});

Deno.test("a closed backend refuses everything but free", async () => {
  const wasm = await createWasmBackend({ threads: 1, memory: 2 ** 24 });
  for (const backend of [wasm, createReferenceBackend()]) {
    const x = tensor(backend, [4, 4], new Float32Array(16));
    backend.map(product, [x, x], [x], []);
    backend.close();
    const calls: (() => unknown)[] = [
      () => backend.map(product, [x, x], [x], []),
      () => backend.reduce("sum", product, [x, x], x, []),
      () => backend.matmul({ a: x, b: x, out: x, alpha: 1 }),
      () => backend.allocate(4),
      () => backend.write(x.buffer, Float32Array.of(1), 0),
      () => backend.read(x.buffer, "f32", 0, 1),
    ];
    for (const call of calls) {
      assertThrows(call, Error, "the device was closed");
    }
    backend.free(x.buffer);
    backend.close();
  }
});

Deno.test("wasm: the mode is measured after enough work, and then kept", () => {
  const memory = new WebAssembly.Memory({ initial: 80, maximum: 80 });
  const target = { wide: false, pages: 80, shared: false, relaxed: true };
  const choice = createModeChoice(target, memory);
  const touched = (): boolean =>
    new Uint8Array(memory.buffer, controlBytes, 1000).some((x) => x !== 7);
  new Uint8Array(memory.buffer, controlBytes, 1000).fill(7);
  // A million small products: nothing that a measurement would pay for.
  for (let i = 0; i < 1_000_000; i++) choice.modeFor(16);
  assert(!touched());
  // On a busy machine the choice may stay open, but not for ever.
  let mode = choice.mode;
  for (let attempt = 1; attempt < 8; attempt++) mode = choice.mode;
  for (let i = 0; i < 10; i++) {
    assertEquals(createModeChoice(target, memory).modeFor(1e9), mode);
    assertEquals(choice.mode, mode);
  }
});

Deno.test("wasm: results are the same before and after the mode is chosen", () => {
  const size = 240;
  const values = numbers(size * size, 5);
  const run = (mode: Mode | undefined): Float32Array[] => {
    const options = { threads: 1, memory: 2 ** 26, relaxed: true, mode };
    const runtime = createRuntime(options);
    const { matmul } = createMatmulKernels(runtime);
    const [a, out] = [0, 1].map(() =>
      view(runtime.allocate(4 * size * size), [size, size])
    );
    const elements = (x: View): Float32Array =>
      new Float32Array(
        runtime.memory.buffer as ArrayBuffer,
        runtime.address(x),
        size * size,
      );
    elements(a).set(values);
    // The first of these products is too small for a choice, all of them not.
    const results = [0, 1, 2].map(() => {
      matmul({ a, b: a, out, alpha: 1 });
      return elements(out).slice();
    });
    assert(mode === undefined || runtime.mode === mode);
    runtime.close();
    return results;
  };
  const [expected] = run("portable");
  for (const result of [...run("turbo"), ...run(undefined)]) {
    assertEquals(result, expected);
  }
});

Deno.test("wasm host copies: every dtype, at an offset", async () => {
  const device = await createWasmBackend({ threads: 1, memory: 2 ** 24 });
  const cases = [
    ["f32", Float32Array.of(0.5, -0, NaN)],
    ["i32", Int32Array.of(-7, 2 ** 31 - 1, 0)],
    ["bool", Uint8Array.of(1, 0, 1)],
  ] as const;
  for (const [dtype, values] of cases) {
    const buffer = device.allocate(6 * values.BYTES_PER_ELEMENT);
    device.write(buffer, values, 2);
    const result = await device.read(buffer, dtype, 2, 3);
    assertEquals(result, values);
    assert(result.buffer instanceof ArrayBuffer);
  }
  const real = device.allocate(8);
  device.write(real, Float64Array.of(0.1, 2), 0);
  assertEquals(await device.read(real, "f32", 0, 2), Float32Array.of(0.1, 2));
  device.close();
});

Deno.test("the heap hands out disjoint, aligned blocks and merges free ones", () => {
  const heap = new Allocator(64, 64 + 2 ** 20);
  let state = 1;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const live = new Set<ReturnType<Allocator["allocate"]>>();
  for (let step = 0; step < 5000; step++) {
    if (live.size > 0 && draw(2) === 0) {
      const victim = [...live][draw(live.size)];
      heap.free(victim);
      live.delete(victim);
    } else {
      try {
        live.add(heap.allocate(draw(2) ? draw(40_000) : draw(300)));
      } catch (error) {
        assert(error instanceof RangeError);
        continue;
      }
    }
    if (step % 100 > 0) continue;
    const blocks = [...live].sort((a, b) => a.address - b.address);
    let end = 64;
    for (const { address, bytes } of blocks) {
      assert(address % 64 === 0 && address >= end);
      end = address + bytes;
    }
    assert(end <= 64 + 2 ** 20);
  }
  for (const block of live) heap.free(block);
  assertEquals(heap.liveBytes, 0);
  // All of it again, in one piece.
  heap.free(heap.allocate(2 ** 20));
});

Deno.test("size classes waste less than a quarter", () => {
  const heap = new Allocator(64, 2 ** 40);
  for (let bytes = 512; bytes < 2 ** 36; bytes = Math.ceil(bytes * 1.17)) {
    const before = heap.liveBytes;
    heap.allocate(bytes);
    const taken = heap.liveBytes - before;
    assert(taken >= bytes && taken < 1.25 * bytes + 64, `${bytes} ${taken}`);
  }
});
