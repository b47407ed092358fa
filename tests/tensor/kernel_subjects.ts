/**
 * What kernel tests run on: the reference, and the wasm kernels built for every
 * kind of target, behind one small interface.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { DeviceBuffer, Kernels, View } from "../../tensor/backend.ts";
import {
  bytesPerElement,
  type Dtype,
  type TypedArray,
  typedArray,
} from "../../tensor/dtype.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import { contiguousStrides, sizeOf } from "../../tensor/shape.ts";
import {
  createRuntime,
  type Mode,
  type OwnedRuntime,
  type Runtime,
  type RuntimeOptions,
} from "../../tensor/wasm/runtime.ts";

/** Kernels with memory that tests fill and read. */
export interface Subject<Names extends keyof Kernels> {
  /** The kernels under test. */
  readonly kernels: Pick<Kernels, Names>;
  /** A contiguous view of fresh memory, with values if given. */
  tensor(dtype: Dtype, shape: number[], values?: ArrayLike<number>): View;
  /** The elements of the buffer of a view, from the view's first element on. */
  values(view: View): TypedArray;
}

function contiguousView(
  buffer: DeviceBuffer,
  dtype: Dtype,
  shape: number[],
): View {
  return { buffer, dtype, shape, strides: contiguousStrides(shape), offset: 0 };
}

/** The reference with f32 memory. */
export function referenceSubject<Names extends keyof Kernels>(): Subject<
  Names
> {
  const device = createReferenceBackend({ dtype: "f32" });
  return {
    kernels: device,
    tensor(dtype, shape, values) {
      const array = typedArray(dtype, sizeOf(shape));
      if (values) array.set(values);
      const buffer = device.allocate(array.byteLength);
      device.write(buffer, array, 0);
      return contiguousView(buffer, dtype, shape);
    },
    values: ({ buffer, dtype, offset }) =>
      device.read(
        buffer,
        dtype,
        offset,
        buffer.bytes / bytesPerElement[dtype] - offset,
      ) as TypedArray,
  };
}

function wasmSubject<Names extends keyof Kernels>(
  runtime: OwnedRuntime,
  create: (runtime: Runtime) => Pick<Kernels, Names>,
): Subject<Names> {
  const elements = ({ buffer, dtype, offset }: View): TypedArray => {
    const bytes = bytesPerElement[dtype];
    const address = runtime.address(contiguousView(buffer, dtype, [1]));
    const place = [
      runtime.memory.buffer as ArrayBuffer,
      address + offset * bytes,
      buffer.bytes / bytes - offset,
    ] as const;
    if (dtype === "f32") return new Float32Array(...place);
    if (dtype === "i32") return new Int32Array(...place);
    return new Uint8Array(...place);
  };
  return {
    kernels: create(runtime),
    tensor(dtype, shape, values) {
      const bytes = bytesPerElement[dtype] * sizeOf(shape);
      const view = contiguousView(runtime.allocate(bytes), dtype, shape);
      if (values) elements(view).set(values);
      return view;
    },
    values: elements,
  };
}

/** The targets that kernels are built for. */
const targets: Record<string, RuntimeOptions> = {
  "relaxed SIMD": { threads: 1, memory: 1 << 26, relaxed: true },
  "plain SIMD": { threads: 1, memory: 1 << 26, relaxed: false },
  "turbo": { threads: 1, memory: 1 << 26, relaxed: true, mode: "turbo" },
  "64-bit memory": { threads: 1, memory: 2 ** 32 + 65536, relaxed: true },
  "two threads": { threads: 2, memory: 1 << 26, relaxed: true },
};

/** Numbers that look random, the same for the same seed: about normal. */
export function numbers(length: number, seed = 1, scale = 1): Float32Array {
  let state = seed * 2654435761 >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
  return Float32Array.from(
    { length },
    () => scale * 2 * (uniform() + uniform() + uniform() - 1.5),
  );
}

/** Integers in 0 … below − 1 that look random. */
export function integers(
  length: number,
  below: number,
  seed = 1,
): Int32Array {
  return Int32Array.from(
    numbers(length, seed),
    (x) => Math.floor((x + 3) / 6.001 * below * 7919) % below,
  );
}

/** |actual − expected| ≤ absolute + relative · |expected|; NaN equals NaN. */
export function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { absolute, relative }: { absolute: number; relative: number },
  what: string,
): void {
  assertEquals(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i], expected[i]];
    const near = Object.is(a, e) || a === e ||
      Math.abs(a - e) <= absolute + relative * Math.abs(e);
    assert(near, `${what}: element ${i} is ${a}, expected ${e}`);
  }
}

/** Runs `check` on the reference and on the kernels for every target. */
export function onEveryTarget<Names extends keyof Kernels>(
  create: (runtime: Runtime) => Pick<Kernels, Names>,
  check: (
    subject: Subject<Names>,
    reference: Subject<Names>,
    target: string,
  ) => void,
): void {
  for (const [name, options] of Object.entries(targets)) {
    const runtime = createRuntime({ mode: "portable", ...options });
    try {
      check(wasmSubject(runtime, create), referenceSubject(), name);
    } finally {
      runtime.close();
    }
  }
}

/** How {@linkcode withRuntime} makes a runtime. */
export interface RuntimeVariant {
  readonly mode?: Mode;
  readonly threads?: number;
  readonly relaxed?: boolean;
  /** Whether addresses have 64 bits. */
  readonly wide?: boolean;
}

/** The runtimes that kernels with tiles are tested on. */
export const variants: Readonly<Record<string, RuntimeVariant>> = {
  portable: { mode: "portable" },
  turbo: { mode: "turbo" },
  "two threads": { mode: "turbo", threads: 2 },
  "no fused multiply-add": { mode: "portable", relaxed: false },
  "64-bit memory": { mode: "turbo", wide: true },
};

/** The runtimes whose results must be the same to the last bit. */
export const threadsAndModes: readonly RuntimeVariant[] = [
  { mode: "portable", threads: 1 },
  { mode: "portable", threads: 2 },
  { mode: "turbo", threads: 1 },
  { mode: "turbo", threads: 2 },
];

/** Runs `body` on a runtime, and closes it. */
export function withRuntime(
  options: RuntimeVariant,
  body: (runtime: OwnedRuntime) => void,
): void {
  const { mode = "portable", threads = 1, relaxed = true } = options;
  const memory = options.wide ? 2 ** 32 + 2 ** 20 : 2 ** 28;
  const runtime = createRuntime({ threads, memory, relaxed, mode });
  try {
    body(runtime);
  } finally {
    runtime.close();
  }
}
