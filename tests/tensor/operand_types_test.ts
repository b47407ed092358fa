import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import * as t from "../../tensor/mod.ts";
import { gpuMissing } from "./webgpu_subject.ts";

/** Applies an operation to the operand that is wrong. */
type Run = (x: t.Tensor) => unknown;

/** What takes real numbers alone, by name, and that operand's shape. */
function takersOfReals(device: t.Device): [string, number[], Run][] {
  const real = (...shape: number[]): t.Tensor => t.ones(shape, { device });
  const labels = t.tensor(new Int32Array([0, 1]), { device });
  return [
    ["matmul", [2, 3], (x) => t.matmul(x, real(3, 2))],
    ["matmul", [3, 2], (x) => t.matmul(real(2, 3), x)],
    ["matmul", [2, 2], (x) => t.matmul(x, x, { transposeA: true })],
    ["matmul", [3], (x) => t.matmul(real(2, 3), x)],
    [
      "matmul",
      [2, 4],
      (residual) => t.matmul(real(2, 3), real(3, 4), { residual }),
    ],
    ["linear", [2, 3], (x) => t.linear(x, real(3, 4))],
    ["linear", [3, 4], (weight) => t.linear(real(2, 3), weight)],
    ["linear", [4], (bias) => t.linear(real(2, 3), real(3, 4), bias)],
    ["einsum", [2, 3], (x) => t.einsum("ij,jk->ik", x, real(3, 2))],
    ["einsum", [3, 2], (x) => t.einsum("ij,jk->ik", real(2, 3), x)],
    ["conv2d", [1, 1, 4, 4], (x) => t.conv2d(x, real(1, 1, 2, 2))],
    ["conv2d", [1, 1, 2, 2], (weight) => t.conv2d(real(1, 1, 4, 4), weight)],
    [
      "conv2d",
      [1],
      (bias) => t.conv2d(real(1, 1, 4, 4), real(1, 1, 2, 2), bias),
    ],
    ["softmax", [2, 4], (x) => t.softmax(x)],
    ["softmax", [2, 4], (x) => t.softmax(x, 0)],
    ["layerNorm", [2, 4], (x) => t.layerNorm(x)],
    ["layerNorm", [4], (weight) => t.layerNorm(real(2, 4), weight, real(4))],
    ["layerNorm", [4], (bias) => t.layerNorm(real(2, 4), real(4), bias)],
    [
      "attention",
      [1, 1, 2, 4],
      (x) => t.attention(x, real(1, 1, 2, 4), real(1, 1, 2, 4)),
    ],
    [
      "attention",
      [1, 1, 2, 4],
      (x) => t.attention(real(1, 1, 2, 4), real(1, 1, 2, 4), x),
    ],
    [
      "attention",
      [2, 2],
      (bias) =>
        t.attention(real(1, 1, 2, 4), real(1, 1, 2, 4), real(1, 1, 2, 4), {
          bias,
        }),
    ],
    ["selfAttention", [1, 2, 12], (x) => t.selfAttention(x, 1)],
    ["crossEntropy", [2, 4], (logits) => t.crossEntropy(logits, labels)],
    ["dropout", [2, 4], (x) => t.dropout(x, 0.5, t.randomKey(1))],
    ["meanSquaredError", [4], (x) => t.meanSquaredError(x, real(4))],
    ["meanSquaredError", [4], (x) => t.meanSquaredError(real(4), x)],
    ["variance", [4], (x) => t.variance(x)],
  ];
}

for (const name of ["reference", "wasm", "webgpu"] as const) {
  const open = (): Promise<t.Device> =>
    name === "wasm" ? t.device(name, { threads: 1 }) : t.device(name);

  Deno.test({
    name: `${name}: operations on real numbers refuse others, and go on`,
    ignore: name === "webgpu" && gpuMissing,
    fn: async () => {
      const device = await open();
      for (const dtype of ["i32", "bool"] as const) {
        for (const [operation, shape, run] of takersOfReals(device)) {
          const x = t.ones(shape, { device, dtype });
          assertThrows(
            () => run(x),
            TypeError,
            `${operation}: needs real numbers, not ${dtype} ` +
              `[${shape.join(", ")}]; use cast(x, "float")`,
          );
        }
      }
      const mask = t.tensor([[true, true], [false, true]], { device });
      const weight = t.tensor([[1, 2], [3, 4]], { device });
      const product = t.matmul(t.cast(mask, "float"), weight);
      assertEquals(await product.array(), [[4, 6], [3, 4]]);
      device.close();
    },
  });

  Deno.test({
    name: `${name}: truth values have no running sums and no order`,
    ignore: name === "webgpu" && gpuMissing,
    fn: async () => {
      const device = await open();
      const mask = t.tensor([[true, false], [true, true]], { device });
      const cases: [string, () => unknown][] = [
        ["cumsum", () => t.cumsum(mask, 1)],
        ["argmax", () => t.argmax(mask)],
        ["topk", () => t.topk(mask, 1)],
      ];
      for (const [operation, run] of cases) {
        assertThrows(
          run,
          TypeError,
          `${operation}: needs numbers, not bool [2, 2]; use cast(x, `,
        );
      }
      const sums = t.cumsum(t.cast(mask, "int"), 1);
      assertEquals(await sums.array(), [[1, 1], [1, 2]]);
      device.close();
    },
  });

  Deno.test({
    name: `${name}: labels must be i32, masks of attention bool`,
    ignore: name === "webgpu" && gpuMissing,
    fn: async () => {
      const device = await open();
      const x = t.ones([1, 1, 2, 2], { device });
      const keep = t.ones([2, 2], { device });
      const message = "keep must be bool, not f";
      assertStringIncludes(
        assertThrows(() => t.attention(x, x, x, { keep }), TypeError).message,
        `attention: ${message}`,
      );
      const packed = t.ones([1, 2, 6], { device });
      assertStringIncludes(
        assertThrows(() => t.selfAttention(packed, 1, { keep }), TypeError)
          .message,
        `selfAttention: ${message}`,
      );
      const [logits, labels] = [keep, t.ones([2], { device })];
      assertThrows(
        () => t.crossEntropy(logits, labels),
        TypeError,
        "crossEntropy: labels must be i32 classes, not f",
      );
      assertThrows(
        () => t.embedding(logits, labels),
        TypeError,
        "take: indices must be i32, not f",
      );
      device.close();
    },
  });

  Deno.test({
    name: `${name}: what isn't 0 is true, NaN included`,
    ignore: name === "webgpu" && gpuMissing,
    fn: async () => {
      const device = await open();
      const values = [NaN, 0, -0, 2 ** -20, -Infinity, -1, NaN];
      const truths = [true, false, false, true, true, true, true];
      // One at a time, and four at a time with some left over.
      for (const length of [1, 7]) {
        const x = t.tensor(values.slice(0, length), { device });
        const expected = truths.slice(0, length);
        assertEquals(await t.cast(x, "bool").array(), expected);
        if (!device.halves) continue;
        const halves = t.cast(x, "f16");
        assertEquals(await t.cast(halves, "bool").array(), expected);
      }
      device.close();
    },
  });

  Deno.test({
    name: `${name}: reversed views without elements are like others`,
    ignore: name === "webgpu" && gpuMissing,
    fn: async () => {
      const device = await open();
      const empty = t.flip(t.zeros([2, 0], { device }), 1);
      assertEquals((await empty.data()).length, 0);
      assertEquals(await t.sum(empty).item(), 0);
      assertEquals(await t.sum(empty, 1).array(), [0, 0]);
      assertEquals(await t.add(empty, 1).array(), [[], []]);
      const product = t.matmul(empty, t.ones([0, 3], { device }));
      assertEquals(await product.array(), [[0, 0, 0], [0, 0, 0]]);
      device.close();
    },
  });
}

Deno.test({
  name: "webgpu: normal numbers that can't be bound whole are the same",
  ignore: gpuMissing,
  fn: async () => {
    const whole = await t.device("webgpu");
    const parts = await t.device("webgpu", { gpu: { bindingLimit: 16384 } });
    const key = t.randomKey(5, 1);
    for (const shape of [[3], [70, 131], [20001]]) {
      const [expected, found] = await Promise.all(
        [whole, parts].map((device) =>
          t.normal(shape, key, 1, 2, { device }).data()
        ),
      );
      assertEquals(found, expected);
    }
    whole.close();
    parts.close();
  },
});
