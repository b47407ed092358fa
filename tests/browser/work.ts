/**
 * What the test page asks of its workers.
 *
 * @module
 */

import type { DeviceName } from "../../tensor/mod.ts";
import type { GpuOptions } from "../../tensor/webgpu/gpu_options.ts";

/** A piece of work. */
export interface WorkRequest {
  /** The device to compute on. */
  readonly device: DeviceName;
  /** What is forced on webgpu. */
  readonly gpu?: GpuOptions;
  /** The name of a golden set, or `training`, or `threads`. */
  readonly work: string;
}

/** What it gave, or the error that ended it. */
export type WorkAnswer =
  | { readonly result: unknown }
  | { readonly error: string };

/** Does work in a worker of its own. */
export async function runInWorker(request: WorkRequest): Promise<unknown> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
  });
  try {
    const answer = await new Promise<WorkAnswer>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message, filename, lineno }) => {
        const what = message ?? "a module of it can't be loaded";
        reject(new Error(`worker: ${what} (${filename}:${lineno})`));
      };
      worker.postMessage(request);
    });
    if ("error" in answer) throw new Error(answer.error);
    return answer.result;
  } finally {
    worker.terminate();
  }
}
