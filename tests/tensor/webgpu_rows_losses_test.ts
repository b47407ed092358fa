import { assert, assertEquals, assertRejects } from "@std/assert";
import type {
  Backend,
  CrossEntropyArguments,
  View,
} from "../../tensor/backend.ts";
import {
  assertLikeReference,
  classify,
  lengths,
  onEveryForm,
  real,
  runSoftmax,
  type Tolerance,
  wholeForms,
} from "./webgpu_rows_subject.ts";
import { gpuTensor, gpuValues } from "./webgpu_subject.ts";

// x − max, of size up to 60, is rounded by up to 2e-6; subnormals may be 0.
const softmaxTolerances: Tolerance[] = [
  { absolute: 1.2e-38, relative: 5e-6 },
  { absolute: 3e-6, relative: 1e-6 },
];

onEveryForm("softmax equals the reference", async (on, form) => {
  for (const n of lengths) {
    await assertLikeReference(
      on,
      (on) => runSoftmax(on, 9, n),
      softmaxTolerances,
      `${form}, rows of ${n}`,
    );
  }
});

onEveryForm("softmax of rows that are long and few", async (on, form) => {
  for (const [rows, n] of [[1, 50257], [3, 50260], [70, 4099]]) {
    await assertLikeReference(
      on,
      (on) => runSoftmax(on, rows, n),
      softmaxTolerances,
      `${form}, ${rows} rows of ${n}`,
    );
  }
}, {
  ...wholeForms,
  "registers, windows": { rows: "registers", bindingLimit: 2 ** 18 },
});

onEveryForm("softmax of very many rows", async (on, form) => {
  // More workgroups than one axis of a launch has.
  await assertLikeReference(
    on,
    (on) => runSoftmax(on, 70_000, 3),
    softmaxTolerances,
    form,
  );
}, { tiled: { rows: "tiled" } });

onEveryForm("softmax at the edges of f32", async (on, form) => {
  const softmax = async (row: number[]): Promise<number[]> => {
    const out = real(on, [1, row.length]);
    on.softmax(real(on, [1, row.length], row), out);
    return [...await gpuValues(on, out)];
  };
  const big = 3e38;
  assertEquals(
    await softmax([big, big, -big, big, big]),
    [0.25, 0.25, 0, 0.25, 0.25],
    form,
  );
  assertEquals(await softmax([-1e30, 1e30, 1e30, -1e30]), [0, 0.5, 0.5, 0]);
  for (const length of [5, 8, 20_000]) {
    const masked = new Array<number>(length).fill(-Infinity);
    assert((await softmax(masked)).every(Number.isNaN), `${form}: ${length}`);
    masked[1] = masked[length - 1] = 0;
    const expected = new Array<number>(length).fill(0);
    expected[1] = expected[length - 1] = 0.5;
    assertEquals(await softmax(masked), expected, `${form}: ${length}`);
    for (const wrong of [NaN, Infinity]) {
      masked[length - 2] = wrong;
      const found = await softmax(masked);
      assert(Number.isNaN(found[length - 2]), `${form}: ${length}, ${wrong}`);
    }
  }
}, wholeForms);

// Losses are differences of logits near 40, rounded to 4e-6; so is the
// exponent of the gradient, whose size is that of dloss, up to 3.
const crossEntropyTolerances: Tolerance[] = [
  { absolute: 8e-6, relative: 1e-6 },
  { absolute: 0, relative: 3e-7 },
  { absolute: 2e-5, relative: 0 },
];

onEveryForm("cross entropy equals the reference", async (on, form) => {
  for (const n of lengths) {
    for (const smoothing of [0, 0.1, 1]) {
      await assertLikeReference(
        on,
        (on) => classify(on, { rows: 9, n, smoothing }),
        crossEntropyTolerances,
        `${form}, ${n} classes, smoothing ${smoothing}`,
      );
    }
  }
});

onEveryForm("cross entropy of many classes", async (on, form) => {
  for (const [rows, n] of [[3, 50257], [4, 50260], [70, 4100]]) {
    for (const smoothing of [0, 0.1]) {
      await assertLikeReference(
        on,
        (on) => classify(on, { rows, n, smoothing }),
        crossEntropyTolerances,
        `${form}, ${rows} rows of ${n} classes, smoothing ${smoothing}`,
      );
    }
  }
}, {
  ...wholeForms,
  "tiled, windows": { rows: "tiled", bindingLimit: 2 ** 18 },
});

function crossEntropy(
  on: Backend,
  logits: number[],
  labels: number[],
  ignoreIndex: number,
  labelSmoothing = 0,
): { loss: View; logSum: View; dlogits: View } {
  const rows = labels.length;
  const shape = [rows, logits.length / rows];
  const args: CrossEntropyArguments = {
    logits: real(on, shape, logits),
    labels: gpuTensor(on, "i32", [rows], labels),
    ignoreIndex,
    labelSmoothing,
  };
  const results = {
    loss: real(on, [rows]),
    logSum: real(on, [rows]),
    dlogits: real(on, shape),
  };
  on.crossEntropy(args, results.loss, results.logSum);
  const ones = real(on, [rows], new Array(rows).fill(1));
  on.crossEntropyBackward(args, results.logSum, ones, results.dlogits);
  return results;
}

onEveryForm("cross entropy of infinite logits", async (on, form) => {
  const inf = Infinity;
  const cases: readonly (readonly [number[], number[], number, number])[] = [
    [[-inf, 0, 0, NaN, 1, 2], [1, 7], 7, 0],
    [[-inf, 0, 0, NaN, 1, 2], [0, 0], 0, 0],
    [[-inf, 0, 0, 5, 1, 2], [1, 1], 7, 0.25],
    [[-1e30, 1e30, 0], [1], -1, 0],
    [[-1e30, 1e30, 0, 0], [0], -1, 0],
    [[-inf, -inf, -inf, -inf], [2], -1, 0],
    [[-inf, -inf, -inf], [2], -1, 1],
    [[0, inf, 1], [1], -1, 0],
    [[2, 2, 2, 2], [0], -1, 1],
  ];
  for (const given of cases) {
    await assertLikeReference(
      on,
      (on) => Object.values(crossEntropy(on, ...given)),
      [{ absolute: 1e-6, relative: 1e-6 }],
      `${form}, ${given.map((part) => `[${part}]`)}`,
    );
  }
});

onEveryForm("cross entropy rejects the read after a bad label", async (on) => {
  const { loss } = crossEntropy(
    on,
    new Array(5 * 600).fill(0),
    Array.from({ length: 600 }, (_, i) => i === 517 ? 5 : i % 6 - 1),
    -1,
  );
  const error = await assertRejects(() => gpuValues(on, loss), RangeError);
  assertEquals(
    error.message,
    "crossEntropy: label 5 of row 517 is outside 0 … 4 (ignoreIndex -1)",
  );
  assertEquals((await gpuValues(on, loss)).length, 600);
  const wide = crossEntropy(on, new Array(20_000).fill(0), [-2], -1);
  const other = await assertRejects(() => gpuValues(on, wide.loss), RangeError);
  assertEquals(
    other.message,
    "crossEntropy: label -2 of row 0 is outside 0 … 19999 (ignoreIndex -1)",
  );
}, {
  registers: { rows: "registers", bindingLimit: 2 ** 17 },
  tiled: { rows: "tiled", bindingLimit: 2 ** 17 },
});
