// Tolerance 1e-14 where a value is computed by hand in a few operations of
// double precision; 1e-8 against central differences, whose error is about
// step² + ε / step for a step of 1e-5.
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import type {
  AttentionArguments,
  CrossEntropyArguments,
  RandomKey,
  View,
} from "../../tensor/backend.ts";
import { randomUnit } from "../../tensor/philox.ts";

import {
  assertClose,
  assertGradient,
  device,
  empty,
  noise,
  read,
  tensor,
  zeros,
} from "./reference_subjects.ts";

Deno.test("matmul: batch, strides, bias, residual, in place", () => {
  const a = tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
  const b = tensor([1, 2, 3, 4]);
  const bTransposed: View = { ...b, shape: [2, 2, 2], strides: [0, 1, 2] };
  const out = empty([2, 2, 2]);
  device.matmul({ a, b: bTransposed, out, alpha: 1 });
  assertEquals(read(out), [5, 11, 11, 25, 17, 39, 23, 53]);
  const bias: View = {
    ...tensor([10, 20]),
    shape: [2, 2, 2],
    strides: [0, 0, 1],
  };
  device.matmul({ a, b: bTransposed, out, bias, residual: out, alpha: 2 });
  assertEquals(read(out), [35, 73, 53, 115, 71, 157, 89, 199]);
  const wide = zeros([2, 4]);
  const window: View = { ...wide, shape: [2, 2], strides: [4, 1], offset: 1 };
  const identity = tensor([1, 0, 0, 1], [2, 2]);
  device.matmul({
    a: identity,
    b: { ...b, shape: [2, 2], strides: [2, 1] },
    out: window,
    alpha: -1,
  });
  assertEquals(read(wide).map((x) => x + 0), [0, -1, -2, 0, 0, -3, -4, 0]);
  const nothing = empty([1, 1]);
  device.matmul({ a: empty([1, 0]), b: empty([0, 1]), out: nothing, alpha: 1 });
  assertEquals(read(nothing), [0]);
});

Deno.test("softmax and its gradient", () => {
  const x = tensor([0, Math.log(3), 1000, 1000 + Math.log(4)], [2, 2]);
  const y = empty([2, 2]);
  device.softmax(x, y);
  // log 4 loses 10 bits beside 1000.
  assertClose(read(y), [0.25, 0.75, 0.2, 0.8], 1e-13);
  const logits = tensor(noise(8, 1), [2, 4]);
  const [p, dp, dx] = [
    empty([2, 4]),
    tensor(noise(8, 2), [2, 4]),
    empty([2, 4]),
  ];
  const forward = (): number[] => (device.softmax(logits, p), read(p));
  forward();
  device.softmaxBackward(p, dp, dx);
  assertGradient(logits, dx, read(dp), forward);
});

Deno.test("crossEntropy: values, smoothing, ignored rows", () => {
  const logits = tensor([0, 0, Math.log(2), 5, 6, 7, 1e4, 0, 0], [3, 3]);
  const labels = tensor([2, -100, 1], [3], "i32");
  const [loss, logSumExp] = [empty([3]), empty([3])];
  const args = { logits, labels, ignoreIndex: -100, labelSmoothing: 0 };
  device.crossEntropy(args, loss, logSumExp);
  assertClose(read(loss), [Math.LN2, 0, 1e4]);
  assertAlmostEquals(read(logSumExp)[0], Math.log(4), 1e-15);
  assertEquals(read(logSumExp)[2], 1e4);
  device.crossEntropy({ ...args, labelSmoothing: 0.3 }, loss, logSumExp);
  const smoothed = Math.log(4) - 0.8 * Math.LN2;
  assertAlmostEquals(read(loss)[0], smoothed, 1e-15);
  const masked = {
    ...args,
    logits: tensor([0, -Infinity], [1, 2]),
    labels: tensor([0], [1], "i32"),
  };
  device.crossEntropy(masked, loss, logSumExp);
  assertEquals(read(loss)[0], 0);
});

Deno.test("crossEntropy: gradient", () => {
  const args: CrossEntropyArguments = {
    logits: tensor(noise(12, 3), [3, 4]),
    labels: tensor([3, 1, 0], [3], "i32"),
    ignoreIndex: 1,
    labelSmoothing: 0.2,
  };
  const [loss, logSumExp, dlogits] = [empty([3]), empty([3]), empty([3, 4])];
  const dloss = tensor([1, 2, -3]);
  const forward =
    (): number[] => (device.crossEntropy(args, loss, logSumExp), read(loss));
  forward();
  device.crossEntropyBackward(args, logSumExp, dloss, dlogits);
  assertGradient(args.logits, dlogits, read(dloss), forward);
  assertEquals(read(dlogits).slice(4, 8), [0, 0, 0, 0]);
});

Deno.test("crossEntropy: a label that is no class is an error", () => {
  const logits = zeros([2, 3]);
  for (const label of [3, -1]) {
    const labels = tensor([0, label], [2], "i32");
    assertThrows(
      () =>
        device.crossEntropy(
          { logits, labels, ignoreIndex: -100, labelSmoothing: 0 },
          empty([2]),
          empty([2]),
        ),
      RangeError,
      `crossEntropy: label ${label} of row 1 is outside 0 … 2 (ignoreIndex -100)`,
    );
  }
});

Deno.test("layerNorm: values per group, with and without parameters", () => {
  const x = tensor([1, 3, 2, 6], [2, 1, 2]);
  const parameters = tensor([1, 2, 9, 3, 4, 9]);
  const weight: View = { ...parameters, shape: [2, 2], strides: [3, 1] };
  const bias: View = {
    ...parameters,
    shape: [2, 2],
    strides: [0, 1],
    offset: 4,
  };
  const [out, mean, inverse] = [empty([2, 1, 2]), empty([2, 1]), empty([2, 1])];
  device.layerNorm(x, weight, bias, 0, out, mean, inverse);
  assertEquals(read(mean), [2, 4]);
  assertEquals(read(inverse), [1, 0.5]);
  assertEquals(read(out), [-1 + 4, 2 + 9, -3 + 4, 4 + 9]);
  device.layerNorm(x, undefined, undefined, 3, out, mean, inverse);
  assertClose(read(out), [-0.5, 0.5, -2 / Math.sqrt(7), 2 / Math.sqrt(7)]);
});

Deno.test("layerNorm: gradients", () => {
  const x = tensor(noise(24, 4), [2, 3, 4]);
  const [weight, bias] = [
    tensor(noise(8, 5), [2, 4]),
    tensor(noise(8, 6), [2, 4]),
  ];
  const dy = tensor(noise(24, 7), [2, 3, 4]);
  const [out, mean, inverse] = [empty([2, 3, 4]), empty([2, 3]), empty([2, 3])];
  const [dx, dweight, dbias] = [empty([2, 3, 4]), empty([2, 4]), empty([2, 4])];
  const forward = (): number[] => (device.layerNorm(
    x,
    weight,
    bias,
    1e-5,
    out,
    mean,
    inverse,
  ),
    read(out));
  forward();
  device.layerNormBackward(x, weight, mean, inverse, dy, dx, dweight, dbias);
  assertGradient(x, dx, read(dy), forward);
  assertGradient(weight, dweight, read(dy), forward);
  assertGradient(bias, dbias, read(dy), forward);
  const plain = (): number[] => (device.layerNorm(
    x,
    undefined,
    undefined,
    1e-5,
    out,
    mean,
    inverse,
  ),
    read(out));
  plain();
  device.layerNormBackward(
    x,
    undefined,
    mean,
    inverse,
    dy,
    dx,
    undefined,
    undefined,
  );
  assertGradient(x, dx, read(dy), plain);
});

function attend(args: AttentionArguments): { out: View; logSumExp: View } {
  const out = empty(args.query.shape);
  const logSumExp = empty(args.query.shape.slice(0, 3));
  device.attention(args, out, logSumExp);
  return { out, logSumExp };
}

Deno.test("attention: values, causal shift, bias, mask", () => {
  const query = tensor([Math.LN2, 0], [1, 1, 2, 1]);
  const key = tensor([0, 1, 2], [1, 1, 3, 1]);
  const value = tensor([1, 10, 100], [1, 1, 3, 1]);
  const args: AttentionArguments = {
    query,
    key,
    value,
    causal: false,
    scale: 1,
  };
  let { out, logSumExp } = attend(args);
  assertClose(read(out), [421 / 7, 37], 1e-13);
  assertClose(read(logSumExp), [Math.log(7), Math.log(3)]);
  ({ out, logSumExp } = attend({ ...args, causal: true }));
  assertClose(read(out), [21 / 3, 37], 1e-13);
  ({ out } = attend({ ...args, scale: 2 }));
  assertClose(read(out), [(1 + 40 + 1600) / 21, 37], 1e-13);
  const keep: View = {
    ...tensor([1, 0, 1], [3], "bool"),
    shape: [1, 1, 2, 3],
    strides: [0, 0, 0, 1],
  };
  const bias: View = {
    ...tensor([0, Math.LN2]),
    shape: [1, 1, 2, 3],
    strides: [0, 0, 1, 0],
  };
  ({ out, logSumExp } = attend({ ...args, keep, bias }));
  assertClose(read(out), [401 / 5, 101 / 2], 1e-13);
  assertClose(read(logSumExp), [Math.log(5), Math.log(4)]);
});

Deno.test("attention: gradients, with every option and strided heads", () => {
  const [B, H, T, S, D] = [2, 2, 3, 4, 2];
  const heads = (length: number, stream: number): View => ({
    ...tensor(noise(B * H * length * D, stream)),
    shape: [B, H, length, D],
    strides: [length * H * D, D, H * D, 1],
  });
  const [query, key, value] = [heads(T, 10), heads(S, 11), heads(S, 12)];
  const args: AttentionArguments = {
    query,
    key,
    value,
    causal: true,
    scale: 0.7,
    keep: tensor(noise(B * H * T * S, 13).map((x) => Number(x > -0.5)), [
      B,
      H,
      T,
      S,
    ], "bool"),
    bias: tensor(noise(B * H * T * S, 14), [B, H, T, S]),
    dropout: {
      probability: 0.25,
      key: { seed: 3, streams: [[1, 2, 3], [4, 5, 6]] },
    },
  };
  const dout = tensor(noise(B * H * T * D, 15), [B, H, T, D]);
  const { out, logSumExp } = attend(args);
  const gradients = [query, key, value].map((view) => ({
    ...view,
    buffer: empty(view.shape).buffer,
  }));
  const [dquery, dkey, dvalue] = gradients;
  device.attentionBackward(args, out, logSumExp, dout, dquery, dkey, dvalue);
  const forward = (): number[] => read(attend(args).out);
  assertGradient(query, dquery, read(dout), forward);
  assertGradient(key, dkey, read(dout), forward);
  assertGradient(value, dvalue, read(dout), forward);
});

Deno.test("attention: a query that sees nothing has output and gradient 0", () => {
  // Causal with fewer keys than queries, so that query 0 sees none.
  const query = tensor([1, 2], [1, 1, 2, 1]);
  const [key, value] = [tensor([3], [1, 1, 1, 1]), tensor([5], [1, 1, 1, 1])];
  const args: AttentionArguments = {
    query,
    key,
    value,
    causal: true,
    scale: 1,
  };
  const { out, logSumExp } = attend(args);
  assertEquals(read(out), [0, 5]);
  assertEquals(read(logSumExp), [-Infinity, 6]);
  const [dquery, dkey, dvalue] = [query, key, value].map((x) => empty(x.shape));
  const dout = tensor([7, 11], [1, 1, 2, 1]);
  device.attentionBackward(args, out, logSumExp, dout, dquery, dkey, dvalue);
  assertEquals([read(dquery), read(dkey), read(dvalue)], [[0, 0], [0], [11]]);
});

Deno.test("attention: dropout draws its element's number from its slice's stream", () => {
  const key: RandomKey = { seed: 8, streams: [[1, 0, 0], [2, 0, 0]] };
  const [B, H, T, S] = [4, 1, 2, 2];
  const probability = 0.5;
  const args: AttentionArguments = {
    query: zeros([B, H, T, S]),
    key: zeros([B, H, S, S]),
    // Identities: the output is the probabilities themselves.
    value: {
      ...tensor([1, 0, 0, 1]),
      shape: [B, H, S, S],
      strides: [0, 0, 2, 1],
    },
    causal: false,
    scale: 1,
    dropout: { probability, key },
  };
  const expected = Array.from({ length: B * T * S }, (_, i) => {
    const [slice, element] = [Math.floor(i / 8), i % 8];
    return randomUnit(key, slice, element) >= probability ? 1 : 0;
  });
  assert(expected.includes(0) && expected.includes(1));
  assertEquals(read(attend(args).out), expected);
});

Deno.test("take and takeBackward", () => {
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 3, 2]);
  const index = tensor([2, 0, 2], [3], "i32");
  const out = empty([2, 3, 2]);
  device.take(x, index, out);
  assertEquals(read(out), [5, 6, 1, 2, 5, 6, 11, 12, 7, 8, 11, 12]);
  const sums = tensor(new Array(12).fill(100), [2, 3, 2]);
  device.takeBackward(x, index, sums);
  assertEquals(read(sums), [
    103,
    104,
    100,
    100,
    106,
    108,
    109,
    110,
    100,
    100,
    118,
    120,
  ]);
  const flags = empty([1, 2, 1], "bool");
  device.take(
    tensor([0, 1], [1, 2, 1], "bool"),
    tensor([1, 1], [2], "i32"),
    flags,
  );
  assertEquals(read(flags), [1, 1]);
});

Deno.test("take and gather: an index outside is an error", () => {
  const x = zeros([1, 8, 1]);
  const index = tensor([0, 7, 1, 9], [4], "i32");
  assertThrows(
    () => device.take(x, index, empty([1, 4, 1])),
    RangeError,
    "take: index 9 at position 3 is outside 0 … 7",
  );
  assertThrows(
    () => device.gather(zeros([8]), 0, tensor([1, -1], [2], "i32"), empty([2])),
    RangeError,
    "gather: index -1 at position 1 is outside 0 … 7",
  );
});

Deno.test("gather and gatherBackward: any axis and strides", () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  const transposed: View = { ...x, shape: [3, 2], strides: [1, 3] };
  const index = tensor([2, 0, 1, 1], [2, 2], "i32");
  const out = empty([2, 2]);
  device.gather(transposed, 0, index, out);
  assertEquals(read(out), [3, 4, 2, 5]);
  device.gather({ ...x, strides: [3, -1], offset: 2 }, 1, index, out);
  assertEquals(read(out), [1, 3, 5, 5]);
  const sums = zeros([2, 3]);
  device.gatherBackward(tensor([10, 20, 30, 40], [2, 2]), 1, index, sums);
  assertEquals(read(sums), [20, 0, 10, 0, 70, 0]);
});

Deno.test("cumsum: both directions, over the middle axis", () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [1, 3, 2]);
  const out = empty([1, 3, 2]);
  device.cumsum(x, out, false);
  assertEquals(read(out), [1, 2, 4, 6, 9, 12]);
  device.cumsum(x, out, true);
  assertEquals(read(out), [9, 12, 8, 10, 5, 6]);
});

Deno.test("argmax and topk: the first among equals", () => {
  const x = tensor([1, 7, 5, 7, 5, 2], [1, 3, 2]);
  const places = empty([1, 2], "i32");
  device.argmax(x, places);
  assertEquals(read(places), [1, 0]);
  const [values, indices] = [empty([2, 2]), empty([2, 2], "i32")];
  device.topk(tensor([3, 9, 9, -1, -3, -2], [2, 3]), values, indices);
  assertEquals(read(values), [9, 9, -1, -2]);
  assertEquals(read(indices), [1, 2, 0, 2]);
});

Deno.test("argmax and topk: NaN is largest, −0 equals 0", () => {
  const row = [-Infinity, -0, 0, NaN, -1, Infinity, NaN, 2];
  const [values, indices] = [empty([1, 8]), empty([1, 8], "i32")];
  device.topk(tensor(row, [1, 8]), values, indices);
  const order = [3, 6, 5, 7, 1, 2, 4, 0];
  assertEquals(read(indices), order);
  assertEquals(read(values), order.map((i) => row[i]));
  const best = empty([1, 1], "i32");
  device.argmax(tensor(row, [1, 8, 1]), best);
  assertEquals(read(best), [3]);
});

Deno.test("random and dropout: one stream for all, or one for each slice", () => {
  const streams = [[0, 0, 1], [0, 0, 2]] as const;
  const key: RandomKey = { seed: 2 ** 40 + 1, streams };
  const out = empty([2, 3]);
  device.random(key, out);
  const expected = [0, 1, 2, 3, 4, 5].map((i) =>
    randomUnit(key, Math.floor(i / 3), i % 3)
  );
  assertEquals(read(out), expected);
  const single: RandomKey = { seed: 1, streams: [[0, 0, 1]] };
  device.random(single, out);
  assertEquals(
    read(out),
    [0, 1, 2, 3, 4, 5].map((i) => randomUnit(single, 0, i)),
  );
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  device.dropout({ probability: 0.5, key }, x, out);
  assertEquals(
    read(out),
    expected.map((unit, i) => unit >= 0.5 ? 2 * (i + 1) : 0),
  );
  device.dropout({ probability: 0, key }, x, out);
  assertEquals(read(out), read(x));
});
