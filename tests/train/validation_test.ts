/** Measures over batches, and records from before there were any. */

import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { device, type Tensor, tensor } from "../../tensor/mod.ts";
import { metricsPath, readMetrics, validateBatches } from "../../train/mod.ts";

const reference = await device("reference");

Deno.test("validateBatches: means over examples, not over batches", async () => {
  const before = reference.stats().liveBuffers;
  const batches = [
    { weight: 3, loss: 1, accuracy: 0.5 },
    { weight: 0, loss: NaN, accuracy: NaN },
    { weight: 1, loss: 5, accuracy: 0.25 },
  ];
  const { loss, metrics } = await validateBatches(
    reference,
    batches,
    ({ weight, loss, accuracy }) => ({
      weight,
      loss: tensor(loss),
      metrics: { accuracy: tensor(accuracy) },
    }),
  );
  assertEquals(loss, 2);
  assertEquals(Object.keys(metrics), ["accuracy"]);
  assertAlmostEquals(metrics.accuracy, 1.75 / 4, 1e-7); // f32
  assertEquals(reference.stats().liveBuffers, before);
  const nothing = await validateBatches(reference, [], (loss: Tensor) => ({
    weight: 1,
    loss,
  }));
  assertEquals(nothing, { loss: NaN, metrics: {} });
});

Deno.test("validateBatches: a fault of one batch is a fault of all", async () => {
  await assertRejects(
    () =>
      validateBatches(reference, [1, 2], (batch) => {
        if (batch === 2) throw new RangeError("the second one");
        return { weight: 1, loss: tensor(1) };
      }),
    RangeError,
    "the second one",
  );
});

Deno.test("readMetrics: records without units and measures are of tokens", async () => {
  const folder = await Deno.makeTempDir();
  const lines = [
    { type: "start", step: 0, steps: 1, parameters: 1, tokensPerStep: 1 },
    { type: "evaluation", step: 1, loss: 2, best: true },
    { type: "stop", step: 1, reason: "done" },
  ];
  await Deno.writeTextFile(
    metricsPath(folder),
    lines.map((line) => JSON.stringify(line) + "\n").join(""),
  );
  const [start, evaluation, stop] = await readMetrics(folder) as unknown[];
  assertEquals(start, { ...lines[0], unit: "tokens" });
  assertEquals(evaluation, { ...lines[1], metrics: {} });
  assertEquals(stop, lines[2]);
  await Deno.remove(folder, { recursive: true });
});
