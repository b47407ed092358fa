import { assert } from "@std/assert";
import type { View } from "../../tensor/backend.ts";
import { createAttentionKernels } from "../../tensor/wasm/attention.ts";
import type { OwnedRuntime } from "../../tensor/wasm/runtime.ts";
import {
  assertResults,
  type Place,
  type Problem,
  type Results,
  resultsOf,
  runProblem,
  shapes,
} from "./attention_problems.ts";
import { threadsAndModes, variants, withRuntime } from "./kernel_subjects.ts";

function wasmPlace(runtime: OwnedRuntime): Place {
  return {
    real: "f32",
    kernels: createAttentionKernels(runtime),
    view(dtype, layout, values) {
      const bytes = values.length * (dtype === "bool" ? 1 : 4);
      const view = { buffer: runtime.allocate(bytes), dtype, ...layout };
      memoryOf(runtime, view).set(values);
      return view;
    },
  };
}

function memoryOf(
  { memory }: OwnedRuntime,
  { buffer, dtype }: View,
): Float32Array | Uint8Array {
  const { address } = buffer as unknown as { address: number };
  return dtype === "bool"
    ? new Uint8Array(memory.buffer, address, buffer.bytes)
    : new Float32Array(memory.buffer, address, buffer.bytes / 4);
}

function run(runtime: OwnedRuntime, problem: Problem): Results {
  const views = runProblem(wasmPlace(runtime), problem);
  return resultsOf(views, (view) => memoryOf(runtime, view));
}

function check(runtime: OwnedRuntime, problem: Problem): void {
  assertResults(run(runtime, problem), problem);
}

for (const [name, options] of Object.entries(variants)) {
  Deno.test(`wasm attention (${name}): full and causal, heads apart, interleaved and packed`, () => {
    withRuntime(options, (runtime) => {
      for (const shape of shapes) {
        for (const causal of [false, true]) {
          for (const heads of [undefined, "interleaved", "packed"] as const) {
            check(runtime, { shape, causal, heads });
          }
        }
      }
    });
  });

  Deno.test(`wasm attention (${name}): masks, biases and dropout`, () => {
    withRuntime(options, (runtime) => {
      for (const shape of shapes) {
        for (const keep of [undefined, "padding", "strided"] as const) {
          for (const bias of [undefined, "columns", "strided"] as const) {
            const probability = keep === undefined ? 0.3 : undefined;
            const causal = bias === undefined;
            check(runtime, { shape, keep, bias, probability, causal });
          }
        }
      }
    });
  });

  Deno.test(`wasm attention (${name}): queries without keys, empty extents`, () => {
    withRuntime(options, (runtime) => {
      check(runtime, { shape: [2, 2, 6, 9, 8], keep: "nothing" });
      check(runtime, { shape: [2, 2, 60, 9, 8], causal: true });
      check(runtime, { shape: [1, 2, 3, 0, 8] });
      check(runtime, { shape: [1, 2, 0, 5, 8] });
      check(runtime, { shape: [0, 2, 4, 5, 8] });
    });
  });
}

Deno.test("wasm attention: each stream of dropout serves a slice of the batch", () => {
  withRuntime({}, (runtime) => {
    const problem: Problem = {
      shape: [6, 2, 5, 7, 4],
      probability: 0.5,
      streams: 3,
    };
    check(runtime, problem);
  });
});

Deno.test("wasm attention: scores of ±10⁴ are exact and don't overflow", () => {
  withRuntime({}, (runtime) => {
    for (const causal of [false, true]) {
      check(runtime, {
        ...{ shape: [1, 2, 9, 11, 4], scale: 2500, exact: true, causal },
      });
    }
  });
});

Deno.test("wasm attention: threads and modes don't change a bit", () => {
  const problem: Problem = {
    shape: [2, 3, 130, 130, 24],
    causal: true,
    probability: 0.1,
    heads: "interleaved",
  };
  const results = threadsAndModes.map((options) => {
    let result: Results = {};
    withRuntime(options, (runtime) => {
      result = run(runtime, problem);
    });
    return result;
  });
  for (const result of results) {
    for (const [name, values] of Object.entries(result)) {
      assert(values.every((x, i) => x === results[0][name][i]), name);
    }
  }
});

Deno.test("wasm attention: keys that don't stay packed", () => {
  withRuntime({ mode: "turbo" }, (runtime) => {
    check(runtime, { shape: [1, 1, 50, 700, 300], causal: true });
    check(runtime, { shape: [1, 1, 3, 30, 2500] });
  });
});
