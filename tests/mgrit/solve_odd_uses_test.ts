/** What `solve` makes of uses that are unusual, or wrong. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkpoint, grad, valueAndGrad } from "../../autograd/mod.ts";
import {
  type Chain,
  defaultMultigrid,
  forwardPropagator,
  multigrid,
  type MultigridOptions,
  type OdeBlock,
  solve,
  SolveMemory,
  type SolveOptions,
  trees,
} from "../../mgrit/mod.ts";
import { stackedTrees } from "../../mgrit/stacked_states.ts";
import * as t from "../../tensor/mod.ts";

type Block = OdeBlock<t.Tensor, t.Tensor, unknown>;

const layers = 8;
const block: Block = {
  layers,
  endTime: 1,
  rightHandSide: (x, weight) => t.tanh(t.matmul(x, weight)),
};
/** Four intervals: exact with F-relaxation. */
const enough: MultigridOptions<never> = {
  ...defaultMultigrid,
  coarsening: 2,
  iterations: 4,
};
const executions = ["sequential", "stacked"] as const;
const ways: readonly SolveOptions<t.Tensor>[] = [
  {},
  { remat: true },
  ...executions.map((execution) => ({
    forward: enough,
    backward: enough,
    execution,
  })),
];

const weights = (): t.Tensor => t.normal([layers, 4, 4], t.randomKey(1));
const state = (): t.Tensor => t.normal([3, 4], t.randomKey(2));

interface Inputs {
  readonly [name: string]: t.Tensor;
  readonly x: t.Tensor;
  readonly weight: t.Tensor;
}

/** Value and gradient of the sum of squares, as numbers. */
async function numbersOf(
  given: Block,
  inputs: Inputs,
  options: SolveOptions<t.Tensor>,
): Promise<number[]> {
  const { value, gradient } = valueAndGrad(({ x, weight }: Inputs) =>
    t.sum(t.square(solve(given, x, weight, {}, options)))
  )(inputs);
  const numbers = [value, gradient.x, gradient.weight].map(async (x) => [
    ...await x.data(),
  ]);
  return (await Promise.all(numbers)).flat();
}

function assertClose(actual: number[], expected: number[]): void {
  assertEquals(actual.length, expected.length);
  // Rounding of f64 in sums of a few terms
  const off = actual.map((x, i) => Math.abs(x - expected[i]));
  assert(off.every((x) => x < 1e-12), `off by ${Math.max(...off)}`);
}

Deno.test("one layer, no batch, states of no axes, transposed states", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const turned = (x: t.Tensor): t.Tensor => {
    const axes = [...x.shape.keys()];
    const [last, previous] = [axes.pop()!, axes.pop()!];
    return t.transpose(x, [...axes, last, previous]);
  };
  const cases: [Block, Inputs][] = [
    [block, { x: t.zeros([0, 4]), weight: weights() }],
    [
      { ...block, rightHandSide: (x, rate) => t.mul(x, rate) },
      { x: t.tensor(2), weight: t.normal([layers], t.randomKey(3)) },
    ],
    [
      {
        ...block,
        rightHandSide: (x, weight) =>
          turned(t.matmul(turned(weight), turned(x))),
      },
      { x: state(), weight: weights() },
    ],
    [{ ...block, rightHandSide: (x) => x }, { x: state(), weight: weights() }],
  ];
  for (const [given, inputs] of cases) {
    const serial = await numbersOf(given, inputs, {});
    for (const options of ways) {
      assertClose(await numbersOf(given, inputs, options), serial);
    }
  }
  const single = { ...block, layers: 1 };
  const inputs = { x: state(), weight: t.normal([1, 4, 4], t.randomKey(1)) };
  const one = { ...enough, coarsening: [[0, 1]], fewestCoarseSteps: 1 };
  for (const execution of executions) {
    assertEquals(
      await numbersOf(single, inputs, {
        forward: one,
        backward: one,
        execution,
      }),
      await numbersOf(single, inputs, {}),
    );
  }
  assertThrows(
    () => solve(single, inputs.x, inputs.weight, {}, { forward: enough }),
    RangeError,
    "leaves 0 steps on level 1 of a block of 1 layers; at least 2",
  );
  cpu.close();
});

Deno.test("a block may have no parameters", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const growth: OdeBlock<t.Tensor, Record<string, never>, unknown> = {
    layers,
    endTime: 8,
    rightHandSide: (x) => x,
  };
  for (const options of ways) {
    const gradient = grad((x: t.Tensor) =>
      t.sum(solve(growth, x, {}, {}, options))
    )(t.tensor([3, 1]));
    assertEquals(await gradient.array(), [256, 256]);
  }
  cpu.close();
});

Deno.test("a right-hand side may solve a block, or compute itself again", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const inputs = { x: state(), weight: weights() };
  const inner: Block = { ...block, layers: 1 };
  const others: OdeBlock<t.Tensor, t.Tensor, unknown>["rightHandSide"][] = [
    (x, weight) => solve(inner, x, t.reshape(weight, [1, 4, 4]), {}),
    checkpoint((x: t.Tensor, weight: t.Tensor) =>
      t.tanh(t.matmul(x, weight))
    ) as typeof block.rightHandSide,
  ];
  for (const rightHandSide of others) {
    const outer = { ...block, rightHandSide };
    const serial = await numbersOf(outer, inputs, {});
    for (const options of ways) {
      if (options.execution === "stacked" && rightHandSide === others[0]) {
        continue;
      }
      assertClose(await numbersOf(outer, inputs, options), serial);
    }
  }
  cpu.close();
});

Deno.test("a step may hand on what it was given, or what isn't its own", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const inputs = { x: state(), weight: weights() };
  const constant = t.ones([3, 4]);
  for (const options of ways) {
    const still: Block = { ...block, step: (x) => x };
    const gradient = grad((x: t.Tensor) =>
      t.sum(solve(still, x, inputs.weight, {}, options))
    )(inputs.x);
    assertEquals(await gradient.data(), await constant.data());
    const unmoved = solve(still, inputs.x, inputs.weight, {}, options);
    assertEquals(await unmoved.data(), await inputs.x.data());
    unmoved.dispose();
    if (options.execution === "stacked") continue;
    const reset: Block = { ...block, step: () => constant };
    const end = solve(reset, inputs.x, inputs.weight, {}, options);
    assertEquals(await end.data(), await constant.data());
    end.dispose();
    await inputs.x.data();
    await constant.data();
  }
  cpu.close();
});

Deno.test("a step that changes the state's shape is refused", async () => {
  const cpu = await t.device("reference");
  const widening: Block = {
    ...block,
    rightHandSide: (x) => t.add(x, t.zeros([5, 3, 4])),
  };
  for (const options of ways.filter((way) => way.execution !== "stacked")) {
    assertThrows(
      () => solve(widening, state(), weights(), {}, options),
      RangeError,
      "turns a state of shape [3, 4] into [5, 3, 4]",
    );
  }
  cpu.close();
});

Deno.test("of a direction with one level nothing else matters", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const inputs = { x: state(), weight: weights() };
  const one: MultigridOptions<t.Tensor> = {
    ...enough,
    levels: 1,
    guess: "previous",
    tolerance: { relative: 2 },
  };
  assertClose(
    await numbersOf(block, inputs, { forward: one, backward: enough }),
    await numbersOf(block, inputs, {}),
  );
  cpu.close();
});

Deno.test("an execution that there isn't is refused", async () => {
  const cpu = await t.device("reference");
  const execution = "parallel" as unknown as "stacked";
  assertThrows(
    () => solve(block, state(), weights(), {}, { ...ways[2], execution }),
    RangeError,
    "execution parallel must be sequential or stacked",
  );
  cpu.close();
});

for (const name of ["reference", "wasm"] as const) {
  Deno.test(`a right-hand side for single layers only is told from where the axis is on ${name}`, async () => {
    const cpu = await t.device(name, { threads: 1 });
    const biased: Block = {
      ...block,
      rightHandSide: (x, bias) => t.add(x, bias),
    };
    const biases = t.normal([layers, 4], t.randomKey(1));
    // The biases of four layers fit to one row, though not where they should.
    for (const rows of [3, 1]) {
      assertThrows(
        () => solve(biased, t.ones([rows, 4]), biases, {}, ways[3]),
        RangeError,
        "layers 0, 2, 4, 6 as one stacked call",
      );
    }
    cpu.close();
  });
}

Deno.test("gradients of gradients are refused, not wrong", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const inputs = { x: state(), weight: weights() };
  for (const options of ways) {
    const loss = (x: t.Tensor): t.Tensor =>
      t.sum(t.square(solve(block, x, inputs.weight, {}, options)));
    assertThrows(
      () => grad((x: t.Tensor) => t.sum(grad(loss)(x)))(inputs.x),
      TypeError,
      "gradients of gradients",
    );
    // A gradient that the outer function doesn't depend on is a constant.
    const scaled = grad((a: t.Tensor) => t.sum(t.mul(a, grad(loss)(inputs.x))))(
      t.tensor(1),
    );
    const expected = await t.sum(grad(loss)(inputs.x)).item();
    assertClose([await scaled.item()], [expected]);
  }
  cpu.close();
});

Deno.test("a tolerance needs nobody who hears of residuals", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const inputs = { x: state(), weight: weights() };
  let steps = 0;
  const counted: Block = {
    ...block,
    rightHandSide: (x, weight) => {
      steps++;
      return block.rightHandSide(x, weight, { layers: [] });
    },
  };
  const stepsWith = (absolute: number): number => {
    steps = 0;
    const forward = { ...enough, tolerance: { absolute } };
    solve(counted, inputs.x, inputs.weight, {}, { forward });
    return steps;
  };
  // An iteration: level 0 once, level 1 twice.
  assertEquals(stepsWith(Infinity), 2 * layers + layers);
  assertEquals(stepsWith(0), 5 * layers + 4 * layers);
  cpu.close();
});

for (const execution of executions) {
  Deno.test(`an error in any step frees everything, ${execution}`, async () => {
    const cpu = await t.device("reference");
    let steps = 0;
    let last = Infinity;
    const failing: Block = {
      ...block,
      rightHandSide: (x, weight) => {
        if (++steps > last) throw new RangeError("failed");
        return t.tanh(t.matmul(x, weight));
      },
    };
    const guesses = ["input", "zero", "skip", "nested", "previous"] as const;
    for (const guess of guesses) {
      const once = (): void => {
        using memory = new SolveMemory<t.Tensor>();
        const both: MultigridOptions<t.Tensor> = {
          ...enough,
          guess,
          relaxation: "FCF",
          weight: 0.9,
          iterations: 2,
        };
        const options = { forward: both, backward: both, execution, memory };
        const inputs = { x: state(), weight: weights() };
        const run = (): void => {
          const { value, gradient } = valueAndGrad(({ x, weight }: Inputs) =>
            t.sum(solve(failing, x, weight, {}, options))
          )(inputs);
          t.dispose([value, gradient]);
        };
        try {
          // Twice, so that there is something to remember
          [steps, last] = [0, Infinity];
          run();
          last = steps + allowed;
          run();
        } finally {
          t.dispose([inputs.x, inputs.weight]);
        }
      };
      let allowed = Infinity;
      once();
      const total = steps / 2;
      for (allowed = 0; allowed < total; allowed++) {
        assertThrows(once, RangeError, "failed");
        assertEquals(
          cpu.stats().liveBuffers,
          0,
          `${guess}: after step ${allowed} of ${total}`,
        );
      }
    }
    cpu.close();
  });
}

for (
  const [name, space] of [["one by one", trees], [
    "stacked",
    stackedTrees,
  ]] as const
) {
  Deno.test(`without a scope, states are the caller's and nothing else is left, ${name}`, async () => {
    const cpu = await t.device("reference");
    const states = space<t.Tensor>();
    const chain: Chain<t.Tensor> = {
      steps: 17,
      space: states,
      propagator: forwardPropagator((x, _, stride) =>
        t.scope(() => t.add(x, t.mul(0.1 * stride, t.sin(x))))
      ),
    };
    const first = t.tensor([1, 2]);
    for (const levels of [1, 2, 3]) {
      const solution = multigrid(chain, first, {
        ...enough,
        levels,
        relaxation: "FCF",
        weight: 0.9,
        cycle: "F",
      });
      [...solution.states, ...solution.inputs].forEach(states.dispose);
      assertEquals(cpu.stats().liveBuffers, 1);
    }
    cpu.close();
  });
}
