import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  bertConfiguration,
  bertToHuggingFace,
  classifierConfiguration,
  classifierFromBert,
  classifierFromHuggingFace,
  classifierLogits,
  classifierLoss,
  classifierToHuggingFace,
  type HeadConfiguration,
  initializeBert,
  initializeClassifier,
  type NormPlace,
} from "../../models/mod.ts";
import { device, leaves, type Tensor, tensor } from "../../tensor/mod.ts";

const shape = { vocabulary: 11, context: 6, width: 8, heads: 2, hidden: 20 };
const classes: HeadConfiguration = { kind: "classes", outputs: 3 };
const number: HeadConfiguration = { kind: "number", outputs: 1 };
const words: HeadConfiguration = { kind: "tokens", outputs: 4 };

function encoder(norm: NormPlace): ReturnType<typeof bertConfiguration> {
  return bertConfiguration({ ...shape, layers: 4, norm });
}

function ids(rows: number[][]): Tensor {
  return tensor(rows, { dtype: "i32" });
}

Deno.test("heads give classes, numbers, or classes of tokens", async () => {
  const cpu = await device("reference");
  const inputs = { tokens: ids([[1, 2, 3], [4, 5, 6]]) };
  for (
    const [head, logitsShape, labels] of [
      [classes, [2, 3], tensor([2, 0], { dtype: "i32" })],
      [number, [2, 1], tensor([0.5, -1])],
      [words, [2, 3, 4], ids([[1, 2, -100], [3, 0, -100]])],
    ] as const
  ) {
    const configuration = classifierConfiguration(encoder("pre"), head);
    const parameters = initializeClassifier(configuration, 0);
    assertEquals("pooler" in parameters.close, head.kind !== "tokens");
    const logits = classifierLogits(configuration, parameters, inputs);
    assertEquals(logits.shape, logitsShape);
    const loss = await classifierLoss(
      configuration,
      parameters,
      inputs,
      labels,
    ).item();
    if (head.kind === "number") {
      const [a, b] = await logits.data();
      assertAlmostEquals(loss, ((a - 0.5) ** 2 + (b + 1) ** 2) / 2, 1e-6);
    } else {
      // Small fresh weights predict nearly uniformly.
      assertAlmostEquals(loss, Math.log(head.outputs), 0.05);
    }
  }
  cpu.close();
});

Deno.test("a pre-trained encoder goes into a classifier of another split", async () => {
  const cpu = await device("reference");
  const tokens = ids([[1, 2, 3]]);
  for (const norm of ["pre", "post"] as const) {
    const configuration = encoder(norm);
    const pretrained = initializeBert(configuration, 5);
    const whole = classifierConfiguration(configuration, classes);
    const split = { ...whole, before: 1, layers: 2, after: 1, endTime: 2 };
    const logits = async (
      given: typeof whole,
      seed: number,
    ): Promise<number[]> => {
      const parameters = classifierFromBert(given, pretrained, seed);
      return [
        ...await classifierLogits(given, parameters, { tokens }).data(),
      ];
    };
    assertEquals(await logits(split, 1), await logits(whole, 1));
    const [a, b] = [await logits(whole, 1), await logits(whole, 2)];
    assert(a.some((x, i) => x !== b[i]), "the head isn't drawn");
    // The same by way of a file of BertForMaskedLM.
    const arrays = await bertToHuggingFace(configuration, pretrained);
    const loaded = classifierFromHuggingFace(split, arrays, 1);
    assertEquals(
      [...await classifierLogits(split, loaded, { tokens }).data()],
      await logits(whole, 1),
    );
    const other = norm === "pre" ? "post" : "pre";
    assertThrows(
      () => classifierFromBert({ ...whole, norm: other }, pretrained, 0),
      RangeError,
      `classifier: the encoder has ${norm}-LN layers`,
    );
    assertThrows(
      () => classifierFromBert({ ...whole, layers: 5 }, pretrained, 0),
      RangeError,
      "4 layers can't be split into 0 + 5 + 0",
    );
    assertThrows(
      () => classifierFromBert({ ...whole, hidden: 32 }, pretrained, 0),
      RangeError,
      "the encoder's block.mlpInput.weight [4, 8, 20] must be [4, 8, 32]",
    );
  }
  cpu.close();
});

Deno.test("classifiers survive the way to Hugging Face's names and back", async () => {
  const cpu = await device("reference");
  for (const head of [classes, number, words]) {
    for (const norm of ["pre", "post"] as const) {
      const configuration = classifierConfiguration(encoder(norm), head);
      const fresh = initializeClassifier(configuration, 3);
      const arrays = await classifierToHuggingFace(configuration, fresh);
      assert("classifier.weight" in arrays);
      assertEquals("bert.pooler.dense.bias" in arrays, head !== words);
      const again = classifierFromHuggingFace(configuration, arrays, 9);
      const pairs = leaves(again).map((x, i) => [x, leaves(fresh)[i]]);
      for (const [a, b] of pairs) assertEquals(await a.data(), await b.data());
      assertThrows(
        () =>
          classifierFromHuggingFace(
            { ...configuration, head: { ...head, outputs: 7 } },
            arrays,
            0,
          ),
        RangeError,
        'classifier weights: "classifier.weight" has shape',
      );
    }
  }
  assertThrows(
    () => classifierConfiguration(encoder("pre"), { ...classes, outputs: 0 }),
    RangeError,
    "classifier: outputs 0 must be an integer ≥ 1",
  );
  cpu.close();
});
