import { assert, assertEquals, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  initializeTagger,
  taggerConfiguration,
  taggerLogits,
  taggerLoss,
  type TaggerParameters,
} from "../../models/mod.ts";
import { device, slice, tensor } from "../../tensor/mod.ts";
import { adam } from "../../train/mod.ts";

const small = taggerConfiguration({
  features: 7,
  featuresPerWord: 2,
  classes: 3,
  context: 5,
  width: 8,
  heads: 2,
  layers: 2,
});

function featuresOf(...words: [number, number][]): ReturnType<typeof tensor> {
  return tensor([words], { dtype: "i32" });
}

Deno.test("a word is the sum of its features, padding changes nothing", async () => {
  const cpu = await device("reference");
  const parameters = initializeTagger(small, 1);
  const keep = tensor([[true, true, false]]);
  const logits = async (
    a: number,
    b: number,
    pad: number,
  ): Promise<number[]> => {
    const features = featuresOf([a, b], [5, 0], [pad, pad]);
    const all = taggerLogits(small, parameters, { features, keep });
    return [...await slice(all, [undefined, [0, 2]]).data()];
  };
  const first = await logits(1, 4, 0);
  assertEquals(await logits(4, 1, 6), first);
  assert((await logits(1, 3, 0)).some((x, i) => x !== first[i]));
  cpu.close();
});

Deno.test("post-LN taggers have no final norm", async () => {
  const cpu = await device("reference");
  assertEquals(Object.keys(initializeTagger(small, 0).close), ["norm", "head"]);
  const post = initializeTagger({ ...small, norm: "post" }, 0);
  assertEquals(Object.keys(post.close), ["head"]);
  cpu.close();
});

Deno.test("a tagger learns tags that depend on the word before", async () => {
  const cpu = await device("wasm", { threads: 1 });
  const words = Int32Array.from({ length: 40 }, (_, i) => i * i % 7);
  const features = tensor(
    Int32Array.from([...words].flatMap((word) => [word, 0])),
    { shape: [8, 5, 2] },
  );
  const labels = tensor(
    Int32Array.from(words, (_, i) => i % 5 === 0 ? -100 : words[i - 1] % 3),
    { shape: [8, 5] },
  );
  let parameters = initializeTagger(small, 0);
  const optimizer = adam({ learningRate: 0.01 });
  let state = optimizer.init(parameters);
  const losses: number[] = [];
  for (let step = 0; step < 60; step++) {
    const { value, gradient } = valueAndGrad((p: TaggerParameters) =>
      taggerLoss(small, p, { features }, labels)
    )(parameters);
    ({ parameters, state } = optimizer.update(parameters, gradient, state));
    losses.push(await value.item());
  }
  // Without the word before no better than ln 3 = 1.1 is possible.
  assert(losses[0] > 0.8 && losses[59] < 0.3, `${losses[0]}, ${losses[59]}`);
  cpu.close();
});

Deno.test("a tagger says what is wrong with its inputs", async () => {
  const cpu = await device("reference");
  const parameters = initializeTagger(small, 0);
  const features = tensor([[[1], [2]]], { dtype: "i32" });
  assertThrows(
    () => taggerLogits(small, parameters, { features }),
    RangeError,
    "tagger: features [1, 2, 1] must be [batch, words, 2] with at most 5 words",
  );
  assertThrows(
    () =>
      taggerLogits(small, parameters, {
        features: featuresOf([1, 2], [3, 4]),
        keep: tensor([[true]]),
      }),
    RangeError,
    "tagger: keep [1, 1] must be [1, 2]",
  );
  assertThrows(
    () => taggerConfiguration({ ...small, classes: 0 }),
    RangeError,
    "tagger: classes 0 must be an integer ≥ 1",
  );
  cpu.close();
});
