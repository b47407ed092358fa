import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  add,
  type Device,
  device,
  DeviceError,
  dispose,
  mul,
  setDefaultDevice,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  type Tree,
} from "../../tensor/mod.ts";
import {
  listCheckpoints,
  NonFiniteError,
  sgd,
  train,
  type TrainingEvent,
  type TrainingTask,
  type TrainOptions,
} from "../../train/mod.ts";
import { backgroundDevice } from "./background_device.ts";
import { blownUpGpt } from "./blown_up_gpt.ts";
import { options as controlled, solver, switches } from "./controlled_run.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const reference = await device("reference");
const wasm = (): Promise<Device> => device("wasm", { threads: 1 });

type Point = { readonly [name: string]: Tensor; readonly x: Tensor };

/** ½ |x − 3|² times a factor of the batch. */
function bowl(
  factor: (batch: number) => number = () => 1,
): TrainingTask<Point> {
  return {
    name: "bowl",
    tokensPerBatch: 1,
    unit: "tokens",
    initialize: () => ({ x: tensor([0, 1]) }),
    loss: ({ x }, batch) => mul(0.5 * factor(batch), sum(square(sub(x, 3)))),
    description: {},
  };
}

function options(
  steps: number,
  more: Partial<TrainOptions> = {},
): TrainOptions {
  return { optimizer: sgd({ learningRate: 0.5 }), steps, ...more };
}

/** A run on a device of its own: events without times, and final values. */
async function outcome<P extends Tree>(
  on: Device,
  task: () => TrainingTask<P>,
  options: TrainOptions,
): Promise<{ events: TrainingEvent[]; values: unknown }> {
  setDefaultDevice(on);
  try {
    const run = train(task(), options);
    const events = await Array.fromAsync(run);
    const values = await valuesOf(run.parameters);
    dispose(run.parameters);
    assertEquals(on.stats().liveBuffers, 0);
    return { events: events.map(timeless), values };
  } finally {
    on.close();
    setDefaultDevice(reference);
  }
}

/** An event without anything that a clock measured. */
function timeless(event: TrainingEvent): TrainingEvent {
  return JSON.parse(
    JSON.stringify(event, (name, value) => {
      return name === "milliseconds" ? undefined : value;
    }),
  );
}

async function valuesOf(tree: Tree): Promise<unknown> {
  return "data" in tree
    ? await (tree as Tensor).data()
    : await Promise.all(Object.values(tree).map(valuesOf));
}

type Outcome = Awaited<ReturnType<typeof outcome>>;

const runs: Record<
  string,
  (on: Device, readInterval: number) => Promise<Outcome>
> = {
  "a GPT with validation": (on, readInterval) =>
    outcome(on, tinyGpt, tinyOptions(11, { readInterval })),
  "multigrid with probes": (on, readInterval) => {
    const factor = (batch: number): number => batch < 4 ? 5 : 1;
    const control = solver(
      2,
      { interval: 3, policy: "double" },
      { guess: "previous" },
    );
    return outcome(on, () => blownUpGpt(factor), {
      ...controlled(9, control),
      readInterval,
    });
  },
  "multigrid that is rescued": async (on, readInterval) => {
    const control = solver(
      2,
      { interval: 7, policy: "serial" },
      { guess: "previous" },
    );
    const found = await outcome(on, () => wrongOnce(4), {
      ...controlled(9, control),
      readInterval,
    });
    assertEquals(switches(found.events), [
      "5 forward non-finite: 2 → serial",
      "5 backward non-finite: 2 → serial",
    ]);
    return found;
  },
  "multigrid whose loss gets a smaller scale": async (on, readInterval) => {
    const control = solver(1, { interval: 7 }, { guess: "previous" });
    const found = await outcome(on, () => steepFrom(3), {
      ...controlled(5, control),
      clipNorm: 1,
      lossScale: 2 ** 14,
      readInterval,
    });
    const scales = found.events.flatMap((event) =>
      event.type === "step" ? [event.lossScale!] : []
    );
    assert(scales[2] === 2 ** 14 && scales[3] < 2 ** 14);
    return found;
  },
};

/** A network whose loss is 2⁵⁰ times as large from a batch on. */
function steepFrom(first: number): ReturnType<typeof blownUpGpt> {
  const task = blownUpGpt(() => 1);
  return {
    ...task,
    loss: (parameters, batch, solver) =>
      mul(task.loss(parameters, batch, solver), batch < first ? 1 : 2 ** 50),
  };
}

/** A network that multigrid gets wrong in one batch. */
function wrongOnce(wrong: number): ReturnType<typeof blownUpGpt> {
  const task = blownUpGpt(() => 1);
  return {
    ...task,
    loss: (parameters, batch, solver) => {
      const loss = task.loss(parameters, batch, solver);
      const isWrong = batch === wrong && solver?.backward !== undefined;
      return isWrong ? mul(NaN, loss) : loss;
    },
  };
}

for (const [what, run] of Object.entries(runs)) {
  Deno.test(`train, read every few steps: ${what} is the same run, bit for bit`, async () => {
    const expected = await run(await wasm(), 1);
    for (const readInterval of [2, 8]) {
      const { device } = await backgroundDevice();
      assertEquals(
        await run(device, readInterval),
        expected,
        `${readInterval}`,
      );
    }
    assertEquals(await run(await wasm(), 3), expected);
    assertEquals(await run((await backgroundDevice()).device, 1), expected);
  });
}

Deno.test("train, read every few steps: waits once for eight, while the next are launched", async () => {
  const { device, waits } = await backgroundDevice();
  setDefaultDevice(device);
  let launched = 0;
  const task = bowl((batch) => {
    launched = batch + 1;
    return 1;
  });
  const ahead: number[] = [];
  const before = waits();
  for await (const event of train(task, options(32))) {
    if (event.type === "step") ahead.push(launched - event.step);
  }
  // The first eight are told of when sixteen are launched.
  assertEquals([ahead[0], ahead[7], ahead[8], ahead[31]], [15, 8, 15, 0]);
  assert(waits() - before <= 4);
  setDefaultDevice(reference);
});

Deno.test("train, read every few steps: numbers that are none stop it where they are", async () => {
  const { device } = await backgroundDevice();
  setDefaultDevice(device);
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  const run = train(
    bowl((batch) => batch === 5 ? NaN : 1),
    options(40, { folder, checkpointInterval: 3, readInterval: 7 }),
  );
  const steps: number[] = [];
  const error = await assertRejects(async () => {
    for await (const event of run) {
      if (event.type === "step") steps.push(event.step);
    }
  }, NonFiniteError);
  assertEquals(steps, [1, 2, 3, 4, 5]);
  assertEquals([error.step, error.culprit], [6, "loss"]);
  assertEquals(
    (await listCheckpoints(folder)).map(({ step }) => step),
    [3],
  );
  // As after five steps of halving the distance to 3, whatever came later.
  assertEquals([...await run.parameters.x.data()], [
    3 - 3 / 32,
    3 - 2 / 32,
  ]);
  dispose(run.parameters);
  assertEquals(device.stats().liveBuffers, 0);
  await Deno.remove(folder, { recursive: true });
  setDefaultDevice(reference);
});

Deno.test("train, read every few steps: an infinite loss stops it, whatever its gradient", async () => {
  const { device } = await backgroundDevice();
  setDefaultDevice(device);
  const task = bowl();
  const run = train(
    {
      ...task,
      // The second batch of the third step.
      loss: (p, batch) => add(task.loss(p, batch), batch === 5 ? Infinity : 0),
    },
    options(10, { accumulation: 2 }),
  );
  const error = await assertRejects(
    () => Array.fromAsync(run),
    NonFiniteError,
  );
  assertEquals([error.step, error.culprit], [3, "loss"]);
  assertEquals([...await run.parameters.x.data()], [3 - 3 / 4, 3 - 2 / 4]);
  dispose(run.parameters);
  assertEquals(device.stats().liveBuffers, 0);
  setDefaultDevice(reference);
});

Deno.test("train, read every few steps: an interrupt ends after what was launched", async () => {
  const { device } = await backgroundDevice();
  setDefaultDevice(device);
  const controller = new AbortController();
  const task = bowl((batch) => {
    if (batch === 10) controller.abort();
    return 1;
  });
  const events = await Array.fromAsync(
    train(task, options(100, { signal: controller.signal })),
  );
  assertEquals(events.filter(({ type }) => type === "step").length, 11);
  assertEquals(events.at(-1), {
    type: "stop",
    step: 11,
    reason: "interrupted",
  });
  setDefaultDevice(reference);
});

Deno.test("train, read every few steps: leaving the loop leaves nothing behind", async () => {
  const { device } = await backgroundDevice();
  setDefaultDevice(device);
  const run = train(bowl(), options(100, { readInterval: 4 }));
  for await (const event of run) {
    if (event.step === 6) break;
  }
  dispose(run.parameters);
  assertEquals(device.stats().liveBuffers, 0);
  setDefaultDevice(reference);
});

Deno.test("train: a device's fault ends the run, and what was saved is whole", async () => {
  const { device, breakWith } = await backgroundDevice();
  setDefaultDevice(device);
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  const run = train(bowl(), options(40, { folder, checkpointInterval: 10 }));
  const error = await assertRejects(async () => {
    for await (const event of run) {
      if (event.type === "checkpoint") {
        breakWith(new DeviceError("lost", "the device was lost"));
      }
    }
  }, DeviceError);
  assertEquals(error.kind, "lost");
  setDefaultDevice(reference);
  const resumed = train(bowl(), options(12, { folder, resume: true }));
  const [start] = await Array.fromAsync(resumed);
  assertEquals(start.step, 10);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("train: the interval of reading is checked", () => {
  assertThrows(
    () => train(bowl(), options(1, { readInterval: 0 })),
    RangeError,
    "train: readInterval is 0; it must be an integer ≥ 1",
  );
});
