// Tolerance 1e-14 where a value is computed by hand in a few operations of
// double precision; 1e-8 against central differences, whose error is about
// step² + ε / step for a step of 1e-5.
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { RandomKey, View } from "../../tensor/backend.ts";
import * as e from "../../tensor/expression.ts";
import { philox, randomUnit } from "../../tensor/philox.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import type { Shape } from "../../tensor/shape.ts";

import {
  apply,
  assertClose,
  device,
  empty,
  read,
  tensor,
  zeros,
} from "./reference_subjects.ts";

Deno.test("philox gives the known answers of Random123", () => {
  const hex = (words: number[]): string =>
    words.map((x) => x.toString(16).padStart(8, "0")).join(" ");
  const ones = 0xffffffff;
  assertEquals(
    hex(philox([0, 0, 0, 0], [0, 0])),
    "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
  );
  assertEquals(
    hex(philox([ones, ones, ones, ones], [ones, ones])),
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
  );
  assertEquals(
    hex(
      philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [
        0xa4093822,
        0x299f31d0,
      ]),
    ),
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  );
});

Deno.test("randomUnit takes its words from counter, stream and seed", () => {
  const key: RandomKey = {
    seed: 5 + 7 * 2 ** 32,
    streams: [[9, 9, 9], [1, 2, 3]],
  };
  const word = philox([2, 1, 2, 3], [5, 7])[3];
  assertEquals(randomUnit(key, 1, 11), Math.floor(word / 256) / 2 ** 24);
});

Deno.test("the device says what it is and keeps what it is given", () => {
  const single = createReferenceBackend({ dtype: "f32" });
  assertEquals(
    [
      single.name,
      single.floatDtype,
      single.mode,
      single.threads,
      single.limitBytes,
    ],
    ["reference", "f32", "f32", 1, Infinity],
  );
  const buffer = device.allocate(24);
  assertEquals(buffer.bytes, 24);
  device.write(buffer, Float64Array.of(1, 2), 1);
  assertEquals(device.read(buffer, "f64", 1, 2), Float64Array.of(1, 2));
  assertEquals(device.read(buffer, "f64", 0, 1), Float64Array.of(NaN));
  device.write(buffer, Int32Array.of(-7), 0);
  assertEquals(device.read(buffer, "i32", 0, 1), Int32Array.of(-7));
  device.free(buffer);
  assertThrows(() => device.read(buffer, "f64", 0, 1), TypeError);
});

Deno.test("f32 rounds where it stores, not before", () => {
  const single = createReferenceBackend({ dtype: "f32" });
  const x = tensor([16777216, 1, -16777216], [3], "f32", single);
  const out = empty([1], "f32", single);
  const identity = e.elementwise("identity", ["float"], ([x]) => [x]);
  single.reduce("sum", identity, [x], out, []);
  assertEquals(read(out, single), [1]);
});

Deno.test("map: real functions", () => {
  const { E, SQRT1_2 } = Math;
  assertClose(apply(e.neg, [1, -2]), [-1, 2]);
  assertClose(apply(e.abs, [1, -2]), [1, 2]);
  assertClose(apply(e.sign, [3, -2, 0]), [1, -1, 0]);
  assertClose(apply(e.floor, [1.5, -1.5]), [1, -2]);
  assertClose(
    apply(e.round, [0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6, -2.6, 1e300]).map((
      x,
    ) => x + 0),
    [0, 2, 2, 0, -2, 2, 3, -3, 1e300],
  );
  assertClose(apply(e.exp, [0, 1]), [1, E]);
  assertEquals(apply(e.expm1, [1e-20]), [1e-20]);
  assertClose(apply(e.log, [1, E]), [0, 1]);
  assertEquals(apply(e.log1p, [1e-20]), [1e-20]);
  assertClose(apply(e.sqrt, [4, 2]), [2, Math.SQRT2]);
  assertClose(apply(e.rsqrt, [4, 2]), [0.5, SQRT1_2]);
  assertClose(apply(e.tanh, [0, 1000, -1000]), [0, 1, -1]);
  assertClose(apply(e.sin, [0, Math.PI / 2]), [0, 1]);
  assertClose(apply(e.cos, [0, Math.PI]), [1, -1]);
  // 1 / (1 + e²), 1 / (1 + e^(−1/2)), to 20 digits by multiple precision.
  assertClose(apply(e.sigmoid, [-2, 0.5]), [
    0.11920292202211755594,
    0.62245933120185456464,
  ], 1e-15);
  assertEquals(apply(e.sigmoid, [-1000, 1000]), [0, 1]);
  assertClose(apply(e.softplus, [0, 1000, -1000]), [Math.LN2, 1000, 0]);
});

Deno.test("map: erf is accurate in both of its ranges", () => {
  const x = [0, 1e-8, 0.3, 1, 1.5, 2.5, 2.6, 4, 5.5, Infinity];
  // By multiple precision, to 20 digits.
  const expected = [
    0,
    1.1283791670955125363e-8,
    0.32862675945912742764,
    0.84270079294971486934,
    0.96610514647531072707,
    0.99959304798255504106,
    0.9997639655834706508,
    0.99999998458274209972,
    0.99999999999999264215,
    1,
  ];
  // A few units in the last place: the sum of the series is rounded per term.
  apply(e.erf, x).forEach((y, i) =>
    assertAlmostEquals(y, expected[i], 1e-15 * expected[i])
  );
  apply(e.erf, x.map((x) => -x)).forEach((y, i) =>
    assertAlmostEquals(y, -expected[i], 1e-15 * expected[i])
  );
  assertEquals(apply(e.erf, [NaN]), [NaN]);
});

Deno.test("map: integers wrap, conversions saturate, NaN propagates", () => {
  const top = 2 ** 31 - 1;
  assertEquals(apply((x) => e.add(x, 1), [top], "int"), [-(2 ** 31)]);
  assertEquals(apply((x) => e.sub(x, 2), [-(2 ** 31)], "int"), [top - 1]);
  assertEquals(apply((x) => e.mul(x, x), [65537, top], "int"), [131073, 1]);
  assertEquals(apply(e.toInt, [1.9, -1.9, 1e10, -1e10, NaN]), [
    1,
    -1,
    top,
    -(2 ** 31),
    0,
  ]);
  assertEquals(apply(e.toFloat, [-3], "int"), [-3]);
  assertEquals(apply(e.toFloat, [0, 1], "bool"), [0, 1]);
  assertEquals(apply(e.toBool, [0, -0.5, NaN]), [0, 1, 1]);
  assertEquals(apply((x) => e.max(x, 1), [NaN, 0, 2]), [NaN, 1, 2]);
  assertEquals(apply((x) => e.min(x, 1), [NaN, 0, 2]), [NaN, 0, 1]);
});

Deno.test("map: comparisons, logic and selection", () => {
  const x = [1, 2, 3, NaN];
  assertEquals(apply((x) => e.less(x, 2), x), [1, 0, 0, 0]);
  assertEquals(apply((x) => e.lessEqual(x, 2), x), [1, 1, 0, 0]);
  assertEquals(apply((x) => e.equal(x, 2), x), [0, 1, 0, 0]);
  assertEquals(apply(e.not, [0, 1], "bool"), [1, 0]);
  assertEquals(apply((x) => e.and(e.less(1, x), e.less(x, 3)), x), [
    0,
    1,
    0,
    0,
  ]);
  assertEquals(apply((x) => e.or(e.less(x, 2), e.less(2, x)), x), [1, 0, 1, 0]);
  assertEquals(apply((x) => e.select(e.less(x, 2), 10, x), x), [10, 2, 3, NaN]);
  assertEquals(apply((x) => e.div(x, 4), x), [0.25, 0.5, 0.75, NaN]);
  assertClose(apply((x) => e.pow(x, 3), [1, 2, -2]), [1, 8, -8]);
});

Deno.test("map: strides, repeats, reversed axes, several outputs, in place", () => {
  const program = e.elementwise("both", ["float", "float"], ([x, y], [s]) => [
    e.add(e.mul(x, s), y),
    e.sub(x, y),
  ], 1);
  const base = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  const transposed: View = { ...base, shape: [3, 2], strides: [1, 3] };
  const row = tensor([10, 20]);
  const reversedRow: View = {
    ...row,
    shape: [3, 2],
    strides: [0, -1],
    offset: 1,
  };
  const [sums, store] = [empty([3, 2]), zeros([8])];
  const window: View = { ...store, shape: [3, 2], strides: [2, 1], offset: 1 };
  device.map(program, [transposed, reversedRow], [sums, window], [2]);
  assertEquals(read(sums), [22, 18, 24, 20, 26, 22]);
  assertEquals(read(store), [0, -19, -6, -18, -5, -17, -4, 0]);
  const double = e.elementwise("double", ["float"], ([x]) => [e.add(x, x)]);
  device.map(double, [transposed], [transposed], []);
  assertEquals(read(base), [2, 4, 6, 8, 10, 12]);
});

Deno.test("map: a scalar tensor and an empty one", () => {
  const program = e.elementwise("successor", ["float"], ([x]) => [e.add(x, 1)]);
  const [one, none] = [empty([]), empty([0, 3])];
  device.map(program, [tensor([4], [])], [one], []);
  device.map(program, [empty([0, 3])], [none], []);
  assertEquals([read(one), read(none)], [[5], []]);
});

Deno.test("reduce: axes, strides and kinds", () => {
  const square = e.elementwise("square", ["float"], ([x]) => [e.mul(x, x)]);
  const identity = e.elementwise("identity", ["float"], ([x]) => [x]);
  const x = tensor(Array.from({ length: 12 }, (_, i) => i), [2, 3, 2]);
  const reduce = (
    kind: "sum" | "max" | "min",
    shape: Shape,
    view = x,
    program = identity,
  ): number[] => {
    const out = empty(shape);
    device.reduce(kind, program, [view], out, []);
    return read(out);
  };
  assertEquals(reduce("sum", [1, 3, 1]), [
    0 + 1 + 6 + 7,
    2 + 3 + 8 + 9,
    4 + 5 + 10 + 11,
  ]);
  assertEquals(reduce("sum", [2, 1, 2], x, square), [20, 35, 200, 251]);
  assertEquals(reduce("max", [2, 1, 1]), [5, 11]);
  assertEquals(reduce("min", [1, 1, 1]), [0]);
  assertEquals(reduce("sum", [2, 3, 2]), read(x));
  const reversed: View = {
    ...x,
    shape: [2, 3, 2],
    strides: [-6, 2, 0],
    offset: 6,
  };
  assertEquals(reduce("sum", [2, 1, 1], reversed), [48, 12]);
  assertEquals(reduce("max", [1], tensor([1, NaN, 3])), [NaN]);
  assertEquals(reduce("max", [1], tensor([-Infinity, -5])), [-5]);
  assertEquals(reduce("sum", [1], tensor([1, Infinity])), [Infinity]);
  assertEquals(reduce("sum", [1, 2], empty([0, 2])), [0, 0]);
  assertEquals(reduce("sum", [1], tensor([1e16, 1, -1e16])), [1]);
});

Deno.test("reduce: two inputs, integers and truth values", () => {
  const product = e.elementwise(
    "product",
    ["float", "float"],
    ([x, y]) => [e.mul(x, y)],
  );
  const out = empty([1]);
  device.reduce(
    "sum",
    product,
    [tensor([1, 2, 3]), tensor([4, 5, 6])],
    out,
    [],
  );
  assertEquals(read(out), [32]);
  const integers = e.elementwise("integers", ["int"], ([x]) => [x]);
  const count = empty([1], "i32");
  device.reduce(
    "sum",
    integers,
    [tensor([2 ** 31 - 1, 1], [2], "i32")],
    count,
    [],
  );
  assertEquals(read(count), [-(2 ** 31)]);
  const any = e.elementwise("any", ["bool"], ([x]) => [x]);
  const truth = empty([2, 1], "bool");
  device.reduce("max", any, [tensor([0, 1, 0, 0], [2, 2], "bool")], truth, []);
  assertEquals(read(truth), [1, 0]);
});
