import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { CorpusError, drawnDigits, sliceImages } from "../../data/mod.ts";
import { vitConfiguration, type VitParameters } from "../../models/mod.ts";
import { device } from "../../tensor/mod.ts";
import {
  adamW,
  CheckpointError,
  evaluateVit,
  loadModelCheckpoint,
  train,
  type TrainingTask,
  type TrainOptions,
  vitFromCheckpoint,
  vitTask,
  type VitTaskOptions,
} from "../../train/mod.ts";

await device("wasm", { threads: 1 });

const digits = drawnDigits({ count: 60 });
const configuration = vitConfiguration({
  image: 28,
  patch: 14,
  channels: 1,
  classes: 10,
  width: 16,
  heads: 2,
  layers: 4,
});

function tinyVit(
  more: Partial<VitTaskOptions> = {},
): TrainingTask<VitParameters> {
  return vitTask({
    configuration,
    images: sliceImages(digits, 0, 40),
    validation: sliceImages(digits, 40, 60),
    batch: 8,
    shift: 1,
    dropout: 0.1,
    seed: 2,
    ...more,
  });
}

const options: TrainOptions = {
  optimizer: adamW({ learningRate: 1e-2 }),
  steps: 12,
  evaluationInterval: 12,
};

async function losses(
  task: TrainingTask<VitParameters>,
  given: TrainOptions,
): Promise<number[]> {
  const losses: number[] = [];
  for await (const event of train(task, given)) {
    if (event.type === "step") losses.push(event.loss);
  }
  return losses;
}

async function lossOf(
  task: TrainingTask<VitParameters>,
  batch: number,
): Promise<number> {
  return await task.loss(task.initialize(), batch).item();
}

Deno.test("vitTask: a batch's loss is a function of seed and number", async () => {
  const loss = await lossOf(tinyVit(), 3);
  assertEquals(await lossOf(tinyVit(), 3), loss);
  for (const more of [{ seed: 3 }, { shift: 0 }, { dropout: 0 }]) {
    assertNotEquals(await lossOf(tinyVit(more), 3), loss);
  }
  assertNotEquals(await lossOf(tinyVit(), 4), loss);
  const { tokensPerBatch, unit, block } = tinyVit();
  assertEquals([tokensPerBatch, unit, block?.layers], [8, "images", 4]);
});

Deno.test("vitTask: learns a few digits by heart", async () => {
  const images = sliceImages(digits, 0, 8);
  const task = tinyVit({ images, validation: images, shift: 0, dropout: 0 });
  const [first, ...rest] = await losses(task, { ...options, steps: 40 });
  // ln 10 = 2.3 is a guess.
  assert(first > 1.5, `${first}`);
  assert(rest.at(-1)! < 0.5, `${rest.at(-1)}`);
});

Deno.test("vitTask: multigrid with enough iterations is serial", async () => {
  const task = tinyVit();
  const exact = {
    levels: 2,
    coarsening: 2,
    relaxation: "F",
    iterations: 2,
    guess: "input",
  } as const;
  const serial = await losses(task, { ...options, steps: 4 });
  const parallel = await losses(task, {
    ...options,
    steps: 4,
    solver: { forward: exact, backward: exact, execution: "stacked" },
  });
  // Rounding in f32, through four updates of AdamW.
  serial.forEach((loss, step) =>
    assertAlmostEquals(parallel[step], loss, 1e-4)
  );
});

Deno.test("a ViT's checkpoint measures what its run did", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const task = tinyVit();
    const run = train(task, { ...options, folder: `${folder}/run` });
    for await (const _ of run);
    const validation = await task.validate!(run.parameters, 100);
    const checkpoint = await loadModelCheckpoint(`${folder}/run`);
    const trained = vitFromCheckpoint(checkpoint);
    assertEquals(trained.configuration, configuration);
    const progress: number[] = [];
    const images = sliceImages(digits, 40, 60);
    const evaluation = await evaluateVit(trained, images, {
      batch: 7,
      onProgress: (done, all) => progress.push(done, all),
    });
    assertEquals(progress, [7, 20, 14, 20, 20, 20]);
    assertEquals(evaluation.examples, 20);
    // Means over batches of other sizes, in f32.
    assertAlmostEquals(evaluation.loss, validation.loss, 1e-5);
    const { accuracy, macroF1 } = evaluation.metrics;
    assertAlmostEquals(accuracy, validation.metrics.accuracy, 1e-6);
    assert(macroF1 >= 0 && macroF1 <= 1);
    const { counts } = evaluation.confusion!;
    const right = counts.reduce((sum, row, label) => sum + row[label], 0);
    assertAlmostEquals(right / 20, accuracy, 1e-12);
    const none = AbortSignal.abort();
    const interrupted = await evaluateVit(trained, images, { signal: none });
    assertEquals(interrupted.examples, 0);
    await assertRejects(
      () => evaluateVit(trained, { ...images, height: 14, width: 56 }),
      CorpusError,
      "images of 56 × 14, 1 channel; expected 28 × 28, 1 channel, as in what",
    );
    const { manifest } = checkpoint;
    for (
      const [task, message] of [
        [{ ...manifest.task, name: "gpt" }, 'of the task "gpt", not of a ViT'],
        [
          { ...manifest.task, description: {} },
          "the task's description lacks model and classes and scale",
        ],
      ] as const
    ) {
      assertThrows(
        () =>
          vitFromCheckpoint({ ...checkpoint, manifest: { ...manifest, task } }),
        CheckpointError,
        message,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("vitTask: what doesn't fit is told", () => {
  const cases: [Partial<VitTaskOptions>, string][] = [
    [{ shift: -1 }, "shift is -1"],
    [{ dropout: 1 }, "dropout is 1"],
    [{ batch: 0 }, "batch 0"],
    [
      { images: { ...digits, height: 14, width: 56 } },
      "has images [1, 14, 56], but the model takes [1, 28, 28]: channels, rows",
    ],
    [
      { images: { ...digits, classes: Array(11).fill("x") } },
      "has 11 classes, more than the model's 10",
    ],
  ];
  for (const [more, message] of cases) {
    assertThrows(() => tinyVit(more), RangeError, message);
  }
  assertThrows(
    () => tinyVit({ validation: { ...digits, height: 56, width: 14 } }),
    CorpusError,
    "expected 28 × 28",
  );
});
