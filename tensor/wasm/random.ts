/**
 * Random numbers and dropout, by Philox 4x32-10 (see `RandomKey`).
 *
 * An item is a piece of 256 elements of a stream, or what is left of it.
 *
 * @module
 */

import type { Dropout, Kernels, RandomKey, View } from "../backend.ts";
import { dropoutThreshold } from "../philox.ts";
import { sizeOf } from "../shape.ts";
import {
  type FunctionBuilder,
  i32,
  ModuleBuilder,
  scalar,
  simd,
  simdShift,
  splat,
  type Target,
  type Value,
  type WasmType,
} from "./assembler.ts";
import { grainOf } from "./grain.ts";
import { philoxBlocks, philoxElements } from "./philox_kernel.ts";
import type { Kernel, Runtime } from "./runtime.ts";

const chunkElements = 1 << 15;
const pieceElements = 256;

/** Groups of counters that are computed together, and their elements. */
const groups = 4;
const stepElements = groups * philoxElements;

/** Bytes of a stream's three words in the table. */
const streamBytes = 12;

/** Upper 24 bits of random words, as integers. */
function upperBits(words: Value): Value {
  return simdShift("i32x4.shr_u", words, i32(8));
}

/** `value` where the numbers of random words are ≥ p, otherwise 0. */
function keptOnly(words: Value, threshold: Value, value: Value): Value {
  const kept = simd("i32x4.ge_s", upperBits(words), threshold);
  return simd("v128.and", kept, value);
}

/**
 * Adds a function `(out: ptr, block, count, key0, key1, stream0, stream1,
 * stream2, threshold: i32, scale: f32)` to a module: it writes the factors of
 * dropout, `scale` or 0, of elements 4 · block … 4 · block + count − 1 to
 * `out`, and up to 15 more to complete a group of 16.
 */
export function addDropoutFactors(module: ModuleBuilder): FunctionBuilder {
  const words = new Array<WasmType>(8).fill("i32");
  return module.internal(
    ["ptr", ...words, "f32"],
    undefined,
    (f, out, block, count, key0, key1, s0, s1, s2, threshold, scale) => {
      const least = f.let(splat(threshold));
      const factor = f.let(splat(scale));
      const result = f.let(out);
      const left = f.let(count);
      const next = f.let(block);
      const step = (fewest: number, together: number): void => {
        const elements = together * philoxElements;
        f.while(scalar("i32.ge_s", left, i32(fewest)), () => {
          const words = [[key0, key1], [s0, s1, s2]] as const;
          const blocks = philoxBlocks(f, next, ...words, together);
          blocks.forEach((random, at) =>
            f.storeVector(result, keptOnly(random, least, factor), 16 * at)
          );
          f.add(result, 4 * elements);
          f.add(next, elements / 4);
          f.add(left, -elements);
        });
      };
      step(stepElements, groups);
      step(1, 1);
    },
  );
}

/** What becomes of an element, or of four: from words and x to the output. */
type Transform = (
  f: FunctionBuilder,
  words: Value,
  x: Value,
  threshold: Value,
  scale: Value,
) => Value;

function exportPieces(
  module: ModuleBuilder,
  name: string,
  transform: Transform,
): void {
  module.export(
    name,
    [
      ...["ptr", "ptr", "ptr", "i32", "i32"] as const,
      ...["i32", "i32", "f32", "i32"] as const,
      ...["i32", "i32", "ptr"] as const,
    ],
    undefined,
    (f, x, out, streams, size, pieces, key0, key1, scaleOf, ...rest) => {
      const [thresholdOf, begin, end, scratch] = rest;
      const threshold = f.let(splat(thresholdOf));
      const scale = f.let(splat(scaleOf));
      const [item, left, block] = [
        f.local("i32"),
        f.local("i32"),
        f.local("i32"),
      ];
      const [source, result] = [f.local("ptr"), f.local("ptr")];
      const random = f.local("ptr");
      f.for(item, begin, end, 1, () => {
        const group = f.let(scalar("i32.div_u", item, pieces));
        const piece = scalar("i32.rem_u", item, pieces);
        const first = f.let(scalar("i32.mul", piece, i32(pieceElements)));
        const words = f.let(f.offset(streams, f.times(group, streamBytes)));
        const stream = [0, 4, 8].map((at) => f.let(f.load("i32", words, at)));
        const place = f.let(f.offset(
          f.times(f.times(group, size), 4),
          f.times(first, 4),
        ));
        f.set(source, f.offset(x, place));
        f.set(result, f.offset(out, place));
        f.set(block, scalar("i32.shr_u", first, i32(2)));
        f.set(left, scalar("i32.sub", size, first));
        f.if(
          scalar("i32.gt_s", left, i32(pieceElements)),
          () => f.set(left, i32(pieceElements)),
        );
        f.while(scalar("i32.gt_s", left, i32(0)), () => {
          const blocks = philoxBlocks(f, block, [key0, key1], stream, groups);
          f.if(scalar("i32.ge_s", left, i32(stepElements)), () => {
            const values = blocks.map((random, at) => {
              const given = f.loadVector(source, 16 * at);
              return f.let(transform(f, random, given, threshold, scale));
            });
            values.forEach((value, at) =>
              f.storeVector(result, value, 16 * at)
            );
            f.add(source, 4 * stepElements);
            f.add(result, 4 * stepElements);
          }, () => {
            blocks.forEach((random, at) =>
              f.storeVector(scratch, random, 16 * at)
            );
            f.set(random, scratch);
            f.while(scalar("i32.gt_s", left, i32(0)), () => {
              const value = transform(
                f,
                f.loadSplat(random),
                f.loadSplat(source),
                threshold,
                scale,
              );
              f.storeLane(result, value, 0);
              for (const pointer of [random, source, result]) f.add(pointer, 4);
              f.add(left, -1);
            });
          });
          f.add(left, -stepElements);
          f.add(block, stepElements / 4);
        });
      });
    },
  );
}

function randomModule(target: Target): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(target);
  exportPieces(module, "random", (f, words) => {
    const integers = simd("f32x4.convert_i32x4_s", upperBits(words));
    return simd("f32x4.mul", integers, f.constant(2 ** -24));
  });
  exportPieces(
    module,
    "dropout",
    (_, words, x, threshold, scale) =>
      keptOnly(words, threshold, simd("f32x4.mul", x, scale)),
  );
  return module.build();
}

/** The random kernels of a device; compiled when first used. */
export function createRandomKernels(
  runtime: Runtime,
): Pick<Kernels, "random" | "dropout"> {
  let loaded: Record<string, Kernel> | undefined;
  const kernels = (): Record<string, Kernel> =>
    loaded ??= runtime.load(randomModule(runtime.target));

  const launch = (
    kernel: Kernel,
    { seed, streams }: RandomKey,
    x: View,
    out: View,
    probability: number,
  ): void => {
    const size = sizeOf(out.shape) / streams.length;
    const pieces = Math.ceil(size / pieceElements);
    const table = runtime.temporary(streamBytes * streams.length);
    const words = new Uint32Array(
      runtime.memory.buffer,
      table,
      3 * streams.length,
    );
    words.set(streams.flat());
    runtime.launch(
      kernel,
      [
        runtime.address(x),
        runtime.address(out),
        table,
        size,
        pieces,
        seed >>> 0,
        Math.floor(seed / 2 ** 32),
        1 / (1 - probability),
        dropoutThreshold(probability),
      ],
      streams.length * pieces,
      grainOf(pieceElements, chunkElements),
    );
    runtime.release(table);
  };

  return {
    random: (key, out) => launch(kernels().random, key, out, out, 0),
    dropout({ probability, key }: Dropout, x, out) {
      if (probability > 0) {
        launch(kernels().dropout, key, x, out, probability);
        return;
      }
      const start = runtime.address(x);
      new Uint8Array(runtime.memory.buffer).copyWithin(
        runtime.address(out),
        start,
        start + 4 * sizeOf(x.shape),
      );
    },
  };
}
