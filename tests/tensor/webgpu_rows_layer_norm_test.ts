import { assert } from "@std/assert";
import type { Backend } from "../../tensor/backend.ts";
import { assertNear, numbers } from "./kernel_subjects.ts";
import {
  assertLikeReference,
  lengths,
  type Norm,
  normalize,
  onEveryForm,
  real,
  reference,
  wholeForms,
} from "./webgpu_rows_subject.ts";
import { gpuValues } from "./webgpu_subject.ts";

async function assertNormal(
  on: Backend,
  norm: Norm,
  what: string,
): Promise<void> {
  // Rows that are short may have little variance, and lose digits to
  // cancellation: the inverse deviation is the scale.
  const inverses = await gpuValues(reference, normalize(reference, norm)[2]);
  const scale = Math.max(1, ...inverses);
  await assertLikeReference(
    on,
    (on) => normalize(on, norm),
    // The sums over rows: of up to 700 terms of size 3.
    [0, 1, 2, 3].map(() => ({ absolute: 3e-6 * scale, relative: 1e-5 }))
      .concat({ absolute: 3e-5 * scale, relative: 1e-5 }),
    what,
  );
}

onEveryForm("layer norm equals the reference", async (on, form) => {
  for (const n of lengths) {
    for (const [weight, bias] of [[true, true], [false, false]]) {
      const norm: Norm = { shape: [3, 7, n], weight, bias };
      await assertNormal(on, norm, `${form}, rows of ${n}, weight ${weight}`);
    }
  }
}, {
  ...wholeForms,
  "registers, windows": { rows: "registers", bindingLimit: 2 ** 14 },
});

onEveryForm("layer norm with one vector, or strided ones", async (on, form) => {
  const norms: Norm[] = [
    { shape: [2, 5, 12], weight: false },
    { shape: [2, 5, 12], bias: false },
    { shape: [3, 5, 12], stride: 16 },
    { shape: [3, 5, 12], stride: 15 },
    { shape: [3, 5, 13], stride: 16 },
    { shape: [1, 5, 12], stride: 13 },
    { shape: [3, 5, 12], stride: 0 },
    { shape: [40, 1, 8] },
    { shape: [2, 0, 8] },
    { shape: [2, 3, 2500] },
  ];
  for (const norm of norms) {
    await assertNormal(on, norm, `${form}, ${JSON.stringify(norm)}`);
  }
}, {
  ...wholeForms,
  "tiled, windows": { rows: "tiled", bindingLimit: 2 ** 15 },
});

onEveryForm("layer norm gradients over many rows", async (on, form) => {
  for (const n of [130, 132]) {
    await assertNormal(on, { shape: [2, 700, n] }, `${form}, rows of ${n}`);
  }
}, {
  ...wholeForms,
  "registers, windows": { rows: "registers", bindingLimit: 2 ** 16 },
});

onEveryForm("layer norm keeps digits where mean ≫ deviation", async (on) => {
  const n = 200;
  const x = numbers(n, 3).map((v) => v + 20000);
  const out = real(on, [1, 1, n]);
  const [means, inverses] = [real(on, [1, 1]), real(on, [1, 1])];
  const source = real(on, [1, 1, n], x);
  on.layerNorm(source, undefined, undefined, 0, out, means, inverses);
  const mean = x.reduce((sum, v) => sum + v / n, 0);
  const variance = x.reduce((sum, v) => sum + (v - mean) ** 2 / n, 0);
  // The mean is rounded to 2e-3, which shifts all results alike.
  const values = await gpuValues(on, out);
  const shift = values[0] - (x[0] - mean) / Math.sqrt(variance);
  assert(Math.abs(shift) < 2e-3);
  const expected = Array.from(
    x,
    (v) => (v - mean) / Math.sqrt(variance) + shift,
  );
  assertNear(values, expected, { absolute: 3e-6, relative: 1e-5 }, "out");
});
