import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ControlOptions, MultigridOptions } from "../../mgrit/mod.ts";
import { device } from "../../tensor/mod.ts";
import {
  adamW,
  CheckpointError,
  history,
  loadCheckpoint,
  type ProbeEvent,
  readMetrics,
  type SwitchEvent,
  train,
  type TrainingEvent,
  type TrainingSolver,
  type TrainOptions,
} from "../../train/mod.ts";
import { blownUpGpt, multigrid, serial } from "./blown_up_gpt.ts";
import { blownUp, options, solver } from "./controlled_run.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

await device("wasm", { threads: 1 });

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
    unit: "tokens",
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

Deno.test("control: what a session begins with", async (t) => {
  const root = await Deno.makeTempDir({ prefix: "layerbraid_" });
  let steps = 0;
  const session = async (
    forward: MultigridOptions<never>,
    control: Partial<ControlOptions> | undefined,
  ): Promise<string> => {
    const resume = steps > 0;
    const solver = { forward, backward: serial, control };
    const run = train(blownUpGpt(() => blownUp), {
      ...options(++steps, solver),
      folder: root,
      resume,
    });
    const [start] = await Array.fromAsync(run);
    assert(start.type === "start");
    const state = start.solver!.state.forward;
    return state.serial ? "serial" : `${state.iterations}`;
  };
  const control = {
    interval: 1,
    indicator: "ratio",
    largestRatio: 0.01,
  } as const;
  await t.step("its options, at first", async () => {
    assertEquals(await session(multigrid(1), control), "1");
  });
  await t.step("what control made of them", async () => {
    assertEquals(await session(multigrid(1), control), "2");
    assertEquals(await session(multigrid(3), control), "4");
  });
  await t.step("its options, after a session without control", async () => {
    assertEquals(await session(multigrid(1), undefined), "1");
    assertEquals(await session(multigrid(3), control), "3");
  });
  await t.step("its options, after a session that was serial", async () => {
    assertEquals(await session(serial, control), "serial");
    assertEquals(await session(multigrid(2), control), "2");
  });
  await Deno.remove(root, { recursive: true });
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
    'has solver {"forward":{"serial":1}}, which is no state of control',
  );
  await Deno.remove(root, { recursive: true });
});
