/**
 * Whether worker threads of the wasm device run in this environment.
 *
 * @module
 */

import { ModuleBuilder } from "../../tensor/wasm/assembler.ts";
import { createRuntime } from "../../tensor/wasm/runtime.ts";
import { controlWords } from "../../tensor/wasm/threads.ts";

/** Threads that ran and, having nothing to do, ended themselves in 10 s. */
export async function countThreads(threads: number): Promise<number> {
  const runtime = createRuntime({ threads, memory: 2 ** 25, relaxed: true });
  try {
    const module = new ModuleBuilder(runtime.target);
    module.export("nothing", ["i32", "i32", "ptr"], undefined, () => {});
    const { nothing } = runtime.load(module.build());
    const words = new Int32Array(runtime.memory.buffer);
    const { alive } = controlWords;
    const workers = words.subarray(alive, alive + threads - 1);
    runtime.launch(nothing, [], threads, 1);
    if (workers.includes(0)) return 1;
    const deadline = performance.now() + 10_000;
    while (workers.includes(1) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return threads - workers.filter((word) => word === 1).length;
  } finally {
    runtime.close();
  }
}
