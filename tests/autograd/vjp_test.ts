import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  checkpoint,
  customVjp,
  evaluate,
  grad,
  gradCheck,
  stopGradient,
  valueAndGrad,
  vjp,
} from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";
import { testLeakFree } from "../leak_free.ts";

/** A test on the f64 reference device. */
function testOnReference(
  name: string,
  fn: (cpu: t.Device) => void | Promise<void>,
): void {
  testLeakFree(name, () => t.device("reference", { dtype: "f64" }), fn);
}

testOnReference("gradients have the structure of the argument", async () => {
  const parameters = {
    a: t.tensor([1, 2]),
    list: [t.tensor([3, 4]), { deep: t.tensor([5, 6]) }] as const,
  };
  const gradient = grad((p: typeof parameters) =>
    t.sum(t.mul(t.mul(p.a, p.list[0]), p.list[1].deep))
  )(parameters);
  assertEquals(await gradient.a.array(), [15, 24]);
  assertEquals(await gradient.list[0].array(), [5, 12]);
  assertEquals(await gradient.list[1].deep.array(), [3, 8]);
});

testOnReference("an input that doesn't matter has gradient zero", async () => {
  const gradient = grad(({ x }: Record<string, t.Tensor>) => t.sum(x))({
    x: t.tensor([1, 2]),
    unused: t.tensor([[1], [2]]),
  });
  assertEquals(await gradient.unused.array(), [[0], [0]]);
});

testOnReference(
  "captured tensors are constants, even the argument",
  async () => {
    const x = t.tensor([3]);
    const gradient = grad((y: t.Tensor) => t.sum(t.mul(x, y)))(x);
    assertEquals(await gradient.item(), 3);
  },
);

testOnReference("gradients of gradients", async () => {
  const f = (x: t.Tensor): t.Tensor => t.sum(t.mul(t.sin(x), t.exp(x)));
  const x = t.tensor([0.3]);
  const third = grad((y: t.Tensor) =>
    t.sum(grad((z: t.Tensor) => t.sum(grad(f)(z)))(y))
  )(x);
  // (sin x eˣ)‴ = 2 eˣ (cos x − sin x)
  assertAlmostEquals(
    await third.item(),
    2 * Math.exp(0.3) * (Math.cos(0.3) - Math.sin(0.3)),
    1e-12,
  );
});

testOnReference(
  "gradients of gradients through families of rules",
  async () => {
    const w = t.normal([4, 4], t.randomKey(1));
    const b = t.normal([4], t.randomKey(2));
    const networks: Record<string, (x: t.Tensor) => t.Tensor> = {
      matmul: (x) => t.matmul(t.tanh(t.matmul(x, w)), w),
      softmax: (x) => t.softmax(t.matmul(x, w)),
      layerNorm: (x) => t.layerNorm(x, b, b),
      "layerNorm of a stack": (x) =>
        t.layerNorm(
          t.reshape(x, [3, 1, 4]),
          t.slice(w, [[0, 3]]),
          t.slice(t.flip(w, 1), [[1, 4]]), // strided, so copied for the kernel
        ),
      slice: (x) => t.square(t.slice(x, [[2, -4, -1], [0, 4, 3]])),
      take: (x) => t.square(t.take(x, t.tensor([1, 1, 2], { dtype: "i32" }))),
      gather: (x) =>
        t.square(t.gather(x, t.tensor([[0, 2]], { dtype: "i32" }), 1)),
      reductions: (x) => t.mul(t.variance(x, 0), t.logSumExp(x, 0)),
      concat: (x) => t.square(t.concat([x, t.flip(x, 0)], 1)),
      cumsum: (x) => t.square(t.cumsum(x, 0)),
      split: (x) => t.mul(t.split(x, [1, 2])[0], t.split(x, [1, 2])[1]),
      pad: (x) => t.exp(t.pad(x, [[1, 0], [0, 2]])),
      conv2d: (x) =>
        t.square(t.conv2d(t.reshape(x, [1, 1, 3, 4]), t.ones([1, 1, 2, 2]))),
    };
    for (const [name, network] of Object.entries(networks)) {
      const energy = (x: t.Tensor): t.Tensor =>
        t.sum(t.square(grad((y: t.Tensor) => t.sum(t.sin(network(y))))(x)));
      const off = await gradCheck(energy, t.normal([3, 4], t.randomKey(3)), {
        step: 1e-5,
        tolerance: 1e-5,
      });
      assert(off > 0, `${name}: nothing was compared`);
    }
  },
);

testOnReference("second derivatives through fused kernels are refused", () => {
  const x = t.normal([1, 2, 3, 4], t.randomKey(1));
  const f = (y: t.Tensor): t.Tensor => t.sum(t.attention(y, y, y));
  assertThrows(
    () => grad((y: t.Tensor) => t.sum(t.square(grad(f)(y))))(x),
    TypeError,
    "attentionBackward has no gradient rule",
  );
});

testOnReference(
  "gradCheck finds a wrong gradient and names the element",
  async () => {
    const wrong = (x: t.Tensor): t.Tensor =>
      t.sum(customVjp("wrong", (y: t.Tensor) => ({
        value: t.square(y),
        pullback: (dy: t.Tensor) => t.mul(dy, y),
      }), x));
    await assertRejects(
      () => gradCheck(({ x }) => wrong(x), { x: t.tensor([0, 3]) }),
      Error,
      "element 1 of x: gradient 3, central difference 6",
    );
  },
);

testOnReference("a function may bring its own pullback", async () => {
  let released = 0;
  const clipped = (x: t.Tensor): t.Tensor =>
    customVjp("clip gradient", (y: t.Tensor, needed) => ({
      value: t.mul(y, needed ? 2 : 1),
      pullback: (dy: t.Tensor) => t.clamp(dy, -1, 1),
      release: () => released++,
    }), x);
  const x = t.tensor([1, 2]);
  const weights = t.tensor([0.5, 7]);
  const gradient = grad((y: t.Tensor) => t.sum(t.mul(clipped(y), weights)))(x);
  assertEquals(await gradient.array(), [0.5, 1]);
  assertEquals(await evaluate(() => clipped(x)).array(), [1, 2]);
  assertEquals(released, 2);
});

testOnReference(
  "checkpoint computes again and gives the same gradient",
  async () => {
    let calls = 0;
    const f = (x: t.Tensor, w: t.Tensor): t.Tensor => {
      calls++;
      return t.tanh(t.matmul(x, w));
    };
    const inputs = [
      t.normal([2, 3], t.randomKey(1)),
      t.normal([3, 3], t.randomKey(2)),
    ] as const;
    const run = (g: typeof f): Promise<unknown[]> =>
      Promise.all(
        grad((xs: typeof inputs) => t.sum(t.square(g(...xs))))(inputs)
          .map((x) => x.array()),
      );
    assertEquals(await run(checkpoint(f)), await run(f));
    assertEquals(calls, 3);
    await gradCheck(
      (x: t.Tensor) =>
        t.sum(t.square(
          grad((y: t.Tensor) => t.sum(checkpoint(f)(y, inputs[1])))(x),
        )),
      inputs[0],
      { step: 1e-5, tolerance: 1e-5 },
    );
  },
);

testOnReference("no gradient flows through stopGradient", async () => {
  const gradient = grad((x: t.Tensor) => t.sum(t.mul(x, stopGradient(x))))(
    t.tensor([3]),
  );
  assertEquals(await gradient.item(), 3);
});

testOnReference("a pullback runs once, on cotangents that fit", () => {
  const { pullback } = vjp(t.square, t.tensor([1, 2]));
  assertThrows(
    () => pullback(t.ones([3])),
    RangeError,
    "must have the value's shapes [2], not [3]",
  );
  pullback(t.ones([2]));
  assertThrows(() => pullback(t.ones([2])), ReferenceError, "call vjp again");
  assertThrows(
    () => valueAndGrad((x: t.Tensor) => x)(t.ones([2])),
    RangeError,
    "must return one element, not [2]",
  );
  assertThrows(
    () => vjp((x: t.Tensor) => x, t.tensor([1], { dtype: "i32" })),
    TypeError,
    "an input [1] is i32",
  );
});

testOnReference("disposing a pullback frees what it holds", (cpu) => {
  const x = t.ones([8]);
  const before = cpu.stats().liveBuffers;
  const { value, pullback } = vjp((y: t.Tensor) => t.exp(t.sin(y)), x);
  value.dispose();
  assert(cpu.stats().liveBuffers > before);
  pullback[Symbol.dispose]();
  assertEquals(cpu.stats().liveBuffers, before);
});

Deno.test("a loop of gradients leaves nothing behind, without any dispose", async () => {
  const cpu = await t.device("reference");
  const w = t.normal([16, 16], t.randomKey(1));
  const x = t.normal([4, 16], t.randomKey(2));
  const loss = valueAndGrad((p: t.Tensor) =>
    t.mean(t.square(t.gelu(t.layerNorm(t.matmul(x, p)))))
  );
  const losses: t.Tensor[] = [];
  let live: t.DeviceStats | undefined;
  for (let step = 0; step < 20; step++) {
    const { value, gradient } = loss(w);
    losses.push(value);
    gradient.dispose(); // what an optimizer's update does
    live ??= cpu.stats();
  }
  assertEquals(cpu.stats(), live);
  assertEquals(cpu.stats().liveBuffers, 2);
  assertEquals(await losses[0].item(), await losses[19].item());
  // A loss at rest on the host can still be computed with.
  assert(await t.mul(losses[0], 2).item() > 0);
  cpu.close();
});

Deno.test("a pullback's first input alone, as often as wanted", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  {
    using _scope = cpu.scope();
    const x = t.normal([3, 4], t.randomKey(0));
    const weight = t.normal([4, 4], t.randomKey(1));
    const f = (x: t.Tensor, weight: t.Tensor): t.Tensor =>
      t.add(x, t.tanh(t.matmul(t.mul(x, 2), t.square(weight))));
    const { pullback } = vjp(f, x, weight);
    const cotangents = [2, 3].map((seed) =>
      t.normal([3, 4], t.randomKey(seed))
    );
    const { launches } = cpu;
    const alone = cotangents.map((w) => pullback.first(w));
    const perCall = (cpu.launches - launches) / 2;
    const [first] = pullback(cotangents[0]);
    const complete = cpu.launches - launches - 2 * perCall;
    assert(perCall < complete, `${perCall} launches, not below ${complete}`);
    assertEquals(await alone[0].data(), await first.data());
    const again = vjp(f, x, weight).pullback(cotangents[1])[0];
    assertEquals(await alone[1].data(), await again.data());
    assertThrows(() => pullback.first(first), ReferenceError, "was called");
    const unrelated = vjp((_: t.Tensor, y: t.Tensor) => t.square(y), x, weight);
    assertEquals(
      await unrelated.pullback.first(weight).data(),
      new Float64Array(12),
    );
    unrelated.pullback[Symbol.dispose]();
  }
  assertEquals(cpu.stats().liveBuffers, 0);
  cpu.close();
});

testOnReference(
  "a pullback that runs once can't be asked for its first",
  () => {
    const doubled = (x: t.Tensor): t.Tensor => t.mul(x, 2);
    const { value, pullback } = vjp(checkpoint(doubled), t.tensor([1, 2]));
    assert(!pullback.repeatable && vjp(doubled, value).pullback.repeatable);
    assertThrows(() => pullback.first(value), TypeError, "which runs once");
    pullback(value);
  },
);

testOnReference("a custom function may return what it was given", async () => {
  const x = t.tensor([1, 2]);
  const constant = t.tensor([5, 7]);
  const steered = (x: t.Tensor): t.Tensor =>
    customVjp("steered", (y: t.Tensor) => ({
      value: y,
      pullback: (dy: t.Tensor) => t.mul(dy, 3),
    }), x);
  const replaced = (x: t.Tensor): t.Tensor =>
    customVjp("replaced", () => ({
      value: constant,
      pullback: (dy: t.Tensor) => dy,
    }), x);
  for (
    const [f, value, gradient] of [
      [steered, [1, 2], [6, 12]],
      [replaced, [5, 7], [10, 14]],
      [checkpoint((y: t.Tensor) => y), [1, 2], [2, 4]],
    ] as const
  ) {
    const found = vjp((y: t.Tensor) => f(y), x);
    const [pulled] = found.pullback(t.mul(found.value, 2));
    assertEquals(await found.value.array(), value);
    assertEquals(await pulled.array(), gradient);
    assertEquals(
      await grad((y: t.Tensor) => t.sum(t.square(f(y))))(x).array(),
      gradient,
    );
    t.dispose([found.value, pulled]);
  }
  assertEquals(await constant.array(), [5, 7]);
});

testOnReference("checkpoint frees what it computes on the way", (cpu) => {
  const thrice = (x: t.Tensor): t.Tensor => t.sin(t.sin(t.sin(x)));
  const x = t.zeros([1000]);
  const peak = (f: (x: t.Tensor) => t.Tensor): number => {
    cpu.resetPeak();
    const { value, pullback } = vjp((x: t.Tensor) => f(f(f(f(x)))), x);
    value.dispose();
    pullback[Symbol.dispose]();
    return cpu.stats().peakBytes / x.size / 8;
  };
  // x and twelve results; x, four results and the two before the last
  assertEquals([peak(thrice), peak(checkpoint(thrice))], [13, 7]);
});

Deno.test("a custom function that fails keeps nothing", async () => {
  const cpu = await t.device("reference");
  const x = t.tensor([1, 2]);
  const failing = (x: t.Tensor): t.Tensor =>
    customVjp<t.Tensor, t.Tensor>("failing", () => {
      throw new RangeError("failed");
    }, x);
  assertThrows(() => grad(failing)(x), RangeError, "failed");
  x.dispose();
  assertEquals(cpu.stats().liveBuffers, 0);
  cpu.close();
});
