import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import { defaultMultigrid } from "../../mgrit/mod.ts";
import {
  generate,
  type GptCallOptions,
  type GptConfiguration,
  gptConfiguration,
  gptFromHuggingFace,
  gptLoss,
  type GptParameters,
  gptToHuggingFace,
  initializeGpt,
  readSafetensors,
  sampleToken,
  writeSafetensors,
} from "../../models/mod.ts";
import { device, dispose, leaves, tensor } from "../../tensor/mod.ts";
import { deviation, testGolden } from "../golden.ts";
import { gpuMissing } from "../tensor/webgpu_subject.ts";
import { goldenGpt } from "./golden_gpt.ts";

async function collect(tokens: AsyncIterable<number>): Promise<number[]> {
  const result: number[] = [];
  for await (const token of tokens) result.push(token);
  return result;
}

const small: GptConfiguration = gptConfiguration({
  vocabulary: 11,
  context: 8,
  width: 12,
  heads: 3,
  layers: 2,
  before: 1,
  after: 1,
});

testGolden("GPT-2", goldenGpt);

Deno.test("weights survive the way to Hugging Face's names and back", async () => {
  const cpu = await device("reference");
  for (const tied of [true, false]) {
    const configuration = { ...small, tied };
    const parameters = initializeGpt(configuration, 3);
    const arrays = await gptToHuggingFace(configuration, parameters);
    const file = readSafetensors(writeSafetensors(arrays)).arrays;
    const again = await gptToHuggingFace(
      configuration,
      gptFromHuggingFace(configuration, file),
    );
    assertEquals(again, arrays);
    assert("h.3.mlp.c_proj.bias" in arrays);
    assertEquals("lm_head.weight" in arrays, !tied);
    const { "h.1.ln_1.bias": _, ...missing } = file;
    assertThrows(
      () => gptFromHuggingFace(configuration, missing),
      RangeError,
      '"h.1.ln_1.bias" is missing',
    );
    assertThrows(
      () =>
        gptFromHuggingFace(configuration, {
          ...file,
          extra: file["wpe.weight"],
        }),
      RangeError,
      "unexpected extra",
    );
  }
  cpu.close();
});

Deno.test("generation with and without cache makes the same tokens", async () => {
  const cpu = await device("reference");
  const parameters = initializeGpt(small, 1);
  for (
    const options of [
      { temperature: 0 },
      { temperature: 1.5, seed: 7 },
      { topK: 3, seed: 1 },
      { topP: 0.5, seed: 2 },
    ]
  ) {
    // Longer than the context, so that it slides.
    const run = (cache: boolean): Promise<number[]> =>
      collect(
        generate(small, parameters, [1, 2, 3], {
          count: 20,
          cache,
          ...options,
        }),
      );
    assertEquals(await run(true), await run(false));
  }
  await assertRejects(
    () => collect(generate(small, parameters, [], { count: 1 })),
    RangeError,
    "at least one token",
  );
  await assertRejects(
    () => collect(generate(small, parameters, [1], { count: 1, topP: 0 })),
    RangeError,
    "topP 0 must be in (0, 1]",
  );
  dispose(parameters);
  cpu.close();
});

Deno.test({
  name: "generation lets go of what it holds where the device finds a fault",
  ignore: gpuMissing,
  fn: async () => {
    const gpu = await device("webgpu");
    const parameters = initializeGpt(small, 1);
    const held = gpu.stats().liveBuffers;
    // A GPU tells of a token that there isn't when numbers are read.
    await assertRejects(
      () => collect(generate(small, parameters, [99], { count: 1 })),
      RangeError,
      "index 99",
    );
    assertEquals(gpu.stats().liveBuffers, held);
    gpu.close();
  },
});

Deno.test("sampling follows probabilities, topK and topP", () => {
  const logits = [Math.log(0.1), Math.log(0.6), Math.log(0.3)];
  assertEquals(sampleToken(logits, 0.999, { temperature: 0 }), 1);
  assertEquals(sampleToken(logits, 0.59), 1);
  assertEquals(sampleToken(logits, 0.61), 2);
  assertEquals(sampleToken(logits, 0.95), 0);
  assertEquals(sampleToken(logits, 0.999, { topK: 2 }), 2);
  assertEquals(sampleToken(logits, 0.999, { topP: 0.6 }), 1);
  assertThrows(() => sampleToken([NaN, NaN], 0.5), RangeError, "not finite");
});

Deno.test("the loss takes its inputs apart and names what is wrong", async () => {
  const cpu = await device("reference");
  const parameters = initializeGpt(small, 0);
  const tokens = tensor([[1, 2, 3, 4]], { dtype: "i32" });
  const targets = tensor([[2, 3, 4, 5]], { dtype: "i32" });
  const loss = await gptLoss(small, parameters, tokens, targets).item();
  // Small fresh weights predict nearly uniformly: ln 11 = 2.398.
  assert(Math.abs(loss - Math.log(11)) < 0.05, `${loss}`);
  const long = tensor([new Array(9).fill(1)], { dtype: "i32" });
  assertThrows(
    () => gptLoss(small, parameters, long, long),
    RangeError,
    "at most 8 positions",
  );
  assertThrows(
    () => gptLoss(small, parameters, tensor([[11]], { dtype: "i32" }), long),
    RangeError,
    "take: index 11",
  );
  assertThrows(
    () => gptConfiguration({ ...small, heads: 5 }),
    RangeError,
    "width 12 must be a multiple of the 5 heads",
  );
  cpu.close();
});

Deno.test("multigrid over the block alone gives the serial loss and gradient", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  const configuration = { ...small, layers: 8, endTime: 1 };
  const parameters = initializeGpt(configuration, 2);
  const tokens = tensor([[1, 2, 3, 4]], { dtype: "i32" });
  const targets = tensor([[2, 3, 4, 5]], { dtype: "i32" });
  const solver = { ...defaultMultigrid, iterations: 4 };
  const run = async (options: GptCallOptions): Promise<number[]> => {
    const { value, gradient } = valueAndGrad((p: GptParameters) =>
      gptLoss(configuration, p, tokens, targets, options)
    )(parameters);
    const all = await Promise.all(leaves(gradient).map((x) => x.data()));
    return [await value.item(), ...all.flatMap((x) => [...x])];
  };
  let passes = 0;
  const parallel = await run({
    forward: solver,
    backward: solver,
    onSolve: () => passes++,
  });
  assertEquals(passes, 2); // the buffers before and after are serial
  // Exact after ⌈8/4⌉ = 2 iterations but for rounding in double precision.
  const off = deviation(parallel, await run({}), 1e-10, 1e-12);
  assert(off <= 1, `off by ${off} tolerances`);
  cpu.close();
});
