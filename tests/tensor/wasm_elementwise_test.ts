import { assert, assertEquals } from "@std/assert";
import type { Kernels, ReduceKind, View } from "../../tensor/backend.ts";
import type { Dtype, TypedArray } from "../../tensor/dtype.ts";
import * as expression from "../../tensor/expression.ts";
import {
  add,
  and,
  type Elementwise,
  elementwise,
  equal,
  type Expression,
  floor,
  less,
  lessEqual,
  max,
  min,
  mul,
  neg,
  not,
  or,
  pow,
  round,
  select,
  toBool,
  toFloat,
  toInt,
  type ValueType,
} from "../../tensor/expression.ts";
import {
  binaryFunctions,
  unaryFunctions,
} from "../../tensor/reference/scalar_functions.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { createMapKernels } from "../../tensor/wasm/map.ts";
import { createReduceKernels } from "../../tensor/wasm/reduce.ts";
import type { Runtime } from "../../tensor/wasm/runtime.ts";
import {
  assertNear,
  integers,
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

const samples = 4096;

/** `samples` numbers from a to b, evenly. */
function line(a: number, b: number): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, i) => a + (b - a) * i / (samples - 1),
  );
}

/** Magnitudes from 10^low to 10^high, evenly in the exponent. */
function decades(low: number, high: number, sign = 1): Float32Array {
  return line(low, high).map((exponent) => sign * 10 ** exponent);
}

/** The smallest normal f32; smaller results may become 0. */
const smallestNormal = 2 ** -126;

const edges = Float32Array.of(
  ...[0, -0, Infinity, -Infinity, NaN, 1e-45, -1e-45, 1e-39, -1e-39],
  ...[smallestNormal, 88.72283, 88.72284, -87.3, -104, 1, -1, 1e30, -1e30],
  ...[0.5, 1.5, 2.5, -0.5, -1.5, 3.4028234e38, -3.4028234e38],
);

const everywhere = [
  line(-1, 1),
  line(-10, 10),
  line(-105, 90),
  decades(-44, 38),
  decades(-44, 38, -1),
  edges,
];

// Cody-Waite reduction in f32 keeps its accuracy up to 1e5. Near zeros of sine
// the relative error of a result of size 1e-3 can't be bounded by f32 parts.
const circle = [line(-1, 1), line(-10, 10), line(-1e5, 1e5)];

interface MathCase {
  readonly inputs: readonly Float32Array[];
  /** Units: polynomial error plus a few roundings of 6e-8. */
  readonly relative: number;
  readonly absolute?: number;
}

const mathCases: Record<string, MathCase> = {
  // Results up to 2^-125, twice the smallest normal, may become 0.
  exp: { inputs: everywhere, relative: 1.5e-7, absolute: 2.4e-38 },
  expm1: { inputs: everywhere, relative: 2e-7 },
  log: { inputs: everywhere, relative: 1.5e-7 },
  log1p: {
    inputs: [...everywhere, line(-1, -0.9), decades(-44, 0, -1)],
    relative: 1.5e-7,
  },
  sqrt: { inputs: everywhere, relative: 1e-7 },
  rsqrt: { inputs: everywhere, relative: 2e-7 },
  tanh: { inputs: everywhere, relative: 4e-7 },
  sigmoid: { inputs: everywhere, relative: 3e-7 },
  softplus: { inputs: everywhere, relative: 2.5e-7, absolute: 2.4e-38 },
  erf: { inputs: everywhere, relative: 4e-7 },
  sin: { inputs: circle, relative: 2e-7, absolute: 1.2e-7 },
  cos: { inputs: circle, relative: 2e-7, absolute: 1.2e-7 },
  sign: { inputs: everywhere, relative: 0 },
  floor: { inputs: everywhere, relative: 0 },
  round: { inputs: everywhere, relative: 0 },
  abs: { inputs: everywhere, relative: 0 },
  neg: { inputs: everywhere, relative: 0 },
};

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
  const bases = [0, -0, 1, -1, 2, -2, 0.5, -3, Infinity, -Infinity, NaN, 1e-40];
  const powers = [0, -0, 1, -1, 2, 3, -3, 0.5, -0.5, Infinity, -Infinity, NaN];
  const [xs, ys] = [bases, powers].map((list, which) =>
    Float32Array.from(
      { length: bases.length * powers.length },
      (_, i) => which ? list[i % powers.length] : list[i / powers.length | 0],
    )
  );
  // C, unlike JavaScript, says that 1 to any power and −1 to ±∞ are 1.
  const power = (x: number, y: number): number =>
    x === 1 || (x === -1 && Math.abs(y) === Infinity)
      ? 1
      : binaryFunctions.pow(x, y);
  const wide = decades(-30, 30);
  const narrow = line(-20, 20);
  // Powers beyond f32's range would compare infinities with themselves.
  const modest = narrow.map((y, i) => y / Math.max(1, Math.abs(wide[i]) / 20));
  onEveryTarget(create, (subject, _, target) => {
    for (
      const [x, y] of [[xs, ys], [wide, narrow], [line(0.1, 10), modest], [
        line(-5, 5).map((x) => Math.round(x)),
        line(-9, 9).map((y) => Math.round(y)),
      ]]
    ) {
      const expected = x.map((base, i) => power(base, y[i]));
      const actual = mapValues(subject, program, [x, y]);
      const bound = { absolute: smallestNormal, relative: 3e-7 };
      assertNear(actual, expected, bound, `${target} pow`);
    }
    for (const exponent of [0, 1, 2, 3, 4, 0.5, -0.5, -1, -2, 1.5, -3]) {
      const short = elementwise("pow", ["float"], ([x]) => [pow(x, exponent)]);
      const x = line(0.01, 9);
      const expected = x.map((base) => base ** exponent);
      const actual = mapValues(subject, short, [x]);
      const bound = { absolute: 0, relative: 3e-7 };
      assertNear(actual, expected, bound, `${target} pow ${exponent}`);
    }
  });
});

let state = 1;

/** An integer in a … b, the same in every run. */
function draw(a: number, b: number): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return a + Math.floor((state >>> 8) / 2 ** 23 * (b - a + 1));
}

const dtypes: Record<ValueType, Dtype> = {
  float: "f32",
  int: "i32",
  bool: "bool",
};

/** How a view lies in its buffer, and how large that must be. */
interface Placement {
  readonly strides: number[];
  readonly offset: number;
  readonly length: number;
}

/**
 * Strides that permute the axes, leave gaps, run backwards and, where
 * allowed, repeat.
 */
function placement(shape: number[], repeats: boolean): Placement {
  const axes = shape.map((_, axis) => axis);
  if (draw(0, 1)) {
    for (let i = axes.length - 1; i > 0; i--) {
      const j = draw(0, i);
      [axes[i], axes[j]] = [axes[j], axes[i]];
    }
  }
  const strides = shape.map(() => 0);
  let length = draw(0, 4) ? 1 : draw(1, 3);
  let offset = draw(0, 3);
  const sparse = repeats && draw(0, 2) === 0;
  for (const axis of axes) {
    if (sparse && draw(0, 1)) continue;
    strides[axis] = length;
    length *= Math.max(1, shape[axis]);
    if (!draw(0, 9)) length += draw(1, 3);
    if (!draw(0, 9) && shape[axis] > 0) {
      offset += (shape[axis] - 1) * strides[axis];
      strides[axis] *= -1;
    }
  }
  return { strides, offset, length: length + offset };
}

function valuesOfType(type: ValueType, length: number): ArrayLike<number> {
  if (type === "float") return numbers(length, draw(1, 1e6), 2);
  if (type === "bool") return integers(length, 2, draw(1, 1e6));
  return integers(length, 11, draw(1, 1e6)).map((x) => x - 5);
}

function place(
  { tensor }: ElementwiseSubject,
  type: ValueType,
  shape: number[],
  { strides, offset, length }: Placement,
  values: ArrayLike<number>,
): View {
  const view = tensor(dtypes[type], [length], values);
  return { ...view, shape, strides, offset };
}

const mapPrograms: Elementwise[] = [
  elementwise("affine", ["float", "float"], ([x, y]) => [add(mul(x, y), 1)]),
  elementwise("select", ["float", "int", "bool"], ([x, y, z]) => [
    select(z, x, toFloat(y)),
    add(y, 3),
  ]),
  elementwise("logic", ["bool", "bool"], ([x, y]) => [
    ...[and(x, not(y)), or(x, y), equal(x, y), less(x, y), lessEqual(x, y)],
  ]),
  elementwise("hoisted", ["float"], ([x], [s]) => [
    mul(x, mul(expression.exp(neg(s)), add(s, 1))),
  ], 1),
  elementwise("integers", ["int", "int"], ([x, y]) => [
    ...[max(x, y), min(x, y), mul(x, y), neg(x), expression.abs(x)],
    ...[expression.sign(y), toBool(x), less(x, y)],
  ]),
  elementwise("reals", ["float", "float"], ([x, y]) => [
    ...[max(x, y), min(x, 0), toInt(x), floor(x), round(y), less(x, y)],
  ]),
  elementwise("copy", ["float"], ([x]) => [x]),
  elementwise("copy", ["bool"], ([x]) => [x]),
  elementwise("fill", [], (_, [s]) => [s, toInt(s), toBool(s)], 1),
];

function randomShape(): number[] {
  const rank = draw(0, 7);
  const most = rank > 4 ? 3 : rank > 3 ? 5 : 11;
  return Array.from(
    { length: rank },
    () => draw(0, 24) === 0 ? 0 : draw(1, most),
  );
}

function checkMap(
  shape: number[],
  program: Elementwise,
  subject: ElementwiseSubject,
  reference: ElementwiseSubject,
  what: string,
): void {
  const types = [...program.inputs, ...program.outputs.map(({ type }) => type)];
  const count = program.inputs.length;
  const placements = types.map((_, at) => placement(shape, at < count));
  const data = types.map((type, at) =>
    valuesOfType(type, placements[at].length)
  );
  const scalars = [...numbers(program.scalars, draw(1, 1e6))];
  const run = (on: ElementwiseSubject): TypedArray[] => {
    const views = types.map((type, at) =>
      place(on, type, shape, placements[at], data[at])
    );
    const [inputs, outputs] = [views.slice(0, count), views.slice(count)];
    on.kernels.map(program, inputs, outputs, scalars);
    return views.map((view) => on.values({ ...view, offset: 0 }));
  };
  const [actual, expected] = [run(subject), run(reference)];
  actual.forEach((values, at) => {
    // Multiply-adds are rounded once or twice; operands are below 30.
    const bound = { absolute: 4e-6, relative: 3e-7 };
    const layout = JSON.stringify([shape, placements[at]]);
    assertNear(
      values,
      expected[at],
      bound,
      `${what} ${program.name} ${layout}`,
    );
  });
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
  const shapes = [[80_003], [2, 33_001], [20, 33, 65], [157, 200], [5000, 5]];
  onEveryTarget(create, (subject, reference, target) => {
    shapes.forEach((shape, at) => {
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

const identity = elementwise("identity", ["float"], ([x]) => [x]);

const reductions: [ReduceKind, Elementwise][] = [
  ...(["sum", "max", "min"] as const).map((
    kind,
  ): [ReduceKind, Elementwise] => [kind, identity]),
  [
    "sum",
    elementwise("product", ["float", "float"], ([x, y], [s]) => [
      mul(mul(x, y), s),
    ], 1),
  ],
  ["sum", elementwise("increment", ["int"], ([x]) => [add(x, 1)])],
  ["max", elementwise("increment", ["int"], ([x]) => [add(x, 1)])],
  [
    "max",
    elementwise("test", ["bool", "float"], ([x, y]) => [and(x, less(y, 2))]),
  ],
  ["min", elementwise("keep", ["bool"], ([x]) => [x])],
  [
    "sum",
    elementwise("masked", ["bool", "int"], ([x, y]) => [
      select(x, toFloat(y), 0),
    ]),
  ],
];

function checkReduce(
  shape: number[],
  [kind, program]: [ReduceKind, Elementwise],
  subject: ElementwiseSubject,
  reference: ElementwiseSubject,
  what: string,
): void {
  const outShape = shape.map((extent) => draw(0, 1) ? 1 : extent);
  if (sizeOf(outShape) === 0) return;
  const placements = program.inputs.map(() => placement(shape, true));
  const data = program.inputs.map((type, at) =>
    valuesOfType(type, placements[at].length)
  );
  const scalars = [...numbers(program.scalars, draw(1, 1e6))];
  const run = (on: ElementwiseSubject): TypedArray => {
    const inputs = program.inputs.map((type, at) =>
      place(on, type, shape, placements[at], data[at])
    );
    const out = on.tensor(dtypes[program.outputs[0].type], outShape);
    on.kernels.reduce(kind, program, inputs, out, scalars);
    return on.values(out);
  };
  const combined = sizeOf(shape) / Math.max(1, sizeOf(outShape));
  // Every sum on the way, of terms of size 4, is rounded by 6e-8 of itself.
  const bound = { absolute: 3e-7 * (1 + combined), relative: 1e-6 };
  assertNear(
    run(subject),
    run(reference),
    bound,
    `${what} ${kind} of ${program.name} ${JSON.stringify([shape, outShape])}`,
  );
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
  const shapes = [[70_001], [3, 20_011], [5000, 33], [40, 30, 50], [
    2,
    1500,
    9,
  ]];
  onEveryTarget(create, (subject, reference, target) => {
    shapes.forEach((shape, at) => {
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
