import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type EncoderDecoderConfiguration,
  encoderDecoderConfiguration,
  encoderDecoderLogits,
  type EncoderDecoderParameters,
  initializeEncoderDecoder,
  translate,
} from "../../models/mod.ts";
import {
  device,
  dispose,
  logSoftmax,
  mapTree,
  mul,
  scope,
  tensor,
} from "../../tensor/mod.ts";
import { deviation } from "../golden.ts";
import { gpuMissing } from "../tensor/webgpu_subject.ts";

function configurationOf(
  options: Partial<EncoderDecoderConfiguration> = {},
): EncoderDecoderConfiguration {
  return encoderDecoderConfiguration({
    vocabulary: 9,
    context: 8,
    width: 8,
    heads: 2,
    encoderLayers: 2,
    decoderLayers: 2,
    padding: 0,
    start: 0,
    end: 1,
    ...options,
  });
}

/** Larger weights than fresh ones make translations less monotonous. */
function parametersOf(
  configuration: EncoderDecoderConfiguration,
  seed: number,
): EncoderDecoderParameters {
  return scope(() => {
    const parameters = initializeEncoderDecoder(configuration, seed);
    const block = mapTree((x) => mul(x, 2.5), parameters.block);
    return { ...parameters, block };
  });
}

const sources = [[5, 6, 7, 8, 1], [8, 2, 1], [3, 1], [4, 4, 4, 2, 7, 1]];

/** log p of every token after a prefix. */
async function logProbabilities(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  source: number[],
  prefix: readonly number[],
): Promise<number[]> {
  const logits = encoderDecoderLogits(configuration, parameters, {
    source: tensor([source], { dtype: "i32" }),
    target: tensor([[configuration.start, ...prefix]], { dtype: "i32" }),
  });
  const all = await logSoftmax(logits).data();
  return [...all].slice(-configuration.vocabulary);
}

Deno.test("search with and without caches finds the same translations", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  const ends: boolean[] = [];
  for (const norm of ["pre", "post"] as const) {
    const configuration = configurationOf({ norm });
    for (const seed of [2, 3]) {
      const parameters = parametersOf(configuration, seed);
      for (
        const options of [
          {},
          { beams: 3 },
          { beams: 4, lengthPenalty: 0.4, maximum: 5 },
        ]
      ) {
        const before = cpu.stats().liveBuffers;
        const cached = await translate(
          configuration,
          parameters,
          sources,
          options,
        );
        assertEquals(cpu.stats().liveBuffers, before);
        const whole = await translate(configuration, parameters, sources, {
          ...options,
          cache: false,
        });
        assertEquals(
          cached.map(({ tokens, ended }) => ({ tokens, ended })),
          whole.map(({ tokens, ended }) => ({ tokens, ended })),
        );
        ends.push(...cached.map(({ ended }) => ended));
        const off = deviation(
          cached.map(({ score }) => score),
          whole.map(({ score }) => score),
          1e-10,
          0,
        );
        assert(off <= 1, `off by ${off} tolerances`);
        // Each alone, without padding, is translated alike.
        for (const [i, source] of sources.entries()) {
          const [alone] = await translate(
            configuration,
            parameters,
            [source],
            options,
          );
          assertEquals(alone.tokens, cached[i].tokens);
        }
      }
      dispose(parameters);
    }
  }
  // There were both kinds.
  assertEquals(new Set(ends).size, 2);
  cpu.close();
});

Deno.test("one beam takes the likeliest token each time", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  const configuration = configurationOf();
  const parameters = parametersOf(configuration, 4);
  const translations = await translate(configuration, parameters, sources);
  for (const [i, source] of sources.entries()) {
    const tokens: number[] = [];
    let [sum, ended] = [0, false];
    while (!ended && tokens.length < configuration.context) {
      const logs = await logProbabilities(
        configuration,
        parameters,
        source,
        tokens,
      );
      logs[configuration.padding] = -Infinity;
      const best = Math.max(...logs);
      sum += best;
      ended = logs.indexOf(best) === configuration.end;
      if (!ended) tokens.push(logs.indexOf(best));
    }
    assertEquals(translations[i].tokens, tokens);
    assertEquals(translations[i].ended, ended);
    const score = sum / (tokens.length + (ended ? 1 : 0));
    assert(Math.abs(translations[i].score - score) < 1e-10);
  }
  cpu.close();
});

Deno.test("beams enough for everything find the best translation there is", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  const configuration = configurationOf({ vocabulary: 4, context: 3 });
  const source = [3, 2, 1];
  for (const seed of [1, 2, 3]) {
    const parameters = parametersOf(configuration, seed);
    for (const lengthPenalty of [0, 1, 2]) {
      // All of one to three tokens: those that end, and those cut off at three.
      let best = { score: -Infinity, tokens: [] as readonly number[] };
      const visit = async (
        tokens: readonly number[],
        sum: number,
      ): Promise<void> => {
        const logs = await logProbabilities(
          configuration,
          parameters,
          source,
          tokens,
        );
        for (const token of [1, 2, 3]) {
          const total = sum + logs[token];
          const length = tokens.length + 1;
          const more = token === 1 ? tokens : [...tokens, token];
          const score = total / length ** lengthPenalty;
          if (token !== 1 && length < 3) await visit(more, total);
          else if (score > best.score) best = { score, tokens: more };
        }
      };
      await visit([], 0);
      const [found] = await translate(configuration, parameters, [source], {
        beams: 27,
        lengthPenalty,
      });
      assertEquals(found.tokens, best.tokens);
      assert(Math.abs(found.score - best.score) < 1e-10);
    }
    dispose(parameters);
  }
  cpu.close();
});

Deno.test("what can't be searched is told", async () => {
  const cpu = await device("reference");
  const configuration = configurationOf();
  const parameters = parametersOf(configuration, 0);
  const cases = [
    { sources: [[]], options: {}, message: "sentence 0 has 0 tokens" },
    {
      sources: [[1], new Array(9).fill(2)],
      options: {},
      message: "sentence 1 has 9 tokens; it must have 1 to 8",
    },
    { sources, options: { beams: 0 }, message: "beams 0 must be an integer" },
    {
      sources,
      options: { maximum: 9 },
      message: "maximum 9 must be at most the context, 8",
    },
    {
      sources,
      options: { lengthPenalty: NaN },
      message: "lengthPenalty NaN must be a number",
    },
  ];
  for (const { sources, options, message } of cases) {
    await assertRejects(
      () => translate(configuration, parameters, sources, options),
      RangeError,
      message,
    );
  }
  const blownUp = mapTree((x) => mul(x, NaN), parameters);
  await assertRejects(
    () => translate(configuration, blownUp, sources),
    RangeError,
    "logits are not finite",
  );
  assertEquals(await translate(configuration, parameters, []), []);
  cpu.close();
});

Deno.test({
  name: "search lets go of what it holds where the device finds a fault",
  ignore: gpuMissing,
  fn: async () => {
    const gpu = await device("webgpu");
    const configuration = configurationOf();
    const parameters = initializeEncoderDecoder(configuration, 0);
    const held = gpu.stats().liveBuffers;
    // A GPU tells of a token that there isn't when numbers are read.
    await assertRejects(
      () => translate(configuration, parameters, [[99, 1]], { beams: 2 }),
      RangeError,
      "index 99",
    );
    assertEquals(gpu.stats().liveBuffers, held);
    gpu.close();
  },
});
