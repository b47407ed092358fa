import { assert, assertEquals } from "@std/assert";
import type { Kernels, View } from "../../tensor/backend.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import * as expression from "../../tensor/expression.ts";
import {
  add,
  type Elementwise,
  elementwise,
  type Expression,
  mul,
  pow,
} from "../../tensor/expression.ts";
import { unaryFunctions } from "../../tensor/reference/scalar_functions.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { createMapKernels } from "../../tensor/wasm/map.ts";
import { createReduceKernels } from "../../tensor/wasm/reduce.ts";
import type { Runtime } from "../../tensor/wasm/runtime.ts";
import {
  assertMapped,
  assertReduced,
  identity,
  largeMapShapes,
  largeReduceShapes,
  launchMap,
  launchReduce,
  mapPrograms,
  mapTrial,
  randomShape,
  reduceTrial,
  reductions,
} from "./elementwise_cases.ts";
import {
  constantExponents,
  decades,
  line,
  mathCases,
  powerCases,
  powerInC,
  smallestNormal,
} from "./function_cases.ts";
import {
  assertNear,
  numbers,
  onEveryTarget,
  type Subject,
} from "./kernel_subjects.ts";

const create = (runtime: Runtime): Pick<Kernels, "map" | "reduce"> => ({
  ...createMapKernels(runtime),
  ...createReduceKernels(runtime),
});

type ElementwiseSubject = Subject<"map" | "reduce">;

function mapValues(
  { kernels, tensor, values }: ElementwiseSubject,
  program: Elementwise,
  inputs: readonly ArrayLike<number>[],
): TypedArray {
  const shape = [inputs[0].length];
  const out = tensor("f32", shape);
  kernels.map(program, inputs.map((x) => tensor("f32", shape, x)), [out], []);
  return values(out);
}

Deno.test("wasm elementary functions, over wide ranges and at the edges", () => {
  onEveryTarget(create, (subject, _, target) => {
    for (const [name, testCase] of Object.entries(mathCases)) {
      const op = name as keyof typeof unaryFunctions;
      const emit = expression[op] as (x: Expression) => Expression;
      const program = elementwise(name, ["float"], ([x]) => [emit(x)]);
      const { relative, absolute = smallestNormal } = testCase;
      for (const input of testCase.inputs) {
        const expected = input.map(unaryFunctions[op]);
        const actual = mapValues(subject, program, [input]);
        assertNear(
          actual,
          expected,
          { absolute, relative },
          [
            target,
            name,
            input[0],
          ].join(" "),
        );
      }
    }
  });
});

Deno.test("wasm sine and cosine of huge numbers stay in [−1, 1]", () => {
  onEveryTarget(create, (subject) => {
    for (const emit of [expression.sin, expression.cos]) {
      const program = elementwise("wave", ["float"], ([x]) => [emit(x)]);
      const actual = mapValues(subject, program, [decades(5, 38)]);
      for (const y of actual) assert(Math.abs(y) <= 1);
    }
  });
});

Deno.test("wasm tanh and erf don't leave [−1, 1]", () => {
  onEveryTarget(create, (subject) => {
    for (const emit of [expression.tanh, expression.erf]) {
      const program = elementwise("bound", ["float"], ([x]) => [emit(x)]);
      const actual = mapValues(subject, program, [line(2, 12)]);
      for (const y of actual) assert(y <= 1);
    }
  });
});

Deno.test("wasm pow, over wide ranges and at C's edge cases", () => {
  const program = elementwise("pow", ["float", "float"], ([x, y]) => [
    pow(x, y),
  ]);
  onEveryTarget(create, (subject, _, target) => {
    for (const [x, y] of powerCases()) {
      const expected = x.map((base, i) => powerInC(base, y[i]));
      const actual = mapValues(subject, program, [x, y]);
      const bound = { absolute: smallestNormal, relative: 3e-7 };
      assertNear(actual, expected, bound, `${target} pow`);
    }
    for (const exponent of constantExponents) {
      const short = elementwise("pow", ["float"], ([x]) => [pow(x, exponent)]);
      const x = line(0.01, 9);
      const expected = x.map((base) => base ** exponent);
      const actual = mapValues(subject, short, [x]);
      const bound = { absolute: 0, relative: 3e-7 };
      assertNear(actual, expected, bound, `${target} pow ${exponent}`);
    }
  });
});

function checkMap(
  shape: number[],
  program: Elementwise,
  subject: ElementwiseSubject,
  reference: ElementwiseSubject,
  what: string,
): void {
  const trial = mapTrial(shape, program);
  const [actual, expected] = [subject, reference].map((on) =>
    launchMap(on, trial).map(on.values)
  );
  assertMapped(trial, actual, expected, what);
}

Deno.test("wasm map equals the reference on any shapes and strides", () => {
  onEveryTarget(create, (subject, reference, target) => {
    for (let trial = 0; trial < 300; trial++) {
      const program = mapPrograms[trial % mapPrograms.length];
      checkMap(randomShape(), program, subject, reference, target);
    }
  });
});

Deno.test("wasm map equals the reference on large tensors", () => {
  onEveryTarget(create, (subject, reference, target) => {
    largeMapShapes.forEach((shape, at) => {
      checkMap(shape, mapPrograms[6], subject, reference, target);
      const program = mapPrograms[at % mapPrograms.length];
      checkMap(shape, program, subject, reference, target);
    });
  });
});

Deno.test("wasm map copies and uses transposed matrices", () => {
  const copy = elementwise("copy", ["float"], ([x]) => [x]);
  const sum = elementwise("add", ["float", "float"], ([x, y]) => [add(x, y)]);
  onEveryTarget(create, ({ kernels, tensor, values }) => {
    for (
      const [batch, rows, columns] of [[1, 67, 45], [3, 16, 64], [2, 5, 90]]
    ) {
      const size = batch * rows * columns;
      const x = tensor("f32", [size], numbers(size));
      const shape = [batch, columns, rows];
      const strides = [rows * columns, 1, columns];
      const transposed: View = { ...x, shape, strides };
      const expected = Float32Array.from({ length: size }, (_, i) => {
        const [row, column] = [i % rows, Math.floor(i / rows) % columns];
        const slice = Math.floor(i / (rows * columns));
        return values(x)[(slice * rows + row) * columns + column];
      });
      const out = tensor("f32", shape);
      kernels.map(copy, [transposed], [out], []);
      assertEquals(values(out), expected);
      const total = tensor("f32", shape);
      kernels.map(sum, [transposed, out], [total], []);
      assertEquals(values(total), expected.map((y) => 2 * y));
    }
  });
});

Deno.test("wasm map may write where it reads", () => {
  const step = elementwise("step", ["float", "float"], ([p, m], [s]) => [
    add(p, mul(m, s)),
    mul(m, 0.5),
  ], 1);
  onEveryTarget(create, ({ kernels, tensor, values }) => {
    for (const size of [3, 16, 1001]) {
      const p = tensor("f32", [size], new Float32Array(size).fill(1));
      const m = tensor("f32", [size], new Float32Array(size).fill(4));
      kernels.map(step, [p, m], [p, m], [0.25]);
      assertEquals(values(p), new Float32Array(size).fill(2));
      assertEquals(values(m), new Float32Array(size).fill(2));
    }
  });
});

function checkReduce(
  shape: number[],
  reduction: (typeof reductions)[number],
  subject: ElementwiseSubject,
  reference: ElementwiseSubject,
  what: string,
): void {
  const trial = reduceTrial(shape, reduction);
  if (trial === undefined) return;
  const [actual, expected] = [subject, reference].map((on) =>
    on.values(launchReduce(on, trial))
  );
  assertReduced(trial, actual, expected, what);
}

Deno.test("wasm reduce equals the reference on any shapes and strides", () => {
  onEveryTarget(create, (subject, reference, target) => {
    for (let trial = 0; trial < 300; trial++) {
      const shape = randomShape();
      const reduction = reductions[trial % reductions.length];
      // Extremes of nothing are the caller's affair.
      if (sizeOf(shape) === 0 && reduction[0] !== "sum") continue;
      checkReduce(shape, reduction, subject, reference, target);
    }
  });
});

Deno.test("wasm reduce equals the reference on large tensors", () => {
  onEveryTarget(create, (subject, reference, target) => {
    largeReduceShapes.forEach((shape, at) => {
      for (const reduction of [reductions[0], reductions[3 + at]]) {
        checkReduce(shape, reduction, subject, reference, target);
      }
    });
  });
});

Deno.test("wasm max and min propagate NaN wherever it stands", () => {
  onEveryTarget(create, ({ kernels, tensor, values }) => {
    for (const size of [1, 6, 16, 37, 100]) {
      for (let at = 0; at < size; at += 5) {
        const data = numbers(size, size);
        data[at] = NaN;
        for (const kind of ["max", "min"] as const) {
          const row = tensor("f32", [1]);
          kernels.reduce(
            kind,
            identity,
            [tensor("f32", [size], data)],
            row,
            [],
          );
          assertEquals([...values(row)], [NaN]);
        }
      }
    }
  });
});

Deno.test("wasm sums of many numbers keep their digits", () => {
  onEveryTarget(create, ({ kernels, tensor, values }) => {
    const size = 1 << 20;
    const x = tensor("f32", [size], new Float32Array(size).fill(0.1));
    const all = tensor("f32", [1]);
    kernels.reduce("sum", identity, [x], all, []);
    // Naive summation is off by 4e-3 here.
    const exact = size * Math.fround(0.1);
    assert(Math.abs(values(all)[0] / exact - 1) < 3e-6);
    const columns = tensor("f32", [1, 64]);
    const wide: View = { ...x, shape: [size / 64, 64], strides: [64, 1] };
    kernels.reduce("sum", identity, [wide], columns, []);
    for (const y of values(columns)) {
      assert(Math.abs(y / (exact / 64) - 1) < 1e-5);
    }
  });
});
