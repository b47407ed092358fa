import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  completeControl,
  type ControlOptions,
  decide,
  defaultControl,
  startControl,
} from "../../mgrit/mod.ts";
import { device, dispose, setDefaultDevice } from "../../tensor/mod.ts";
import { adamW, train } from "../../train/mod.ts";
import { blownUpGpt, serial } from "./blown_up_gpt.ts";
import {
  assertSame,
  blownUp,
  collect,
  options,
  probes,
  solver,
  switches,
} from "./controlled_run.ts";

const wasm = await device("wasm", { threads: 1 });

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

Deno.test("control: rounding is no reason to switch", async () => {
  // Any ratio at all would be one.
  const control = { indicator: "ratio", largestRatio: 1e-9 } as const;
  const run = (factor: number) =>
    collect(factor, options(1, solver(3, control)));
  assertEquals(switches(await run(1)).length, 2);
  // Layers that do next to nothing: five iterations leave rounding.
  const events = await run(0.3);
  const [{ forward, backward }] = probes(events);
  assertEquals([forward!.ratio, backward!.ratio], [undefined, undefined]);
  assertEquals(switches(events), []);
});

Deno.test("control: stacked execution is controlled the same", async () => {
  const given = solver(2, { interval: 2 });
  const [sequential, stacked] = await Promise.all(
    (["sequential", "stacked"] as const).map((execution) =>
      collect(blownUp, options(3, { ...given, execution }))
    ),
  );
  assertEquals(switches(stacked), switches(sequential));
  for (const [i, { forward, gradient }] of probes(stacked).entries()) {
    const other = probes(sequential)[i];
    // The same numbers in another order of summation, in f32, after a network
    // that amplifies: the gradients are compared to three digits.
    assertAlmostEquals(
      forward!.residuals[0]!,
      other.forward!.residuals[0]!,
      1e-3 * other.forward!.residuals[0]!,
    );
    assertAlmostEquals(gradient!.cosine, other.gradient!.cosine, 1e-3);
  }
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
    () => train(task, options(1, solver(1, {}, { weight: 0 }))),
    RangeError,
    "weight 0 must be positive",
  );
  assertThrows(
    () => train(task, options(1, solver(1, { interval: 0 }))),
    RangeError,
    "control: interval is 0",
  );
});
