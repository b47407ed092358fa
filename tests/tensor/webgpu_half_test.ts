import { assert, assertEquals, assertThrows } from "@std/assert";
import { vjp } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";
import { halfBits, halfValue } from "../../tensor/webgpu/host_values.ts";
import { gpuMissing } from "./webgpu_subject.ts";

/** Half an ulp of 16-bit numbers, relative. */
const half = 2 ** -11;

const gpu = gpuMissing ? undefined : await t.device("webgpu");
const halvesMissing = !gpu?.halves;

function normal(shape: number[], stream: number): t.Tensor {
  return t.normal(shape, t.randomKey(7, stream), 0, 1, { device: gpu });
}

/** ‖a − b‖ / ‖b‖, 0 where both are 0 */
async function distance(a: t.Tensor, b: t.Tensor): Promise<number> {
  const [x, y] = await Promise.all([a.data(), b.data()]);
  assertEquals(x.length, y.length);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    difference += (x[i] - y[i]) ** 2;
    norm += y[i] ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

Deno.test("cast: a device without 16-bit numbers says so", async () => {
  const cpu = await t.device("reference");
  const error = assertThrows(
    () => t.cast(t.ones([2], { device: cpu }), "f16"),
    TypeError,
    'cast: the device "reference"',
  );
  assert(error.message.includes("stores no f16"));
  cpu.close();
});

Deno.test({
  name: "f16: what is made of 16-bit numbers is one, what meets others isn't",
  ignore: halvesMissing,
  fn: async () => {
    const x = normal([4, 6], 0);
    const h = t.cast(x, "f16");
    assertEquals(h.dtype, "f16");
    assert(t.cast(h, "f16") === h);
    assertEquals(t.cast(h, "float").dtype, "f32");
    assertEquals(t.cast(h, "int").dtype, "i32");
    assertEquals(t.add(h, h).dtype, "f16");
    assertEquals(t.mul(h, 2).dtype, "f16");
    assertEquals(t.add(h, x).dtype, "f32");
    assertEquals(t.sum(h).dtype, "f32");
    assertEquals(t.transpose(h).dtype, "f16");
    const w = t.cast(normal([6, 3], 1), "f16");
    assertEquals(t.matmul(h, w).dtype, "f16");
    assertEquals(t.matmul(x, w).dtype, "f32");
    assertEquals(t.linear(x, w).dtype, "f16");
    const residual = normal([4, 3], 2);
    assertEquals(t.linear(x, w, undefined, { residual }).dtype, "f32");
    const stored = t.tensor([1.5, 1e-7, 65504], { dtype: "f16", device: gpu });
    assertEquals(stored.dtype, "f16");
    assertEquals(await stored.array(), [1.5, 2 ** -23, 65504]);
    // A byte count that is odd: no neighbour is harmed.
    assertEquals(stored.storage.bytes, 6);
  },
});

const operations: Record<string, (x: t.Tensor, w: t.Tensor) => t.Tensor> = {
  "elementwise": (x) => t.gelu(t.mul(x, 0.5)),
  "matmul": (x, w) => t.matmul(x, w),
  "softmax": (x) => t.softmax(x),
  "layerNorm": (x) => t.layerNorm(x),
  "selfAttention": (x) => t.selfAttention(t.reshape(x, [1, 64, 48]), 2),
  "crossEntropy": (x) =>
    t.crossEntropy(x, t.full([64], 3, { dtype: "i32", device: gpu })),
  "strided": (x) => t.mul(t.slice(t.transpose(x), [[1, 48, 3]]), 3),
};

for (const [name, operation] of Object.entries(operations)) {
  Deno.test({
    name: `f16: ${name} computes in f32 and rounds what it stores`,
    ignore: halvesMissing,
    fn: async () => {
      // The very numbers that 16 bits hold, so that only results are rounded.
      const x = t.cast(t.cast(normal([64, 48], 3), "f16"), "float");
      const w = t.cast(t.cast(normal([48, 32], 4), "f16"), "float");
      const halves = [x, w].map((y) => t.cast(y, "f16")) as [
        t.Tensor,
        t.Tensor,
      ];
      const exact = vjp(operation, x, w);
      const rounded = vjp(operation, ...halves);
      // One rounding of each element.
      assert(await distance(rounded.value, exact.value) < half);
      const cotangent = normal([...exact.value.shape], 5);
      const expected = exact.pullback(cotangent);
      const found = rounded.pullback(t.cast(cotangent, "f16"));
      for (const [i, gradient] of found.entries()) {
        // Cotangents and saved results are rounded once more on the way.
        assert(await distance(gradient, expected[i]) < 4 * half, `${i}`);
      }
    },
  });
}

Deno.test("webgpu: 16-bit numbers are rounded to nearest, halves to even", () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = halfValue(bits);
    if (Number.isNaN(value)) assert(Number.isNaN(halfValue(halfBits(value))));
    else assertEquals(halfBits(value), bits);
  }
  // Between two neighbours, and on the way to infinity.
  const cases: [number, number][] = [
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
    [65519, 65504],
    [65520, Infinity],
    [-1e9, -Infinity],
    [2 ** -25, 0],
    [3 * 2 ** -26, 2 ** -24],
    [2 ** -24 * 1.5, 2 ** -23],
    [2 ** -14 - 2 ** -26, 2 ** -14],
  ];
  for (const [value, rounded] of cases) {
    assertEquals(halfValue(halfBits(value)), rounded, `${value}`);
  }
});
