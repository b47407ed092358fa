import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  evaluate,
  grad,
  gradCheck,
  valueAndGrad,
  vjp,
} from "../../autograd/mod.ts";
import {
  defaultMultigrid,
  type MultigridOptions,
  type OdeBlock,
  residualBlock,
  solve,
  type SolveOptions,
  type SolveReport,
} from "../../mgrit/mod.ts";
import {
  attentionBranch,
  gptConfiguration,
  initializeGpt,
  type LayerParameters,
  mlpBranch,
  type TransformerContext,
} from "../../models/mod.ts";
import * as t from "../../tensor/mod.ts";
import { deviation } from "../golden.ts";

const layers = 8;
const width = 8;

const context: TransformerContext = {
  heads: 2,
  causal: true,
  epsilon: 1e-5,
  activation: "gelu-tanh",
  firstLayer: 0,
  dropout: { probability: 0.1, seed: 4, batch: 2 },
};

const transformer: OdeBlock<t.Tensor, LayerParameters, TransformerContext> =
  residualBlock({
    layers,
    endTime: 1,
    discretization: "outer",
    branches: [attentionBranch, mlpBranch],
  });

function parametersOf(scale: number): LayerParameters {
  const configuration = gptConfiguration({
    vocabulary: 4,
    width,
    heads: 2,
    layers,
  });
  return t.mapTree(
    (x) => t.mul(x, scale),
    initializeGpt(configuration, 5).block,
  );
}

interface Inputs {
  readonly [name: string]: t.Tree;
  readonly x: t.Tensor;
  readonly parameters: LayerParameters;
}

function inputsOf(scale = 10): Inputs {
  return {
    x: t.normal([2, 5, width], t.randomKey(2, 0)),
    parameters: parametersOf(scale),
  };
}

function loss(
  { x, parameters }: Inputs,
  options: SolveOptions<t.Tensor>,
): t.Tensor {
  return t.sum(t.square(solve(transformer, x, parameters, context, options)));
}

const twoLevels: MultigridOptions<never> = {
  ...defaultMultigrid,
  coarsening: 2,
};
/** Four intervals: exact with F-relaxation. */
const enough: MultigridOptions<never> = { ...twoLevels, iterations: 4 };

async function assertSame(
  actual: t.Tree,
  expected: t.Tree,
  tolerance: number,
): Promise<void> {
  const reference = t.leaves(expected);
  for (const [i, leaf] of t.leaves(actual).entries()) {
    const [a, b] = [await leaf.data(), await reference[i].data()];
    if (tolerance === 0) assertEquals(a, b);
    else {
      const off = deviation(a, b, tolerance, tolerance);
      assert(off <= 1, `leaf ${i}: off by ${off}`);
    }
  }
}

Deno.test("with enough iterations multigrid gives the serial gradient, dropout and all", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const inputs = inputsOf();
  const serial = valueAndGrad(loss)(inputs, {});
  const three: MultigridOptions<never> = {
    ...enough,
    levels: 3,
    relaxation: ["FCF", "F"],
    guess: "skip",
  };
  const settings: SolveOptions<t.Tensor>[] = [
    { forward: enough, backward: enough },
    { backward: enough },
    { forward: enough },
    { forward: three, backward: three },
    { forward: enough, backward: enough, remat: true },
    ...(["sequential", "stacked"] as const).flatMap((execution) => {
      const fCycle = { ...three, guess: "nested", cycle: "F" } as const;
      const swept = { ...enough, coarseSweeps: 1 };
      const uneven = { ...enough, coarsening: [[0, 1, 4, 5, 8]] };
      return [
        { forward: fCycle, backward: fCycle, execution },
        { forward: swept, backward: swept, execution },
        { forward: uneven, backward: uneven, execution },
      ];
    }),
  ];
  for (const options of settings) {
    const { value, gradient } = valueAndGrad(loss)(inputs, options);
    // Rounding of f64
    await assertSame([value, gradient], [serial.value, serial.gradient], 1e-10);
  }
  cpu.close();
});

Deno.test("gradients by multigrid match central differences", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const { x, parameters } = inputsOf();
  const both = { forward: enough, backward: enough };
  for (const causal of [true, false]) {
    // One scalar moves every parameter in a random direction.
    const directions = t.mapTree(
      (p) => t.normal(p.shape, t.randomKey(9, 1)),
      parameters,
    );
    const f = ({ s, x }: { s: t.Tensor; x: t.Tensor }): t.Tensor => {
      const moved = t.mapTree(
        (p, d) => t.add(p, t.mul(s, d)),
        parameters,
        directions,
      );
      const end = solve(transformer, x, moved, { ...context, causal }, both);
      return t.sum(t.square(end));
    };
    const few = t.slice(x, [[0, 1], [0, 2]]);
    await gradCheck(f, { s: t.tensor([0.01]), x: few }, { tolerance: 1e-5 });
  }
  cpu.close();
});

Deno.test("dropout is the same in every iteration of a batch, and another in the next", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const { x, parameters } = inputsOf();
  const run = (batch: number, forward?: MultigridOptions<never>): t.Tensor => {
    const dropout = { ...context.dropout!, batch };
    return solve(transformer, x, parameters, { ...context, dropout }, {
      forward,
    });
  };
  await assertSame(run(2, twoLevels), run(2, twoLevels), 0);
  // Enough iterations find the serial network with the same masks.
  for (const batch of [2, 3]) {
    await assertSame(run(batch, enough), run(batch), 1e-12);
  }
  const difference = t.sub(run(3, enough), run(2, enough));
  assert(await t.max(t.abs(difference)).item() > 0.01);
  cpu.close();
});

Deno.test("few iterations do where layers change little, and more do better", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  // Small weights: a step changes little, and coarse steps are good ones.
  const inputs = inputsOf(3);
  const exact = grad(loss)(inputs, {});
  const cosine = async (options: SolveOptions<t.Tensor>): Promise<number> => {
    const gradient = grad(loss)(inputs, options);
    const dot = async (a: t.Tree, b: t.Tree): Promise<number> => {
      const others = t.leaves(b);
      let sum = 0;
      for (const [i, leaf] of t.leaves(a).entries()) {
        sum += await t.sum(t.mul(leaf, others[i])).item();
      }
      return sum;
    };
    return await dot(gradient, exact) /
      Math.sqrt(await dot(gradient, gradient) * await dot(exact, exact));
  };
  const none = { ...twoLevels, iterations: 0 };
  const fewer = await cosine({ forward: twoLevels, backward: none });
  const more = await cosine({ forward: enough, backward: twoLevels });
  assert(0.999 < fewer && fewer < more && more < 1, `${fewer}, ${more}`);
  cpu.close();
});

Deno.test("one level is the serial march, and tapes and remat agree, bit for bit", async () => {
  const cpu = await t.device("reference");
  const inputs = inputsOf();
  const one = { ...twoLevels, levels: 1 };
  await assertSame(
    grad(loss)(inputs, { forward: one, backward: one }),
    grad(loss)(inputs, {}),
    0,
  );
  await assertSame(
    grad(loss)(inputs, { forward: twoLevels, backward: one, remat: true }),
    grad(loss)(inputs, { forward: twoLevels, backward: one }),
    0,
  );
  cpu.close();
});

Deno.test("every pass by multigrid is reported", async () => {
  const cpu = await t.device("wasm", { threads: 1 });
  const reports: SolveReport[] = [];
  const options: SolveOptions<t.Tensor> = {
    forward: { ...twoLevels, iterations: 2 },
    backward: { ...twoLevels, guess: "skip" },
    onSolve: (report) => reports.push(report),
  };
  grad(loss)(inputsOf(), options);
  const [forward, backward] = reports;
  assertEquals(reports.length, 2);
  assertEquals(forward.direction, "forward");
  assertEquals(forward.evaluations, [3 * layers, layers * 2]);
  assertEquals(forward.exactIterations, 4);
  const [first, second] = await Promise.all(forward.residuals);
  assert(first! > second! && second! > 0);
  assertEquals(backward.direction, "backward");
  assertEquals(backward.evaluations, [layers, layers / 2]);
  assertEquals(backward.residuals, [null]);
  cpu.close();
});

Deno.test("states may be records of tensors", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  interface Pair {
    readonly [name: string]: t.Tensor;
    readonly source: t.Tensor;
    readonly target: t.Tensor;
  }
  // The source changes in the first half, the target, which sees it, after.
  const block: OdeBlock<Pair, t.Tensor, unknown> = {
    layers,
    endTime: 2,
    rightHandSide: ({ source, target }, rate, { layers: [layer] }) =>
      layer < layers / 2
        ? { source: t.sin(t.mul(rate, source)), target: t.zerosLike(target) }
        : {
          source: t.zerosLike(source),
          target: t.tanh(t.add(t.mul(rate, target), source)),
        },
  };
  const rates = t.normal([layers], t.randomKey(3, 0));
  const state = { source: t.tensor([0.3, -0.6]), target: t.tensor([0.8, 0.1]) };
  const f = (
    inputs: { state: Pair; rates: t.Tensor },
    options: SolveOptions<Pair>,
  ): t.Tensor =>
    t.sum(t.square(
      solve(block, inputs.state, inputs.rates, {}, options).target,
    ));
  const serial = grad(f)({ state, rates }, {});
  const both = { forward: enough, backward: enough };
  await assertSame(grad(f)({ state, rates }, both), serial, 1e-10);
  cpu.close();
});

for (const name of ["reference", "wasm"] as const) {
  Deno.test(`a solve leaves nothing behind on ${name}`, async () => {
    const cpu = await t.device(name, { threads: 1 });
    const inputs = inputsOf();
    const both = { forward: twoLevels, backward: twoLevels };
    const settings: SolveOptions<t.Tensor>[] = [
      both,
      { ...both, remat: true },
      { backward: { ...twoLevels, guess: "skip" } },
      { forward: { ...twoLevels, guess: "zero", levels: 3 } },
    ];
    for (const options of settings) {
      const before = cpu.stats().liveBuffers;
      const { value, gradient } = valueAndGrad(loss)(inputs, options);
      value.dispose();
      t.dispose(gradient);
      assertEquals(cpu.stats().liveBuffers, before, "after a gradient");
      evaluate(() => loss(inputs, options)).dispose();
      assertEquals(cpu.stats().liveBuffers, before, "after an evaluation");
      const unused = vjp((x: Inputs) => loss(x, options), inputs);
      unused.value.dispose();
      unused.pullback[Symbol.dispose]();
      assertEquals(cpu.stats().liveBuffers, before, "without its pullback");
      let steps = 0;
      let last = Infinity;
      const failing: typeof transformer = {
        ...transformer,
        step: (x, ...rest) => {
          if (++steps > last) throw new RangeError(`step ${steps} failed`);
          return transformer.step!(x, ...rest);
        },
      };
      const broken = ({ x, parameters }: Inputs): t.Tensor =>
        t.sum(solve(failing, x, parameters, context, options));
      t.dispose(grad(broken)(inputs));
      const total = steps;
      // In the first cycle, in the final sweep, on the way back
      for (const fraction of [0.1, 0.5, 0.9]) {
        last = Math.floor(fraction * total);
        steps = 0;
        assertThrows(() => grad(broken)(inputs), RangeError, "failed");
      }
      assertEquals(cpu.stats().liveBuffers, before, "after an error");
    }
    cpu.close();
  });
}
