import { assertEquals, assertRejects } from "@std/assert";
import {
  type ControlOptions,
  defaultMultigrid,
  type MultigridOptions,
  solve,
} from "../../mgrit/mod.ts";
import {
  device,
  full,
  mul,
  square,
  sum,
  type Tensor,
  tensor,
} from "../../tensor/mod.ts";
import {
  NonFiniteError,
  sgd,
  train,
  type TrainingRun,
  type TrainingSolver,
  type TrainingTask,
} from "../../train/mod.ts";
import { assertSame, switches } from "./controlled_run.ts";

const wasm = await device("wasm", { threads: 1 });

type Rates = { readonly [name: string]: Tensor; readonly block: Tensor };

/**
 * dx/dt = −λ x³ with λh = ½, which decays from x = 1.2; a coarse step with
 * 4 λh = 2 doesn't, and its cubes soon leave the range of f32. Before batch
 * `first` x is 0, and stays there.
 */
function stiff(first: number): TrainingTask<Rates> {
  const problem = {
    layers: 32,
    endTime: 32,
    rightHandSide: (x: Tensor, rate: Tensor) =>
      mul(mul(-1, rate), mul(x, mul(x, x))),
  };
  return {
    name: "stiff",
    tokensPerBatch: 1,
    unit: "tokens",
    initialize: () => ({ block: full([32], 0.5) }),
    block: { layers: 32, parameters: ({ block }) => block },
    loss: ({ block }, batch, solver) => {
      const x = tensor([batch < first ? 0 : 1.2]);
      return sum(square(solve(problem, x, block, {}, solver)));
    },
    description: {},
  };
}

/** Both directions by multigrid that marches on the coarse level first. */
function stiffSolver(control?: Partial<ControlOptions>): TrainingSolver {
  const options: MultigridOptions<never> = {
    ...defaultMultigrid,
    guess: "skip",
    iterations: 1,
  };
  return { forward: options, backward: options, control };
}

const places: [where: string, first: number, types: string[]][] = [
  ["in a probe", 0, ["step", "switch", "switch", "step", "step"]],
  [
    "between probes",
    1,
    ["step", "probe", "step", "switch", "switch", "step"],
  ],
];

for (const [where, first, types] of places) {
  Deno.test(`control: what isn't finite ${where} is done again, and stays serial`, async () => {
    const run = (solver?: TrainingSolver): TrainingRun<Rates> =>
      train(stiff(first), {
        optimizer: sgd({ learningRate: 1e-3 }),
        steps: 3,
        solver,
      });
    const exact = run();
    for await (const _ of exact);
    const before = wasm.stats().liveBuffers;
    const rescued = run(stiffSolver({ wayBack: 0.5 }));
    const events = await Array.fromAsync(rescued);
    assertEquals(
      events.map(({ type }) => type),
      ["start", ...types, "stop"],
    );
    assertEquals(switches(events), [
      `${first + 1} forward non-finite: 1 → serial`,
      `${first + 1} backward non-finite: 1 → serial`,
    ]);
    await assertSame(rescued.parameters, exact.parameters);
    rescued.parameters.block.dispose();
    assertEquals(wasm.stats().liveBuffers, before);
  });
}

Deno.test("control: what isn't finite either way, or isn't watched, ends the run", async () => {
  const failing = async (
    task: TrainingTask<Rates>,
    solver: TrainingSolver,
  ): Promise<string> => {
    const run = train(task, {
      optimizer: sgd({ learningRate: 1e-3 }),
      steps: 1,
      solver,
    });
    const before = wasm.stats().liveBuffers;
    const error = await assertRejects(
      () => Array.fromAsync(run),
      NonFiniteError,
    );
    run.parameters.block.dispose();
    assertEquals(wasm.stats().liveBuffers, before);
    return error.culprit;
  };
  assertEquals(await failing(stiff(0), stiffSolver()), "loss");
  assertEquals(
    await failing(stiff(0), stiffSolver({ policy: "fixed" })),
    "loss",
  );
  const broken: TrainingTask<Rates> = {
    ...stiff(0),
    loss: (parameters) => mul(NaN, sum(parameters.block)),
  };
  assertEquals(await failing(broken, stiffSolver({})), "loss");
});
