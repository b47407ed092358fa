import { assert, assertEquals } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  defaultMultigrid,
  type MultigridOptions,
  type OdeBlock,
  residualBlock,
  solve,
  SolveMemory,
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

const layers = 12;

/** Parameters of some size, so that nothing is zero or one by chance. */
function transformerParameters(): LayerParameters {
  const { block } = initializeGpt(
    gptConfiguration({ vocabulary: 4, width: 8, heads: 2, layers }),
    5,
  );
  let stream = 100;
  return t.mapTree(
    (x) =>
      t.add(t.mul(x, 5), t.normal(x.shape, t.randomKey(1, stream++), 0, 0.1)),
    block,
  );
}

const transformer = residualBlock<LayerParameters, TransformerContext>({
  layers,
  endTime: 3,
  discretization: "outer",
  branches: [attentionBranch, mlpBranch],
});

interface Pair {
  readonly [name: string]: t.Tensor;
  readonly source: t.Tensor;
  readonly target: t.Tensor;
}

/** A state of two tensors of different shapes, one of which is carried along. */
const pairs: OdeBlock<Pair, t.Tensor, unknown> = {
  layers,
  endTime: 2,
  rightHandSide: ({ source, target }, weight) => ({
    source: t.tanh(t.matmul(source, weight)),
    target: t.mul(
      t.tanh(t.matmul(target, weight)),
      t.mean(source, [-1, -2], { keepdims: true }),
    ),
  }),
};

const ways: Readonly<Record<string, SolveOptions<never>>> = {
  "two levels": {
    forward: { ...defaultMultigrid, iterations: 2 },
    backward: defaultMultigrid,
  },
  "no backward iterations": {
    forward: defaultMultigrid,
    backward: { ...defaultMultigrid, iterations: 0 },
  },
  "three levels, FCF, skip": {
    forward: multigrid({ levels: 3, coarsening: 2, guess: "skip" }),
    backward: multigrid({ levels: 3, coarsening: 2, guess: "skip" }),
  },
  "a factor that doesn't divide": {
    forward: multigrid({ coarsening: 5, guess: "zero" }),
    backward: multigrid({ coarsening: 5 }),
  },
  "other factors backward": {
    forward: multigrid({ coarsening: 3 }),
    backward: multigrid({ coarsening: 4, iterations: 1 }),
  },
  "serial forward": { backward: multigrid({}) },
  "serial backward": { forward: multigrid({}) },
  "uneven points": {
    forward: multigrid({ coarsening: [[0, 2, 3, 7, 8, 12]] }),
    backward: multigrid({ coarsening: [[0, 2, 3, 7, 8, 12]] }),
  },
  "layers computed again": {
    forward: multigrid({}),
    backward: multigrid({}),
    remat: true,
  },
};

function multigrid(
  options: Partial<MultigridOptions<never>>,
): MultigridOptions<never> {
  return {
    ...defaultMultigrid,
    coarsening: 4,
    relaxation: "FCF",
    iterations: 2,
    ...options,
  };
}

/** Largest difference of two trees, relative to the largest element. */
async function difference(a: t.Tree, b: t.Tree): Promise<number> {
  let worst = 0;
  const others = t.leaves(b);
  for (const [i, leaf] of t.leaves(a).entries()) {
    const [x, y] = [await leaf.data(), await others[i].data()];
    const scale = Math.max(...y.map(Math.abs));
    x.forEach((value, k) => {
      worst = Math.max(worst, Math.abs(value - y[k]) / scale);
    });
  }
  return worst;
}

// On f64, 12 layers of sums of a few hundred terms: far below 1e-11.
const tolerance = 1e-11;

for (const [name, options] of Object.entries(ways)) {
  Deno.test(`stacked equals sequential: ${name}`, async () => {
    const cpu = await t.device("reference", { dtype: "f64" });
    const parameters = transformerParameters();
    const x = t.normal([2, 5, 8], t.randomKey(2));
    const context: TransformerContext = {
      heads: 2,
      causal: true,
      epsilon: 1e-5,
      activation: "gelu-tanh",
      firstLayer: 3,
      keep: t.tensor([[true, true, true, true, true], [
        true,
        true,
        true,
        false,
        true,
      ]]),
      dropout: { probability: 0.2, seed: 4, batch: 2 },
    };
    const loss = valueAndGrad((
      given: { x: t.Tensor; parameters: LayerParameters },
      options: SolveOptions<never>,
    ) =>
      t.sum(t.square(
        solve(transformer, given.x, given.parameters, context, options),
      ))
    );
    const run = (execution: "sequential" | "stacked") => {
      const reports: SolveReport[] = [];
      const { launches } = cpu;
      const result = loss({ x, parameters }, {
        ...options,
        execution,
        onSolve: (report) => reports.push(report),
      });
      return { result, reports, launches: cpu.launches - launches };
    };
    const sequential = run("sequential");
    const stacked = run("stacked");
    assert(
      await difference(
        { ...stacked.result },
        { ...sequential.result },
      ) < tolerance,
    );
    assert(stacked.launches < sequential.launches);
    for (const [i, { residuals, evaluations }] of stacked.reports.entries()) {
      assertEquals(evaluations, sequential.reports[i].evaluations);
      const other = await Promise.all(sequential.reports[i].residuals);
      (await Promise.all(residuals)).forEach((residual, k) => {
        if (residual === null) assertEquals(other[k], null);
        else assert(Math.abs(residual - other[k]!) <= tolerance * other[0]!);
      });
    }
    cpu.close();
  });
}

Deno.test("stacked states may be pairs of tensors", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const weight = t.normal([layers, 4, 4], t.randomKey(1), 0, 0.5);
  const x: Pair = {
    source: t.normal([3, 4], t.randomKey(2)),
    target: t.normal([2, 4], t.randomKey(3)),
  };
  const loss = valueAndGrad((
    given: { x: Pair; weight: t.Tensor },
    options: SolveOptions<never>,
  ) => {
    const y = solve(pairs, given.x, given.weight, {}, options);
    return t.add(t.sum(t.square(y.source)), t.sum(y.target));
  });
  const options = ways["two levels"];
  const results = (["sequential", "stacked"] as const).map((execution) =>
    loss({ x, weight }, { ...options, execution })
  );
  assert(
    await difference({ ...results[1] }, { ...results[0] }) < tolerance,
  );
  cpu.close();
});

Deno.test("launches of a stacked solve don't grow with the intervals", async () => {
  const cpu = await t.device("reference");
  const launches = (count: number): number[] => {
    const parameters = t.normal([count, 4, 4], t.randomKey(1), 0, 0.3);
    const block: OdeBlock<t.Tensor, t.Tensor, unknown> = {
      layers: count,
      endTime: 1,
      rightHandSide: (x, weight) => t.tanh(t.matmul(x, weight)),
    };
    const x = t.ones([2, 4]);
    return (["sequential", "stacked"] as const).map((execution) => {
      const before = cpu.launches;
      const loss = valueAndGrad((weight: t.Tensor) =>
        t.sum(solve(block, x, weight, {}, {
          // Without a coarse solve, whose march grows with the intervals.
          forward: { ...defaultMultigrid, iterations: 0 },
          backward: { ...defaultMultigrid, iterations: 0 },
          execution,
        }))
      );
      loss(parameters);
      return cpu.launches - before;
    });
  };
  const [few, many] = [launches(16), launches(64)];
  assertEquals(few[1], many[1]);
  assert(many[0] > 3 * few[0]);
  cpu.close();
});

Deno.test("on every level only the coarse march's launches grow", async () => {
  const cpu = await t.device("reference");
  const launches = (count: number): Record<string, number> => {
    const parameters = t.normal([count, 4, 4], t.randomKey(1), 0, 0.3);
    const block: OdeBlock<t.Tensor, t.Tensor, unknown> = {
      layers: count,
      endTime: 1,
      rightHandSide: (x, weight) => t.tanh(t.matmul(x, weight)),
    };
    const found: Record<string, number> = {};
    const loss = valueAndGrad((weight: t.Tensor) =>
      t.sum(solve(block, t.ones([2, 4]), weight, {}, {
        forward: { ...defaultMultigrid, levels: 3, iterations: 2 },
        backward: { ...defaultMultigrid, levels: 3, iterations: 1 },
        execution: "stacked",
        onSolve: ({ direction, sweeps }) => {
          for (const { level, kind, launches } of sweeps) {
            const sweep = `${direction} ${kind} of level ${level}`;
            found[sweep] = (found[sweep] ?? 0) + launches;
          }
        },
      }))
    );
    loss(parameters);
    return found;
  };
  const [few, many] = [launches(32), launches(128)];
  for (const [sweep, count] of Object.entries(few)) {
    if (sweep.includes("coarse solve")) assert(many[sweep] > 2 * count, sweep);
    else assertEquals(many[sweep], count, sweep);
  }
  cpu.close();
});

Deno.test("the guess previous goes on from the last call", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  {
    using _scope = cpu.scope();
    const weight = t.normal([layers, 4, 4], t.randomKey(1), 0, 0.5);
    const x = t.normal([3, 4], t.randomKey(2));
    const block: OdeBlock<t.Tensor, t.Tensor, unknown> = {
      layers,
      endTime: 4,
      rightHandSide: (x, w) => t.tanh(t.matmul(x, w)),
    };
    using memory = new SolveMemory<t.Tensor>();
    const forward = multigrid({
      coarsening: 2,
      guess: "previous",
      relaxation: "F",
      iterations: 1,
    });
    const options = { forward, backward: forward, memory };
    const loss = valueAndGrad((
      weight: t.Tensor,
      x: t.Tensor,
      options: SolveOptions<t.Tensor>,
    ) => t.sum(t.square(solve(block, x, weight, {}, options))));
    const exact = loss(weight, x, {}).gradient;
    const errors: number[] = [];
    for (let call = 0; call < 12; call++) {
      const { gradient } = loss(weight, x, options);
      errors.push(await difference(gradient, exact));
    }
    assert(errors[0] > 1e-3, `${errors}`);
    assert(errors[3] < errors[0] / 10, `${errors}`);
    // Six intervals, one of which becomes exact in each call, forward and then
    // backward.
    assert(errors[11] < 1e-12, `${errors}`);
    // A batch of another shape knows nothing of the last one.
    const other = t.normal([5, 4], t.randomKey(3));
    const fresh = { ...forward, guess: "input" } as const;
    assertEquals(
      await loss(weight, other, options).gradient.data(),
      await loss(weight, other, { forward: fresh, backward: fresh })
        .gradient.data(),
    );
  }
  assertEquals(cpu.stats().liveBuffers, 0);
  cpu.close();
});
