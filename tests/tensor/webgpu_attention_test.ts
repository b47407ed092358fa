import { assertEquals, assertRejects } from "@std/assert";
import type { View } from "../../tensor/backend.ts";
import { DeviceError } from "../../tensor/device_error.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import type {
  GpuOptions,
  KernelForm,
} from "../../tensor/webgpu/gpu_options.ts";
import {
  assertResults,
  type Problem,
  type Results,
  resultsOf,
  runProblem,
  shapes,
} from "./attention_problems.ts";
import { gpuMissing, halvesMissing, webgpuBackend } from "./webgpu_subject.ts";

function launch(
  device: WebgpuBackend,
  problem: Problem,
): Record<string, View> {
  return runProblem({
    real: problem.halves ? "f16" : "f32",
    kernels: device,
    view(dtype, layout, values) {
      const bytes = values.length * device.bytesPerElement[dtype];
      const buffer = device.allocate(bytes);
      const host = dtype === "bool" ? Uint8Array.from(values) : values;
      device.write(buffer, host, 0, dtype);
      return { buffer, dtype, ...layout };
    },
  }, problem);
}

async function run(options: GpuOptions, problem: Problem): Promise<Results> {
  const device = await webgpuBackend(options);
  const views = launch(device, problem);
  const memory = new Map<unknown, TypedArray>();
  for (const { buffer, dtype } of Object.values(views)) {
    const length = buffer.bytes / device.bytesPerElement[dtype];
    memory.set(buffer, await device.read(buffer, dtype, 0, length));
  }
  return resultsOf(views, ({ buffer }) => memory.get(buffer)!);
}

async function check(options: GpuOptions, problem: Problem): Promise<void> {
  assertResults(await run(options, problem), problem);
}

const layouts = [undefined, "interleaved", "packed"] as const;
const keeps = [undefined, "padding", "strided"] as const;
const biases = [undefined, "columns", "strided"] as const;

for (const attention of ["registers", "tiled"] as KernelForm[]) {
  const form = { attention };
  const test = (
    name: string,
    body: () => Promise<void>,
    ignore = gpuMissing,
  ): void =>
    Deno.test({
      name: `webgpu attention (${attention}): ${name}`,
      ignore,
      fn: body,
    });

  test("full and causal, heads apart, interleaved and packed", async () => {
    for (const [i, shape] of shapes.entries()) {
      await check(form, { shape, heads: layouts[i % 3] });
      const heads = layouts[(i + 1) % 3];
      await check(form, { shape, heads, causal: true });
    }
  });

  test("wide rows", async () => {
    await check(form, { shape: [1, 2, 9, 11, 64], heads: "packed" });
    await check(form, { shape: [1, 2, 9, 11, 80], heads: "packed" });
    await check(form, { shape: [1, 2, 20, 37, 150], causal: true });
    await check(form, { shape: [1, 1, 3, 9, 1100] });
  });

  test("slow: the widest rows that one thread may keep", async () => {
    await check(form, { shape: [1, 1, 17, 19, 128], causal: true });
  });

  test("masks, biases and dropout", async () => {
    for (const [i, keep] of keeps.entries()) {
      for (const [j, bias] of biases.entries()) {
        const shape = shapes[[1, 3, 5][(i + j) % 3]];
        const probability = keep === undefined ? 0.3 : undefined;
        const causal = bias === undefined;
        await check(form, { shape, keep, bias, probability, causal });
      }
    }
  });

  test("each stream of dropout serves a slice of the batch", async () => {
    const shape = [6, 2, 5, 7, 5] as const;
    await check(form, { shape, probability: 0.5, streams: 3 });
    await check(form, { shape, probability: 0.5, streams: 6, causal: true });
  });

  test("queries without keys, empty extents", async () => {
    const shape = [2, 2, 6, 9, 8] as const;
    await check(form, { shape, keep: "nothing" });
    await check(form, { shape: [2, 2, 60, 9, 8], causal: true });
    await check(form, { shape: [1, 2, 3, 0, 8] });
    await check(form, { shape: [1, 2, 0, 5, 8] });
    await check(form, { shape: [0, 2, 4, 5, 8] });
    await check(form, { shape: [2, 2, 4, 5, 0], scale: 1 });
  });

  test("scores of ±10⁴ are exact and don't overflow", async () => {
    const shape = [1, 2, 9, 11, 8] as const;
    for (const causal of [false, true]) {
      await check(form, { shape, scale: 1250, exact: true, causal });
    }
  });

  test("biases of −∞ mask, and NaN is not lost", async () => {
    const shape = [2, 2, 6, 9, 8] as const;
    await check(form, { shape, bias: "infinite" });
    await check(form, { shape, bias: "infinite", causal: true });
    await check(form, { shape, spoilt: true });
  });

  test("numbers in 16 bits", async () => {
    for (const heads of layouts) {
      const shape = [2, 2, 13, 17, 12] as const;
      await check(form, { shape, heads, halves: true, bias: "columns" });
    }
  }, halvesMissing);

  test("parts of the batch that can be bound", async () => {
    const problem: Problem = {
      shape: [5, 2, 20, 20, 8],
      heads: "packed",
      keep: "strided",
      causal: true,
      probability: 0.3,
      streams: 5,
    };
    const split = await run({ ...form, bindingLimit: 16384 }, problem);
    assertEquals(split, await run(form, problem));
    assertResults(split, problem);
  });

  test("more rows than the adapter's loops can turn are refused", async () => {
    const { mostTurns } = (await webgpuBackend(form)).gpu;
    for (
      const [queries, keys, depth] of [
        [2, 70_001, 4],
        [70_001, 2, 4],
        [2, 1000, 1100],
      ]
    ) {
      const problem: Problem = { shape: [1, 1, queries, keys, depth] };
      if (mostTurns === Infinity) await check(form, problem);
      else {
        const error = await assertRejects(
          () => run(form, problem),
          DeviceError,
        );
        assertEquals(error.kind, "limit");
      }
    }
  });

  test("many queries, with dropout", async () => {
    await check(form, { shape: [1, 1, 7_000, 5, 4], probability: 0.3 });
  });

  test("results are the same in every run", async () => {
    const problem: Problem = {
      ...{ shape: [2, 3, 70, 70, 24], causal: true, probability: 0.1 },
    };
    assertEquals(await run(form, problem), await run(form, problem));
  });
}
