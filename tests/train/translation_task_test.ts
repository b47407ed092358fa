import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  encodePairs,
  numberWordPair,
  type PairExamples,
  type Tokenizer,
  trainCharacterTokenizer,
} from "../../data/mod.ts";
import type { MultigridOptions } from "../../mgrit/mod.ts";
import {
  type EncoderDecoderConfiguration,
  encoderDecoderConfiguration,
  type EncoderDecoderParameters,
} from "../../models/mod.ts";
import { device } from "../../tensor/mod.ts";
import {
  adamW,
  CheckpointError,
  evaluateTranslation,
  loadModelCheckpoint,
  train,
  type TrainedTranslator,
  type TrainingSolver,
  translateTexts,
  translationTask,
  type TranslationTaskOptions,
  translatorFromCheckpoint,
} from "../../train/mod.ts";

const pairs = Array.from({ length: 6 }, (_, n) => numberWordPair(n));

interface Subject {
  readonly tokenizer: Tokenizer;
  readonly examples: PairExamples;
  readonly configuration: EncoderDecoderConfiguration;
}

async function subject(): Promise<Subject> {
  const text = pairs.map(({ source, target }) => source + target).join("");
  const tokenizer = await trainCharacterTokenizer(text);
  const context = 8;
  const examples = await encodePairs("numbers", pairs, { tokenizer, context });
  const configuration = encoderDecoderConfiguration({
    ...examples.tokens,
    context,
    width: 16,
    heads: 2,
    hidden: 32,
    encoderLayers: 2,
    decoderLayers: 2,
  });
  return { tokenizer, examples, configuration };
}

function optionsOf(
  { tokenizer, examples, configuration }: Subject,
): TranslationTaskOptions {
  return { tokenizer, examples, configuration, validation: examples, batch: 3 };
}

/** Trains for some steps and returns the run's last losses and parameters. */
async function trained(
  options: TranslationTaskOptions,
  steps: number,
  solver?: TrainingSolver,
): Promise<{ losses: number[]; parameters: EncoderDecoderParameters }> {
  const run = train(translationTask(options), {
    optimizer: adamW({ learningRate: 1e-2 }),
    steps,
    solver,
  });
  const losses: number[] = [];
  for await (const event of run) {
    if (event.type === "step") losses.push(event.loss!);
  }
  return { losses, parameters: run.parameters };
}

function multigrid(iterations: number): MultigridOptions<never> {
  return {
    levels: 2,
    coarsening: 2,
    relaxation: "F",
    iterations,
    guess: "input",
  };
}

Deno.test("a translator learns a dozen numbers by heart", async () => {
  const cpu = await device("wasm", { threads: 1 });
  const options = optionsOf(await subject());
  const { configuration, tokenizer } = options;
  const { parameters } = await trained(options, 100);
  const translator: TrainedTranslator = {
    configuration,
    parameters,
    tokenizer,
    description: { batch: 5 },
  };
  const texts = ["five", "three", "zero"];
  for (const beams of [1, 3]) {
    assertEquals(
      await translateTexts(translator, texts, { beams }),
      ["fünf", "drei", "null"],
    );
  }
  const seen: number[][] = [];
  const { metrics, examples, samples, loss } = await evaluateTranslation(
    translator,
    pairs,
    { onProgress: (done, all) => seen.push([done, all]) },
  );
  assertEquals(Object.keys(metrics), ["exactMatch", "chrf", "accuracy"]);
  assertEquals([metrics.exactMatch, metrics.accuracy, examples], [1, 1, 6]);
  assert(loss < 0.2, `${loss}`);
  assertEquals(samples![2], { input: "two", expected: "zwei", output: "zwei" });
  assertEquals(seen, [[5, 6], [6, 6]]);
  const validation = await translationTask(options).validate!(parameters, 9);
  assertEquals(validation.metrics, { accuracy: 1 });
  assert(Math.abs(validation.loss - loss) < 1e-5, `${validation.loss}`);
  cpu.close();
});

Deno.test("a translator trained by multigrid that is exact follows the serial one", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  const options = { ...optionsOf(await subject()), batch: 2, dropout: 0.1 };
  const serial = await trained(options, 2);
  for (const execution of ["sequential", "stacked"] as const) {
    const parallel = await trained(options, 2, {
      forward: multigrid(2),
      backward: multigrid(2),
      execution,
      control: { interval: 2, indicator: "both" },
    });
    parallel.losses.forEach((loss, step) =>
      // Exact after two iterations but for rounding in double precision.
      assert(
        Math.abs(loss - serial.losses[step]) < 1e-10,
        `${loss} ${serial.losses[step]}`,
      )
    );
  }
  cpu.close();
});

Deno.test("a checkpoint has all that translating needs", async () => {
  const cpu = await device("wasm", { threads: 1 });
  const folder = await Deno.makeTempDir();
  const options = optionsOf(await subject());
  const run = train(translationTask(options), {
    optimizer: adamW({ learningRate: 1e-2 }),
    steps: 1,
    folder,
    checkpointInterval: 1,
  });
  let path = "";
  for await (const event of run) {
    if (event.type === "checkpoint") path = event.path;
  }
  const checkpoint = await loadModelCheckpoint(path);
  const translator = translatorFromCheckpoint(checkpoint);
  const again = await translateTexts(translator, ["two", "zero"]);
  const before = await translateTexts({
    ...translator,
    parameters: run.parameters,
  }, ["two", "zero"]);
  assertEquals(again, before);
  assertThrows(
    () =>
      translatorFromCheckpoint({
        ...checkpoint,
        manifest: {
          ...checkpoint.manifest,
          task: { name: "gpt", description: {} },
        },
      }),
    CheckpointError,
    'of the task "gpt", not of a translator',
  );
  await Deno.remove(folder, { recursive: true });
  cpu.close();
});

Deno.test("a translator refuses what doesn't fit its examples", async () => {
  const options = optionsOf(await subject());
  const { configuration } = options;
  const cases: [Partial<TranslationTaskOptions>, string][] = [
    [{ dropout: 1 }, "dropout is 1; it must be in [0, 1)"],
    [{ labelSmoothing: -1 }, "labelSmoothing is -1; it must be in [0, 1)"],
    [
      { configuration: { ...configuration, context: 5 } },
      "context 5 is too short for the examples, which have up to 6 tokens",
    ],
    [
      { configuration: { ...configuration, end: 3 } },
      "the model's end 3 isn't the examples'",
    ],
  ];
  for (const [change, message] of cases) {
    assertThrows(
      () => translationTask({ ...options, ...change }),
      RangeError,
      message,
    );
  }
});
