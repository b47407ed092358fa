/** Fine-tuning: classes of texts and numbers for them, from trained encoders. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  CorpusError,
  encodeLabelled,
  formatWordPieceVocabulary,
  type LabelledText,
  parseWordPieceVocabulary,
  tokensInMemory,
} from "../../data/mod.ts";
import { defaultMultigrid } from "../../mgrit/mod.ts";
import {
  bertConfiguration,
  bertToHuggingFace,
  type ClassifierConfiguration,
  classifierConfiguration,
  classifierLogits,
  initializeBert,
  writeSafetensors,
} from "../../models/mod.ts";
import { device, dispose, tensor } from "../../tensor/mod.ts";
import {
  adamW,
  bertFromCheckpoint,
  bertLayout,
  bertTask,
  bertTokens,
  CheckpointError,
  classificationTask,
  type Classified,
  classifierFromCheckpoint,
  classifyTexts,
  encoderFromCheckpoint,
  evaluateClassification,
  fineTunedConfiguration,
  loadModelCheckpoint,
  loadPretrainedEncoder,
  type PretrainedEncoder,
  train,
} from "../../train/mod.ts";
import { hostArrays } from "../../train/host_tensors.ts";
import { testLeakFree } from "../leak_free.ts";
import { inFolder } from "../cli/task_process.ts";

const tokenizer = parseWordPieceVocabulary(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."abcdefgh"].join("\n"),
);
const layout = bertLayout(tokenizer, 12);
const encoder = bertConfiguration({
  vocabulary: bertTokens(tokenizer).vocabulary,
  context: 12,
  width: 16,
  heads: 2,
  hidden: 16,
  before: 1,
  layers: 4,
  after: 1,
});
/** For what must be learned in few steps. */
const shallow = bertConfiguration({
  ...encoder,
  before: 0,
  layers: 1,
  after: 0,
  endTime: 1,
});
const classes = { kind: "classes", outputs: 2 } as const;
const number = { kind: "number", outputs: 1 } as const;

/** Pairs, and whether the second text begins as the first one ends. */
function pairsOf(count: number): LabelledText[] {
  return Array.from({ length: count }, (_, i) => {
    const letter = (n: number): string => "abcd"[n % 4];
    const follows = i % 3 === 0;
    const last = letter(i + (i >> 3));
    const filler = Array.from({ length: i % 3 }, (_, j) => letter(i * j + 1));
    return {
      text: [...filler, last].join(" "),
      pair: follows ? last : letter(i + (i >> 3) + 1 + i % 2),
      label: follows ? "yes" : "no",
    };
  });
}

/** Texts, and how many of their letters are an "h". */
function countsOf(count: number): LabelledText[] {
  return Array.from({ length: count }, (_, i) => {
    const letters = Array.from(
      { length: 3 + i % 5 },
      (_, j) => (i * (j + 2) + j * j) % 3 === 0 ? "h" : "a",
    );
    const label = letters.filter((letter) => letter === "h").length;
    return { text: letters.join(" "), label: String(label) };
  });
}

const optimizer = adamW({ learningRate: 1e-2 });

/** A test in a folder of its own, on a device of its own. */
function testInFolder(
  name: string,
  test: (folder: string) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const wasm = await device("wasm", { threads: 1 });
    try {
      await inFolder(test);
    } finally {
      wasm.close();
    }
  });
}

testInFolder(
  "a classifier learns classes of pairs, and is used again",
  async (folder) => {
    const examples = await encodeLabelled("pairs", pairsOf(96), layout);
    const task = classificationTask({
      configuration: classifierConfiguration(shallow, classes),
      examples,
      validation: examples,
      batch: 16,
      seed: 1,
    });
    assertEquals([task.name, task.unit, task.tokensPerBatch], [
      "classify",
      "texts",
      16,
    ]);
    let metrics: Readonly<Record<string, number>> = {};
    const options = { optimizer, steps: 110, evaluationInterval: 110, folder };
    for await (const event of train(task, options)) {
      if (event.type === "evaluation") ({ metrics } = event);
    }
    assert(metrics.accuracy > 0.95, `accuracy ${metrics.accuracy}`);

    const checkpoint = await loadModelCheckpoint(folder);
    const trained = classifierFromCheckpoint(checkpoint);
    const evaluation = await evaluateClassification(trained, examples);
    assertAlmostEquals(evaluation.metrics.accuracy, metrics.accuracy, 1e-6);
    assertEquals(evaluation.confusion?.classes, ["no", "yes"]);
    assertEquals(evaluation.examples, 96);
    const found: Classified[] = await classifyTexts(trained, pairsOf(4));
    const right = found.filter(({ label }, i) => label === pairsOf(4)[i].label);
    assert(right.length >= 3);
    assert(found.every(({ probability = 0 }) => probability >= 0.5));

    const foreign = [...pairsOf(1), { text: "a", pair: "b", label: "perhaps" }];
    const other = await evaluateClassification(
      trained,
      await encodeLabelled("f", foreign, layout, examples.classes),
    );
    assert(other.metrics.accuracy <= 0.5);
    assertEquals(other.confusion?.classes.at(-1), "(another)");
    dispose(trained.parameters);
  },
);

testInFolder("a classifier learns numbers", async (folder) => {
  const examples = await encodeLabelled(
    "counts",
    countsOf(64),
    layout,
    "numbers",
  );
  const task = classificationTask({
    configuration: classifierConfiguration(shallow, number),
    examples,
    validation: examples,
    batch: 16,
  });
  let pearson = 0;
  const options = { optimizer, steps: 110, evaluationInterval: 110, folder };
  for await (const event of train(task, options)) {
    if (event.type === "evaluation") ({ pearson } = event.metrics);
  }
  assert(pearson > 0.9, `correlation ${pearson}`);
  const trained = classifierFromCheckpoint(await loadModelCheckpoint(folder));
  const { metrics, loss } = await evaluateClassification(trained, examples);
  assertAlmostEquals(metrics.pearson, pearson, 1e-6);
  assert(metrics.spearman > 0.8 && loss < 1);
  const [none, many] = await classifyTexts(trained, [
    { text: "a a a a" },
    { text: "h h h h" },
  ]);
  assert(Number(none.label) < Number(many.label));
  dispose(trained.parameters);
});

const oneIteration = { ...defaultMultigrid, coarsening: 2, iterations: 1 };

/** A BERT that was trained for some steps, layer-parallel. */
async function pretrain(folder: string): Promise<void> {
  const text = "a b c d e f g h ".repeat(30);
  const task = bertTask({
    configuration: encoder,
    tokenizer,
    tokens: tokensInMemory(tokenizer.encode(text)),
    batch: 2,
    seed: 5,
  });
  const solver = { forward: oneIteration, backward: oneIteration };
  await Array.fromAsync(train(task, { optimizer, steps: 3, folder, solver }));
}

/** Logits of a fresh classifier for one text. */
async function logitsOf(
  pretrained: PretrainedEncoder,
  configuration: ClassifierConfiguration,
): Promise<ArrayLike<number>> {
  const parameters = pretrained.classifier(configuration, 7);
  const tokens = tensor([[2, 5, 6, 3]], { dtype: "i32" });
  const logits = classifierLogits(configuration, parameters, { tokens });
  const values = await logits.data();
  dispose({ parameters, tokens, logits });
  return values;
}

testInFolder(
  "fine-tuning takes the encoder, however its layers are split",
  async (folder) => {
    await pretrain(folder);
    const checkpoint = await loadModelCheckpoint(folder);
    const pretrained = encoderFromCheckpoint(checkpoint);
    assertEquals(pretrained.configuration, encoder);
    assertEquals(pretrained.tokenizer.toJSON(), tokenizer.toJSON());
    const same = fineTunedConfiguration(encoder, classes);
    const parameters = pretrained.classifier(same, 7);
    const { parameters: bert } = bertFromCheckpoint(checkpoint);
    const { open, block } = await trainedArrays(parameters);
    assertEquals(open, (await trainedArrays(bert)).open);
    assertEquals(block, (await trainedArrays(bert)).block);
    dispose({ parameters, bert });

    const serial = { before: 0, layers: 6, after: 0 };
    const other = fineTunedConfiguration(encoder, classes, serial);
    assertEquals(other.endTime, 6);
    const [one, two] = [
      await logitsOf(pretrained, same),
      await logitsOf(pretrained, other),
    ];
    for (let i = 0; i < 2; i++) assertAlmostEquals(one[i], two[i], 1e-6);
  },
);

/** The arrays of embeddings and of the block. */
async function trainedArrays(
  { open, block }: {
    readonly open: Parameters<typeof hostArrays>[0];
    readonly block: Parameters<typeof hostArrays>[0];
  },
) {
  return { open: await hostArrays(open), block: await hostArrays(block) };
}

testInFolder(
  "fine-tuning a fine-tuned model, frozen and layer-parallel",
  async (folder) => {
    await pretrain(`${folder}/bert`);
    const examples = await encodeLabelled("pairs", pairsOf(24), layout);
    const taskFrom = async (run: string) => {
      const checkpoint = await loadModelCheckpoint(`${folder}/${run}`);
      const pretrained = encoderFromCheckpoint(checkpoint);
      return classificationTask({
        configuration: fineTunedConfiguration(
          pretrained.configuration,
          classes,
        ),
        examples,
        pretrained,
        batch: 4,
        dropout: 0.1,
      });
    };
    const run = train(await taskFrom("bert"), {
      optimizer,
      steps: 4,
      folder: `${folder}/first`,
      frozen: (name) => name.startsWith("open."),
      solver: { forward: oneIteration, backward: oneIteration },
    });
    const losses: number[] = [];
    for await (const event of run) {
      if (event.type === "step") losses.push(event.loss);
    }
    assert(losses.every(Number.isFinite));
    const before = bertFromCheckpoint(
      await loadModelCheckpoint(`${folder}/bert`),
    ).parameters;
    const second = await taskFrom("first");
    const parameters = second.initialize();
    const [was, is] = [
      await trainedArrays(before),
      await trainedArrays(parameters),
    ];
    assertEquals(is.open, was.open);
    assert(JSON.stringify(is.block) !== JSON.stringify(was.block));
    dispose({ before, parameters });
  },
);

testLeakFree(
  "a classifier's loss depends on the batch's number alone",
  () => device("wasm", { threads: 1 }),
  async () => {
    const examples = await encodeLabelled("pairs", pairsOf(24), layout);
    const task = classificationTask({
      configuration: classifierConfiguration(encoder, classes),
      examples,
      batch: 4,
      dropout: 0.2,
    });
    const parameters = task.initialize();
    const losses: number[] = [];
    for (const batch of [3, 8, 3]) {
      const loss = task.loss(parameters, batch);
      losses.push(await loss.item());
      dispose(loss);
    }
    assertEquals(losses[0], losses[2]);
    assert(losses[0] !== losses[1]);
    dispose(parameters);
  },
);

Deno.test("what doesn't fit is named", async () => {
  const examples = await encodeLabelled("pairs", pairsOf(6), layout);
  const make = (configuration: ClassifierConfiguration) => () =>
    classificationTask({ configuration, examples, batch: 2 });
  const good = classifierConfiguration(encoder, classes);
  for (
    const [configuration, words] of [
      [{ ...good, head: number }, "head.kind number doesn't fit"],
      [{ ...good, head: { ...classes, outputs: 3 } }, "head.outputs 3 doesn't"],
      [{ ...good, vocabulary: 5 }, "vocabulary 5 doesn't fit"],
      [
        { ...good, context: 8 },
        "context 8 doesn't fit the examples, which " +
        "need 12",
      ],
      [{ ...good, segments: 1 }, "segments 1 doesn't fit"],
    ] as const
  ) assertThrows(make(configuration), RangeError, words);
  const split = { before: 0, layers: 5, after: 0 };
  assertThrows(
    () => fineTunedConfiguration(encoder, classes, split),
    RangeError,
    "has 1 + 4 + 1 layers, 6 in all; 0 + 5 + 0 are 5",
  );
  assertThrows(
    () =>
      fineTunedConfiguration({ ...encoder, endTime: 1 }, classes, {
        ...split,
        layers: 6,
      }),
    RangeError,
    "take steps of 1 / 4, so they stay split as 1 + 4 + 1, not 0 + 6 + 0",
  );
});

testInFolder(
  "a folder of Hugging Face's, and mistakes in it",
  async (folder) => {
    const published = bertConfiguration({
      ...encoder,
      before: 0,
      layers: 4,
      after: 0,
      endTime: 4,
      norm: "post",
    });
    const bert = initializeBert(published, 3);
    const arrays = await bertToHuggingFace(published, bert);
    dispose(bert);
    const weights = writeSafetensors({
      ...arrays,
      "classifier.weight": {
        dtype: "f32",
        shape: [9, 16],
        values: new Float32Array(144),
      },
    });
    const config = {
      model_type: "bert",
      vocab_size: published.vocabulary,
      max_position_embeddings: 12,
      type_vocab_size: 2,
      hidden_size: 16,
      num_attention_heads: 2,
      num_hidden_layers: 4,
      intermediate_size: 16,
    };
    const write = (name: string, content: unknown) =>
      content instanceof Uint8Array
        ? Deno.writeFile(`${folder}/${name}`, content)
        : Deno.writeTextFile(
          `${folder}/${name}`,
          typeof content === "string" ? content : JSON.stringify(content),
        );
    await write("config.json", config);
    await write("model.safetensors", weights);
    await write("vocab.txt", formatWordPieceVocabulary(tokenizer));
    const pretrained = await loadPretrainedEncoder(folder);
    assertEquals(pretrained.configuration, published);
    assertEquals(pretrained.tokenizer.toJSON(), tokenizer.toJSON());
    const split = { before: 1, layers: 2, after: 1 };
    const logits = await logitsOf(
      pretrained,
      fineTunedConfiguration(pretrained.configuration, classes, split),
    );
    const same = await logitsOf(
      pretrained,
      fineTunedConfiguration(pretrained.configuration, classes),
    );
    for (let i = 0; i < 2; i++) assertAlmostEquals(logits[i], same[i], 1e-6);

    const refuses = async (name: string, content: unknown, words: string) => {
      const kept = await Deno.readFile(`${folder}/${name}`);
      await write(name, content);
      const load = async () => {
        const { classifier, configuration } = await loadPretrainedEncoder(
          folder,
        );
        dispose(classifier(fineTunedConfiguration(configuration, classes), 0));
      };
      await assertRejects(load, CorpusError, words);
      await Deno.writeFile(`${folder}/${name}`, kept);
    };
    const { hidden_size: _, ...narrow } = config;
    await refuses("config.json", "{", "config.json:1: not JSON");
    await refuses("config.json", narrow, "hidden_size: nothing");
    await refuses("config.json", { ...config, model_type: "gpt2" }, `"gpt2"`);
    await refuses(
      "config.json",
      { ...config, hidden_act: "tan" },
      "hidden_act",
    );
    await refuses(
      "config.json",
      { ...config, vocab_size: 99 },
      "model.safetens",
    );
    await refuses("model.safetensors", weights.subarray(0, 2000), "is cut off");
    await refuses("vocab.txt", "a\nb", "no token [UNK]");
    await Deno.remove(`${folder}/model.safetensors`);
    const missing = () => loadPretrainedEncoder(folder);
    await assertRejects(
      missing,
      CorpusError,
      "model.safetensors: no such file",
    );
    await write("model.safetensors.index.json", {});
    await assertRejects(missing, CorpusError, "weights in several files");
  },
);

testInFolder("a checkpoint of another task is refused", async (folder) => {
  await pretrain(folder);
  const checkpoint = await loadModelCheckpoint(folder);
  assertThrows(
    () => classifierFromCheckpoint(checkpoint),
    CheckpointError,
    `of the task "bert", not of a classifier`,
  );
  const { manifest } = checkpoint;
  const task = { ...manifest.task, name: "vit" };
  assertThrows(
    () =>
      encoderFromCheckpoint({
        ...checkpoint,
        manifest: { ...manifest, task },
      }),
    CheckpointError,
    `of the task "vit"; expected one of bert or classify`,
  );
});
