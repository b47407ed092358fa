import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  byteTokenizer,
  encodeTaggedPieces,
  type TaggedSentence,
} from "../../data/mod.ts";
import {
  bertConfiguration,
  classifierConfiguration,
} from "../../models/mod.ts";
import { device, dispose } from "../../tensor/mod.ts";
import {
  adamW,
  bertLayout,
  bertTokens,
  evaluatePieceTagger,
  loadModelCheckpoint,
  pieceTaggerFromCheckpoint,
  pieceTaggerTask,
  train,
} from "../../train/mod.ts";

/** Words whose first letter says their class. */
const sentences: TaggedSentence[] = Array.from({ length: 24 }, (_, i) => {
  const words = Array.from(
    { length: 2 + i % 3 },
    (_, j) => ["ab", "ba", "cab"][(i + j * j) % 3],
  );
  return { words, tags: words.map(([first]) => first.toUpperCase()) };
});

async function example() {
  const layout = bertLayout(byteTokenizer, 16);
  const examples = await encodeTaggedPieces("s", sentences, layout);
  const encoder = bertConfiguration({
    vocabulary: bertTokens(byteTokenizer).vocabulary,
    context: 16,
    width: 16,
    heads: 2,
    hidden: 16,
    layers: 1,
  });
  const head = { kind: "tokens", outputs: examples.classes.length } as const;
  return { examples, configuration: classifierConfiguration(encoder, head) };
}

Deno.test("a BERT learns to tag words at their first pieces", async () => {
  await device("wasm", { threads: 1 });
  const { examples, configuration } = await example();
  const task = pieceTaggerTask({
    configuration,
    examples,
    validation: examples,
    batch: 8,
  });
  assertEquals(task.unit, "words");
  const folder = await Deno.makeTempDir();
  try {
    let accuracy = NaN;
    const run = train(task, {
      optimizer: adamW({ learningRate: 1e-2 }),
      steps: 60,
      evaluationInterval: 60,
      folder,
      checkpointInterval: 60,
    });
    for await (const event of run) {
      if (event.type === "evaluation") accuracy = event.metrics.accuracy;
    }
    assert(accuracy > 0.95, `accuracy ${accuracy}`);
    const checkpoint = await loadModelCheckpoint(folder);
    const trained = pieceTaggerFromCheckpoint(checkpoint);
    const { metrics, examples: words, confusion } = await evaluatePieceTagger(
      trained,
      examples,
    );
    assertEquals(words, examples.words);
    assertEquals(confusion?.classes, ["A", "B", "C"]);
    assert(Math.abs(metrics.accuracy - accuracy) < 1e-6);
    dispose(trained.parameters);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a tagger of pieces that doesn't fit its examples is refused", async () => {
  const { examples, configuration } = await example();
  const { head } = configuration;
  for (
    const [change, message] of [
      [{ head: { ...head, outputs: 2 } }, "head.outputs"],
      [{ head: { ...head, kind: "classes" } }, "head.kind"],
      [{ context: 8 }, "context"],
      [{ vocabulary: 256 }, "vocabulary"],
    ] as const
  ) {
    assertThrows(
      () =>
        pieceTaggerTask({
          configuration: { ...configuration, ...change },
          examples,
          batch: 2,
        }),
      RangeError,
      `the model's ${message}`,
    );
  }
});
