import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  dealLayers,
  initializeVit,
  vitConfiguration,
  vitConfigurationFromHuggingFace,
  vitFromHuggingFace,
  vitLogits,
  vitLoss,
  vitToHuggingFace,
} from "../../models/mod.ts";
import {
  device,
  leaves,
  normal,
  randomKey,
  tensor,
  zeros,
} from "../../tensor/mod.ts";
import { testGolden } from "../golden.ts";
import { goldenVit } from "./golden_vit.ts";

testGolden("ViT", goldenVit);

const small = vitConfiguration({
  image: 6,
  patch: 2,
  channels: 3,
  classes: 4,
  width: 8,
  heads: 2,
  layers: 2,
  before: 1,
  after: 1,
});

Deno.test("weights survive the way to ViT's names and back", async () => {
  const cpu = await device("reference");
  const fresh = initializeVit(small, 3);
  const arrays = await vitToHuggingFace(small, fresh);
  const again = vitFromHuggingFace(small, arrays);
  const pairs = leaves(again).map((x, i) => [x, leaves(fresh)[i]]);
  for (const [a, b] of pairs) assertEquals(await a.data(), await b.data());
  const kernel = "vit.embeddings.patch_embeddings.projection.weight";
  assertEquals(arrays[kernel].shape, [8, 3, 2, 2]);
  const { [kernel]: wrong, ...missing } = arrays;
  assertThrows(
    () => vitFromHuggingFace(small, missing),
    RangeError,
    `ViT weights: "${kernel}" is missing, which must be [8, 3, 2, 2]`,
  );
  assertThrows(
    () => vitFromHuggingFace({ ...small, classes: 5 }, arrays),
    RangeError,
    'ViT weights: "classifier.weight" has shape [4, 8], not [5, 8]',
  );
  assertThrows(
    () => vitFromHuggingFace({ ...small, after: 0 }, arrays),
    RangeError,
    "ViT weights: unexpected vit.encoder.layer.3.",
  );
  assertThrows(
    () => vitFromHuggingFace(small, { ...arrays, "lora.weight": wrong }),
    RangeError,
    "ViT weights: unexpected lora.weight; give",
  );
  cpu.close();
});

Deno.test("layers of a ViT that are split in another way are the same", async () => {
  const cpu = await device("reference");
  const whole = { ...small, before: 0, layers: 4, after: 0, endTime: 4 };
  const parameters = initializeVit(small, 1);
  const pixels = normal([2, 3, 6, 6], randomKey(0));
  const dealt = { ...parameters, ...dealLayers(parameters, whole) };
  assertEquals(
    await vitLogits(whole, dealt, pixels).data(),
    await vitLogits(small, parameters, pixels).data(),
  );
  cpu.close();
});

Deno.test("a fresh ViT is unsure, and says what is wrong with images", async () => {
  const cpu = await device("reference");
  const parameters = initializeVit(small, 1);
  const labels = tensor([1, 3], { dtype: "i32" });
  const pixels = normal([2, 3, 6, 6], randomKey(0));
  // Small fresh weights predict nearly uniformly: ln 4 = 1.386.
  const loss = await vitLoss(small, parameters, pixels, labels).item();
  assert(Math.abs(loss - Math.log(4)) < 0.1, `${loss}`);
  assertThrows(
    () => vitLogits(small, parameters, zeros([2, 1, 6, 6])),
    RangeError,
    "ViT: pixels [2, 1, 6, 6] must be [batch, 3, 6, 6]",
  );
  for (
    const [options, message] of [
      [{ image: 7 }, "ViT: image 7 must be a multiple of the patch 2; change"],
      [{ classes: 0 }, "ViT: classes 0 must be an integer ≥ 1"],
      [{ norm: "post" as "pre" }, 'ViT: norm "post" must be "pre"'],
    ] as const
  ) {
    const make = (): unknown => vitConfiguration({ ...small, ...options });
    assertThrows(make, RangeError, message);
  }
  const config = {
    image_size: 6,
    patch_size: 2,
    num_channels: 3,
    id2label: { 0: "cat", 1: "dog", 2: "fox" },
    hidden_size: 8,
    num_attention_heads: 2,
    num_hidden_layers: 2,
    intermediate_size: 20,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
  };
  assertEquals(vitConfigurationFromHuggingFace(config).classes, 3);
  const { id2label: _, ...unnamed } = config;
  assertEquals(vitConfigurationFromHuggingFace(unnamed).classes, 2);
  assertThrows(
    () => vitConfigurationFromHuggingFace({ ...config, qkv_bias: false }),
    RangeError,
    "ViT: qkv_bias false",
  );
  cpu.close();
});
