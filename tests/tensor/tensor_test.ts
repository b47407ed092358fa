import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import * as t from "../../tensor/mod.ts";
import { testLeakFree } from "../leak_free.ts";

const names = ["reference", "wasm"] as const;

for (const name of names) {
  const testOn = (
    title: string,
    fn: (cpu: t.Device) => void | Promise<void>,
  ): void =>
    testLeakFree(
      `${name}: ${title}`,
      () => t.device(name, { threads: 1 }),
      fn,
    );

  testOn("values go in and come out", async () => {
    const x = t.tensor([[1, 2, 3], [4, 5, 6]]);
    assertEquals([x.dtype, x.shape, x.size, x.rank], ["f32", [2, 3], 6, 2]);
    assertEquals(await x.array(), [[1, 2, 3], [4, 5, 6]]);
    assertEquals(await x.data(), new Float32Array([1, 2, 3, 4, 5, 6]));
    const mask = t.tensor([true, false]);
    assertEquals([mask.dtype, await mask.array()], ["bool", [true, false]]);
    const ids = t.tensor(new Int32Array([7, 8]), { shape: [1, 2] });
    assertEquals([ids.dtype, await ids.array()], ["i32", [[7, 8]]]);
    assertEquals(await t.tensor(5).item(), 5);
    assertEquals(await t.eye(2).array(), [[1, 0], [0, 1]]);
    assertEquals(await t.arange(1, 8, 3).array(), [1, 4, 7]);
    assertEquals(await t.linspace(0, 1, 3).array(), [0, 0.5, 1]);
    assertEquals(await t.full([2], 3, { dtype: "i32" }).array(), [3, 3]);
    assertThrows(
      () => t.tensor([[1, 2], [3]]),
      RangeError,
      "ragged: one along axis 1 has 1 elements, the first has 2",
    );
    assertThrows(
      () => t.tensor([1, 2, 3], { shape: [2, 2] }),
      RangeError,
      "3 values don't fill shape [2, 2]",
    );
    await assertRejects(() => x.item(), TypeError, "has 6 elements, not 1");
  });

  testOn("views share memory and see the right elements", async (cpu) => {
    const x = t.reshape(t.cast(t.arange(0, 24), "float"), [2, 3, 4]);
    const buffers = cpu.stats().liveBuffers;
    const turned = t.transpose(x, [2, 0, 1]);
    const row = t.select(t.slice(turned, [[3, 0, -2]]), 0, 1);
    const wide = t.expand(t.unsqueeze(row, 0), [2, 2, 3]);
    assertEquals(cpu.stats().liveBuffers, buffers, "a view copied");
    assertEquals(turned.shape, [4, 2, 3]);
    assertEquals(await row.array(), [[1, 5, 9], [13, 17, 21]]);
    assertEquals(await t.sum(wide, [0, 2]).array(), [30, 102]);
    assertEquals(await t.flip(row, 1).array(), [[9, 5, 1], [21, 17, 13]]);
    assertEquals(
      await t.reshape(t.transpose(row), [6]).array(),
      [1, 13, 5, 17, 9, 21],
    );
    assertThrows(
      () => t.reshape(x, [5, -1]),
      RangeError,
      "[2, 3, 4] has 24 elements, which don't fill [5, -1]",
    );
    assertThrows(
      () => t.transpose(x, [0, 0, 1]),
      RangeError,
      "[0, 0, 1] is no permutation",
    );
  });

  testOn("reshape keeps a view wherever strides allow it", (cpu) => {
    const x = t.zeros([2, 3, 4, 5]);
    const part = t.slice(x, [undefined, [0, 3, 2]]); // [2, 2, 4, 5], gaps in axis 1
    const buffers = cpu.stats().liveBuffers;
    assertEquals(t.reshape(part, [2, 2, 20]).strides, [60, 40, 1]);
    assertEquals(t.reshape(part, [2, 1, 2, 2, 10]).strides.at(-1), 1);
    assertEquals(
      t.reshape(t.expand(t.ones([1, 4]), [3, 4]), [3, 2, 2]).strides,
      [
        0,
        2,
        1,
      ],
    );
    assertEquals(cpu.stats().liveBuffers, buffers + 1);
    assertEquals(t.reshape(part, [4, 20]).strides, [20, 1]); // a copy
    assertEquals(cpu.stats().liveBuffers, buffers + 2);
  });

  testOn("integers stay integers among themselves", async () => {
    const a = t.tensor([7, -3], { dtype: "i32" });
    const sum = t.add(a, 1);
    assertEquals([sum.dtype, await sum.array()], ["i32", [8, -2]]);
    const half = t.mul(a, 0.5);
    assertEquals([half.dtype, await half.array()], ["f32", [3.5, -1.5]]);
    assertEquals(t.div(a, 2).dtype, "f32");
    assertEquals(await t.less(a, 0).array(), [false, true]);
    assertEquals(await t.cast(t.tensor([2.9, -2.9]), "int").array(), [2, -2]);
    const picked = t.where(t.less(a, 0), a, t.tensor([1, 2], { dtype: "i32" }));
    assertEquals([picked.dtype, await picked.array()], ["i32", [1, -3]]);
    assertEquals(await t.sum(t.less(a, 10)).item(), 2);
    assertEquals(await t.logicalAnd(t.tensor([true, true]), a).array(), [
      true,
      true,
    ]);
  });

  testOn("errors name the operation, the shapes and what was expected", () => {
    assertThrows(
      () => t.matmul(t.ones([4, 8]), t.ones([6, 2])),
      RangeError,
      "matmul: [4, 8] × [6, 2]: inner dimensions 8 and 6 differ",
    );
    assertThrows(
      () => t.add(t.ones([2, 3]), t.ones([4])),
      RangeError,
      "add: shapes [2, 3] and [4] don't broadcast: extents 3 and 4",
    );
    assertThrows(
      () => t.sum(t.ones([2]), 1),
      RangeError,
      "sum: axis 1 is outside -1 … 0",
    );
    assertThrows(
      () => t.take(t.ones([3]), t.tensor([0, 3], { dtype: "i32" })),
      RangeError,
      "take: index 3 at position 1 is outside 0 … 2",
    );
    assertThrows(
      () => t.crossEntropy(t.ones([1, 3]), t.tensor([3], { dtype: "i32" })),
      RangeError,
      "crossEntropy: label 3 of row 0 is outside 0 … 2",
    );
    assertThrows(
      () => t.einsum("ij,jk->ki", t.ones([2, 3]), t.ones([4, 5])),
      RangeError,
      "axis j has extents 3 and 4",
    );
    assertThrows(
      () => t.dropout(t.ones([2]), 1, t.randomKey(0)),
      RangeError,
      "probability 1 must be in [0, 1)",
    );
  });

  testOn("a fused formula is one kernel and broadcasts", async () => {
    const e = t.expression;
    const swishGate = t.fuse(
      "gate",
      (x, y, s) => e.mul(e.mul(x, e.sigmoid(x)), e.add(y, s)),
    );
    const result = swishGate(t.tensor([[1], [2]]), t.tensor([10, 20]), 0.5);
    const silu = (x: number): number => x / (1 + Math.exp(-x));
    const expected = [[10.5, 20.5], [10.5, 20.5]].map((row, i) =>
      row.map((y) => silu(i + 1) * y)
    ).flat();
    (await result.data()).forEach((x, i) =>
      assertAlmostEquals(x, expected[i], 1e-5)
    );
  });

  testOn("random numbers have the moments they should", async () => {
    const n = 40_000;
    const u = await t.uniform([n], t.randomKey(1), -1, 3).data();
    const mean = (x: ArrayLike<number>): number =>
      Array.from(x).reduce((a, b) => a + b, 0) / x.length;
    // Four standard errors of the mean of n such numbers.
    assertAlmostEquals(mean(u), 1, 4 * (4 / Math.sqrt(12)) / Math.sqrt(n));
    assert(u.every((x) => x >= -1 && x < 3));
    const z = await t.normal([n], t.randomKey(1, 2), 5, 2).data();
    assertAlmostEquals(mean(z), 5, 4 * 2 / Math.sqrt(n));
    const variance = mean(z.map((x) => (x - 5) ** 2));
    assertAlmostEquals(variance, 4, 4 * 4 * Math.sqrt(2 / n));
    const kept = await t.dropout(t.ones([n]), 0.25, t.randomKey(3)).data();
    assert(kept.every((x) => x === 0 || Math.abs(x - 4 / 3) < 1e-6));
    assertAlmostEquals(mean(kept), 1, 4 * Math.sqrt(1 / 3 / n));
    assertThrows(
      () => t.randomKey(-1),
      RangeError,
      "seed -1 must be an integer",
    );
  });

  testOn("einsum contracts, permutes and sums", async () => {
    const a = t.reshape(t.cast(t.arange(0, 6), "float"), [2, 3]);
    const b = t.reshape(t.cast(t.arange(0, 12), "float"), [3, 4]);
    assertEquals(
      await t.einsum("ij,jk->ki", a, b).array(),
      await t.transpose(t.matmul(a, b)).array(),
    );
    assertEquals(await t.einsum("ij->j", a).array(), [3, 5, 7]);
    assertEquals(await t.einsum("ij,ij->", a, a).item(), 55);
    assertEquals(await t.einsum("ij,kl->jl", a, b).array(), [
      [36, 45, 54, 63],
      [60, 75, 90, 105],
      [84, 105, 126, 147],
    ]);
  });

  testOn("assign writes in place, through views", async () => {
    const x = t.zeros([2, 2]);
    t.assign(t.slice(x, [undefined, [1, 2]]), t.tensor([[5], [6]]));
    assertEquals(await x.array(), [[0, 5], [0, 6]]);
    assertThrows(
      () => t.assign(x, t.ones([2])),
      RangeError,
      "can't put [2] f32 into [2, 2] f32",
    );
  });
}

Deno.test("both devices draw the same random numbers", async () => {
  const [reference, wasm] = [
    await t.device("reference"),
    await t.device("wasm", { threads: 1 }),
  ];
  const draw = (device: t.Device): Promise<t.TypedArray> =>
    t.uniform([1001], t.randomKey(7, 1, 2, 3), 0, 1, { device }).data();
  assertEquals(await draw(wasm), await draw(reference));
  const drop = (device: t.Device): Promise<t.TypedArray> => {
    const key = { seed: 3, streams: [[1, 2, 3], [4, 5, 6]] as const };
    return t.dropout(t.ones([2, 333], { device }), 0.5, key).data();
  };
  assertEquals(await drop(wasm), await drop(reference));
  reference.close();
  wasm.close();
});

Deno.test("scopes free what isn't handed out", async () => {
  const cpu = await t.device("reference");
  const kept = t.scope(() => {
    const x = t.ones([4]);
    const y = t.add(x, 1);
    return { result: t.mul(y, 2), note: "any value", list: [t.neg(y)] };
  });
  assertEquals(cpu.stats().liveBuffers, 2);
  assertEquals(await kept.result.array(), [4, 4, 4, 4]);
  {
    using scope = cpu.scope();
    const inner = t.add(kept.result, 1);
    scope.keep(inner);
    t.exp(inner);
  }
  assertEquals(cpu.stats().liveBuffers, 3);
  // The scope of a view that is handed out keeps the memory, not the handle.
  const view = t.scope(() => t.slice(t.ones([4]), [[1, 3]]));
  assertEquals(await view.array(), [1, 1]);
  assertThrows(() => t.scope(async () => {}), TypeError, "is async");
  assertEquals(cpu.stats().peakBytes >= cpu.stats().liveBytes, true);
  cpu.close();
});

Deno.test("use after free names what was freed", async () => {
  const cpu = await t.device("reference", { debug: true });
  const x = t.matmul(t.ones([2, 2]), t.ones([2, 2]));
  x.dispose();
  const error = assertThrows(() => t.add(x, 1), ReferenceError);
  assertStringIncludes(error.message, "tensor [2, 2] made by matmul at ");
  assertStringIncludes(error.message, "tensor_test.ts");
  assertStringIncludes(error.message, "was used after it was freed");
  x.dispose(); // twice is allowed
  const [ones] = cpu.liveTensors();
  assertEquals([ones.origin, ones.count, ones.bytes], ["full", 1, 16]);
  assertStringIncludes(ones.site ?? "", "tensor_test.ts");
  cpu.close();
});

Deno.test("tensors print themselves", async () => {
  const cpu = await t.device("reference");
  const x = t.tensor([[1, -2.5], [1000, 0]]);
  assertEquals(
    x.toString(),
    "Tensor [2, 2] f32 on reference\n" +
      "[[   1.0000,   -2.5000],\n [1000.0000,    0.0000]]",
  );
  assertEquals(Deno.inspect(x), x.toString());
  assertStringIncludes(
    t.arange(0, 1000).toString(),
    "[  0,   1,   2, …, 997, 998, 999]",
  );
  assertStringIncludes(t.tensor([true]).toString(), "[true]");
  assertStringIncludes(t.tensor([1e-9]).toString(), "1.0000e-9");
  x.dispose();
  assertStringIncludes(x.toString(), "(freed)");
  cpu.close();
});

Deno.test("devices: defaults, names, trees", async () => {
  assertThrows(() => t.ones([1]), Error, 'call `await device("wasm")`');
  const cpu = await t.device("reference");
  const double = await t.device("reference", { dtype: "f64" });
  assertEquals(t.ones([1]).device, cpu);
  t.setDefaultDevice(double);
  assertEquals(t.ones([1]).dtype, "f64");
  const unknown = "gpu" as t.DeviceName; // what a JavaScript user may write
  await assertRejects(() => t.device(unknown), RangeError, 'no device "gpu"');
  const tree = { a: t.ones([1]), b: [t.zeros([2]), { c: t.ones([3]) }] };
  assertEquals(t.namedLeaves(tree).map(([name]) => name), [
    "a",
    "b.0",
    "b.1.c",
  ]);
  assertThrows(
    () => t.mapTree((x, y) => t.add(x, y), tree, { a: t.ones([1]) }),
    TypeError,
    "trees of 3 and 1 tensors differ",
  );
  double.close();
  cpu.close();
});
