/**
 * A thread of the wasm device: runs the jobs that `threads.ts` describes.
 *
 * @module
 */

import {
  awaitChange,
  controlBytes,
  controlDoubles,
  controlWords,
  type KernelFunction,
  recordFailure,
  runChunks,
  type WorkerStart,
} from "./threads.ts";

/** A worker without work for so many milliseconds ends. */
const idleTime = 250;

/** Compiles the modules that are new in the list; returns its last entry. */
function readModules(
  memory: WebAssembly.Memory,
  first: number,
  last: number,
  functions: KernelFunction[],
): number {
  const { buffer } = memory;
  const following = (entry: number): number =>
    entry === 0 ? first : new Float64Array(buffer, entry, 1)[0];
  for (let entry = following(last); entry !== 0; entry = following(entry)) {
    const length = new Float64Array(buffer, entry + 8, 1)[0];
    const bytes = new Uint8Array(buffer, entry + 16, length).slice();
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, {
      layerbraid: { memory },
    });
    for (const { name } of WebAssembly.Module.exports(module)) {
      functions.push(exports[name] as KernelFunction);
    }
    last = entry;
  }
  return last;
}

/** Takes part in jobs until there are none for a while. */
function work({ memory, worker, scratch }: WorkerStart): void {
  const words = new Int32Array(memory.buffer, 0, controlBytes / 4);
  const doubles = new Float64Array(memory.buffer, 0, controlBytes / 8);
  const functions: KernelFunction[] = [];
  let lastModule = 0;
  let job = 0;
  for (;;) {
    if (Atomics.load(words, controlWords.closing) === 1) return;
    job = Atomics.load(words, controlWords.job);
    // Who is counted as active and then sees the job open may read it: the
    // caller changes it only while nobody is active.
    Atomics.add(words, controlWords.active, 1);
    try {
      if (Atomics.load(words, controlWords.open) === 1) {
        const kernel = words[controlWords.kernel];
        if (kernel >= functions.length) {
          const first = doubles[controlDoubles.modules];
          lastModule = readModules(memory, first, lastModule, functions);
        }
        const start = controlDoubles.arguments;
        const end = start + words[controlWords.argumentCount];
        runChunks(
          words,
          functions[kernel],
          Array.from(doubles.subarray(start, end)),
          words[controlWords.count],
          words[controlWords.grain],
          scratch,
        );
      }
    } catch (error) {
      recordFailure(words, error);
    }
    Atomics.sub(words, controlWords.active, 1);
    Atomics.notify(words, controlWords.active);
    if (!awaitChange(words, controlWords.job, job, idleTime, true)) {
      Atomics.store(words, controlWords.alive + worker, 0);
      return;
    }
  }
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<WorkerStart>) => void;
  close(): void;
};
scope.onmessage = ({ data }) => {
  work(data);
  scope.close();
};
