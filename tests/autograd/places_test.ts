/** Cotangents that are written where they are wanted. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import { vjp } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";

type Parameters = { readonly [name: string]: t.Tensor };

/** Functions of a state and parameters, each another way for a cotangent. */
const functions: Record<
  string,
  (x: t.Tensor, parameters: Parameters) => t.Tensor
> = {
  "a linear layer": (x, { weight, bias }) => t.linear(x, weight, bias),
  "a linear layer with a factor and a residual": (x, { weight, bias }) =>
    t.linear(x, weight, bias, { alpha: 0.5, residual: x }),
  "a transposed weight": (x, { weight, bias }) =>
    t.add(t.matmul(x, weight, { transposeB: true }), bias),
  "a weight used twice": (x, { weight, bias }) =>
    t.linear(t.linear(x, weight, bias), weight, bias),
  "layer normalization": (x, { bias, scale }) => t.layerNorm(x, scale, bias),
  "reshaped twice": (x, { weight, bias }) =>
    t.matmul(x, t.reshape(t.reshape(weight, [16]), [4, 4]), {
      bias: t.reshape(bias, [1, 4]),
    }),
  "a parameter that is the value": (_, { weight }) => weight,
  "elementwise": (x, { bias, scale }) => t.mul(t.add(x, bias), scale),
};

function parameters(): Parameters {
  return {
    weight: t.normal([4, 4], t.randomKey(1)),
    bias: t.normal([4], t.randomKey(2)),
    scale: t.normal([4], t.randomKey(3)),
    unused: t.normal([2, 3], t.randomKey(4)),
  };
}

async function assertClose(
  actual: t.Tensor,
  expected: t.Tensor,
): Promise<void> {
  const [a, b] = [await actual.data(), await expected.data()];
  assertEquals(a.length, b.length);
  // f64: rounding of sums in another order.
  a.forEach((x, i) => assertAlmostEquals(x, b[i], 1e-12));
}

for (const [name, f] of Object.entries(functions)) {
  Deno.test(`cotangents in their places: ${name}`, async () => {
    const cpu = await t.device("reference", { dtype: "f64" });
    {
      using _scope = cpu.scope();
      const given = parameters();
      const x = t.normal([2, 3, 4], t.randomKey(5));
      const { value, pullback } = vjp(f, x, given);
      const cotangent = t.normal(value.shape, t.randomKey(6));
      const [dx, expected] = pullback(cotangent);
      // Rows of stacked gradients, full of something else before.
      const stacked = t.mapTree((p) => t.full([3, ...p.shape], NaN), given);
      const places = t.mapTree((p) => t.select(p, 0, 1), stacked);
      const [state, found] = vjp(f, x, given).pullback
        .into(cotangent, [undefined, places]);
      await assertClose(state, dx);
      for (const path of Object.keys(given)) {
        assert(found[path] === places[path]);
        await assertClose(t.select(stacked[path], 0, 1), expected[path]);
        for (const other of [0, 2]) {
          const values = await t.select(stacked[path], 0, other).data();
          assert(values.every(Number.isNaN), `${path} ${other} was written to`);
        }
      }
    }
    assertEquals(cpu.stats().liveBuffers, 0);
    cpu.close();
  });
}

Deno.test("every second layer of a stack is written in place", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  using _scope = cpu.scope();
  const everySecond = (x: t.Tensor): t.Tensor => t.slice(x, [[1, 6, 2]]);
  const f = (x: t.Tensor, { weight, bias, scale }: Parameters): t.Tensor =>
    t.linear(t.layerNorm(x, scale, bias), weight, bias);
  const layers = {
    weight: t.normal([6, 4, 4], t.randomKey(1)),
    bias: t.normal([6, 4], t.randomKey(2)),
    scale: t.normal([6, 4], t.randomKey(3)),
  };
  const row = t.mapTree(everySecond, layers);
  const x = t.normal([3, 2, 5, 4], t.randomKey(5));
  const { value, pullback } = vjp(f, x, row);
  const cotangent = t.normal(value.shape, t.randomKey(6));
  const [, expected] = pullback(cotangent);
  const gradient = t.mapTree(t.zerosLike, layers);
  const places = t.mapTree(everySecond, gradient);
  vjp(f, x, row).pullback.into(cotangent, [undefined, places]);
  for (const path of Object.keys(layers) as (keyof typeof layers)[]) {
    await assertClose(everySecond(gradient[path]), expected[path]);
    const others = await t.slice(gradient[path], [[0, 6, 2]]).data();
    assert(others.every((x) => x === 0), path);
  }
  cpu.close();
});

Deno.test("places save the copies of parameters' gradients", async () => {
  const cpu = await t.device("reference");
  using _scope = cpu.scope();
  const f = (x: t.Tensor, { weight, bias, scale }: Parameters): t.Tensor =>
    t.linear(t.layerNorm(x, scale, scale), weight, bias);
  const { unused: _, ...given } = parameters();
  const x = t.normal([2, 4], t.randomKey(5));
  const launches = (run: (f: ReturnType<typeof make>) => void): number => {
    const made = make();
    const before = cpu.launches;
    run(made);
    return cpu.launches - before;
  };
  const make = () => vjp(f, x, given).pullback;
  const cotangent = t.ones([2, 4]);
  const places = t.mapTree(t.zerosLike, given);
  assertEquals(
    launches((pullback) => pullback.into(cotangent, [undefined, places])),
    launches((pullback) => pullback(cotangent)) + 1, // scale is read twice
  );
  cpu.close();
});

Deno.test("a part as large as the whole needs no zeros", async () => {
  const cpu = await t.device("reference");
  using _scope = cpu.scope();
  const x = t.tensor([[1, 2, 3], [4, 5, 6]]);
  const factors = t.tensor([[1, 2, 4], [8, 16, 32]]);
  const swap = t.tensor([1, 0], { dtype: "i32" });
  const there = t.tensor([[2, 0, 1], [0, 0, 0]], { dtype: "i32" });
  const cases: [(x: t.Tensor) => t.Tensor, number[][]][] = [
    [(x) => t.slice(x, [[0, 2]]), [[1, 2, 4], [8, 16, 32]]],
    [(x) => t.flip(x, 1), [[4, 2, 1], [32, 16, 8]]],
    [(x) => t.take(x, swap), [[8, 16, 32], [1, 2, 4]]],
    [(x) => t.gather(x, there, 1), [[2, 4, 1], [56, 0, 0]]],
  ];
  for (const [part, expected] of cases) {
    const { pullback } = vjp(part, x);
    assertEquals(await pullback(factors)[0].array(), expected);
  }
  const { pullback } = vjp(cases[0][0], x);
  const { launches } = cpu;
  pullback(factors);
  assertEquals(cpu.launches, launches);
  cpu.close();
});

Deno.test("places that don't fit are refused", async () => {
  const cpu = await t.device("reference");
  using _scope = cpu.scope();
  using pullback = vjp(t.square, t.ones([2])).pullback;
  const error = assertThrows(
    () => pullback.into(t.ones([2]), [t.zeros([3])]),
    RangeError,
  );
  assertEquals(
    error.message,
    "pullback.into: places [3] must have the input's shapes [2], and its " +
      "dtype and device",
  );
  cpu.close();
});
