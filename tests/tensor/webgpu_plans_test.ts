/**
 * Kernels remember how a launch was planned: the same computations again, with
 * other values, places in memory, factors and operands, are as right.
 */

import { assertEquals } from "@std/assert";
import * as t from "../../tensor/mod.ts";
import { gpuMissing } from "./webgpu_subject.ts";

type Computation = () => t.Tensor;

/** The results of two rounds on a device, all computed before any is read. */
async function twice(
  name: "webgpu" | "reference",
  computations: (round: number) => readonly Computation[],
): Promise<number[][]> {
  const device = await t.device(name);
  t.setDefaultDevice(device);
  try {
    using _scope = device.scope();
    const results = [1, 2].flatMap((round) =>
      computations(round).map((compute) => compute())
    );
    const values = await Promise.all(results.map((x) => x.data()));
    return values.map((list) => [...list]);
  } finally {
    device.close();
  }
}

/** Whole numbers, with which f32 computes exactly in any order. */
function integers(shape: readonly number[], seed: number): t.Tensor {
  return t.floor(t.uniform(shape, t.randomKey(seed), -8, 8));
}

function check(
  name: string,
  computations: (round: number) => readonly Computation[],
): void {
  Deno.test({
    name: `webgpu, again and again: ${name}`,
    ignore: gpuMissing,
    fn: async () => {
      const expected = await twice("reference", computations);
      assertEquals(await twice("webgpu", computations), expected);
    },
  });
}

check("views that begin anywhere", (round) => {
  const x = integers([40, 8], round);
  const flat = t.reshape(x, [320]);
  return [0, 1, 2, 4, 7, 8].flatMap((from) => {
    const part = t.slice(flat, [[from, from + 64]]);
    const rows = t.reshape(part, [8, 8]);
    return [
      () => t.add(part, 1),
      () => t.add(rows, part.shape[0] === 64 ? round : 0),
      () => t.sum(rows, 0),
      () => t.sum(rows, 1),
      () => t.matmul(rows, rows),
    ];
  });
});

check("transposed and repeated operands of one shape", (round) => {
  const x = integers([8, 8], round);
  const row = integers([1, 8], round + 10);
  return [x, t.transpose(x), t.expand(row, [8, 8])].flatMap((y) => [
    () => t.mul(x, y),
    () => t.matmul(x, y),
    () => t.matmul(y, x),
    () => t.max(y, 0),
    () => t.min(y, 0),
    () => t.sum(y, 0),
  ]);
});

check("products with other factors and additions", (round) => {
  const [a, b, residual] = [1, 2, 3].map((k) => integers([8, 8], round * k));
  const bias = integers([8], round + 20);
  return [1, 2, -1].flatMap((alpha) => [
    () => t.matmul(a, b, { alpha }),
    () => t.matmul(a, b, { alpha, bias }),
    () => t.matmul(a, b, { alpha, residual }),
    () => t.matmul(a, b, { alpha, bias, residual }),
  ]);
});

check("one column or one row", (round) => {
  const a = integers([6, 4], round);
  const b = integers([4, 1], round + 1);
  return [
    () => t.matmul(a, b),
    () => t.matmul(t.transpose(b), t.transpose(a)),
  ];
});

check("sums in pieces, and of nothing", (round) => {
  const x = integers([3, 40_000], round);
  return [
    () => t.sum(x),
    () => t.sum(x, 1),
    () => t.sum(integers([0, 5], 1), 0),
    () => t.max(x, 1),
  ];
});

check(
  "more shapes than are remembered",
  (round) =>
    Array.from({ length: 80 }, (_, i) => () => {
      const x = integers([i + 1, 3], round + i);
      return t.sum(t.add(t.matmul(x, t.transpose(x)), round), 0);
    }),
);
