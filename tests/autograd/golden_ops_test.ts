import { assert } from "@std/assert";
import { vjp } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";
import {
  deviation,
  goldenArrays,
  goldenJson,
  goldenMissing,
} from "../golden.ts";

type Attributes = Record<string, unknown>;
type Run = (
  x: Record<string, t.Tensor>,
  attributes: Attributes,
) => t.Tensor | t.Tensor[];

const parts = (x: Record<string, t.Tensor>): t.Tensor[] => Object.values(x);
// deno-lint-ignore no-explicit-any -- attributes are as the recipe writes them
type Any = any;

const binary = (f: (a: t.Tensor, b: t.Tensor) => t.Tensor): Run => ({ a, b }) =>
  f(a, b);
const unary = (f: (x: t.Tensor) => t.Tensor): Run => ({ x }) => f(x);
const reduction =
  (f: (x: t.Tensor, axes: t.Axes, o: Any) => t.Tensor): Run =>
  ({ x }, o: Any) => f(x, o.axes, o);
const axis = (f: (x: t.Tensor, axis: number) => t.Tensor): Run =>
(
  { x },
  o: Any,
) => f(x, o.axis);

/** How each operation of the golden set is written with ours. */
const runs: Record<string, Run> = {
  matmul: ({ a, b }, o) => t.matmul(a, b, o),
  linear: ({ x, w, b }) => t.linear(x, t.transpose(w), b),
  einsum: ({ a, b }, o: Any) => t.einsum(o.equation, a, b),
  add: binary(t.add),
  sub: binary(t.sub),
  mul: binary(t.mul),
  div: binary(t.div),
  maximum: binary(t.maximum),
  minimum: binary(t.minimum),
  pow: ({ a, b }, o: Any) => t.pow(a, b ?? o.exponent),
  where: ({ cond, a, b }) => t.where(cond, a, b),
  exp: unary(t.exp),
  log: unary(t.log),
  tanh: unary(t.tanh),
  sqrt: unary(t.sqrt),
  rsqrt: unary(t.rsqrt),
  abs: unary(t.abs),
  relu: unary(t.relu),
  gelu: ({ x }, o: Any) => t.gelu(x, o.approximate),
  silu: unary(t.silu),
  sigmoid: unary(t.sigmoid),
  neg: unary(t.neg),
  square: unary(t.square),
  reciprocal: unary(t.reciprocal),
  sin: unary(t.sin),
  cos: unary(t.cos),
  erf: unary(t.erf),
  log1p: unary(t.log1p),
  expm1: unary(t.expm1),
  softplus: unary(t.softplus),
  clamp: ({ x }, o: Any) => t.clamp(x, o.min, o.max),
  softmax: axis(t.softmax),
  logSoftmax: axis(t.logSoftmax),
  logSumExp: axis(t.logSumExp),
  crossEntropy: ({ logits, labels }, o) => t.crossEntropy(logits, labels, o),
  mse: binary(t.meanSquaredError),
  layerNorm: ({ x, weight, bias }, o: Any) =>
    t.layerNorm(x, weight, bias, o.eps),
  embedding: ({ weight, ids }) => t.embedding(weight, ids),
  gather: ({ x, index }, o: Any) => t.gather(x, index, o.axis),
  take: ({ x, index }, o: Any) => t.take(x, index, o.axis),
  concat: (x, o: Any) => t.concat(parts(x), o.axis),
  stack: (x, o: Any) => t.stack(parts(x), o.axis),
  split: ({ x }, o: Any) => t.split(x, o.sizes, o.axis),
  slice: ({ x }, o: Any) => t.slice(x, o.ranges),
  cumsum: axis(t.cumsum),
  flip: axis(t.flip),
  transpose: ({ x }, o: Any) => t.transpose(x, o.perm),
  transposeReshape: ({ x }, o: Any) =>
    t.reshape(t.transpose(x, o.perm), o.shape),
  reshape: ({ x }, o: Any) => t.reshape(x, o.shape),
  broadcastTo: ({ x }, o: Any) => t.expand(x, o.shape),
  pad: ({ x }, o: Any) => t.pad(x, o.pads, o.value),
  sum: reduction(t.sum),
  mean: reduction(t.mean),
  max: reduction(t.max),
  min: reduction(t.min),
  var: reduction(t.variance),
  conv2d: ({ x, weight, bias }, o) => t.conv2d(x, weight, bias, o),
  attention: ({ q, k, v, keep, bias }, o) =>
    t.attention(q, k, v, { ...o, keep, bias }),
  dropout: ({ x, mask }, o: Any) => t.dropoutMask(x, mask, o.p),
  "x*x+x*tanh(x)": ({ x }) => t.add(t.mul(x, x), t.mul(x, t.tanh(x))),
  "x + W2 gelu(W1 LN(x)+b1)+b2": ({ x, lw, lb, w1, b1, w2, b2 }) => {
    const hidden = t.gelu(
      t.linear(t.layerNorm(x, lw, lb), t.transpose(w1), b1),
    );
    return t.linear(hidden, t.transpose(w2), b2, { residual: x });
  },
  "sum(softmax(x y) * exp(-x^2))": ({ x, y }) =>
    t.sum(t.mul(t.softmax(t.matmul(x, y)), t.exp(t.neg(t.square(x))))),
  argmax: axis(t.argmax),
  topk: ({ x }, o: Any) => {
    const { values, indices } = t.topk(x, o.k, o.axis);
    return [values, indices];
  },
};

interface Case {
  readonly name: string;
  readonly op: string;
  readonly attrs: Attributes;
  readonly inputs: readonly { name: string; dtype: string; grad: boolean }[];
  readonly outputs: readonly { name: string }[];
  readonly f64: boolean;
  readonly rtol: number;
  readonly atol: number;
}

const devices = {
  "reference f64": () => t.device("reference", { dtype: "f64" }),
  "reference f32": () => t.device("reference"),
  "wasm": () => t.device("wasm", { threads: 1 }),
};

/** Runs a case; the deviations of outputs and gradients, in tolerances. */
async function check(
  device: t.Device,
  { name, op, attrs, inputs, outputs, rtol, atol }: Case,
  arrays: ReturnType<typeof goldenArrays>,
): Promise<string[]> {
  using _ = device.scope();
  const double = device.floatDtype === "f64";
  const [r, a, suffix] = double ? [1e-12, 1e-12, "64"] : [rtol, atol, ""];
  const read = (key: string): t.Tensor => {
    const { shape, dtype, values } = arrays[`${name}/${key}`];
    return t.tensor(values, { shape, dtype, device });
  };
  const all = Object.fromEntries(
    inputs.map((input) => [input.name, read(`in.${input.name}`)]),
  );
  const wanted = inputs.filter((input) => input.grad).map(({ name }) => name);
  const variables = Object.fromEntries(wanted.map((key) => [key, all[key]]));
  const run = (x: Record<string, t.Tensor>): readonly t.Tensor[] => {
    const result = runs[op]({ ...all, ...x }, attrs);
    return Array.isArray(result) ? result : [result];
  };
  const keys = outputs.map((_, i) => outputs.length > 1 ? `.${i}` : "");
  const failures: string[] = [];
  const compare = async (key: string, actual: t.Tensor): Promise<void> => {
    const expected = arrays[`${name}/${key}`];
    const off = deviation(await actual.data(), expected.values, r, a);
    if (!t.sameShape(actual.shape, expected.shape)) {
      failures.push(`${key} has shape ${t.formatShape(actual.shape)}`);
    }
    if (off > 1) failures.push(`${key} is off by ${off.toFixed(2)} tolerances`);
  };
  const named = (key: string): string =>
    arrays[`${name}/${key}${suffix}`] ? key + suffix : key;
  const { value, pullback } = vjp(run, variables);
  for (const [i, key] of keys.entries()) {
    const at = double ? `out${suffix}${key}` : `out${key}`;
    await compare(arrays[`${name}/${at}`] ? at : `out${key}`, value[i]);
  }
  if (wanted.length > 0) {
    const [gradients] = pullback(keys.map((key) => read(`cot${key}`)));
    for (const key of wanted) {
      const at = double ? `grad64.${key}` : `grad.${key}`;
      await compare(named(at), gradients[key]);
    }
  }
  return failures;
}

for (const [deviceName, make] of Object.entries(devices)) {
  Deno.test({
    name: `golden operations on ${deviceName}`,
    ignore: goldenMissing,
    fn: async () => {
      const device = await make();
      const arrays = goldenArrays("ops.safetensors");
      const { cases }: { cases: Case[] } = goldenJson("ops.json");
      const failures: string[] = [];
      let count = 0;
      for (const one of cases) {
        if (device.floatDtype === "f64" && !one.f64) continue;
        count++;
        assert(one.op in runs, `operation ${one.op} isn't covered`);
        try {
          for (const failure of await check(device, one, arrays)) {
            failures.push(`${one.name}: ${failure}`);
          }
        } catch (error) {
          failures.push(
            `${one.name}: ${error instanceof Error ? error.stack : error}`,
          );
        }
      }
      device.close();
      assert(count > 0);
      assert(
        failures.length === 0,
        `of ${count} cases\n${failures.join("\n")}`,
      );
    },
  });
}
