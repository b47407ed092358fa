import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  gptFromHuggingFace,
  gptLogits,
  gptToHuggingFace,
} from "../../models/mod.ts";
import { device, namedLeaves, tensor } from "../../tensor/mod.ts";
import {
  CheckpointError,
  gptFromCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  loadModelCheckpoint,
  sgd,
  train,
  type TrainingRun,
  type TrainOptions,
  version,
} from "../../train/mod.ts";
import type { GptParameters } from "../../models/mod.ts";
import { saveCheckpoint } from "../../train/checkpoint.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

await device("reference");

async function finish(
  options: TrainOptions,
  task = tinyGpt(),
): Promise<TrainingRun<GptParameters>> {
  const run = train(task, options);
  for await (const _ of run);
  return run;
}

async function trained(
  more: Partial<TrainOptions> = {},
  task = tinyGpt(),
): Promise<
  { folder: string; run: TrainingRun<GptParameters> } & AsyncDisposable
> {
  const root = await Deno.makeTempDir({ prefix: "layerbraid_" });
  const folder = `${root}/run`;
  const run = await finish(
    tinyOptions(6, { folder, checkpointInterval: 2, ...more }),
    task,
  );
  return {
    folder,
    run,
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

Deno.test("checkpoint: holds parameters, task, options, progress", async () => {
  await using made = await trained({ settings: { lr: 0.01 } });
  const { manifest, parameters } = await loadCheckpoint(made.folder);
  assertEquals(manifest.version, version);
  assertEquals(manifest.progress.step, 6);
  assertEquals(manifest.settings, { lr: 0.01 });
  assertEquals(manifest.training.accumulation, 2);
  assertEquals(manifest.optimizer, {
    name: "adamW",
    learningRate: 0.01,
    step: 6,
  });
  assertEquals(manifest.device, { name: "reference", dtype: "f32" });
  for (const [name, x] of namedLeaves(made.run.parameters)) {
    assertEquals(parameters[name].values, await x.data(), name);
  }
});

Deno.test("checkpoint: one that can't be written leaves nothing", async () => {
  await using made = await trained();
  const names = () =>
    [...Deno.readDirSync(`${made.folder}/checkpoints`)]
      .map(({ name }) => name).sort();
  const before = names();
  const { manifest, parameters, optimizer } = await loadCheckpoint(made.folder);
  const progress = { ...manifest.progress, step: 8 };
  const unwritable = { ...manifest, progress, settings: { size: 1n as never } };
  await assertRejects(
    () =>
      saveCheckpoint(made.folder, {
        manifest: unwritable,
        parameters,
        optimizer,
      }),
    TypeError,
  );
  assertEquals(names(), before);
});

Deno.test("checkpoint: gives the GPT and its tokenizer back", async () => {
  await using made = await trained();
  const checkpoint = await loadCheckpoint(made.folder);
  const { configuration, parameters, tokenizer } = gptFromCheckpoint(
    checkpoint,
  );
  assertEquals(tokenizer?.decode([104, 105]), "hi");
  const tokens = tensor([[1, 2, 3]], { dtype: "i32" });
  const expected = await gptLogits(configuration, made.run.parameters, tokens)
    .data();
  const actual = await gptLogits(configuration, parameters, tokens).data();
  assertEquals(actual, expected);
  const exported = await gptToHuggingFace(configuration, parameters);
  const back = gptFromHuggingFace(configuration, exported);
  assertEquals(
    await gptLogits(configuration, back, tokens).data(),
    expected,
  );
});

Deno.test("checkpoint: keeps the newest and the best", async () => {
  const losses = [3, 2, 4, 4, 4];
  const task = {
    ...tinyGpt(),
    validate: () => Promise.resolve({ loss: losses.shift()!, metrics: {} }),
  };
  const more = { steps: 10, evaluationInterval: 2, keep: 2 };
  await using made = await trained(more, task);
  const steps = (await listCheckpoints(made.folder)).map(({ step }) => step);
  assertEquals(steps, [4, 8, 10]);
  const { manifest: { progress } } = await loadCheckpoint(made.folder);
  assertEquals(progress, { step: 10, best: { step: 4, loss: 2 }, misses: 3 });
});

Deno.test("checkpoint: the model can be read without the optimizer", async () => {
  await using made = await trained();
  const { path, parameters } = await loadCheckpoint(made.folder);
  await Deno.remove(`${path}/optimizer.safetensors`);
  const model = await loadModelCheckpoint(made.folder);
  assertEquals([model.path, model.damaged], [path, []]);
  assertEquals(model.parameters, parameters);
  assertEquals((await loadCheckpoint(made.folder)).damaged.length, 1);
});

Deno.test("checkpoint: damage is found, and an older one taken", async (t) => {
  await using made = await trained();
  const [older, newest] = await listCheckpoints(made.folder);
  const file = `${newest.path}/parameters.safetensors`;
  const bytes = await Deno.readFile(file);

  await t.step("a bit turned", async () => {
    const turned = bytes.slice();
    turned[turned.length - 1] ^= 1;
    await Deno.writeFile(file, turned);
    await assertRejects(
      () => loadCheckpoint(newest.path),
      CheckpointError,
      `${file}: is damaged`,
    );
    const { manifest, damaged } = await loadCheckpoint(made.folder);
    assertEquals(manifest.progress.step, older.step);
    assertEquals(damaged.length, 1);
  });
  await t.step("cut off", async () => {
    await Deno.writeFile(file, bytes.subarray(0, 100));
    await assertRejects(
      () => loadCheckpoint(newest.path),
      CheckpointError,
      "has 100 bytes",
    );
  });
  await t.step("a file missing", async () => {
    await Deno.remove(file);
    await assertRejects(
      () => loadCheckpoint(newest.path),
      CheckpointError,
      `${file}: is missing`,
    );
  });
  await t.step("resuming goes on from the older one", async () => {
    const options = tinyOptions(6, { folder: made.folder, resume: true });
    const run = train(tinyGpt(), options);
    const [start] = await Array.fromAsync(run);
    assert(start.type === "start");
    assertEquals(start.step, older.step);
    assertEquals(start.damaged?.length, 1);
    const { manifest, damaged } = await loadCheckpoint(made.folder);
    assertEquals([manifest.progress.step, damaged], [6, []]);
  });
  await t.step("all of them", async () => {
    for (const { path } of await listCheckpoints(made.folder)) {
      await Deno.writeTextFile(`${path}/manifest.json`, "{");
    }
    await assertRejects(
      () => loadCheckpoint(made.folder),
      CheckpointError,
      "manifest.json: is no JSON",
    );
  });
  await t.step("a format of the future", async () => {
    await Deno.writeTextFile(
      `${older.path}/manifest.json`,
      '{"format": 2, "version": "9.9.9"}',
    );
    await assertRejects(
      () => loadCheckpoint(older.path),
      CheckpointError,
      "has format 2 (written by layerbraid 9.9.9)",
    );
  });
});

Deno.test("checkpoint: what doesn't fit is refused", async (t) => {
  await using made = await trained();
  const { folder } = made;
  await t.step("an empty folder", async () => {
    const empty = await Deno.makeTempDir();
    await assertRejects(
      () => loadCheckpoint(empty),
      CheckpointError,
      `${empty}: holds no checkpoint`,
    );
    await Deno.remove(empty);
  });
  await t.step("a folder in use", async () => {
    await assertRejects(
      () => finish(tinyOptions(6, { folder })),
      CheckpointError,
      "holds the checkpoints of another run",
    );
  });
  await t.step("another optimizer", async () => {
    const optimizer = sgd({ learningRate: 1 });
    await assertRejects(
      () => finish(tinyOptions(6, { folder, resume: true, optimizer })),
      CheckpointError,
      'optimizer "adamW", not "sgd"',
    );
  });
  await t.step("another model", async () => {
    const { initialize, ...rest } = tinyGpt();
    const task = {
      ...rest,
      initialize: () => {
        const { open, ...others } = initialize();
        return { ...others, open: { ...open, positions: tensor([[1]]) } };
      },
    };
    const run = train(task, tinyOptions(6, { folder, resume: true }));
    await assertRejects(
      () => Array.fromAsync(run),
      CheckpointError,
      '"open.positions" has shape [8, 8], but the model has [1, 1]',
    );
  });
});

Deno.test("version: is that of deno.json", async () => {
  const file = new URL("../../deno.json", import.meta.url);
  assertEquals(JSON.parse(await Deno.readTextFile(file)).version, version);
});

Deno.test("train: needs a folder for what it writes", () => {
  assertThrows(
    () => train(tinyGpt(), tinyOptions(1, { keep: 2 })),
    TypeError,
    "keep 2 needs a folder",
  );
  assertThrows(
    () => train(tinyGpt(), tinyOptions(1, { resume: true })),
    TypeError,
    "resume needs the folder",
  );
});
