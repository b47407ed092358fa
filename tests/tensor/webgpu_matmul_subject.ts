/**
 * Matrix products of the webgpu device against sums in f64.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { MatmulArguments, View } from "../../tensor/backend.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import type { MatmulForm } from "../../tensor/webgpu/matmul_plan.ts";
import { layoutOf, lengthOf, type LooseLayout, placesOf } from "./layouts.ts";
import {
  adapters,
  gpuMissing,
  gpuTensor,
  gpuValues,
} from "./webgpu_subject.ts";

const features = adapters[0]?.features ?? [];

/**
 * Forms of the kernel; all where there is no adapter, so that what is skipped is
 * named. An adapter without subgroups leaves theirs to the browser's, where the
 * golden operations run in that form.
 */
export const forms: readonly MatmulForm[] =
  gpuMissing || features.includes("subgroups")
    ? ["registers", "tiled", "subgroup"]
    : ["registers", "tiled"];

let seed = 1;

/** Numbers in [−1, 1), the same in every run. */
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return seed / 2 ** 31;
}

/** A view of memory of its own, and what that memory holds. */
export interface Operand {
  readonly view: View;
  readonly values: Float32Array;
}

/** An operand of random numbers. */
export function operand(
  backend: WebgpuBackend,
  given: LooseLayout,
): Operand {
  const layout = layoutOf(given);
  const length = lengthOf(layout);
  const values = Float32Array.from({ length }, random);
  const { buffer } = gpuTensor(backend, "f32", [length], values);
  return { view: { buffer, dtype: "f32", ...layout }, values };
}

/** A product to check. */
export interface Case {
  readonly a: Operand;
  readonly b: Operand;
  readonly out: Operand;
  readonly bias?: Operand;
  readonly residual?: Operand;
  readonly alpha: number;
}

/** What `out` should become, and the scale of rounding errors. */
function expected({ a, b, out, bias, residual, alpha }: Case): {
  value: number;
  scale: number;
}[] {
  const elements = ({ view, values }: Operand): number[] =>
    placesOf(view).map((place) => values[place]);
  const [m, n] = out.view.shape.slice(-2);
  const k = a.view.shape.at(-1)!;
  const [left, right] = [elements(a), elements(b)];
  const plus = bias && elements(bias);
  const rest = residual && elements(residual);
  return Array.from({ length: sizeOf(out.view.shape) }, (_, i) => {
    const [column, row] = [i % n, Math.floor(i / n)];
    const batch = Math.floor(row / m);
    let [sum, scale] = [plus?.[i] ?? 0, Math.abs(plus?.[i] ?? 0)];
    for (let j = 0; j < k; j++) {
      const term = left[row * k + j] * right[(batch * k + j) * n + column];
      sum += term;
      scale += Math.abs(term);
    }
    return {
      value: (rest?.[i] ?? 0) + alpha * sum,
      scale: Math.abs(rest?.[i] ?? 0) + Math.abs(alpha) * scale,
    };
  });
}

/** What the kernel gets. */
export function argumentsOf(given: Case): MatmulArguments {
  const { a, b, out, bias, residual, alpha } = given;
  return {
    a: a.view,
    b: b.view,
    out: out.view,
    bias: bias?.view,
    residual: residual?.view,
    alpha,
  };
}

/**
 * Runs a product and compares it; each of k roundings is within 2⁻²⁴, and
 * memory beside the result keeps its values.
 */
export async function check(
  backend: WebgpuBackend,
  given: Case,
  matmul: (args: MatmulArguments) => void = backend.matmul,
): Promise<void> {
  const { a, b, out } = given;
  const wanted = expected(given);
  matmul(argumentsOf(given));
  const found = await gpuValues(
    backend,
    { ...out.view, offset: 0 },
    out.values.length,
  );
  const k = a.view.shape.at(-1)!;
  const places = placesOf(out.view);
  wanted.forEach(({ value, scale }, i) => {
    const tolerance = (k + 4) * 2 ** -24 * scale;
    const result = found[places[i]];
    assert(
      Math.abs(result - value) <= tolerance,
      `element ${i} of ${a.view.shape} (${a.view.strides}) × ${b.view.shape} ` +
        `(${b.view.strides}): ${result}, not ${value} (± ${tolerance})`,
    );
  });
  const inside = new Set(places);
  found.forEach((value, i) => {
    if (!inside.has(i)) assertEquals(value, out.values[i], `outside, at ${i}`);
  });
}
