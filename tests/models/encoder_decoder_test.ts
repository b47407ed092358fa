import { assert, assertEquals, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import type { MultigridOptions } from "../../mgrit/mod.ts";
import {
  type EncoderDecoderConfiguration,
  encoderDecoderConfiguration,
  encoderDecoderFromHuggingFace,
  type EncoderDecoderInputs,
  encoderDecoderLogits,
  encoderDecoderLoss,
  type EncoderDecoderLossOptions,
  type EncoderDecoderParameters,
  encoderDecoderToHuggingFace,
  initializeEncoderDecoder,
} from "../../models/mod.ts";
import {
  device,
  dispose,
  leaves,
  namedLeaves,
  tensor,
} from "../../tensor/mod.ts";
import { deviation, testGolden } from "../golden.ts";
import { goldenEncoderDecoder } from "./golden_encoder_decoder.ts";

testGolden("encoder–decoder", goldenEncoderDecoder);

function configurationOf(
  options: Partial<EncoderDecoderConfiguration> = {},
): EncoderDecoderConfiguration {
  return encoderDecoderConfiguration({
    vocabulary: 11,
    context: 8,
    width: 8,
    heads: 2,
    hidden: 12,
    encoderLayers: 4,
    decoderLayers: 4,
    padding: 0,
    start: 0,
    end: 1,
    ...options,
  });
}

/** Two sentences; the second is shorter in both languages. */
function batch(): { inputs: EncoderDecoderInputs; labels: number[][] } {
  return {
    inputs: {
      source: tensor([[5, 6, 7, 8, 1], [9, 2, 1, 0, 0]], { dtype: "i32" }),
      sourceKeep: tensor([
        [true, true, true, true, true],
        [true, true, true, false, false],
      ]),
      target: tensor([[0, 3, 4], [0, 10, 0]], { dtype: "i32" }),
    },
    labels: [[3, 4, 1], [10, 1, -100]],
  };
}

/** Loss and gradient of the batch, as one list. */
async function lossAndGradient(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  options: EncoderDecoderLossOptions = {},
): Promise<number[]> {
  const { inputs, labels } = batch();
  const { value, gradient } = valueAndGrad((p: EncoderDecoderParameters) =>
    encoderDecoderLoss(
      configuration,
      p,
      inputs,
      tensor(labels, { dtype: "i32" }),
      options,
    )
  )(parameters);
  const all = await Promise.all(leaves(gradient).map((x) => x.data()));
  return [await value.item(), ...all.flatMap((x) => [...x])];
}

const dropout = { probability: 0.25, seed: 3, batch: 5 };

function multigrid(
  levels: number,
  coarsening: number,
): MultigridOptions<never> {
  return {
    levels,
    coarsening,
    relaxation: "F",
    // Enough for the eight layers, whatever the coarse steps are.
    iterations: 4,
    guess: "input",
  };
}

for (
  const { name, make, relative } of [
    {
      name: "reference in double precision",
      make: () => device("reference", { dtype: "f64" }),
      relative: 1e-10,
    },
    {
      name: "wasm",
      make: () => device("wasm", { threads: 1 }),
      relative: 1e-5,
    },
  ]
) {
  Deno.test(`multigrid over encoder and decoder is the serial network: ${name}`, async () => {
    const cpu = await make();
    const kinds = [
      { norm: "pre" },
      { norm: "post" },
      { norm: "pre", encoderLayers: 5, decoderLayers: 3, endTime: 2 },
    ] as const;
    for (const kind of kinds) {
      const configuration = configurationOf(kind);
      const parameters = initializeEncoderDecoder(configuration, 2);
      const exact = await lossAndGradient(configuration, parameters, {
        dropout,
        labelSmoothing: 0.1,
      });
      const largest = Math.max(...exact.map(Math.abs));
      // Coarsening 3 has a step from the encoder's fourth layer on into the
      // decoder.
      const ways = [
        ["stacked", 3, 2],
        ["stacked", 2, 3],
        ["sequential", 2, 3],
      ] as const;
      for (const [execution, levels, coarsening] of ways) {
        const solver = multigrid(levels, coarsening);
        const found = await lossAndGradient(configuration, parameters, {
          dropout,
          labelSmoothing: 0.1,
          execution,
          forward: solver,
          backward: solver,
        });
        const off = deviation(found, exact, 0, relative * largest);
        assert(
          off <= 1,
          `${JSON.stringify(kind)}, ${execution}, ${levels} levels, ` +
            `coarsening ${coarsening}: off by ${off} tolerances`,
        );
      }
    }
    cpu.close();
  });
}

Deno.test("a gradient leaves nothing behind on the device", async () => {
  const cpu = await device("wasm", { threads: 1 });
  const configuration = configurationOf();
  const parameters = initializeEncoderDecoder(configuration, 2);
  const { inputs, labels } = batch();
  const targets = tensor(labels, { dtype: "i32" });
  const held = cpu.stats().liveBuffers;
  const solver = multigrid(2, 2);
  for (
    const options of [
      {},
      { remat: true },
      { forward: solver, backward: solver },
      { forward: solver, backward: solver, execution: "stacked" },
    ] as const
  ) {
    const { value, gradient } = valueAndGrad((p: EncoderDecoderParameters) =>
      encoderDecoderLoss(configuration, p, inputs, targets, options)
    )(parameters);
    dispose({ value, gradient });
    assertEquals(cpu.stats().liveBuffers, held, JSON.stringify(options));
  }
  cpu.close();
});

Deno.test("what is padding in source or target changes nothing", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  for (const norm of ["pre", "post"] as const) {
    const configuration = configurationOf({ norm });
    const parameters = initializeEncoderDecoder(configuration, 1);
    const logits = async (
      source: number[],
      keep: boolean[] | undefined,
      target: number[],
    ): Promise<number[]> => [
      ...await encoderDecoderLogits(configuration, parameters, {
        source: tensor([source], { dtype: "i32" }),
        sourceKeep: keep && tensor([keep]),
        target: tensor([target], { dtype: "i32" }),
      }).data(),
    ];
    const expected = await logits([9, 2, 1], undefined, [0, 10]);
    const padded = await logits(
      [9, 2, 1, 7, 8],
      [true, true, true, false, false],
      [0, 10, 6],
    );
    // The first two positions see neither the padding nor what comes later.
    const off = deviation(padded.slice(0, 22), expected, 1e-12, 1e-12);
    assert(off <= 1, `off by ${off} tolerances`);
  }
  cpu.close();
});

Deno.test("dropout depends on the batch, and is absent without it", async () => {
  const cpu = await device("reference");
  const configuration = configurationOf();
  const parameters = initializeEncoderDecoder(configuration, 1);
  const run = (options: EncoderDecoderLossOptions): Promise<number[]> =>
    lossAndGradient(configuration, parameters, options);
  const [plain] = await run({});
  const [dropped] = await run({ dropout });
  assertEquals(await run({ dropout }), await run({ dropout }));
  const [other] = await run({ dropout: { ...dropout, batch: 6 } });
  assert(new Set([plain, dropped, other]).size === 3);
  cpu.close();
});

Deno.test("encoder–decoder weights survive the way to Hugging Face's names and back", async () => {
  const cpu = await device("reference");
  for (const norm of ["pre", "post"] as const) {
    const configuration = configurationOf({ norm, logitsBias: true });
    const parameters = initializeEncoderDecoder(configuration, 3);
    const arrays = await encoderDecoderToHuggingFace(configuration, parameters);
    assertEquals(
      arrays["model.decoder.layers.3.encoder_attn.k_proj.weight"].shape,
      [8, 8],
    );
    assertEquals("model.encoder.layer_norm.bias" in arrays, norm === "pre");
    const again = encoderDecoderFromHuggingFace(configuration, {
      ...arrays,
      "lm_head.weight": arrays["model.shared.weight"],
    });
    assertEquals(
      namedLeaves(again).map(([name]) => name),
      namedLeaves(parameters).map(([name]) => name),
    );
    assertEquals(
      await encoderDecoderToHuggingFace(configuration, again),
      arrays,
    );
    const { "model.decoder.layers.1.fc1.bias": _, ...missing } = arrays;
    assertThrows(
      () => encoderDecoderFromHuggingFace(configuration, missing),
      RangeError,
      '"model.decoder.layers.1.fc1.bias" is missing',
    );
  }
  cpu.close();
});

Deno.test("fresh weights are uniform as Glorot and Bengio's", async () => {
  const cpu = await device("reference");
  const configuration = configurationOf({ width: 16, hidden: 80 });
  const { block, open } = initializeEncoderDecoder(configuration, 0);
  const cases = [
    { part: block.encoder.attentionInput, inner: 16, outer: 16 },
    { part: block.decoder.crossMemory, inner: 16, outer: 16 },
    { part: block.decoder.mlpInput, inner: 16, outer: 80 },
    { part: block.decoder.mlpOutput, inner: 80, outer: 16 },
  ];
  for (const { part, inner, outer } of cases) {
    const bound = Math.sqrt(6 / (inner + outer));
    const values = [...await part.weight.data()].map(Math.abs);
    const largest = Math.max(...values);
    // Thousands of draws come close to the bound.
    assert(largest <= bound && largest > 0.99 * bound, `${largest}, ${bound}`);
  }
  const squares = [...await open.tokens.data()].map((x) => x ** 2);
  const variance = squares.reduce((sum, x) => sum + x) / squares.length;
  // 176 draws: five standard errors of 1/16.
  assert(Math.abs(variance * 16 - 1) < 0.54, `${variance}`);
  cpu.close();
});

Deno.test("encoder–decoder configurations and inputs are checked", async () => {
  const cpu = await device("reference");
  const cases: [Partial<EncoderDecoderConfiguration>, string][] = [
    [{ heads: 3 }, "width 8 must be a multiple of the 3 heads"],
    [{ decoderLayers: 0 }, "decoderLayers 0 must be an integer ≥ 1"],
    [{ padding: 11 }, "padding 11 is no token of the vocabulary of 11"],
    [{ end: 0 }, "end and padding must be two tokens"],
    [{ norm: "post", discretization: "split" }, "needs pre-LN layers"],
  ];
  for (const [options, message] of cases) {
    assertThrows(() => configurationOf(options), RangeError, message);
  }
  const configuration = configurationOf();
  const parameters = initializeEncoderDecoder(configuration, 0);
  const { inputs } = batch();
  const long = tensor([new Array(9).fill(1), new Array(9).fill(1)], {
    dtype: "i32",
  });
  assertThrows(
    () =>
      encoderDecoderLogits(configuration, parameters, {
        ...inputs,
        target: long,
      }),
    RangeError,
    "at most 8 positions",
  );
  assertThrows(
    () =>
      encoderDecoderLogits(configuration, parameters, {
        ...inputs,
        target: tensor([[0, 1]], { dtype: "i32" }),
      }),
    RangeError,
    "target [1, 2] must be [2, 2]",
  );
  assertThrows(
    () =>
      encoderDecoderLogits(configuration, parameters, {
        ...inputs,
        sourceKeep: tensor([[true]]),
      }),
    RangeError,
    "sourceKeep [1, 1] must be [2, 5]",
  );
  cpu.close();
});
