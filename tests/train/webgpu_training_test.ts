/** Training on a GPU: the same as elsewhere, to rounding. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { Execution } from "../../mgrit/mod.ts";
import type { GptParameters } from "../../models/mod.ts";
import {
  type Device,
  device,
  DeviceError,
  dropout,
  mul,
  namedLeaves,
  ones,
  setDefaultDevice,
} from "../../tensor/mod.ts";
import { Device as DeviceOf } from "../../tensor/devices.ts";
import {
  createWebgpuBackend,
  type WebgpuBackend,
} from "../../tensor/webgpu/backend.ts";
import {
  loadCheckpoint,
  NonFiniteError,
  train,
  type TrainingEvent,
  type TrainingTask,
  type TrainOptions,
} from "../../train/mod.ts";
import {
  gpuMissing as ignore,
  halvesMissing,
} from "../tensor/webgpu_subject.ts";
import { blownUpGpt } from "./blown_up_gpt.ts";
import {
  assertSame,
  options as controlled,
  solver,
  switches,
} from "./controlled_run.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const reference = await device("reference");

const others: Record<string, () => Promise<Device>> = {
  "wasm": () => device("wasm", { threads: 1 }),
  "webgpu": () => device("webgpu"),
};

/** Runs `f` with a device as default, which ends with it. */
async function on<T>(
  made: Device | Promise<Device>,
  f: (device: Device) => Promise<T>,
): Promise<T> {
  const used = await made;
  setDefaultDevice(used);
  try {
    return await f(used);
  } finally {
    used.close();
    setDefaultDevice(reference);
  }
}

/** What a run found, and where its parameters ended. */
interface Outcome {
  readonly events: readonly TrainingEvent[];
  readonly losses: readonly number[];
  readonly parameters: readonly (readonly [string, ArrayLike<number>])[];
}

async function outcome(
  task: TrainingTask<GptParameters>,
  options: TrainOptions,
): Promise<Outcome> {
  const run = train(task, options);
  const events = await Array.fromAsync(run);
  const losses = events.filter((event) => event.type === "step")
    .map(({ loss }) => loss);
  const parameters = await Promise.all(
    namedLeaves(run.parameters).map(async ([name, x]) =>
      [name, await x.data()] as const
    ),
  );
  return { events, losses, parameters };
}

/** Largest relative difference of two lists, against the larger list's size. */
function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): number {
  const list = Array.from(expected);
  assertEquals(actual.length, list.length);
  const size = Math.max(...list.map(Math.abs), 1e-3);
  return Math.max(
    ...list.map((value, i) => Math.abs(value - actual[i])),
  ) / size;
}

for (const [name, make] of Object.entries(others)) {
  Deno.test({
    name: `${name} trains as reference does: parameters, dropout, 50 losses`,
    ignore: name === "webgpu" && ignore,
    fn: async () => {
      const begin = async (): Promise<[Outcome["parameters"], unknown]> => {
        const parameters = tinyGpt().initialize();
        const values = await Promise.all(
          namedLeaves(parameters).map(async ([name, x]) =>
            [name, await x.data()] as const
          ),
        );
        const key = { seed: 7, streams: [[1, 2, 3]] as const };
        return [values, await dropout(ones([99]), 0.3, key).data()];
      };
      const options = tinyOptions(50, { evaluationInterval: 50 });
      const expected = await begin();
      const trained = await outcome(tinyGpt(), options);
      await on(make(), async () => {
        const [parameters, mask] = await begin();
        // Numbers of Box and Muller: a logarithm and a cosine of f32.
        for (const [i, [leaf, values]] of parameters.entries()) {
          const far = difference(values, expected[0][i][1]);
          assert(far < 1e-5, `${leaf} begins ${far} apart`);
        }
        assertEquals(mask, expected[1]);
        // Rounding, which 50 steps of AdamW carry on.
        const { losses } = await outcome(tinyGpt(), options);
        const far = difference(losses, trained.losses);
        assert(far < 1e-4, `losses are ${far} apart`);
      });
    },
  });
}

for (const execution of ["sequential", "stacked"] as Execution[]) {
  Deno.test({
    name: `multigrid on webgpu, ${execution}, trains as on reference`,
    ignore,
    fn: async () => {
      const control = solver(1, { interval: 3 }, { guess: "previous" });
      const options: TrainOptions = {
        ...controlled(8, { ...control, execution }),
        readInterval: 2,
      };
      const task = blownUpGpt((batch) => batch < 3 ? 4 : 1);
      const expected = await outcome(task, options);
      await on(device("webgpu"), async () => {
        const { losses, events, parameters } = await outcome(task, options);
        // Sums in another order, in f32.
        assert(difference(losses, expected.losses) < 1e-5);
        for (const [i, [leaf, values]] of parameters.entries()) {
          const far = difference(values, expected.parameters[i][1]);
          assert(far < 1e-4, `${leaf} ends ${far} apart`);
        }
        assertEquals(switches(events), switches(expected.events));
        assertEquals(
          events.map(({ type, step }) => [type, step]),
          expected.events.map(({ type, step }) => [type, step]),
        );
      });
    },
  });
}

Deno.test({
  name: "training on webgpu: f16 with a scaled loss is f32, but for rounding",
  ignore: halvesMissing,
  fn: () =>
    on(gpu(), async () => {
      const options = tinyOptions(50, { evaluationInterval: 50 });
      const whole = await outcome(tinyGpt(), options);
      const half = await outcome(tinyGpt(3, "f16"), {
        ...options,
        lossScale: 2 ** 16,
      });
      const far = difference(half.losses, whole.losses);
      // Products are rounded to 11 bits, 5e-4 of each.
      assert(far > 0 && far < 5e-3, `losses are ${far} apart`);
    }),
});

Deno.test({
  name: "training on webgpu: 200 steps hold the memory of two windows",
  ignore,
  fn: () =>
    on(gpu(), async (device) => {
      const { pool } = backendOf(device).gpu;
      const seen = new Set<string>();
      const options = tinyOptions(200, {
        evaluationInterval: 200,
        accumulation: 1,
      });
      let readbacks = 0;
      for await (const event of train(tinyGpt(), options)) {
        if (event.type !== "step" || event.step % 8 !== 0) continue;
        if (event.step === 200) break;
        readbacks = device.readbacks;
        if (event.step < 16) continue;
        const { liveBuffers, liveBytes } = device.stats();
        seen.add(`${liveBuffers} ${liveBytes} ${pool.blocks} ${pool.bytes}`);
      }
      assertEquals(seen.size, 1, [...seen].join("; "));
      // One for each eight steps.
      assert(readbacks <= 200 / 8, `${readbacks} readbacks`);
    }),
});

Deno.test({
  name: "training on webgpu: a GPU that is lost leaves a whole run behind",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
    try {
      const options = tinyOptions(24, { folder, checkpointInterval: 8 });
      await on(gpu(), async (device) => {
        const run = train(tinyGpt(), options);
        const error = await assertRejects(async () => {
          for await (const event of run) {
            if (event.type === "checkpoint" && event.step === 8) {
              setTimeout(() => backendOf(device).gpu.device.destroy(), 0);
            }
          }
        }, DeviceError);
        assertEquals(error.kind, "lost");
        assertStringIncludes(error.message, "webgpu");
      });
      const { manifest } = await loadCheckpoint(folder);
      assertEquals(manifest.device.name, "webgpu");
      assert(manifest.progress.step < 24);
      await on(device("wasm", { threads: 1 }), async () => {
        const resumed = await outcome(tinyGpt(), { ...options, resume: true });
        const whole = await outcome(tinyGpt(), tinyOptions(24));
        for (const [i, [leaf, values]] of resumed.parameters.entries()) {
          const far = difference(values, whole.parameters[i][1]);
          // Steps of AdamW are as long for a small gradient as for a large one.
          assert(far < 1e-3, `${leaf} is ${far} apart`);
        }
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

for (const delay of [0, 5, 40]) {
  Deno.test({
    name: `training on webgpu: lost ${delay} ms after a step, probes and all`,
    ignore,
    fn: () =>
      on(gpu(), async (device) => {
        const control = solver(1, { interval: 2, wayBack: 0.5 });
        const run = train(blownUpGpt(() => 1), controlled(1000, control));
        let isArmed = false;
        await assertRejects(async () => {
          for await (const event of run) {
            if (event.type !== "step" || isArmed) continue;
            isArmed = true;
            setTimeout(() => backendOf(device).gpu.device.destroy(), delay);
          }
        }, DeviceError);
      }),
  });
}

for (const wrong of [NaN, Infinity, -Infinity]) {
  Deno.test({
    name: `training on webgpu: a loss of ${wrong} changes no parameter`,
    ignore,
    fn: () =>
      on(device("webgpu"), async () => {
        const task = tinyGpt();
        const failing: typeof task = {
          ...task,
          loss: (parameters, batch) => {
            const loss = task.loss(parameters, batch);
            return batch === 10 ? mul(loss, wrong) : loss;
          },
        };
        const options = tinyOptions(16, { evaluationInterval: 100 });
        const run = train(failing, options);
        const error = await assertRejects(
          () => Array.fromAsync(run),
          NonFiniteError,
        );
        assertEquals([error.step, error.culprit], [6, "loss"]);
        // Of the same schedule, which ends at another step.
        const good = train(task, { ...options, steps: 5 });
        for await (const _ of good);
        await assertSame(run.parameters, good.parameters);
      }),
  });
}

async function gpu(): Promise<Device> {
  return new DeviceOf(await createWebgpuBackend());
}

function backendOf({ backend }: Device): WebgpuBackend {
  return backend as WebgpuBackend;
}
