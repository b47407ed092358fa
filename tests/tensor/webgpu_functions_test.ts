import { assert, assertEquals, assertThrows } from "@std/assert";
import type { View } from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import * as expression from "../../tensor/expression.ts";
import {
  add,
  div,
  type Elementwise,
  elementwise,
  exp,
  type Expression,
  log,
  max,
  min,
  mul,
  neg,
  pow,
  sqrt,
  sub,
  toInt,
} from "../../tensor/expression.ts";
import { unaryFunctions } from "../../tensor/reference/scalar_functions.ts";
import { wgslFunctions } from "../../tensor/webgpu/scalar_functions.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import {
  constantExponents,
  decades,
  line,
  mathCases,
  powerCases,
  powerInC,
  smallestNormal,
} from "./function_cases.ts";
import { assertNear } from "./kernel_subjects.ts";
import {
  gpuMissing,
  gpuTensor,
  gpuValues,
  webgpuBackend,
} from "./webgpu_subject.ts";

const ignore = gpuMissing;

/** The values of the only output, on the first shape of the inputs. */
function mapValues(
  backend: WebgpuBackend,
  program: Elementwise,
  inputs: readonly ArrayLike<number>[],
  scalars: readonly number[] = [],
): Promise<TypedArray> {
  const shape = [inputs[0].length];
  const { type } = program.outputs[0];
  const dtype = type === "float" ? "f32" : type === "int" ? "i32" : "bool";
  const out = gpuTensor(backend, dtype, shape);
  const views = inputs.map((x) => gpuTensor(backend, "f32", shape, x));
  backend.map(program, views, [out], scalars);
  return gpuValues(backend, out);
}

/** Smaller results may become 0, as half of them is subnormal. */
const smallestResult = 2 * smallestNormal;

function unaryProgram(name: string): Elementwise {
  const emit = expression[name as "exp"];
  return elementwise(name, ["float"], ([x]) => [emit(x)]);
}

/**
 * GPUs may take subnormal numbers for 0, whose logarithm and reciprocal root
 * are infinite.
 */
function flushed(x: Float32Array): Float32Array {
  return x.map((value) => Math.abs(value) < smallestNormal ? 0 : value);
}

Deno.test({
  name: "webgpu elementary functions, over wide ranges and at the edges",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const checks = Object.entries(mathCases).flatMap(([name, testCase]) => {
      const program = unaryProgram(name);
      const { inputs, relative, absolute = smallestResult } = testCase;
      return inputs.map(flushed).map(async (input) => {
        const reference = unaryFunctions[name as "exp"];
        const actual = await mapValues(backend, program, [input]);
        const bound = { absolute, relative };
        assertNear(actual, input.map(reference), bound, `${name} ${input[0]}`);
      });
    });
    await Promise.all(checks);
  },
});

Deno.test("webgpu functions come once, with what they call", () => {
  const text = wgslFunctions([
    ...["accurate_softplus4", "accurate_sigmoid4"] as const,
    ...["accurate_exp", "accurate_softplus4"] as const,
  ]);
  const names = [...text.matchAll(/fn (\w+)/g)].map(([, name]) => name);
  assertEquals(new Set(names).size, names.length);
  for (const name of ["accurate_exp4", "accurate_exp", "accurate_log1p4"]) {
    assert(names.includes(name));
  }
  assert(!names.includes("accurate_log1p"));
});

Deno.test({
  name: "webgpu elementary functions of one element at a time",
  ignore,
  fn: async () => {
    // Three columns are too few for vectors.
    const backend = await webgpuBackend();
    const checks = Object.entries(mathCases).map(async ([name, testCase]) => {
      const program = unaryProgram(name);
      const { inputs, relative, absolute = smallestResult } = testCase;
      const input = flushed(inputs.at(-1)!).slice(0, 21);
      const x = gpuTensor(backend, "f32", [8, 4], input);
      const narrow = (view: View): View => ({ ...view, shape: [7, 3] });
      const out = gpuTensor(backend, "f32", [8, 4], new Float32Array(32));
      backend.map(program, [narrow(x)], [narrow(out)], []);
      const actual = await gpuValues(backend, out);
      const expected = new Float32Array(32);
      input.forEach((value, i) => {
        if (i % 4 < 3) expected[i] = unaryFunctions[name as "exp"](value);
      });
      // 7 rows of 3, 4 apart, are the elements that 28 of them hold.
      for (let i = 21; i < 28; i++) {
        if (i % 4 < 3) expected[i] = unaryFunctions[name as "exp"](0);
      }
      assertNear(actual, expected, { absolute, relative }, name);
    });
    await Promise.all(checks);
  },
});

Deno.test({
  name: "webgpu sine and cosine of huge numbers stay in [−1, 1]",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    for (const name of ["sin", "cos"]) {
      const program = unaryProgram(name);
      const actual = await mapValues(backend, program, [decades(5, 38)]);
      for (const y of actual) assert(Math.abs(y) <= 1);
    }
  },
});

Deno.test({
  name: "webgpu tanh and erf don't leave [−1, 1]",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    for (const name of ["tanh", "erf"]) {
      const program = unaryProgram(name);
      const actual = await mapValues(backend, program, [line(2, 12)]);
      for (const y of actual) assert(y <= 1);
    }
  },
});

Deno.test({
  name: "webgpu pow, over wide ranges and at C's edge cases",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const program = elementwise("pow", ["float", "float"], ([x, y]) => [
      pow(x, y),
    ]);
    for (const [bases, exponents] of powerCases()) {
      const [x, y] = [flushed(bases), exponents];
      const actual = await mapValues(backend, program, [x, y]);
      const expected = x.map((base, i) => powerInC(base, y[i]));
      const bound = { absolute: smallestResult, relative: 4e-7 };
      assertNear(actual, expected, bound, "pow");
    }
    const x = line(0.01, 9);
    await Promise.all(constantExponents.map(async (exponent) => {
      const short = elementwise("pow", ["float"], ([x]) => [pow(x, exponent)]);
      const actual = await mapValues(backend, short, [x]);
      const expected = x.map((base) => base ** exponent);
      const bound = { absolute: 0, relative: 3e-7 };
      assertNear(actual, expected, bound, `pow ${exponent}`);
    }));
  },
});

Deno.test({
  name: "webgpu constants are exact, and may be infinite or NaN",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const values = [
      ...[0, -0, 1, -2.5, 1 / 3, 16777217, 1e-30, 3.4028234663852886e38],
      ...[-Infinity, Infinity, NaN, 1e300, Math.PI, 1e21, 123456789],
    ];
    const zeros = [-0, -0, -0, -0];
    await Promise.all(values.map(async (value) => {
      const program = elementwise("constant", ["float"], ([x]) => [
        add(x, expression.constant(value)),
      ]);
      const actual = await mapValues(backend, program, [zeros]);
      assertEquals([...actual], new Array(4).fill(Math.fround(value)));
    }));
  },
});

Deno.test({
  name: "webgpu operations of constants alone may overflow",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const c = (value: number): Expression => expression.constant(value);
    const cases: [Expression, number][] = [
      [div(c(1), c(0)), Infinity],
      [mul(c(3e38), c(10)), Infinity],
      [sub(c(3e38), neg(c(3e38))), Infinity],
      [exp(c(1000)), Infinity],
      [log(c(-1)), NaN],
      [sqrt(c(-1)), NaN],
      [expression.toFloat(toInt(c(1e20))), 2147483648],
    ];
    for (const [constant, expected] of cases) {
      const program = elementwise("constant", ["float"], ([x]) => [
        add(constant, x),
      ]);
      const actual = await mapValues(backend, program, [[0, 0, 0]]);
      assertEquals([...actual], [expected, expected, expected]);
    }
  },
});

Deno.test({
  name: "webgpu max and min propagate NaN, of variables and constants",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const a = Float32Array.of(NaN, 1, NaN, 2, -Infinity, Infinity, 0, 5);
    const b = Float32Array.of(1, NaN, NaN, 3, NaN, 1, 1, -Infinity);
    const both = (emit: typeof max): Elementwise =>
      elementwise("extreme", ["float", "float"], ([x, y]) => [emit(x, y)]);
    const zero = (emit: typeof max): Elementwise =>
      elementwise("extreme", ["float"], ([x]) => [emit(x, 0)]);
    for (const [emit, apply] of [[max, Math.max], [min, Math.min]] as const) {
      assertEquals(
        [...await mapValues(backend, both(emit), [a, b])],
        [...a.map((x, i) => apply(x, b[i]))],
      );
      assertEquals(
        [...await mapValues(backend, zero(emit), [a])],
        [...a.map((x) => apply(x, 0))],
      );
    }
  },
});

Deno.test({
  name: "webgpu conversion to integers saturates, NaN becomes 0",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const program = elementwise("toInt", ["float"], ([x]) => [toInt(x)]);
    const x = Float32Array.of(
      ...[NaN, Infinity, -Infinity, 3e9, -3e9, 2 ** 31, -(2 ** 31), 1.9, -1.9],
      ...[2147483520, 0, -0.5],
    );
    assertEquals(
      [...await mapValues(backend, program, [x])],
      [...x].map(unaryFunctions.toInt).map((value) => value | 0),
    );
  },
});

Deno.test({
  name: "webgpu refuses operations that its types don't have",
  ignore,
  fn: async () => {
    const backend = await webgpuBackend();
    const program = elementwise("halve", ["int"], ([x]) => [div(x, 2)]);
    const x = gpuTensor(backend, "i32", [4], [1, 2, 3, 4]);
    assertThrows(
      () => backend.map(program, [x], [x], []),
      TypeError,
      "webgpu device: div of int, int is not defined",
    );
  },
});
