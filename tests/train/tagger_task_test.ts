import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  encodeTagged,
  featuresPerWord,
  type TaggedSentence,
} from "../../data/mod.ts";
import {
  type TaggerConfiguration,
  taggerConfiguration,
} from "../../models/mod.ts";
import { device, dispose } from "../../tensor/mod.ts";
import {
  adamW,
  evaluateTagger,
  type Evaluation,
  loadModelCheckpoint,
  type TaggerDescription,
  taggerFromCheckpoint,
  taggerTask,
  tagSentences,
  train,
} from "../../train/mod.ts";
import { testLeakFree } from "../leak_free.ts";

/** Sentences in which the first word says which class "it" has. */
function sentencesOf(count: number): TaggedSentence[] {
  return Array.from({ length: count }, (_, i) => {
    const first = i % 2 === 0 ? "b" : "q";
    const rest = Array.from(
      { length: 2 + i % 7 },
      (_, j) => ["a", "it", "it"][(i * 5 + j * j + j * i) % 3],
    );
    const words = [first, ...rest];
    const own = first === "q" ? "X" : "Y";
    return { words, tags: words.map((word) => word === "it" ? own : word) };
  });
}

const features = 50;
const context = 8;

async function example() {
  const options = { rows: features, context };
  const examples = await encodeTagged("s", sentencesOf(60), options);
  const configuration = taggerConfiguration({
    features,
    featuresPerWord,
    classes: examples.classes.length,
    context,
    width: 16,
    heads: 2,
    hidden: 16,
    layers: 2,
    before: 1,
  });
  return { examples, configuration };
}

Deno.test("a tagger learns a class that depends on another word", async () => {
  await device("wasm", { threads: 1 });
  const { examples, configuration } = await example();
  const task = taggerTask({
    configuration,
    examples,
    validation: examples,
    batch: 8,
    wordDropout: 0.05,
    seed: 1,
  });
  assertEquals(task.unit, "words");
  assertEquals(
    task.tokensPerBatch,
    Math.round(examples.words / examples.count * 8),
  );
  const folder = await Deno.makeTempDir();
  try {
    let metrics: Readonly<Record<string, number>> = {};
    const run = train(task, {
      optimizer: adamW({ learningRate: 1e-2 }),
      steps: 80,
      evaluationInterval: 80,
      folder,
      checkpointInterval: 80,
    });
    for await (const event of run) {
      if (event.type === "evaluation") metrics = event.metrics;
    }
    assert(metrics.accuracy > 0.95, `accuracy ${metrics.accuracy}`);
    const checkpoint = await loadModelCheckpoint(folder);
    const trained = taggerFromCheckpoint(checkpoint);
    // The last batch of `validate` and the sum over all words agree.
    let heard = 0;
    const evaluation: Evaluation = await evaluateTagger(trained, examples, {
      onProgress: (done) => heard = done,
    });
    assertEquals(heard, examples.words);
    assertEquals(evaluation.examples, examples.words);
    assert(Math.abs(evaluation.metrics.accuracy - metrics.accuracy) < 1e-6);
    assertEquals(evaluation.confusion?.classes, examples.classes);
    const tagged = await tagSentences(trained, [
      ["q", "it", "a", "it", "it", "a", "it", "it", "b"],
    ]);
    assertEquals(tagged[0].tags.length, 9);
    assertEquals(tagged[0].tags.slice(0, 4), ["q", "X", "a", "X"]);
    const partly = [{ words: ["a", "a", "b"], tags: ["a", "?", "?"] }];
    const foreign = await encodeTagged("f", partly, {
      rows: features,
      context,
      classes: examples.classes,
    });
    const other = await evaluateTagger(trained, foreign);
    assertEquals(other.metrics.accuracy, 1 / 3);
    assertEquals(other.confusion?.classes.at(-1), "(another)");
    dispose(trained.parameters);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testLeakFree(
  "a tagger's loss depends on the batch's number alone",
  () => device("wasm", { threads: 1 }),
  async () => {
    const { examples, configuration } = await example();
    const task = taggerTask({
      configuration,
      examples,
      batch: 4,
      dropout: 0.1,
      wordDropout: 0.3,
    });
    const parameters = task.initialize();
    const lossOf = (number: number): Promise<number> =>
      task.loss(parameters, number).item();
    const first = await lossOf(3);
    assert(await lossOf(4) !== first);
    assertEquals(await lossOf(3), first);
  },
);

Deno.test("words of unknown tags count as wrong, and not in the loss", async () => {
  await device("wasm", { threads: 1 });
  const options = { rows: features, context: 12 };
  const words = Array.from({ length: 12 }, (_, i) => `w${i}`);
  const sentence = { words, tags: words.map((_, i) => `t${i % 3}`) };
  const examples = await encodeTagged("s", [sentence], options);
  const { classes } = examples;
  const validation = await encodeTagged("v", [
    { words: ["w1", "w2"], tags: ["other", "other"] },
    // As long as the context, which isn't a multiple of eight.
    { words, tags: ["t0", ...Array(11).fill("other")] },
  ], { ...options, classes });
  const task = taggerTask({
    configuration: taggerConfiguration({
      features,
      featuresPerWord,
      classes: classes.length,
      context: 12,
      width: 8,
      heads: 1,
      layers: 1,
    }),
    examples,
    validation,
    batch: 1,
  });
  const parameters = task.initialize();
  const { loss, metrics } = await task.validate!(parameters, 9);
  const trained = {
    configuration: task.description.model as unknown as TaggerConfiguration,
    parameters,
    description: task.description as unknown as TaggerDescription,
  };
  const evaluation = await evaluateTagger(trained, validation);
  assertAlmostEquals(loss, evaluation.loss, 1e-6);
  assertAlmostEquals(metrics.accuracy, evaluation.metrics.accuracy, 1e-6);
  dispose(parameters);
});

Deno.test("a tagger that doesn't fit its examples is refused", async () => {
  const { examples, configuration } = await example();
  for (
    const change of [
      { features: 10 },
      { featuresPerWord: 1 },
      { context: 4 },
      { classes: 2 },
    ]
  ) {
    const model = taggerConfiguration({ ...configuration, ...change });
    assertThrows(
      () => taggerTask({ configuration: model, examples, batch: 2 }),
      RangeError,
      `the model's ${Object.keys(change)[0]}`,
    );
  }
  for (const wrong of [{ dropout: 1 }, { wordDropout: -1 }, { batch: 0 }]) {
    assertThrows(
      () => taggerTask({ configuration, examples, batch: 2, ...wrong }),
      RangeError,
      Object.keys(wrong)[0],
    );
  }
});
