/** Runs that begin with what was trained before. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "@std/assert";
import type { GptParameters } from "../../models/mod.ts";
import { device } from "../../tensor/mod.ts";
import {
  adafactor,
  type Checkpoint,
  CheckpointError,
  gptTask,
  loadCheckpoint,
  type Optimizer,
  refinedBeginning,
  sgd,
  train,
  type TrainingTask,
} from "../../train/mod.ts";
import { gptConfiguration } from "../../models/mod.ts";
import { byteTokenizer, tokensInMemory } from "../../data/mod.ts";
import { hostArrays } from "../../train/host_tensors.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

await device("wasm", { threads: 1 });

/** Layers of an ODE over [0, 2]. */
function taskOf(layers: number): TrainingTask<GptParameters> {
  const text = "to be, or not to be, that is the question: ".repeat(8);
  return gptTask({
    configuration: gptConfiguration({
      vocabulary: 256,
      context: 8,
      width: 8,
      heads: 2,
      layers,
      endTime: 2,
    }),
    tokens: tokensInMemory(new TextEncoder().encode(text)),
    batch: 4,
    tokenizer: byteTokenizer,
  });
}

async function checkpointOf<P extends GptParameters>(
  task: TrainingTask<P>,
  optimizer?: Optimizer,
): Promise<Checkpoint> {
  const folder = await Deno.makeTempDir();
  const more = { folder, ...(optimizer && { optimizer }) };
  await Array.fromAsync(train(task, tinyOptions(4, more)));
  const checkpoint = await loadCheckpoint(folder);
  await Deno.remove(folder, { recursive: true });
  return checkpoint;
}

Deno.test("begin: a checkpoint's model and optimizer are where a run begins", async () => {
  const checkpoint = await checkpointOf(tinyGpt());
  const { parameters, optimizer, manifest } = checkpoint;
  const begin = {
    parameters,
    state: { step: manifest.optimizer.step, slots: optimizer },
  };
  assertEquals(
    await refinedBeginning(checkpoint, { factor: 1, interpolation: "linear" }),
    begin,
  );
  const run = train(tinyGpt(), tinyOptions(2, { begin }));
  for await (const event of run) {
    if (event.type !== "start") continue;
    assertEquals(event.step, 0);
    assertEquals(await hostArrays(run.parameters), parameters);
  }
  // With what the optimizer remembers, steps are others.
  const after = await hostArrays(run.parameters);
  const fresh = train(tinyGpt(), tinyOptions(2, { begin: { parameters } }));
  await Array.fromAsync(fresh);
  const other = await hostArrays(fresh.parameters);
  assert(
    after["open.tokens"].values.some((x, i) =>
      x !== other["open.tokens"].values[i]
    ),
  );
});

Deno.test("begin: what is of another model is refused", async () => {
  const { parameters } = await checkpointOf(taskOf(2));
  await assertRejects(
    () =>
      Array.fromAsync(
        train(taskOf(4), tinyOptions(1, { begin: { parameters } })),
      ),
    CheckpointError,
    'train: begin.parameters: "block.',
  );
});

Deno.test("begin: a resumed run goes on from its checkpoint all the same", async () => {
  const { parameters } = await checkpointOf(tinyGpt(4));
  const folder = await Deno.makeTempDir();
  const options = { folder, begin: { parameters } };
  await Array.fromAsync(train(tinyGpt(), tinyOptions(2, options)));
  const resumed = train(
    tinyGpt(),
    tinyOptions(4, { ...options, resume: true }),
  );
  await Array.fromAsync(resumed);
  const straight = train(tinyGpt(), tinyOptions(4, { begin: { parameters } }));
  await Array.fromAsync(straight);
  assertEquals(
    await hostArrays(resumed.parameters),
    await hostArrays(straight.parameters),
  );
  await Deno.remove(folder, { recursive: true });
});

for (
  const [name, optimizer] of [
    ["adamW", undefined],
    ["sgd", sgd({ learningRate: 0.1, momentum: 0.9 })],
    ["adafactor", adafactor({ learningRate: 1e-2 })],
  ] as const
) {
  Deno.test(`nested iteration: goes on in a deeper network, ${name}`, async () => {
    const shallow = await checkpointOf(taskOf(2), optimizer);
    const begin = await refinedBeginning(shallow, {
      factor: 2,
      interpolation: "constant",
    });
    const weight = "block.mlpInput.weight";
    const { shape, values } = begin.parameters[weight];
    const before = shallow.parameters[weight];
    assertEquals(shape, [4, ...before.shape.slice(1)]);
    const size = values.length / 4;
    for (let i = 0; i < size; i++) {
      assertEquals(values[i], before.values[i]);
      assertEquals(values[size + i], before.values[i]);
      assertEquals(values[2 * size + i], before.values[size + i]);
    }
    assertEquals(
      begin.parameters["open.tokens"],
      shallow.parameters["open.tokens"],
    );
    assertEquals(begin.state?.step, 4);
    const events = await Array.fromAsync(
      train(
        taskOf(4),
        tinyOptions(3, { begin, ...(optimizer && { optimizer }) }),
      ),
    );
    assertEquals(events.at(-1)?.type, "stop");
  });
}

Deno.test("nested iteration: the deeper network says nearly the same", async () => {
  const shallow = await checkpointOf(taskOf(4));
  const lossOf = async (
    layers: number,
    begin: { parameters: Checkpoint["parameters"] },
  ): Promise<number> => {
    const run = train(taskOf(layers), tinyOptions(1, { begin }));
    for await (const event of run) if (event.type === "step") return event.loss;
    return NaN;
  };
  const before = await lossOf(4, shallow);
  for (const interpolation of ["constant", "linear"] as const) {
    const refinement = { factor: 2, interpolation };
    const begin = await refinedBeginning(shallow, refinement);
    const after = await lossOf(8, begin);
    // Steps of 1/2 and of 1/4 through the same vector field; a fresh network
    // has 5.5.
    assertAlmostEquals(after, before, 0.05);
  }
});
