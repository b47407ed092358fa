import { assert, assertEquals } from "@std/assert";
import type { MatmulArguments, View } from "../../tensor/backend.ts";
import { autotuneMatmul } from "../../tensor/webgpu/matmul_autotune.ts";
import { operandsOf, problemOf } from "../../tensor/webgpu/matmul_problem.ts";
import {
  keyOf,
  parameterValues,
  textOf,
} from "../../tensor/webgpu/matmul_shader.ts";
import { subgroupShader } from "../../tensor/webgpu/matmul_subgroup.ts";
import { contiguous, transposed } from "./layouts.ts";
import { check, forms, operand } from "./webgpu_matmul_subject.ts";
import {
  gpuMissing,
  gpuTensor,
  gpuValues,
  halvesMissing,
  webgpuBackend,
} from "./webgpu_subject.ts";

/** Small integers, whose products are exact even when stored in 16 bits. */
const small = (i: number, period: number): number => i % period - 2;

for (const name of forms) {
  for (const dtype of ["f32", "f16"] as const) {
    Deno.test({
      name: `webgpu matmul (${name}): tiles of every size, ${dtype}`,
      ignore: gpuMissing || dtype === "f16" && halvesMissing,
      fn: async () => {
        const backend = await webgpuBackend({ matmul: name });
        // More and more results: enough workgroups for larger tiles.
        for (const [m, n] of [[31, 33], [520, 740], [1540, 1030]]) {
          const k = 12;
          const factor = (shape: number[], period: number): View =>
            gpuTensor(
              backend,
              dtype,
              shape,
              Float32Array.from({ length: shape[0] * shape[1] }, (_, i) =>
                small(i, period)),
            );
          const out = gpuTensor(backend, dtype, [m, n]);
          const [a, b] = [factor([m, k], 7), factor([k, n], 5)];
          backend.matmul({ a, b, out, alpha: 1 });
          const found = await gpuValues(backend, out);
          const wrong = found.findIndex((value, i) => {
            const [row, column] = [Math.floor(i / n), i % n];
            let sum = 0;
            for (let j = 0; j < k; j++) {
              sum += small(row * k + j, 7) * small(j * n + column, 5);
            }
            return value !== sum;
          });
          assertEquals(wrong, -1, `${m} × ${n}`);
        }
      },
    });
  }
}

// Adapters with subgroups of 8 and more lanes are rare where tests run: here
// workgroup memory plays the part of the registers of other lanes.
Deno.test({
  name: "webgpu matmul (subgroup): subgroups of 8 and of 32 lanes, simulated",
  ignore: gpuMissing,
  fn: async () => {
    const backend = await webgpuBackend();
    const { gpu } = backend;
    for (const lanes of [8, 32]) {
      const tile = { rows: 8, groups: 2, across: 8, down: lanes / 8 };
      const multiply = (args: MatmulArguments): void => {
        const problem = problemOf(args);
        const text = textOf(problem);
        const shader = gpu.shader(`test: ${lanes} ${keyOf(text)}`, () => {
          const { code, ...rest } = subgroupShader(text, tile);
          return {
            ...rest,
            subgroups: false,
            code: `var<workgroup> handed: array<f32, ${lanes}>;
fn shuffle(lane: u32, value: f32, source: u32) -> f32 {
  workgroupBarrier();
  handed[lane] = value;
  workgroupBarrier();
  return handed[source];
}
` + code.replace("subgroup_invocation_id", "local_invocation_index")
              .replaceAll("subgroupShuffle(", "shuffle(lane, "),
          };
        });
        const [rows, columns] = problem.extents.slice(-3);
        const operands = operandsOf(problem);
        gpu.launch(
          shader,
          operands,
          parameterValues(problem.extents, problem.alpha, operands),
          [Math.ceil(columns / 64), Math.ceil(rows / lanes), 1],
        );
      };
      const [m, n, k] = [44, 72, 24];
      for (const left of [contiguous([m, k]), transposed([m, k])]) {
        for (const right of [contiguous([k, n]), transposed([k, n])]) {
          await check(backend, {
            a: operand(backend, left),
            b: operand(backend, right),
            out: operand(backend, { shape: [m, n] }),
            alpha: 1,
          }, multiply);
        }
      }
    }
  },
});

Deno.test({
  name: "webgpu matmul: the fastest form that works is found by trying, once",
  ignore: gpuMissing,
  fn: async () => {
    const { gpu } = await webgpuBackend();
    const forms = ["subgroup", "tiled"] as const;
    const best = await autotuneMatmul(gpu, forms);
    if (!gpu.subgroups) assertEquals(best, "tiled");
    const start = performance.now();
    assertEquals(await autotuneMatmul(gpu, forms), best);
    assert(performance.now() - start < 5, "found again, not tried again");
    gpu.check();
  },
});
