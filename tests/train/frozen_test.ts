/** Parameters that stay as they are while others are trained. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "@std/assert";
import { grad } from "../../autograd/mod.ts";
import { defaultMultigrid } from "../../mgrit/mod.ts";
import type { GptParameters } from "../../models/mod.ts";
import {
  add,
  device,
  leaves,
  mul,
  square,
  sum,
  type Tensor,
  tensor,
} from "../../tensor/mod.ts";
import {
  CheckpointError,
  globalNorm,
  type HostArrays,
  loadCheckpoint,
  sgd,
  train,
  type TrainingTask,
  type TrainOptions,
} from "../../train/mod.ts";
import { hostArrays } from "../../train/host_tensors.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const wasm = await device("wasm", { threads: 1 });

const encoder = (name: string): boolean =>
  name.startsWith("open.") || name.startsWith("block.attention");

/** The parameters before and after a run, and what it told. */
async function trained(
  options: TrainOptions,
  task = tinyGpt(),
): Promise<{
  before: HostArrays;
  after: HostArrays;
  events: Awaited<ReturnType<typeof collect>>;
}> {
  const before = await hostArrays(task.initialize());
  const run = train(task, options);
  const events = await collect(run);
  const after = await hostArrays(run.parameters);
  return { before, after, events };
}

function collect(run: ReturnType<typeof train>) {
  return Array.fromAsync(run);
}

Deno.test("frozen parameters don't change by a bit, the others do", async () => {
  const { before, after, events } = await trained(
    tinyOptions(3, { frozen: encoder }),
  );
  for (const [name, { values }] of Object.entries(before)) {
    const isSame = values.every((x, i) => x === after[name].values[i]);
    assertEquals(isSame, encoder(name), name);
  }
  const sizes = Object.entries(before).map(([name, { values }]) =>
    [encoder(name), values.length] as const
  );
  const count = (frozen: boolean): number =>
    sizes.reduce((sum, [is, size]) => sum + (is === frozen ? size : 0), 0);
  const [start] = events;
  assert(start.type === "start");
  assertEquals([start.parameters, start.frozen], [count(false), count(true)]);
});

Deno.test("frozen parameters have no part in the gradient's norm", async () => {
  const task = tinyGpt();
  const gradient = grad((p: GptParameters) => task.loss(p, 0))(
    task.initialize(),
  );
  const { open: _, block, ...rest } = gradient;
  const part = {
    block: Object.fromEntries(
      Object.entries(block).filter(([name]) => !encoder(`block.${name}`)),
    ),
    ...rest,
  };
  const { events } = await trained(
    tinyOptions(1, { frozen: encoder, accumulation: 1 }),
  );
  const step = events.find((event) => event.type === "step");
  // The same numbers in the same order.
  assertEquals(step?.gradientNorm, await globalNorm(part).item());
});

Deno.test("nothing frozen by a predicate is nothing frozen", async () => {
  const { after } = await trained(tinyOptions(3));
  const other = await trained(tinyOptions(3, { frozen: () => false }));
  assertEquals(other.after, after);
  const [start] = other.events;
  assert(start.type === "start" && start.frozen === undefined);
});

Deno.test("nothing left to train is an error that says so", async () => {
  const live = wasm.stats().liveBuffers;
  await assertRejects(
    () => collect(train(tinyGpt(), tinyOptions(1, { frozen: () => true }))),
    RangeError,
    'train: all parameters of the task "gpt" are frozen; leave some to train',
  );
  assertEquals(wasm.stats().liveBuffers, live);
});

Deno.test("a run with frozen parameters is resumed bit for bit", async () => {
  const folder = await Deno.makeTempDir();
  const options = { frozen: encoder, folder, checkpointInterval: 2 };
  await collect(train(tinyGpt(), tinyOptions(2, options)));
  const { parameters, optimizer } = await loadCheckpoint(folder);
  assert("open.tokens" in parameters);
  assert("first.block.mlpInput.weight" in optimizer);
  assert(!Object.keys(optimizer).some((name) => /open|attention/.test(name)));
  await assertRejects(
    () =>
      collect(
        train(
          tinyGpt(),
          tinyOptions(4, { ...options, frozen: undefined, resume: true }),
        ),
      ),
    CheckpointError,
    'has no "first.open.',
  );
  const resumed = await trained(
    tinyOptions(4, { ...options, resume: true }),
  );
  const straight = await trained(tinyOptions(4, { frozen: encoder }));
  assertEquals(resumed.after, straight.after);
  await Deno.remove(folder, { recursive: true });
});

const solver: TrainOptions["solver"] = {
  // Exact for four layers.
  forward: { ...defaultMultigrid, coarsening: 2, iterations: 2 },
  backward: { ...defaultMultigrid, coarsening: 2, iterations: 2 },
  control: { interval: 2 },
};

for (
  const [what, frozen] of [
    ["part of the block", encoder],
    ["the block", (name: string) => name.startsWith("block.")],
    ["all but the head", (name: string) => !name.startsWith("close.")],
  ] as const
) {
  Deno.test(`frozen, layer-parallel: ${what}`, async () => {
    // Of a gradient that is zero but for rounding, Adam would make a step.
    const options = tinyOptions(3, {
      frozen,
      optimizer: sgd({ learningRate: 0.1 }),
    });
    const task = tinyGpt(3, "f32", 4);
    const serial = await trained(options, task);
    const parallel = await trained({ ...options, solver }, task);
    assert(parallel.events.some(({ type }) => type === "probe"));
    for (const [name, { values }] of Object.entries(serial.before)) {
      for (const [i, x] of parallel.after[name].values.entries()) {
        if (frozen(name)) assertEquals(x, values[i], name);
        // f32, summed in another order.
        else assertAlmostEquals(x, serial.after[name].values[i], 1e-5, name);
      }
    }
  });
}

Deno.test("a step with frozen parameters leaves nothing behind", async () => {
  const live: number[] = [];
  const run = train(tinyGpt(), tinyOptions(4, { frozen: encoder }));
  for await (const event of run) {
    if (event.type === "step") live.push(wasm.stats().liveBuffers);
  }
  assertEquals(live.at(-1), live[1]);
  leaves(run.parameters).forEach((x) => x.dispose());
});

Deno.test("frozen parameters in arrays of tensors", async () => {
  const task: TrainingTask<{ readonly parts: readonly Tensor[] }> = {
    name: "bowl",
    unit: "points",
    tokensPerBatch: 1,
    initialize: () => ({ parts: [tensor([1]), tensor([2]), tensor([3])] }),
    loss: ({ parts: [a, b, c] }) =>
      mul(0.5, sum(add(add(square(a), square(b)), square(c)))),
    description: {},
  };
  const run = train(task, {
    optimizer: sgd({ learningRate: 0.5 }),
    steps: 1,
    frozen: (name) => name === "parts.1",
  });
  const events = await Array.fromAsync(run);
  const { parts } = run.parameters;
  assert(Array.isArray(parts));
  assertEquals(
    await Promise.all(parts.map((part) => part.item())),
    [0.5, 2, 1.5],
  );
  const step = events.find((event) => event.type === "step");
  assertEquals(step?.loss, 7);
  assertAlmostEquals(step!.gradientNorm, Math.sqrt(10), 1e-6); // f32
});
