import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { grad } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";

Deno.test("operands on different devices are refused", async () => {
  const devices = [
    await t.device("wasm", { threads: 1 }),
    await t.device("wasm", { threads: 1 }),
    await t.device("reference"),
  ];
  const on = (i: number): t.Tensor => t.ones([2, 2], { device: devices[i] });
  for (const [a, b] of [[0, 1], [0, 2], [2, 1]]) {
    for (const operation of [t.add, t.matmul]) {
      assertThrows(
        () => operation(on(a), on(b)),
        TypeError,
        "operands live on different devices",
      );
    }
    assertThrows(
      () => t.concat([on(a), on(b)]),
      TypeError,
      "different devices",
    );
    assertThrows(() => t.assign(on(a), on(b)), TypeError, "different devices");
  }
  devices.forEach((device) => device.close());
});

for (const name of ["reference", "wasm"] as const) {
  Deno.test(`${name}: what is no shape is refused, and nothing breaks`, async () => {
    const cpu = await t.device(name, { threads: 1 });
    for (const shape of [[NaN], [1.5, 2], [-1], [2 ** 40, 2 ** 40]]) {
      for (const make of [t.zeros, t.ones]) {
        assertThrows(() => make(shape), RangeError, "must hold integers ≥ 0");
      }
      assertThrows(() => t.normal(shape, t.randomKey(0)), RangeError);
    }
    assertThrows(
      () => t.tensor(new Float32Array(6), { shape: [-2, -3] }),
      RangeError,
      "tensor: shape [-2, -3] must hold integers ≥ 0",
    );
    assertEquals(cpu.stats().liveBuffers, 0);
    assertEquals(await t.add(t.ones([2]), 1).array(), [2, 2]);
    cpu.close();
  });

  Deno.test(`${name}: a closed device says that it was closed`, async () => {
    const cpu = await t.device(name, { threads: 1 });
    const x = t.ones([2]);
    cpu.close();
    assertThrows(() => t.add(x, 1), Error, `this ${name} device was closed`);
    assertThrows(() => t.ones([2], { device: cpu }), Error, "was closed");
    x.dispose();
  });
}

Deno.test("integers that don't fit are refused", async () => {
  const cpu = await t.device("reference");
  for (const value of [2 ** 31, 1.5, NaN]) {
    assertThrows(
      () => t.tensor([0, value], { dtype: "i32" }),
      RangeError,
      `tensor: value ${value} at 1 is no 32-bit integer`,
    );
  }
  cpu.close();
});

Deno.test("a function that returns no tensors is named as the reason", async () => {
  const cpu = await t.device("reference");
  const wrong = (value: unknown) => (): t.Tensor => value as t.Tensor;
  const x = t.ones([1]);
  const cases: [unknown, string][] = [
    [3, "must return tensors, not 3"],
    [undefined, "must return tensors, not undefined"],
    [Promise.resolve(x), "the function is async"],
  ];
  for (const [value, message] of cases) {
    assertThrows(() => grad(wrong(value))(x), TypeError, message);
  }
  cpu.close();
});

Deno.test("batches that nobody frees are collected in a loop that reads", async () => {
  const cpu = await t.device("wasm", { threads: 1 });
  const values = new Float32Array(1 << 16);
  const step = async (): Promise<void> => {
    const x = t.tensor(values);
    await t.sum(x).item();
  };
  // 1.6 GB in all, were it kept; the collector's own pace decides how far below.
  for (let i = 0; i < 6400; i++) await step();
  assert(
    cpu.stats().peakBytes < 1.2e9,
    `${(cpu.stats().peakBytes / 1e6).toFixed()} MB at the peak`,
  );
  cpu.close();
});

Deno.test("running out of memory names the largest holders", async () => {
  const cpu = await t.device("wasm", { threads: 1, memory: 64 << 20 });
  const kept = t.zeros([4 << 20]);
  const error = assertThrows(() => {
    for (let i = 0; i < 20; i++) t.zeros([1 << 20]);
  }, RangeError);
  assertStringIncludes(error.message, "most is held by full (");
  assertEquals(kept.disposed, false);
  cpu.close();
});

Deno.test("debug mode names the user's line, also through callbacks", async () => {
  const cpu = await t.device("reference", { debug: true });
  const made = [1, 2].map((x) => t.full([x], x));
  const [first] = cpu.liveTensors();
  assertStringIncludes(first.site ?? "", "device_test.ts");
  assertEquals(made.length, 2);
  cpu.close();
});
