import { assert, assertEquals } from "@std/assert";
import { type Device, device, setDefaultDevice } from "../../tensor/mod.ts";
import {
  listCheckpoints,
  loadCheckpoint,
  type Manifest,
  readMetrics,
  train,
  type TrainingEvent,
  type TrainOptions,
} from "../../train/mod.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const devices: Record<string, () => Promise<Device>> = {
  "reference": () => device("reference"),
  "wasm": () => device("wasm", { threads: 1 }),
};

async function run(options: TrainOptions): Promise<TrainingEvent[]> {
  return await Array.fromAsync(train(tinyGpt(), options));
}

/** Digests of all tensors of the newest checkpoint. */
async function digests(folder: string): Promise<Manifest["files"]> {
  return (await loadCheckpoint(folder)).manifest.files;
}

async function inTemporaryFolder(
  f: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  try {
    await f(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a run's record says, without durations and sessions. */
async function record(folder: string): Promise<unknown[]> {
  return (await readMetrics(folder))
    .filter(({ type }) => type === "step" || type === "evaluation")
    .map((event) => ({ ...event, milliseconds: 0 }));
}

for (const [name, make] of Object.entries(devices)) {
  Deno.test(`resume on ${name}: stopping and going on changes no bit`, async () => {
    using made = closing(await make());
    setDefaultDevice(made.device);
    await inTemporaryFolder(async (root) => {
      const whole = { folder: `${root}/whole`, checkpointInterval: 50 };
      await run(tinyOptions(12, whole));
      const parts = { folder: `${root}/parts`, checkpointInterval: 50 };
      await run(tinyOptions(6, parts));
      const events = await run(tinyOptions(12, { ...parts, resume: true }));
      const [start, first] = events;
      assertEquals([start.type, start.step, first.step], ["start", 6, 7]);
      assertEquals(await digests(parts.folder), await digests(whole.folder));
    });
  });

  Deno.test(`resume on ${name}: an interrupted run says the same`, async () => {
    using made = closing(await make());
    setDefaultDevice(made.device);
    await inTemporaryFolder(async (root) => {
      const whole = { folder: `${root}/whole`, checkpointInterval: 3 };
      await run(tinyOptions(9, whole));
      const parts = { folder: `${root}/parts`, checkpointInterval: 3 };
      const controller = new AbortController();
      const { signal } = controller;
      const events: TrainingEvent[] = [];
      for await (
        const event of train(tinyGpt(), tinyOptions(9, { ...parts, signal }))
      ) {
        events.push(event);
        if (event.type === "step" && event.step === 4) controller.abort();
      }
      assertEquals(
        events.slice(-3).map(({ type, step }) => [type, step]),
        [["evaluation", 4], ["checkpoint", 4], ["stop", 4]],
      );
      const [stop] = events.slice(-1);
      assert(stop.type === "stop");
      assertEquals(stop.reason, "interrupted");
      await run(tinyOptions(9, { ...parts, resume: true }));
      assertEquals(await digests(parts.folder), await digests(whole.folder));
      assertEquals(await record(parts.folder), await record(whole.folder));
    });
  });
}

Deno.test("resume: a run interrupted at once can go on", async () => {
  using made = closing(await device("reference"));
  setDefaultDevice(made.device);
  await inTemporaryFolder(async (root) => {
    const folder = `${root}/run`;
    const events = await run(
      tinyOptions(3, { folder, signal: AbortSignal.abort() }),
    );
    assertEquals(
      events.map(({ type, step }) => [type, step]),
      [["start", 0], ["step", 1], ["checkpoint", 1], ["stop", 1]],
    );
    const rest = await run(tinyOptions(3, { folder, resume: true }));
    assertEquals(rest.at(-1), { type: "stop", step: 3, reason: "done" });
    const again = await run(tinyOptions(3, { folder, resume: true }));
    assertEquals(
      again.map(({ type, step }) => [type, step]),
      [["start", 3], ["stop", 3]],
    );
  });
});

function closing(device: Device): { device: Device } & Disposable {
  return { device, [Symbol.dispose]: () => device.close() };
}

const child = `${import.meta.dirname}/resume_child.ts`;

function spawn(folder: string, steps: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", child, folder, `${steps}`],
    env: { LAYERBRAID_DEVICE: "wasm", LAYERBRAID_THREADS: "1" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** Kills a run after so many steps, or while it writes the checkpoint then. */
async function disturb(
  folder: string,
  steps: number,
  kill: { readonly after: number; readonly writing: boolean },
): Promise<void> {
  const running = spawn(folder, steps);
  let done = 0;
  for await (
    const text of running.stdout.pipeThrough(new TextDecoderStream())
  ) {
    done += text.split("\n").length - 1;
    if (done < kill.after) continue;
    if (kill.writing) waitForPartial(folder);
    try {
      running.kill("SIGKILL");
    } catch {
      // It was done before.
    }
    break;
  }
  await running.status;
}

/** The checkpoint that is half written, newer than all whole ones, if any. */
function halfWritten(folder: string): string | undefined {
  let names: string[] = [];
  try {
    names = Array.from(
      Deno.readDirSync(`${folder}/checkpoints`),
      ({ name }) => name,
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const stepOf = (name: string): number => Number(/\d+/.exec(name)?.[0]);
  const whole = names.filter((name) => name.startsWith("step-"));
  const newest = Math.max(0, ...whole.map(stepOf));
  // Old checkpoints have such names too, while they are removed.
  return names.find((name) =>
    name.endsWith(".partial") && stepOf(name) > newest
  );
}

/** Looks without pause until a checkpoint is half written, or 100 ms passed. */
function waitForPartial(folder: string): void {
  const until = performance.now() + 100;
  while (performance.now() < until) {
    if (halfWritten(folder) !== undefined) return;
  }
}

Deno.test("resume: SIGKILL between and during checkpoints changes no bit", async () => {
  await inTemporaryFolder(async (root) => {
    const steps = 40;
    const whole = `${root}/whole`;
    await spawn(whole, steps).output();
    const parts = `${root}/parts`;
    const kill = async (after: number, writing: boolean): Promise<void> => {
      await disturb(parts, steps, { after, writing });
      // Whatever was killed: what can be seen is whole.
      for (const { path } of await listCheckpoints(parts)) {
        await loadCheckpoint(path);
      }
    };
    await kill(1, false);
    await kill(1 + Math.floor(3 * Math.random()), false);
    // The signal may come too late, when the checkpoint is whole already.
    let hits = 0;
    for (let attempt = 0; attempt < 12 && hits < 2; attempt++) {
      await kill(1, true);
      if (halfWritten(parts) !== undefined) hits++;
    }
    assert(hits >= 1, "no kill came while a checkpoint was half written");
    const { code } = await spawn(parts, steps).output();
    assertEquals(code, 0);
    assertEquals(await digests(parts), await digests(whole));
    assertEquals(await record(parts), await record(whole));
    const names = await Array.fromAsync(
      Deno.readDir(`${parts}/checkpoints`),
      ({ name }) => name,
    );
    assert(names.every((name) => name.startsWith("step-")), `${names}`);
  });
});
