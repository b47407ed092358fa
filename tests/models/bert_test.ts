import { assert, assertEquals, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  bertConfiguration,
  bertConfigurationFromHuggingFace,
  bertFromHuggingFace,
  bertLogits,
  bertMaskedLogits,
  bertMaskedLoss,
  type BertParameters,
  bertStates,
  bertToHuggingFace,
  dealLayers,
  initializeBert,
  readSafetensors,
  splitLayers,
  writeSafetensors,
} from "../../models/mod.ts";
import {
  device,
  leaves,
  slice,
  type Tensor,
  tensor,
} from "../../tensor/mod.ts";
import { testGolden } from "../golden.ts";
import { goldenBert } from "./golden_bert.ts";

testGolden("BERT", goldenBert);

const shape = { vocabulary: 11, context: 6, width: 8, heads: 2, hidden: 20 };
const small = bertConfiguration({ ...shape, layers: 2, before: 1, after: 1 });

function ids(rows: number[][]): Tensor {
  return tensor(rows, { dtype: "i32" });
}

Deno.test("weights survive the way to BERT's names and back", async () => {
  const cpu = await device("reference");
  for (const norm of ["pre", "post"] as const) {
    for (const tied of [true, false]) {
      const configuration = { ...small, norm, tied };
      const fresh = initializeBert(configuration, 3);
      const arrays = await bertToHuggingFace(configuration, fresh);
      const file = readSafetensors(writeSafetensors(arrays)).arrays;
      const again = bertFromHuggingFace(configuration, file);
      assertEquals(await bertToHuggingFace(configuration, again), arrays);
      const pairs = leaves(again).map((x, i) => [x, leaves(fresh)[i]]);
      for (const [a, b] of pairs) assertEquals(await a.data(), await b.data());
      assert("bert.encoder.layer.3.attention.self.value.bias" in arrays);
      assertEquals("cls.predictions.decoder.weight" in arrays, !tied);
      assertEquals("bert.LayerNorm.weight" in arrays, norm === "pre");
    }
  }
  cpu.close();
});

Deno.test("BERT files of other writers are read, and wrong ones explained", async () => {
  const cpu = await device("reference");
  const configuration = { ...small, norm: "post" } as const;
  const fresh = initializeBert(configuration, 3);
  const arrays = await bertToHuggingFace(configuration, fresh);
  const bias = arrays["cls.predictions.bias"];
  // As in files of the first release, with what other heads leave.
  const old = {
    ...Object.fromEntries(
      Object.entries(arrays).map(([name, x]) => [
        name.replace(/^bert\./, "")
          .replace("LayerNorm.weight", "LayerNorm.gamma")
          .replace("LayerNorm.bias", "LayerNorm.beta"),
        x,
      ]),
    ),
    "bert.embeddings.position_ids": bias,
    "pooler.dense.bias": bias,
    "cls.seq_relationship.bias": bias,
    "cls.predictions.decoder.bias": bias,
    "cls.predictions.decoder.weight": bias,
  };
  const again = bertFromHuggingFace(configuration, old);
  assertEquals(await bertToHuggingFace(configuration, again), arrays);

  const fails = (given: typeof arrays, message: string): void => {
    const load = (): unknown => bertFromHuggingFace(configuration, given);
    assertThrows(load, RangeError, message);
  };
  const { "cls.predictions.bias": _, ...missing } = arrays;
  fails(
    missing,
    'BERT weights: "cls.predictions.bias" is missing, which must be [11]; give',
  );
  const name = "bert.encoder.layer.2.attention.self.key.weight";
  fails(
    { ...arrays, [name]: bias },
    `BERT weights: "${name}" has shape [11], not [8, 8] as the configuration`,
  );
  fails(
    { ...arrays, a: bias, b: bias, c: bias, d: bias },
    "BERT weights: unexpected a, b, c and 1 more; give",
  );
  const integers = new Int32Array(11);
  fails(
    {
      ...arrays,
      "cls.predictions.bias": { dtype: "i32", shape: [11], values: integers },
    },
    'BERT weights: "cls.predictions.bias" holds i32, not real numbers',
  );
  cpu.close();
});

Deno.test("logits at masked places are those of all places", async () => {
  const cpu = await device("reference");
  const parameters = initializeBert(small, 1);
  const inputs = { tokens: ids([[1, 2, 3, 4], [5, 6, 7, 8]]) };
  const all = await bertLogits(small, parameters, inputs).data();
  const places = [[3, 0], [1, 2]];
  const some = bertMaskedLogits(small, parameters, inputs, ids(places));
  const rows = places.flatMap((row, b) => row.map((t) => 4 * b + t));
  const expected = rows.flatMap((row) => [
    ...all.subarray(11 * row, 11 * (row + 1)),
  ]);
  assertEquals([...await some.data()], expected);
  // Small fresh weights predict nearly uniformly: ln 11 = 2.398.
  const masked = { positions: ids(places), labels: ids([[1, -100], [2, 3]]) };
  const loss = await bertMaskedLoss(small, parameters, inputs, masked).item();
  assert(Math.abs(loss - Math.log(11)) < 0.05, `${loss}`);
  cpu.close();
});

Deno.test("padding changes no state of what is kept, segments change it", async () => {
  const cpu = await device("reference");
  const parameters = initializeBert(small, 1);
  const keep = tensor([[true, true, true, false]]);
  const states = async (last: number, segment: number): Promise<number[]> => {
    const x = bertStates(small, parameters, {
      tokens: ids([[1, 2, 3, last]]),
      segments: ids([[0, 0, segment, 0]]),
      keep,
    });
    return [...await slice(x, [undefined, [0, 3]]).data()];
  };
  assertEquals(await states(4, 0), await states(9, 0));
  const [a, b] = [await states(4, 0), await states(4, 1)];
  assert(a.some((x, i) => x !== b[i]));
  cpu.close();
});

Deno.test("layers that are split in another way make the same network", async () => {
  const cpu = await device("reference");
  const whole = bertConfiguration({ ...shape, layers: 8 });
  const split = splitLayers(whole, { before: 2, after: 2 });
  assertEquals(
    split,
    bertConfiguration({ ...shape, before: 2, layers: 4, after: 2 }),
  );
  const parameters = initializeBert(whole, 1);
  const tokens = ids([[1, 2, 3, 4], [5, 6, 7, 8]]);
  const dealt = { ...parameters, ...dealLayers(parameters, split) };
  assertEquals(dealt.after.mlpInput.weight.shape, [2, 8, 20]);
  const logits = bertLogits(whole, parameters, { tokens });
  assertEquals(
    await bertLogits(split, dealt, { tokens }).data(),
    await logits.data(),
  );
  // There and back, and through a file.
  const arrays = await bertToHuggingFace(whole, parameters);
  assertEquals(await bertToHuggingFace(split, dealt), arrays);
  const loaded = bertFromHuggingFace(split, arrays);
  const back = { ...loaded, ...dealLayers(loaded, whole) };
  assertEquals(await bertToHuggingFace(whole, back), arrays);
  assertThrows(
    () => dealLayers(parameters, small),
    RangeError,
    "8 layers can't be split into 1 + 2 + 1",
  );
  const half = splitLayers({ ...whole, endTime: 4 }, { before: 0, after: 2 });
  assertEquals([half.layers, half.endTime], [6, 3]);
  assertThrows(
    () => splitLayers(whole, { before: 4, after: 4 }),
    RangeError,
    "splitLayers: 4 + 4 buffer layers leave none of 8 for the block",
  );
  cpu.close();
});

Deno.test("every parameter of BERT gets a gradient", async () => {
  const cpu = await device("reference");
  for (const norm of ["pre", "post"] as const) {
    const configuration = { ...small, norm, tied: false };
    const tokens = ids([[1, 2, 3, 4]]);
    const masked = { positions: ids([[0, 2]]), labels: ids([[7, 8]]) };
    const { gradient } = valueAndGrad((p: BertParameters) =>
      bertMaskedLoss(configuration, p, { tokens }, masked)
    )(initializeBert(configuration, 2));
    for (const x of leaves(gradient)) {
      assert((await x.data()).some((value) => value !== 0));
    }
  }
  cpu.close();
});

Deno.test("fresh pre-LN weights have the paper's factors, post-LN ones BERT's", async () => {
  const cpu = await device("wasm", { threads: 1 });
  const wide = { ...small, width: 64, hidden: 256 };
  const deviationOf = async (x: Tensor): Promise<number> => {
    const values = await x.data();
    return Math.hypot(...values) / Math.sqrt(values.length);
  };
  const gain = Math.sqrt(Math.log(2 * 4));
  for (const [norm, factor] of [["pre", gain], ["post", 1]] as const) {
    const { block } = initializeBert({ ...wide, norm }, 0);
    const columns = (from: number, to: number): Promise<number> =>
      deviationOf(
        slice(block.attentionInput.weight, [undefined, undefined, [from, to]]),
      );
    // Of 8192 numbers or more: within 5 standard errors, 5 / √(2 · 8192) = 4 %.
    for (
      const [expected, found] of [
        [0.02, await columns(0, 128)],
        [0.02 * factor, await columns(128, 192)],
        [0.02 * factor, await deviationOf(block.attentionOutput.weight)],
        [0.02 * factor, await deviationOf(block.mlpInput.weight)],
        [0.02 * factor, await deviationOf(block.mlpOutput.weight)],
      ]
    ) assert(Math.abs(found / expected - 1) < 0.04, `${norm}: ${found}`);
  }
  cpu.close();
});

Deno.test("BERT says what is wrong with inputs and configurations", async () => {
  const cpu = await device("reference");
  const parameters = initializeBert(small, 0);
  const tokens = ids([[1, 2, 3]]);
  const keep = tensor([[true, true]]);
  const fails = (run: () => unknown, message: string): void => {
    assertThrows(run, RangeError, message);
  };
  fails(
    () =>
      bertLogits(small, parameters, { tokens: ids([[0, 0, 0, 0, 0, 0, 0]]) }),
    "BERT: tokens [1, 7] at position 0 must be [batch, length] with at most 6",
  );
  fails(
    () => bertLogits(small, parameters, { tokens, keep }),
    "BERT: keep [1, 2] must be [1, 3]",
  );
  fails(
    () => bertMaskedLogits(small, parameters, { tokens }, ids([[0], [1]])),
    "BERT: positions [2, 1] must be [1, M]",
  );
  for (const place of [-1, 3]) {
    // It isn't taken for one of another sequence.
    const both = ids([[1, 2, 3], [4, 5, 1]]);
    const places = ids(place < 0 ? [[0], [place]] : [[place], [0]]);
    fails(
      () => bertMaskedLogits(small, parameters, { tokens: both }, places),
      "index -1",
    );
  }
  for (
    const [options, message] of [
      [{ width: 9 }, "BERT: width 9 must be a multiple of the 2 heads"],
      [{ hidden: 0 }, "BERT: hidden 0 must be an integer ≥ 1"],
      [{ segments: 0.5 }, "BERT: segments 0.5 must be an integer ≥ 1"],
      [{ before: -1 }, "BERT: before -1 must be an integer ≥ 0"],
      [{ epsilon: NaN }, "BERT: epsilon NaN must be a number ≥ 0"],
      [
        { activation: "elu" as "relu" },
        'BERT: activation "elu" isn\'t one of gelu, gelu-tanh, relu, silu',
      ],
      [
        { norm: "post", discretization: "split" },
        'BERT: discretization "split" needs pre-LN layers',
      ],
    ] as const
  ) fails(() => bertConfiguration({ ...small, ...options }), message);
  const config = {
    vocab_size: 11,
    max_position_embeddings: 6,
    type_vocab_size: 2,
    hidden_size: 8,
    num_attention_heads: 2,
    num_hidden_layers: 2,
    intermediate_size: 20,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
  };
  assertEquals(bertConfigurationFromHuggingFace(config).norm, "post");
  fails(
    () => bertConfigurationFromHuggingFace({ ...config, hidden_act: "mish" }),
    'BERT: hidden_act "mish" isn\'t one of gelu, gelu_new',
  );
  cpu.close();
});
