import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  byteTokenizer,
  tokensInMemory,
  trainWordPiece,
} from "../../data/mod.ts";
import { bertConfiguration } from "../../models/mod.ts";
import { device, dispose } from "../../tensor/mod.ts";
import {
  adamW,
  bertFromCheckpoint,
  bertTask,
  bertTokens,
  evaluateBert,
  fillGaps,
  loadModelCheckpoint,
  train,
} from "../../train/mod.ts";
import { bertBatch } from "../../train/bert_rows.ts";
import { testLeakFree } from "../leak_free.ts";

// Whoever has seen one word of a window knows those that are hidden.
const text = "to be or not that is the question".split(" ")
  .map((word) => `${word} `.repeat(40))
  .join("")
  .repeat(4);

async function wordPieces() {
  return await trainWordPiece(text, { vocabularySize: 64 });
}

function modelFor(vocabulary: number) {
  return bertConfiguration({
    vocabulary,
    context: 16,
    width: 32,
    heads: 4,
    layers: 1,
  });
}

Deno.test("a tokenizer without a mask gets one id more", async () => {
  assertEquals(bertTokens(byteTokenizer), {
    vocabulary: 257,
    mask: 256,
    padding: 0,
  });
  const tokenizer = await wordPieces();
  assertEquals(bertTokens(tokenizer), {
    vocabulary: tokenizer.vocabularySize,
    mask: tokenizer.special.get("[MASK]")!,
    begin: tokenizer.special.get("[CLS]")!,
    end: tokenizer.special.get("[SEP]")!,
    padding: tokenizer.special.get("[PAD]")!,
  });
});

Deno.test("windows have ends where the tokenizer has them", async () => {
  const tokenizer = await wordPieces();
  const { begin, end, mask } = bertTokens(tokenizer);
  const ids = tokenizer.encode(text).subarray(0, 28);
  const { inputs, positions, labels, gaps } = bertBatch(
    { inputs: ids, batch: 2 },
    { tokenizer, sequence: 16, masked: 0.25, seed: 1 },
    7,
  );
  assertEquals([inputs.length, positions.length, gaps], [32, 8, 8]);
  const restored = Int32Array.from(inputs);
  positions.forEach((place, i) => {
    assert(place > 0 && place < 15);
    restored[Math.floor(i / 4) * 16 + place] = labels[i];
  });
  assertEquals([...restored], [
    begin,
    ...ids.subarray(0, 14),
    end,
    begin,
    ...ids.subarray(14),
    end,
  ]);
  assert(inputs.includes(mask));
});

Deno.test("a BERT learns to fill gaps in a text of repeated words", async () => {
  await device("wasm", { threads: 1 });
  const tokenizer = await wordPieces();
  const tokens = tokensInMemory(tokenizer.encode(text));
  const task = bertTask({
    configuration: modelFor(tokenizer.vocabularySize),
    tokenizer,
    tokens,
    validation: tokens,
    batch: 8,
    seed: 1,
  });
  assertEquals([task.unit, task.tokensPerBatch], ["tokens", 128]);
  const folder = await Deno.makeTempDir();
  try {
    let accuracy = NaN;
    const run = train(task, {
      optimizer: adamW({ learningRate: 3e-3 }),
      clipNorm: 1,
      steps: 120,
      evaluationInterval: 120,
      evaluationBatches: 1000,
      folder,
      checkpointInterval: 120,
    });
    for await (const event of run) {
      if (event.type === "evaluation") accuracy = event.metrics.accuracy;
    }
    assert(accuracy > 0.8, `accuracy ${accuracy}`);
    const trained = bertFromCheckpoint(await loadModelCheckpoint(folder));
    assertEquals(trained.tokenizer.toJSON(), tokenizer.toJSON());
    const evaluation = await evaluateBert(trained, tokens);
    // The same gaps, summed in the same batches.
    assert(Math.abs(evaluation.metrics.accuracy - accuracy) < 1e-6);
    assert(
      Math.abs(Math.log(evaluation.metrics.perplexity) - evaluation.loss) <
        1e-6,
    );
    const window = tokenizer.encode("not not not not not not not not");
    const { gaps, filled } = await fillGaps(trained, window, 5);
    assert(gaps.includes("▢"));
    assert(!filled.includes("▢"));
    dispose(trained.parameters);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testLeakFree(
  "a BERT's loss depends on the batch's number alone",
  () => device("wasm", { threads: 1 }),
  async () => {
    const task = bertTask({
      configuration: modelFor(257),
      tokenizer: byteTokenizer,
      tokens: tokensInMemory(byteTokenizer.encode(text)),
      batch: 3,
      masked: 0.3,
      dropout: 0.1,
    });
    const parameters = task.initialize();
    const lossOf = (number: number): Promise<number> =>
      task.loss(parameters, number).item();
    const first = await lossOf(3);
    assert(await lossOf(4) !== first);
    assertEquals(await lossOf(3), first);
  },
);

Deno.test("a BERT that doesn't fit its text is refused", () => {
  const options = {
    configuration: modelFor(257),
    tokenizer: byteTokenizer,
    tokens: tokensInMemory(byteTokenizer.encode(text)),
    batch: 2,
  };
  const cases: [object, string][] = [
    [{ configuration: modelFor(256) }, "the text needs 257 tokens"],
    [{ sequence: 17 }, "sequence 17"],
    [{ dropout: 1 }, "dropout"],
    [{ tokens: tokensInMemory(new Int32Array(16)) }, "too few"],
  ];
  for (const [change, message] of cases) {
    assertThrows(
      () => bertTask({ ...options, ...change }),
      RangeError,
      message,
    );
  }
});
