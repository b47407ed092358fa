import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { tokensInMemory } from "../../data/mod.ts";
import { gptConfiguration } from "../../models/mod.ts";
import {
  type Device,
  device,
  mul,
  setDefaultDevice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from "../../tensor/mod.ts";
import {
  gptDecay,
  gptTask,
  NonFiniteError,
  sgd,
  train,
  type TrainingEvent,
  type TrainingTask,
  type TrainOptions,
} from "../../train/mod.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const reference = await device("reference");

type Point = { readonly [name: string]: Tensor; readonly x: Tensor };

/** ½ |x − target|², whose gradient is x − target. */
function bowl(
  target: (batch: number) => number = () => 3,
  validation?: readonly number[],
): TrainingTask<Point> {
  let evaluations = 0;
  return {
    name: "bowl",
    tokensPerBatch: 1,
    unit: "tokens",
    initialize: () => ({ x: tensor([0, 1]) }),
    loss: ({ x }, batch) => mul(0.5, sum(square(sub(x, target(batch))))),
    validate: validation &&
      (() => Promise.resolve({ loss: validation[evaluations++], metrics: {} })),
    description: {},
  };
}

function options(
  steps: number,
  more: Partial<TrainOptions> = {},
): TrainOptions {
  return { optimizer: sgd({ learningRate: 0.5 }), steps, ...more };
}

function collect(
  task: TrainingTask<Point>,
  options: TrainOptions,
): Promise<TrainingEvent[]> {
  return Array.fromAsync(train(task, options));
}

Deno.test("train: tells what it does, in order", async () => {
  const events = await collect(bowl(undefined, [2, 1]), {
    ...options(3),
    schedule: (step) => 1 / (step + 1),
    evaluationInterval: 2,
  });
  assertEquals(
    events.map(({ type, step }) => `${type} ${step}`),
    [
      "start 0",
      "step 1",
      "step 2",
      "evaluation 2",
      "step 3",
      "evaluation 3",
      "stop 3",
    ],
  );
  const [start, first, second] = events;
  assert(start.type === "start");
  assertEquals([start.steps, start.parameters, start.tokensPerStep], [3, 2, 1]);
  assert(first.type === "step" && second.type === "step");
  assertEquals(first.loss, 0.5 * (9 + 4));
  assertAlmostEquals(first.gradientNorm, Math.sqrt(9 + 4), 1e-6); // f32
  assertEquals([first.learningRate, second.learningRate], [0.5, 0.25]);
  assert(first.milliseconds >= 0);
});

Deno.test("train: hands out the parameters of each step", async () => {
  const run = train(bowl(), options(2));
  assertThrows(() => run.parameters, ReferenceError, "before the first event");
  const seen: number[][] = [];
  for await (const _ of run) seen.push([...await run.parameters.x.data()]);
  assertEquals(seen, [[0, 1], [1.5, 2], [2.25, 2.5], [2.25, 2.5]]);
});

Deno.test("train: accumulation is the mean over batches", async () => {
  const run = train(
    bowl((batch) => batch),
    options(2, {
      accumulation: 2,
      optimizer: sgd({ learningRate: 1 }),
    }),
  );
  const losses: number[] = [];
  for await (const event of run) {
    if (event.type === "step") losses.push(event.loss);
  }
  // The targets 0 and 1, then 2 and 3: the steps end at their means.
  assertEquals([...await run.parameters.x.data()], [2.5, 2.5]);
  assertEquals(losses[0], 0.5 * ((0 + 1) + (1 + 0)) / 2);
});

Deno.test("train: clips the norm of all gradients", async () => {
  const run = train(bowl(), options(1, { clipNorm: 0.1 }));
  for await (const event of run) {
    // Before clipping; f32.
    if (event.type === "step") {
      assertAlmostEquals(event.gradientNorm, 13 ** 0.5, 1e-6);
    }
  }
  const [a, b] = await run.parameters.x.data();
  // Length of the update: learning rate × norm, with clipping's 1e-6.
  assertAlmostEquals(Math.hypot(a, b - 1), 0.5 * 0.1, 1e-6);
});

Deno.test("train: ends when there is no improvement", async () => {
  const losses = [5, 4, 4.5, 4, 3, 3];
  const events = await collect(bowl(undefined, losses), {
    ...options(6),
    evaluationInterval: 1,
    patience: 2,
  });
  assertEquals(events.at(-1), { type: "stop", step: 4, reason: "early" });
  assertEquals(
    events.flatMap((event) => event.type === "evaluation" ? [event.best] : []),
    [true, true, false, false],
  );
});

Deno.test("train: lets others have their turn", async () => {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), 1);
  const events = await collect(
    bowl(),
    options(1e6, { signal: controller.signal }),
  );
  clearTimeout(timer);
  const [stop] = events.slice(-1);
  assert(stop.type === "stop");
  assertEquals(stop.reason, "interrupted");
});

Deno.test("train: stops at numbers that are none", async (t) => {
  const task = bowl();
  const failing = async (
    loss: TrainingTask<Point>["loss"],
    more: Partial<TrainOptions> = {},
  ): Promise<NonFiniteError> =>
    await assertRejects(
      () => collect({ ...task, loss }, options(5, more)),
      NonFiniteError,
    );
  await t.step("in the loss", async () => {
    const error = await failing((p, batch) =>
      batch < 2 ? task.loss(p, batch) : mul(NaN, task.loss(p, batch))
    );
    assertEquals([error.step, error.culprit], [3, "loss"]);
    assertEquals(error.checkpoint, undefined);
  });
  await t.step("in a gradient", async () => {
    // The root's slope at 0 is infinite, its value is not.
    const loss = ({ x }: Point): Tensor => sum(sqrt(mul(x, 1)));
    const error = await failing(loss);
    assertEquals([error.step, error.culprit], [1, "gradient of x"]);
  });
  await t.step("in a parameter, and nothing broken is saved", async () => {
    const root = await Deno.makeTempDir({ prefix: "layerbraid_" });
    const folder = `${root}/run`;
    const error = await failing(task.loss, {
      folder,
      checkpointInterval: 1,
      // The third step leaves the range of f32.
      schedule: (step) => step < 2 ? 0.1 : 3e38,
      optimizer: sgd({ learningRate: 1e5 }),
    });
    assertEquals([error.step, error.culprit], [3, "parameter x"]);
    assertEquals(error.checkpoint, `${folder}/checkpoints/step-000002`);
    const names = await Array.fromAsync(Deno.readDir(`${folder}/checkpoints`));
    assertEquals(
      names.map(({ name }) => name).sort(),
      ["step-000001", "step-000002"],
    );
    await Deno.remove(root, { recursive: true });
  });
});

const devices: Record<string, [() => Promise<Device>, steps: number]> = {
  "reference": [() => device("reference"), 20],
  "wasm": [() => device("wasm", { threads: 1 }), 100],
};

for (const [name, [make, steps]] of Object.entries(devices)) {
  Deno.test(`train on ${name}: ${steps} steps hold the memory of two`, async () => {
    const used = await make();
    setDefaultDevice(used);
    let early: unknown;
    for await (const event of train(tinyGpt(), tinyOptions(steps))) {
      if (event.type !== "step") continue;
      const { liveBytes, liveBuffers } = used.stats();
      if (event.step === 2) early = { liveBytes, liveBuffers };
      if (event.step > 2) assertEquals({ liveBytes, liveBuffers }, early);
    }
    used.close();
    setDefaultDevice(reference);
  });
}

Deno.test("train: a failed step leaves nothing behind", async () => {
  const task = bowl();
  const before = reference.stats().liveBuffers;
  const run = train(
    { ...task, loss: (p, batch) => mul(NaN, task.loss(p, batch)) },
    options(1),
  );
  await assertRejects(() => Array.fromAsync(run), NonFiniteError);
  run.parameters.x.dispose();
  assertEquals(reference.stats().liveBuffers, before);
});

Deno.test("train: names an option that is out of range", () => {
  for (
    const [bad, message] of [
      [{ steps: 0 }, "train: steps is 0"],
      [{ accumulation: 1.5 }, "train: accumulation is 1.5"],
      [{ clipNorm: -1 }, "train: clipNorm is -1"],
      [{ keep: 0, folder: "x" }, "train: keep is 0"],
      [{ evaluationInterval: NaN }, "train: evaluationInterval is NaN"],
    ] as const
  ) {
    assertThrows(() => train(bowl(), options(1, bad)), RangeError, message);
  }
  assertThrows(
    () => train(bowl(), options(1, { patience: 3 })),
    TypeError,
    "the task has no validation data",
  );
});

Deno.test("gptTask: batches and dropout depend on seed and number alone", async () => {
  const task = tinyGpt();
  const parameters = task.initialize();
  const loss = async (of: typeof task, batch: number): Promise<number> =>
    await of.loss(parameters, batch).item();
  assertEquals(await loss(task, 7), await loss(tinyGpt(), 7));
  assert(await loss(task, 7) !== await loss(task, 8));
  assert(await loss(task, 7) !== await loss(tinyGpt(4), 7));
});

Deno.test("gptTask: the validation loss is the mean over windows", async () => {
  const configuration = gptConfiguration({
    vocabulary: 5,
    context: 4,
    width: 4,
    heads: 1,
    layers: 1,
  });
  const tokens = tokensInMemory(
    Uint8Array.from({ length: 13 }, (_, i) => i % 5),
  );
  const of = (batch: number) =>
    gptTask({ configuration, tokens, validation: tokens, batch });
  const parameters = of(1).initialize();
  const one = await of(1).validate!(parameters, 10);
  const two = await of(2).validate!(parameters, 10);
  assertAlmostEquals(one.loss, two.loss, 1e-6); // f32, summed in another order
});

Deno.test("gptTask: names what is out of range", () => {
  const configuration = gptConfiguration({
    vocabulary: 5,
    context: 4,
    width: 4,
    heads: 1,
    layers: 1,
  });
  const tokens = tokensInMemory(new Uint8Array(20));
  const base = { configuration, tokens, batch: 1 };
  assertThrows(
    () => gptTask({ ...base, sequence: 5 }),
    RangeError,
    "sequence 5 is longer than the model's context 4",
  );
  assertThrows(() => gptTask({ ...base, dropout: 1 }), RangeError, "dropout");
  assertThrows(
    () => gptTask({ ...base, validation: tokensInMemory(new Uint8Array(4)) }),
    RangeError,
    "too few",
  );
});

Deno.test("gptDecay: matrices, not biases and normalizations", () => {
  const task = tinyGpt();
  const parameters = task.initialize();
  assert(gptDecay("open.tokens") && gptDecay("close.head"));
  assert(gptDecay("block.attentionInput.weight"));
  assert(!gptDecay("block.attentionInput.bias"));
  assert(!gptDecay("block.attentionNorm.weight"));
  assert(!gptDecay("close.norm.weight"));
  assert("norm" in parameters.close);
});
