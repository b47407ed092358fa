/**
 * Which form of matrix products is fastest on an adapter, by trying.
 *
 * @module
 */

import type { View } from "../backend.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import { type Gpu, openGpu } from "./gpu.ts";
import type { GpuOptions } from "./gpu_options.ts";
import { matmulKernels } from "./matmul.ts";
import type { MatmulForm } from "./matmul_plan.ts";

/** What was found, by adapter; it doesn't change while a program runs. */
const found = new Map<string, MatmulForm>();

/** Rows, columns and inner axis of the products that are timed. */
const extent = 512;

/** A form is timed for at least this long, ms, unless that many don't take it. */
const leastTime = 20;
const mostProducts = 512;

/** The forms that a GPU can run. */
function matmulForms(gpu: Gpu): MatmulForm[] {
  return gpu.subgroups
    ? ["tiled", "subgroup", "registers"]
    : ["tiled", "registers"];
}

/** A matrix of undefined contents. */
function matrix(gpu: Gpu): View {
  const shape = [extent, extent];
  return {
    buffer: gpu.pool.allocate(4 * sizeOf(shape), "matmul"),
    dtype: "f32",
    shape,
    strides: contiguousStrides(shape),
    offset: 0,
  };
}

/** Times products in one form; ms a product. */
async function timeForm(gpu: Gpu, form: MatmulForm): Promise<number> {
  const { matmul } = matmulKernels(gpu, form);
  const product = {
    a: matrix(gpu),
    b: matrix(gpu),
    out: matrix(gpu),
    alpha: 1,
  };
  const run = async (count: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < count; i++) matmul(product);
    await gpu.finished();
    return performance.now() - start;
  };
  await run(1); // compiles
  let [count, time] = [4, await run(4)];
  while (time < leastTime && count < mostProducts) {
    count *= 4;
    time = await run(count);
  }
  return time / count;
}

/** As `timeForm`, on a device of its own: one that fails harms nobody else. */
async function tryForm(options: GpuOptions, form: MatmulForm): Promise<number> {
  const gpu = await openGpu(options);
  try {
    return await timeForm(gpu, form);
  } catch {
    return Infinity; // refused, or too much for the device
  } finally {
    gpu.close();
  }
}

/**
 * The form for an adapter: what the options say; registers where a CPU plays
 * the GPU, whose workgroup memory and barriers are slow; else the fastest of
 * `forms`, which takes about 0.1 s once for each adapter. A form that the
 * adapter refuses is not chosen.
 */
export async function autotuneMatmul(
  gpu: Gpu,
  forms: readonly MatmulForm[] = gpu.software
    ? ["registers"]
    : matmulForms(gpu),
): Promise<MatmulForm> {
  const { matmul: forced } = gpu.options;
  if (forced !== undefined) return forced;
  if (forms.length === 1) return forms[0];
  const { vendor, architecture, name } = gpu.adapter;
  const key = [vendor, architecture, name, ...forms].join(" ");
  const known = found.get(key);
  if (known !== undefined) return known;
  let [best, least] = [forms[0], Infinity];
  for (const form of forms) {
    const time = await tryForm(gpu.options, form);
    if (time < least) [best, least] = [form, time];
  }
  found.set(key, best);
  return best;
}
