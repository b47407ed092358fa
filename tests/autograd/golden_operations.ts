/**
 * The operations of the golden data, forward and backward.
 *
 * @module
 */

import { vjp } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";
import {
  type Arrays,
  check,
  deviation,
  type GoldenReader,
  type GoldenSet,
} from "../golden_case.ts";

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

/** Compares outputs and gradients of a case, within its tolerances. */
async function compareCase(
  device: t.Device,
  { name, op, attrs, inputs, outputs, rtol, atol }: Case,
  arrays: Arrays,
): Promise<void> {
  const double = device.floatDtype === "f64";
  const [r, a] = double ? [1e-12, 1e-12] : [rtol, atol];
  const read = (key: string): t.Tensor => {
    const { shape, dtype, values } = arrays[`${name}/${key}`];
    return t.tensor(values, { shape, dtype, device });
  };
  const all = Object.fromEntries(
    inputs.map((input) => [input.name, read(`in.${input.name}`)]),
  );
  const wanted = inputs.filter((input) => input.grad).map(({ name }) => name);
  const variables = Object.fromEntries(wanted.map((key) => [key, all[key]]));
  const { value, pullback } = vjp((x: Record<string, t.Tensor>) => {
    const result = runs[op]({ ...all, ...x }, attrs);
    return Array.isArray(result) ? result : [result];
  }, variables);
  /** The key of a reference; the one in f64 where there is one to match. */
  const stored = (what: "out" | "grad", part: string): string => {
    const exact = `${what}64${part}`;
    return double && arrays[`${name}/${exact}`] ? exact : what + part;
  };
  const parts = outputs.map((_, i) => outputs.length > 1 ? `.${i}` : "");
  const results = parts.map((part, i) =>
    [stored("out", part), value[i]] as const
  );
  if (wanted.length > 0) {
    const [gradients] = pullback(parts.map((part) => read(`cot${part}`)));
    for (const key of wanted) {
      results.push([stored("grad", `.${key}`), gradients[key]]);
    }
  }
  const failures = await Promise.all(results.map(async ([key, actual]) => {
    const expected = arrays[`${name}/${key}`];
    if (!t.sameShape(actual.shape, expected.shape)) {
      return `${key} has shape ${t.formatShape(actual.shape)}`;
    }
    const off = deviation(await actual.data(), expected.values, r, a);
    return off > 1 ? `${key} is off by ${off.toFixed(2)} tolerances` : "";
  }));
  const message = failures.filter((failure) => failure !== "").join("; ");
  check(message === "", message);
}

/** All operations; on a device in f64, those that are stored so. */
export const goldenOperations: GoldenSet = async (
  reader: GoldenReader,
  device: t.Device,
) => {
  const arrays = await reader.arrays("ops.safetensors");
  const { cases }: { cases: Case[] } = await reader.json("ops.json");
  const double = device.floatDtype === "f64";
  return cases.filter(({ f64 }) => !double || f64).map((one) => ({
    name: one.name,
    run: () => {
      check(one.op in runs, `operation ${one.op} isn't covered`);
      return compareCase(device, one, arrays);
    },
  }));
};
