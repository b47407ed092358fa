import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { View } from "../../tensor/backend.ts";
import { DeviceError } from "../../tensor/device_error.ts";
import { add, elementwise } from "../../tensor/expression.ts";
import {
  type AdapterDescription,
  automaticDevice,
  listAdapters,
} from "../../tensor/webgpu/adapter.ts";
import {
  createWebgpuBackend,
  type WebgpuBackend,
} from "../../tensor/webgpu/backend.ts";
import { capacityFor } from "../../tensor/webgpu/buffer_pool.ts";
import { aligned4, touchedRange } from "../../tensor/webgpu/view_memory.ts";
import type { CompiledShader } from "../../tensor/webgpu/gpu.ts";
import { spread } from "../../tensor/webgpu/recorder.ts";
import {
  gpuMissing,
  gpuTensor,
  gpuValues,
  webgpuBackend,
} from "./webgpu_subject.ts";

/** y = factor · x, elements of a view of one axis. */
function scaling({ gpu }: WebgpuBackend): CompiledShader {
  return gpu.shader("test: scaling", () => ({
    operation: "scaling",
    operands: [
      { name: "x", access: "read" },
      { name: "y", access: "write" },
    ],
    parameters: [
      { name: "count", type: "u32" },
      { name: "factor", type: "f32" },
    ],
    code: `@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < parameters.count) {
    store_y(id.x, parameters.factor * load_x(id.x));
  }
}`,
  }));
}

function scale(
  backend: WebgpuBackend,
  x: View,
  y: View,
  factor: number,
): void {
  const [count] = x.shape;
  backend.gpu.launch(scaling(backend), [x, y], [count, factor], [
    Math.ceil(count / 64),
    1,
    1,
  ]);
}

function adapter(software: boolean): AdapterDescription {
  return {
    name: "an adapter",
    vendor: "",
    architecture: "",
    software,
    features: [],
    limits: {} as AdapterDescription["limits"],
  };
}

Deno.test("webgpu: auto takes a real GPU, and never a software adapter", () => {
  assertEquals(automaticDevice([]), "wasm");
  assertEquals(automaticDevice([adapter(true)]), "wasm");
  assertEquals(automaticDevice([adapter(true), adapter(false)]), "webgpu");
});

Deno.test("webgpu: helpers on views and launches", () => {
  const view = (
    shape: number[],
    strides: number[],
    offset = 0,
  ): View => ({
    buffer: { bytes: 0 },
    dtype: "f32",
    shape,
    strides,
    offset,
  });
  assertEquals(touchedRange(view([2, 3], [10, 2], 5)), [5, 20]);
  assertEquals(touchedRange(view([0, 3], [10, 2], 5)), [5, 5]);
  assert(aligned4(view([3, 8], [12, 1], 4)));
  assert(!aligned4(view([3, 8], [12, 1], 2)));
  assert(!aligned4(view([3, 8], [10, 1])));
  assert(!aligned4(view([3, 6], [12, 1])));
  assert(!aligned4(view([3, 8], [1, 4])));
  for (const count of [1, 65535, 65536, 1e6, 65535 * 7 + 1]) {
    const [x, y] = spread(count);
    assert(x * y >= count && x <= 65535 && y <= 65535);
  }
  for (const bytes of [1, 256, 1000, 1025, 5000, 2 ** 20, 2 ** 20 + 1, 3e9]) {
    const capacity = capacityFor(bytes);
    assert(capacity >= bytes && capacity % 4 === 0);
    assert(capacity <= Math.max(256 + bytes, bytes * 1.25 + 4));
    assertEquals(capacityFor(capacity), capacity);
  }
});

Deno.test({
  name: "webgpu: values come back as they were written, of every dtype",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const values = {
      f32: [1.5, -2, Math.fround(1e30)],
      i32: [7, -8, 2 ** 31 - 1],
    };
    for (const [dtype, expected] of Object.entries(values)) {
      const x = gpuTensor(backend, dtype as "f32" | "i32", [3], expected);
      assertEquals([...await gpuValues(backend, x)], expected);
      assertEquals(
        [...await backend.read(x.buffer, x.dtype, 1, 2)],
        expected.slice(1),
      );
    }
    const mask = gpuTensor(backend, "bool", [5], [1, 0, 1, 1, 0]);
    assertEquals([...await gpuValues(backend, mask)], [1, 0, 1, 1, 0]);
    const halves = gpuTensor(backend, "f16", [5], [1, 2, 3.5, -4, 1e-7]);
    assertEquals(
      [...await backend.read(halves.buffer, "f16", 1, 3)],
      [2, 3.5, -4],
    );
    // Doubles of the host are rounded.
    const buffer = backend.allocate(8);
    backend.write(buffer, Float64Array.of(0.1, 2), 0);
    assertEquals([...await backend.read(buffer, "f32", 0, 2)], [
      Math.fround(0.1),
      2,
    ]);
  },
});

Deno.test({
  name: "webgpu: launches, writes and reads happen in the order of the program",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const x = gpuTensor(backend, "f32", [100], new Array(100).fill(1));
    const y = gpuTensor(backend, "f32", [100]);
    scale(backend, x, y, 2);
    const first = gpuValues(backend, y);
    // After a launch that reads it, before the next.
    backend.write(x.buffer, new Float32Array(100).fill(10), 0);
    scale(backend, x, y, 2);
    const second = gpuValues(backend, y);
    backend.free(y.buffer);
    const z = gpuTensor(backend, "f32", [100]);
    scale(backend, x, z, 3);
    scale(backend, z, z, 2); // one buffer, read and written
    const third = gpuValues(backend, z);
    assertEquals(
      [(await first)[99], (await second)[99], (await third)[99]],
      [2, 20, 60],
    );
  },
});

Deno.test({
  name: "webgpu: concurrent reads wait once, a step is one submission",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const x = gpuTensor(backend, "f32", [1000], new Array(1000).fill(1));
    const y = gpuTensor(backend, "f32", [1000]);
    await backend.finished();
    const { submits, readbacks } = backend;
    for (let i = 0; i < 50; i++) scale(backend, x, y, i);
    const values = await Promise.all(
      [x, y, x].map((view) => gpuValues(backend, view)),
    );
    assertEquals(values.map((all) => all[7]), [1, 49, 1]);
    assertEquals(backend.submits - submits, 1);
    assertEquals(backend.readbacks - readbacks, 1);
  },
});

Deno.test({
  name: "webgpu: many launches need no room beyond the recorder's",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const x = gpuTensor(backend, "f32", [1], [1]);
    for (let i = 0; i < 20_000; i++) scale(backend, x, x, -1);
    scale(backend, x, x, 5);
    assertEquals([...await gpuValues(backend, x)], [5]);
  },
});

Deno.test({
  name: "webgpu: memory that is given back serves again, in the same way",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const { gpu } = backend;
    const step = (): void => {
      const views = [3000, 500, 3000].map((size) =>
        gpuTensor(backend, "f32", [size])
      );
      scale(backend, views[0], views[1], 2);
      scale(backend, views[1], views[2], 2);
      // In another order each time.
      views.sort(() => Math.random() - 0.5);
      for (const { buffer } of views) backend.free(buffer);
    };
    for (let i = 0; i < 3; i++) step();
    const { blocks, bytes } = gpu.pool;
    const groups = gpu.bindGroups;
    for (let i = 0; i < 50; i++) step();
    assertEquals([gpu.pool.blocks, gpu.pool.bytes], [blocks, bytes]);
    assertEquals(gpu.bindGroups, groups);
    await backend.finished();
  },
});

Deno.test({
  name: "webgpu: a part of a buffer too large to bind is bound, and no more",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend({ bindingLimit: 4096 });
    const x = gpuTensor(
      backend,
      "f32",
      [4000],
      Array.from({ length: 4000 }, (_, i) => i),
    );
    const y = gpuTensor(backend, "f32", [300]);
    scale(backend, { ...x, shape: [300], offset: 3001 }, y, 2);
    const window: View = { ...x, shape: [300], offset: 2501 };
    scale(backend, window, { ...window, offset: 2900 }, 2);
    assertEquals((await gpuValues(backend, y))[299], 6600);
    assertEquals(
      [...await backend.read(x.buffer, "f32", 2899, 3)],
      [2899, 5002, 5004],
    );
    const error = assertThrows(
      () => scale(backend, x, { ...x }, 2),
      DeviceError,
      "scaling: a tensor of shape [4000] spans 16000 bytes, more than the 4096",
    );
    assertEquals(error.kind, "limit");
    // Launches that fail use up no room for numbers, 256 bytes of a megabyte.
    for (let i = 0; i < 2 ** 12; i++) {
      assertThrows(() => scale(backend, x, { ...x }, 2), DeviceError);
    }
    scale(backend, y, y, 2);
    assertEquals((await gpuValues(backend, y))[299], 13200);
  },
});

Deno.test({
  name: "webgpu: absurd sizes name the operation, the size and the limit",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const error = assertThrows(
      () => backend.allocate(2 ** 45, "zeros", [2 ** 22, 2 ** 21]),
      DeviceError,
      `zeros: a tensor of shape [4194304, 2097152], ${
        2 ** 45
      } bytes, is larger`,
    );
    assertEquals([error.kind, error.operation], ["limit", "zeros"]);
    assertEquals([
      ...await gpuValues(
        backend,
        gpuTensor(backend, "f32", [1], [
          4,
        ]),
      ),
    ], [4]);
  },
});

Deno.test({
  name: "webgpu: more buffers than a kernel can have are a limit, too",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const most = backend.gpu.limits.maxStorageBuffersPerShaderStage;
    const sum = elementwise(
      "long sum",
      new Array(most).fill("float"),
      (terms) => [terms.reduce((total, x) => add(total, x))],
    );
    const inputs = Array.from(
      { length: most },
      () => gpuTensor(backend, "f32", [1], [1]),
    );
    const out = gpuTensor(backend, "f32", [1]);
    const error = assertThrows(
      () => backend.map(sum, inputs, [out], []),
      DeviceError,
      `long sum: ${most + 1} buffers in one kernel are more than the ${most}`,
    );
    assertEquals([error.kind, error.operation], ["limit", "long sum"]);
    // In one buffer they are one.
    inputs.fill(inputs[0]);
    backend.map(sum, inputs, [out], []);
    assertEquals([...await gpuValues(backend, out)], [most]);
  },
});

Deno.test({
  name: "webgpu: a kernel that is refused says which one and why",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await createWebgpuBackend();
    const x = gpuTensor(backend, "f32", [1], [1]);
    const broken = backend.gpu.shader("broken", () => ({
      operation: "broken kernel",
      operands: [{ name: "x", access: "read" }],
      parameters: [],
      code: "fn main( {",
    }));
    backend.gpu.launch(broken, [x], [], [1, 1, 1]);
    const error = await assertRejects(
      () => gpuValues(backend, x),
      DeviceError,
      "broken kernel: the platform refused the kernel",
    );
    assertEquals([error.kind, error.operation], ["shader", "broken kernel"]);
    // From then on everything says so.
    assertThrows(() => scale(backend, x, x, 2), DeviceError, "broken kernel");
    backend.close();
  },
});

Deno.test({
  name: "webgpu: a device that is lost says so to whoever asks",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await createWebgpuBackend();
    const x = gpuTensor(backend, "f32", [1], [1]);
    scale(backend, x, x, 2);
    backend.gpu.device.destroy();
    const error = await assertRejects(
      () => gpuValues(backend, x),
      DeviceError,
      "the GPU was lost",
    );
    assertEquals(error.kind, "lost");
    assertThrows(() => backend.allocate(4), DeviceError, "the GPU was lost");
    await assertRejects(() => backend.finished(), DeviceError, "lost");
  },
});

Deno.test({
  name: "webgpu: a command that is refused is a validation error",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await createWebgpuBackend();
    const x = gpuTensor(backend, "f32", [1], [1]);
    // More than one workgroup dimension allows.
    backend.gpu.launch(scaling(backend), [x, x], [1, 1], [1e6, 1, 1]);
    const error = await assertRejects(
      () => gpuValues(backend, x),
      DeviceError,
      "the platform refused a command",
    );
    assertEquals(error.kind, "validation");
    backend.close();
  },
});

Deno.test({
  name: "webgpu: a closed device does nothing more",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await createWebgpuBackend();
    const x = gpuTensor(backend, "f32", [1], [1]);
    backend.close();
    backend.free(x.buffer); // finalizers may
    assertThrows(() => scale(backend, x, x, 2), Error, "was closed");
    await assertRejects(() => gpuValues(backend, x), Error, "was closed");
  },
});

Deno.test({
  name: "webgpu: adapters say what they are",
  ignore: gpuMissing,
  fn: async () => {
    const [first] = await listAdapters();
    assert(first.name.length > 0);
    assert(first.limits.maxBufferSize >= 2 ** 28);
    const backend = await webgpuBackend();
    assertStringIncludes(backend.mode, backend.gpu.adapter.name);
    assertEquals(
      backend.gpu.limits.maxStorageBufferBindingSize,
      first.limits.maxStorageBufferBindingSize,
    );
  },
});

Deno.test({
  name: "webgpu: finished tells of a bad index, and the next read doesn't",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const x = gpuTensor(backend, "f32", [1, 3, 1], [1, 2, 3]);
    const index = gpuTensor(backend, "i32", [2], [0, 7]);
    const out = gpuTensor(backend, "f32", [1, 2, 1]);
    backend.take(x, index, out);
    await assertRejects(
      () => backend.finished(),
      RangeError,
      "take: index 7 at position 1 is outside 0 … 2",
    );
    assertEquals([...await gpuValues(backend, x)], [1, 2, 3]);
    await backend.finished();
  },
});
