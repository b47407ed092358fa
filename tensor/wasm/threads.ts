/**
 * A pool of worker threads that share one WebAssembly memory.
 *
 * A job is written into a control block at the start of the memory; threads
 * claim chunks of it with an atomic counter. The calling thread takes chunks
 * like the others, so a worker that sleeps, starts or was descheduled costs
 * time but never stops a job: nobody waits for it unless it holds a chunk.
 * Waiting is a short spin, then sleep with a time-out.
 *
 * Workers that had nothing to do for a while end themselves, since a waiting
 * worker would keep the process alive; the next job starts them again, and goes
 * on without them in the meantime. Modules lie in the memory as a linked list
 * which each worker reads as far as it needs.
 *
 * @module
 */

import type { Kernel } from "./runtime.ts";

/** An exported kernel; see `Runtime.load` for its parameters. */
export type KernelFunction = (...args: number[]) => number | undefined;

/** Bytes at the start of the memory that belong to this module. */
export const controlBytes = 65536;

/**
 * Address of the table that describes a launch's loops, in the control block:
 * one launch runs at a time.
 */
export const tableAddress = 16384;

/** Size of that table, in 32-bit words. */
export const tableWords = 12288;

/** Positions in the control block, in 32-bit words. */
export const controlWords = {
  /** Number of the current job; workers sleep on it. */
  job: 0,
  /** 1 while chunks of the job may be claimed. */
  open: 16,
  /** The next unclaimed chunk. */
  next: 32,
  /** Workers that are inside the job; the caller sleeps on it. */
  active: 48,
  /** The smallest non-zero result of a chunk, or 0. */
  result: 64,
  /** Length of the message when a kernel threw on a worker, or 0. */
  failed: 65,
  /** 1 when workers shall end. */
  closing: 66,
  /** Description of the job. */
  kernel: 80,
  count: 81,
  grain: 82,
  argumentCount: 83,
  /** One word for each worker: 1 while it runs. */
  alive: 128,
} as const;

/** Positions in the control block, in 64-bit words. */
export const controlDoubles = {
  /** Address of the first module, or 0. */
  modules: 48,
  /** Arguments of the job. */
  arguments: 512,
} as const;

/** Where a worker leaves the message of an error, and its longest size. */
const messageAddress = 8192;
const messageBytes = 4096;

/** Workers that a pool may have; so many words follow `alive`. */
const maxWorkers = 256;

/** How long a thread spins before it sleeps, in milliseconds. */
const spinTime = 0.03;

/** How long a job may make no progress before it counts as dead. */
const deadline = 60_000;

/** What a new worker is told. */
export interface WorkerStart {
  /** The memory with the control block. */
  readonly memory: WebAssembly.Memory;
  /** Its number: 0 is the first worker, not the calling thread. */
  readonly worker: number;
  /** Address of its scratch memory. */
  readonly scratch: number;
}

/** Calls a kernel without building an array of arguments. */
export function callKernel(
  run: KernelFunction,
  a: readonly number[],
  begin: number,
  end: number,
  scratch: number,
): number | undefined {
  switch (a.length) {
    case 0:
      return run(begin, end, scratch);
    case 1:
      return run(a[0], begin, end, scratch);
    case 2:
      return run(a[0], a[1], begin, end, scratch);
    case 3:
      return run(a[0], a[1], a[2], begin, end, scratch);
    case 4:
      return run(a[0], a[1], a[2], a[3], begin, end, scratch);
    case 5:
      return run(a[0], a[1], a[2], a[3], a[4], begin, end, scratch);
    case 6:
      return run(a[0], a[1], a[2], a[3], a[4], a[5], begin, end, scratch);
    default:
      return run(...a, begin, end, scratch);
  }
}

/** Atomics.pause where it exists; it lets a sibling hyperthread work. */
export const pause: () => void =
  (Atomics as { pause?: () => void }).pause?.bind(Atomics) ?? (() => {});

/** Whether this thread may sleep; browsers forbid it on the main thread. */
function canSleep(words: Int32Array): boolean {
  try {
    Atomics.wait(words, controlWords.closing, -1, 0);
    return true;
  } catch {
    return false;
  }
}

/** Spins, then sleeps, while a word has a value; false after `limit` ms. */
export function awaitChange(
  words: Int32Array,
  word: number,
  value: number,
  limit: number,
  sleep: boolean,
): boolean {
  for (let round = 0; round < 20; round++) {
    if (Atomics.load(words, word) !== value) return true;
    pause();
  }
  const start = performance.now();
  for (;;) {
    for (let round = 0; round < 20; round++) {
      if (Atomics.load(words, word) !== value) return true;
      pause();
    }
    const elapsed = performance.now() - start;
    if (elapsed > limit) return false;
    if (sleep && elapsed > spinTime) {
      Atomics.wait(words, word, value, Math.max(1, limit - elapsed));
    }
  }
}

/** Claims chunks of the open job and runs them, until none is left. */
export function runChunks(
  words: Int32Array,
  run: KernelFunction,
  args: readonly number[],
  count: number,
  grain: number,
  scratch: number,
): void {
  for (;;) {
    const begin = Atomics.add(words, controlWords.next, 1) * grain;
    if (begin >= count) return;
    const end = Math.min(begin + grain, count);
    const result = callKernel(run, args, begin, end, scratch) ?? 0;
    if (result !== 0) recordResult(words, result);
  }
}

/** Keeps the smallest non-zero result. */
function recordResult(words: Int32Array, result: number): void {
  for (;;) {
    const old = Atomics.load(words, controlWords.result);
    if (old !== 0 && old <= result) return;
    const seen = Atomics.compareExchange(
      words,
      controlWords.result,
      old,
      result,
    );
    if (seen === old) return;
  }
}

/** Tells the caller that a kernel threw here. */
export function recordFailure(words: Int32Array, error: unknown): void {
  const text = new TextEncoder().encode(`${error}`).subarray(0, messageBytes);
  new Uint8Array(words.buffer, messageAddress, text.length).set(text);
  Atomics.store(words, controlWords.failed, text.length);
}

function failureOf(words: Int32Array): string {
  const length = words[controlWords.failed];
  const text = new Uint8Array(words.buffer, messageAddress, length).slice();
  return new TextDecoder().decode(text);
}

/** The worker threads of a device. */
export class ThreadPool {
  #memory: WebAssembly.Memory;
  #words: Int32Array;
  #doubles: Float64Array;
  #workers: (Worker | undefined)[];
  #scratchBytes: number;
  #lastModule = 0;
  #sleep: boolean;

  /** A pool of `threads` − 1 workers, started when there is work. */
  constructor(
    memory: WebAssembly.Memory,
    threads: number,
    scratchBytes: number,
  ) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer, 0, controlBytes / 4);
    this.#doubles = new Float64Array(memory.buffer, 0, controlBytes / 8);
    this.#workers = new Array(Math.min(threads - 1, maxWorkers));
    this.#scratchBytes = scratchBytes;
    this.#sleep = canSleep(this.#words);
  }

  /** Threads that share the work: fewer than asked where workers can't start. */
  get threads(): number {
    return this.#workers.length + 1;
  }

  /** Appends a module, stored at `address`, to the list that workers read. */
  publish(module: Uint8Array, address: number): void {
    const { buffer } = this.#memory;
    new Uint8Array(buffer, address + 16, module.length).set(module);
    const header = new Float64Array(buffer, address, 2);
    header[0] = 0;
    header[1] = module.length;
    if (this.#lastModule === 0) {
      this.#doubles[controlDoubles.modules] = address;
    } else new Float64Array(buffer, this.#lastModule, 1)[0] = address;
    this.#lastModule = address;
  }

  /** Runs a kernel; see `Runtime.launch`. */
  run(
    run: KernelFunction,
    kernel: Kernel,
    args: readonly number[],
    count: number,
    grain: number,
  ): number {
    const words = this.#words;
    const chunks = Math.ceil(count / grain);
    const helpers = Math.min(this.#workers.length, chunks - 1);
    for (let worker = 0; worker < helpers; worker++) this.#ensure(worker);
    words[controlWords.kernel] = kernel.index;
    words[controlWords.count] = count;
    words[controlWords.grain] = grain;
    words[controlWords.argumentCount] = args.length;
    words[controlWords.result] = 0;
    words[controlWords.failed] = 0;
    for (let position = 0; position < args.length; position++) {
      this.#doubles[controlDoubles.arguments + position] = args[position];
    }
    Atomics.store(words, controlWords.next, 0);
    Atomics.store(words, controlWords.open, 1);
    Atomics.add(words, controlWords.job, 1);
    Atomics.notify(words, controlWords.job, helpers);
    try {
      runChunks(words, run, args, count, grain, controlBytes);
    } finally {
      this.#finish(kernel);
    }
    return words[controlWords.result];
  }

  /** Closes the job and waits for the workers that are inside it. */
  #finish(kernel: Kernel): void {
    const words = this.#words;
    Atomics.store(words, controlWords.open, 0);
    for (;;) {
      const active = Atomics.load(words, controlWords.active);
      if (active === 0) break;
      if (
        !awaitChange(words, controlWords.active, active, deadline, this.#sleep)
      ) {
        throw new Error(
          `${kernel.name}: a worker thread made no progress for ` +
            `${deadline / 1000} s; close the device and make a new one`,
        );
      }
    }
    if (words[controlWords.failed] !== 0) {
      throw new Error(
        `${kernel.name}: a worker thread failed: ${failureOf(words)}`,
      );
    }
  }

  /** Starts a worker if it doesn't run. */
  #ensure(worker: number): void {
    const word = controlWords.alive + worker;
    if (Atomics.load(this.#words, word) === 1) return;
    Atomics.store(this.#words, word, 1);
    this.#workers[worker]?.terminate();
    const started = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
    });
    const start: WorkerStart = {
      memory: this.#memory,
      worker,
      scratch: controlBytes + (worker + 1) * this.#scratchBytes,
    };
    // Where workers may not start (Deno without --allow-read), the calling
    // thread does all the work.
    started.onerror = (event) => {
      event.preventDefault();
      this.#workers = [];
    };
    started.postMessage(start);
    this.#workers[worker] = started;
  }

  /** Ends the workers. */
  close(): void {
    Atomics.store(this.#words, controlWords.closing, 1);
    Atomics.add(this.#words, controlWords.job, 1);
    Atomics.notify(this.#words, controlWords.job);
    for (const worker of this.#workers) worker?.terminate();
    this.#workers = [];
  }
}
