import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  completeControl,
  type ControlOptions,
  decide,
  defaultControl,
  defaultMultigrid,
  type DirectionState,
  type MultigridOptions,
  solve,
  startControl,
} from "../../mgrit/mod.ts";
import {
  device,
  dispose,
  full,
  mul,
  namedLeaves,
  setDefaultDevice,
  square,
  sum,
  type Tensor,
  tensor,
  type Tree,
} from "../../tensor/mod.ts";
import {
  adamW,
  CheckpointError,
  history,
  loadCheckpoint,
  NonFiniteError,
  type ProbeEvent,
  readMetrics,
  sgd,
  type SwitchEvent,
  train,
  type TrainingEvent,
  type TrainingRun,
  type TrainingSolver,
  type TrainingTask,
  type TrainOptions,
} from "../../train/mod.ts";
import { blownUpGpt, multigrid, serial } from "./blown_up_gpt.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const wasm = await device("wasm", { threads: 1 });

/** Both directions with the same number of iterations, probed at each step. */
function solver(
  iterations: number,
  control: Partial<ControlOptions> = {},
  more: Partial<MultigridOptions<never>> = {},
): TrainingSolver {
  return {
    forward: multigrid(iterations, more),
    backward: multigrid(iterations, more),
    control: { interval: 1, ...control },
  };
}

function options(steps: number, solver: TrainingSolver): TrainOptions {
  return { optimizer: sgd({ learningRate: 1e-3 }), steps, solver };
}

async function collect(
  factor: number | ((batch: number) => number),
  given: TrainOptions,
): Promise<TrainingEvent[]> {
  const task = blownUpGpt(typeof factor === "number" ? () => factor : factor);
  return await Array.fromAsync(train(task, given));
}

function probes(events: readonly TrainingEvent[]): ProbeEvent[] {
  return events.filter((event) => event.type === "probe");
}

/** Switches, as `step direction reason: before → after`. */
function switches(events: readonly TrainingEvent[]): string[] {
  const mode = ({ serial, iterations }: DirectionState): string =>
    serial ? "serial" : `${iterations}`;
  return events.filter((event) => event.type === "switch").map((
    { step, direction, reason, from, to }: SwitchEvent,
  ) => `${step} ${direction} ${reason}: ${mode(from)} → ${mode(to)}`);
}

// Weights five times as large: two iterations converge, but the gradient's
// cosine is far from 1, and four iterations mend it.
const blownUp = 5;

Deno.test("control: a probe measures both directions and the gradient", async () => {
  const [start, step, probe, ...rest] = await collect(
    blownUp,
    options(1, solver(2, { policy: "fixed" })),
  );
  assert(start.type === "start" && probe.type === "probe");
  const { forward, backward } = solver(2);
  const direction = { serial: false, iterations: 2, misses: 0 };
  assertEquals(start.solver, {
    layers: 16,
    forward,
    backward,
    execution: "sequential",
    control: { ...defaultControl, interval: 1, policy: "fixed" },
    state: { forward: direction, backward: direction },
  });
  assertEquals([step.type, step.step, probe.step], ["step", 1, 1]);
  for (const found of [probe.forward!, probe.backward!]) {
    assertEquals([found.iterations, found.exactIterations], [4, 8]);
    const [previous, last] = (found.residuals as number[]).slice(-2);
    assertEquals(found.residuals.length, 4);
    assertEquals(found.ratio, last / previous);
    assert(found.finalResidual < last);
    const kinds = found.sweeps.map(({ kind, level }) => `${kind} ${level}`);
    assertEquals(new Set(kinds).size, kinds.length, "summed up");
  }
  const { cosine, relativeError, layers } = probe.gradient!;
  assert(cosine > 0 && cosine < 1 && relativeError > 0);
  assertEquals([layers.cosine.length, layers.relativeError.length], [16, 16]);
  assert(probe.milliseconds > 0);
  assertEquals(rest.map(({ type }) => type), ["stop"]);
});

Deno.test("control: the gradient tells what ρ doesn't", async () => {
  const run = (indicator: ControlOptions["indicator"]) =>
    collect(blownUp, options(1, solver(2, { indicator })));
  const byRatio = await run("ratio");
  const [blind] = probes(byRatio);
  assert(blind.forward!.ratio! < 0.9 && blind.backward!.ratio! < 0.9);
  assertEquals([blind.gradient, switches(byRatio)], [undefined, []]);
  const both = await run("both");
  assert(probes(both)[0].gradient!.cosine < 0.9);
  assertEquals(switches(both), [
    "1 forward gradient: 2 → 4",
    "1 backward gradient: 2 → 4",
  ]);
});

Deno.test("control: policies", async (t) => {
  const run = (control: Partial<ControlOptions>, steps = 3) =>
    collect(blownUp, options(steps, solver(2, control)));
  await t.step("double: until the gradient is good", async () => {
    const events = await run({});
    assertEquals(switches(events), [
      "1 forward gradient: 2 → 4",
      "1 backward gradient: 2 → 4",
    ]);
    const [, second] = probes(events);
    assertEquals(second.forward!.iterations, 8);
    assertEquals(second.forward!.ratio, undefined, "exact");
    assert(second.gradient!.cosine >= 0.9);
  });
  await t.step("double: serial beyond the cap", async () => {
    const events = await run({ mostIterations: 2 });
    assertEquals(switches(events), [
      "1 forward gradient: 2 → serial",
      "1 backward gradient: 2 → serial",
    ]);
    assertEquals(probes(events).length, 1);
  });
  await t.step("serial", async () => {
    const events = await run({ policy: "serial", patience: 2 });
    assertEquals(switches(events), [
      "2 forward gradient: 2 → serial",
      "2 backward gradient: 2 → serial",
    ]);
  });
  await t.step("fixed", async () => {
    const events = await run({ policy: "fixed" });
    assertEquals([probes(events).length, switches(events)], [3, []]);
  });
  await t.step("one direction alone", async () => {
    const { backward, control } = solver(1, { policy: "serial" });
    const alone = { forward: serial, backward, control };
    const events = await collect(blownUp, options(2, alone));
    assertEquals(switches(events).map((text) => text.split(" ")[1]), [
      "backward",
    ]);
    assertEquals(probes(events)[0].forward, undefined);
  });
});

Deno.test("control: only the batches of a probe are solved with more iterations", async () => {
  const seen: string[] = [];
  const task = blownUpGpt(() => 1);
  const spied: typeof task = {
    ...task,
    loss: (parameters, batch, solver) => {
      const { forward, backward } = solver ?? {};
      seen.push(`${batch}: ${forward?.iterations} ${backward?.iterations}`);
      return task.loss(parameters, batch, solver);
    },
  };
  const { forward, control } = solver(1, { interval: 2 });
  const given = { forward, backward: serial, control };
  await Array.fromAsync(
    train(spied, { ...options(3, given), accumulation: 2 }),
  );
  assertEquals(seen, [
    "0: 2 undefined",
    "0: 1 undefined", // the gradient that training uses
    "1: 2 undefined",
    "2: 1 undefined",
    "3: 1 undefined",
    "4: 2 undefined",
    "4: 1 undefined",
    "5: 2 undefined",
  ]);
});

const gradients: [name: string, Partial<ControlOptions>, number[]][] = [
  // A probe of two iterations, then four, then a probe of those.
  ["more iterations", { interval: 2 }, [4, 4, 8]],
  // A way back that is tried in vain.
  ["serial", { policy: "serial", wayBack: 1e-9 }, [4, 0, 0]],
];

for (const [name, control, iterations] of gradients) {
  Deno.test(`control: switching to ${name} leaves everything else alone`, async () => {
    const optimizer = adamW({ learningRate: 1e-3 });
    const run = train(blownUpGpt(() => blownUp), {
      ...options(3, solver(2, control)),
      optimizer,
    });
    assertEquals(switches(await Array.fromAsync(run)).length, 2);
    const task = blownUpGpt(() => blownUp);
    const lossAndGradient = valueAndGrad(task.loss);
    let parameters = task.initialize();
    let state = optimizer.init(parameters);
    for (const [batch, count] of iterations.entries()) {
      const { gradient } = lossAndGradient(
        parameters,
        batch,
        count === 0 ? undefined : solver(count),
      );
      ({ parameters, state } = optimizer.update(parameters, gradient, state));
    }
    await assertSame(run.parameters, parameters);
  });
}

Deno.test("control: the record tells what was decided, and why", async () => {
  const factor = (batch: number): number => batch < 2 ? blownUp : 1;
  const control = { wayBack: 0.5, mostIterations: 2 };
  const given = solver(1, control);
  const events = await collect(factor, options(5, given));
  const complete = completeControl(given.control);
  let state = startControl(given);
  const decisions: string[] = [];
  for (const probe of probes(JSON.parse(JSON.stringify(events)))) {
    const { step } = probe;
    const configured = { forward: 1, backward: 1 };
    const decision = decide(complete, state, probe, configured);
    state = decision.state;
    decisions.push(
      ...switches(
        decision.switches.map((change) => ({
          type: "switch",
          step,
          ...change,
        })),
      ),
    );
  }
  assert(decisions.length >= 4, `${decisions}`);
  assertEquals(switches(events), decisions);
});

async function assertSame(actual: Tree, expected: Tree): Promise<void> {
  const others = namedLeaves(expected);
  for (const [i, [name, x]] of namedLeaves(actual).entries()) {
    assertEquals(await x.data(), await others[i][1].data(), name);
  }
}

Deno.test("control: one level in both directions is no solver, bit for bit", async () => {
  const exact = { forward: serial, backward: serial, control: { interval: 1 } };
  const run = train(blownUpGpt(() => 1), options(2, exact));
  const events = await Array.fromAsync(run);
  assertEquals(events.map(({ type }) => type), [
    "start",
    "step",
    "step",
    "stop",
  ]);
  const without = train(blownUpGpt(() => 1), {
    ...options(2, exact),
    solver: undefined,
  });
  for await (const event of without) {
    if (event.type === "start") assertEquals(event.solver, undefined);
  }
  await assertSame(run.parameters, without.parameters);
});

Deno.test("control: probes leave no memory behind", async () => {
  const own = await device("wasm", { threads: 1 });
  setDefaultDevice(own);
  const factor = (batch: number): number => batch < 3 ? blownUp : 1;
  const solvers = {
    input: solver(2, { interval: 2, policy: "serial", wayBack: 0.5 }),
    previous: solver(
      2,
      { interval: 2, policy: "fixed" },
      { guess: "previous" },
    ),
  };
  for (const [guess, solver] of Object.entries(solvers)) {
    const live = new Set<number>();
    const run = train(blownUpGpt(factor), options(6, solver));
    for await (const event of run) {
      if (event.type === "step") live.add(own.stats().liveBytes);
    }
    assertEquals(live.size, 1, guess);
    dispose(run.parameters);
    assertEquals(own.stats().liveBytes, 0, guess);
  }
  setDefaultDevice(wasm);
  own.close();
});

Deno.test("control: the way back", async () => {
  const factor = (batch: number): number => batch < 2 ? blownUp : 1;
  const control = { policy: "serial", wayBack: 0.5 } as const;
  const events = await collect(factor, options(4, solver(2, control)));
  assertEquals(switches(events), [
    "1 forward gradient: 2 → serial",
    "1 backward gradient: 2 → serial",
    "3 forward recovered: serial → 2",
    "3 backward recovered: serial → 2",
  ]);
  const [, inVain, tried, after] = probes(events);
  assertEquals([inVain.gradient, tried.gradient], [undefined, undefined]);
  for (const direction of ["forward", "backward"] as const) {
    assertEquals(inVain[direction]!.iterations, 4);
    assert(inVain[direction]!.gradient!.cosine < 0.95);
    assert(tried[direction]!.gradient!.cosine > 0.95);
    assert(tried[direction]!.ratio! < 0.5);
    assertEquals(after[direction]!.gradient, undefined);
  }
  assert(after.gradient!.cosine > 0.95);
});

type Rates = { readonly [name: string]: Tensor; readonly block: Tensor };

/**
 * dx/dt = −λ x³ on sixteen steps with λh = ½, which decays; a coarse step with
 * 4 λh = 2 doesn't, and its cubes soon leave the range of f32.
 */
const stiff: TrainingTask<Rates> = {
  name: "stiff",
  tokensPerBatch: 1,
  initialize: () => ({ block: full([32], 0.5) }),
  block: { layers: 32, parameters: ({ block }) => block },
  loss: ({ block }, batch, solver) => {
    const problem = {
      layers: 32,
      endTime: 32,
      rightHandSide: (x: Tensor, rate: Tensor) =>
        mul(mul(-1, rate), mul(x, mul(x, x))),
    };
    const x = tensor([1.2 + 0.01 * batch]);
    return sum(square(solve(problem, x, block, {}, solver)));
  },
  description: {},
};

/** A solver for it that probes, but not at the first batches. */
function stiffSolver(control?: Partial<ControlOptions>): TrainingSolver {
  const options: MultigridOptions<never> = {
    ...defaultMultigrid,
    guess: "skip",
    iterations: 1,
  };
  return { forward: options, backward: options, control };
}

Deno.test("control: what isn't finite is done again, and stays serial", async () => {
  const run = (solver?: TrainingSolver): TrainingRun<Rates> =>
    train(stiff, {
      optimizer: sgd({ learningRate: 1e-3 }),
      steps: 3,
      solver,
    });
  const exact = run();
  for await (const _ of exact);
  for (const interval of [1, 500]) {
    const rescued = run(stiffSolver({ interval, wayBack: 0.5 }));
    const before = wasm.stats().liveBuffers;
    const events = await Array.fromAsync(rescued);
    assertEquals(
      events.map(({ type, step }) => [type, step]),
      [
        ["start", 0],
        ["step", 1],
        ["switch", 1],
        ["switch", 1],
        ["step", 2],
        ["step", 3],
        ["stop", 3],
      ],
    );
    assertEquals(switches(events), [
      "1 forward non-finite: 1 → serial",
      "1 backward non-finite: 1 → serial",
    ]);
    await assertSame(rescued.parameters, exact.parameters);
    rescued.parameters.block.dispose();
    assertEquals(wasm.stats().liveBuffers, before);
  }
});

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
  assertEquals(await failing(stiff, stiffSolver()), "loss");
  assertEquals(
    await failing(stiff, stiffSolver({ policy: "fixed" })),
    "loss",
  );
  const broken: typeof stiff = {
    ...stiff,
    loss: (parameters) => mul(NaN, sum(parameters.block)),
  };
  assertEquals(await failing(broken, stiffSolver({})), "loss");
});

// With a switch before the interruption and one after it.
const resumed: [name: string, TrainingSolver][] = [
  [
    "more iterations",
    solver(1, { interval: 2, indicator: "ratio", largestRatio: 0.05 }),
  ],
  ["serial and back", solver(2, { policy: "serial", wayBack: 0.5 })],
  [
    "previous states",
    solver(2, { interval: 2, policy: "fixed" }, { guess: "previous" }),
  ],
];

for (const [name, solver] of resumed) {
  Deno.test(`control: a resumed run is the same, with ${name}`, async () => {
    const root = await Deno.makeTempDir({ prefix: "layerbraid_" });
    const factor = (batch: number): number => batch < 2 ? blownUp : 1;
    const task = () => blownUpGpt(factor);
    const given = (folder: string, steps: number): TrainOptions => ({
      ...options(steps, solver),
      optimizer: adamW({ learningRate: 1e-3 }),
      folder: `${root}/${folder}`,
    });
    await Array.fromAsync(train(task(), given("whole", 6)));
    await Array.fromAsync(train(task(), given("parts", 2)));
    const middle = (await loadCheckpoint(`${root}/parts`)).manifest.solver;
    const events = await Array.fromAsync(
      train(task(), { ...given("parts", 6), resume: true }),
    );
    const [start] = events;
    assert(start.type === "start");
    assertEquals(start.solver?.state, middle);
    const [whole, parts] = await Promise.all(
      ["whole", "parts"].map((run) => loadCheckpoint(`${root}/${run}`)),
    );
    assertEquals(parts.manifest.files, whole.manifest.files);
    assertEquals(parts.manifest.solver, whole.manifest.solver);
    assertEquals(
      "memory.safetensors" in whole.manifest.files,
      name === "previous states",
    );
    assertEquals(
      await record(`${root}/parts`),
      await record(`${root}/whole`),
    );
    const { probes, switches } = history(await readMetrics(`${root}/parts`));
    assert(probes.length > 1);
    if (name !== "previous states") {
      const steps = switches.map(({ step }) => step);
      assert(Math.min(...steps) <= 2 && Math.max(...steps) > 2, `${steps}`);
    }
    await Deno.remove(root, { recursive: true });
  });
}

/** What a run's record says, without durations and sessions. */
async function record(folder: string): Promise<unknown[]> {
  const timed = (x: unknown): unknown =>
    JSON.parse(
      JSON.stringify(
        x,
        (key, value) => key === "milliseconds" ? undefined : value,
      ),
    );
  return (await readMetrics(folder))
    .filter(({ type }) => ["step", "probe", "switch"].includes(type))
    .map(timed);
}

Deno.test("history: forgets what came after the checkpoint of a later session", () => {
  const probe = (step: number): ProbeEvent => ({
    type: "probe",
    step,
    milliseconds: 1,
  });
  const state = { serial: false, iterations: 1, misses: 0 };
  const change = (step: number): SwitchEvent => ({
    type: "switch",
    step,
    direction: "forward",
    from: state,
    to: { ...state, iterations: 2 },
    reason: "ratio",
  });
  const begin = (step: number): TrainingEvent => ({
    type: "start",
    step,
    steps: 9,
    parameters: 1,
    tokensPerStep: 1,
  });
  const { probes, switches } = history([
    begin(0),
    probe(1),
    change(1),
    probe(2),
    change(2),
    begin(1),
    probe(2),
  ]);
  assertEquals(probes.map(({ step }) => step), [1, 2]);
  assertEquals(switches.map(({ step }) => step), [1]);
});

Deno.test("control: a manifest's state is checked, and may be missing", async () => {
  const root = await Deno.makeTempDir({ prefix: "layerbraid_" });
  const given = tinyOptions(1, { folder: root });
  await Array.fromAsync(train(tinyGpt(), given));
  const { path, manifest } = await loadCheckpoint(root);
  assertEquals(manifest.solver, undefined);
  const resumed = await Array.fromAsync(
    train(tinyGpt(), {
      ...tinyOptions(2, { folder: root, resume: true }),
      solver: { forward: serial, backward: serial },
    }),
  );
  assertEquals(resumed.at(-1)!.step, 2);
  const broken = { ...manifest, solver: { forward: { serial: 1 } } };
  await Deno.writeTextFile(`${path}/manifest.json`, JSON.stringify(broken));
  await assertRejects(
    () => loadCheckpoint(path),
    CheckpointError,
    "has a solver without the state of forward and backward",
  );
  await Deno.remove(root, { recursive: true });
});

Deno.test("control: a solver that can't be is refused at once", () => {
  const task = blownUpGpt(() => 1);
  const { block: _, ...blockless } = task;
  assertThrows(
    () => train(blockless, options(1, solver(1))),
    TypeError,
    'train: solver needs a task with a block of layers, but "gpt" names none',
  );
  assertThrows(
    () => train(task, options(1, solver(1, {}, { levels: 5 }))),
    RangeError,
    "levels: 5 with coarsening factor 2 leaves 1 step",
  );
  assertThrows(
    () => train(task, options(1, solver(1, { interval: 0 }))),
    RangeError,
    "control: interval is 0",
  );
});
