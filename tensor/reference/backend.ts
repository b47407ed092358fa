/**
 * The backend that the reference kernels make.
 *
 * @module
 */

import type { Backend } from "../backend.ts";
import { bytesPerElement, dtypeOf, isFloat } from "../dtype.ts";
import { attention, attentionBackward } from "./attention.ts";
import { gather, gatherBackward, take, takeBackward } from "./indexing.ts";
import { layerNorm, layerNormBackward } from "./layer_norm.ts";
import { map, reduce } from "./map_reduce.ts";
import { matmul } from "./matmul.ts";
import {
  allocateBuffer,
  type BufferOwner,
  elementsOf,
  type ReferenceBuffer,
} from "./memory.ts";
import { argmax, cumsum, topk } from "./ordering.ts";
import { dropout, random } from "./random.ts";
import {
  crossEntropy,
  crossEntropyBackward,
  softmax,
  softmaxBackward,
} from "./softmax.ts";

/** How a reference backend stores real numbers. */
export interface ReferenceBackendOptions {
  /** Dtype of real numbers in memory; arithmetic is double. Default `f32`. */
  readonly dtype?: "f32" | "f64";
}

/**
 * Makes a reference backend: single-threaded, synchronous, and precise.
 *
 * Arithmetic is done in double precision and rounded where it is stored. Fresh
 * memory reads as NaN, and freed buffers can't be used: that is a TypeError.
 * `write` converts host numbers to its float dtype. After `close()`
 * nothing works but `free`, which finalizers may call.
 */
export function createReferenceBackend(
  { dtype: floatDtype = "f32" }: ReferenceBackendOptions = {},
): Backend {
  const owner: BufferOwner = { closed: false };
  return {
    name: "reference",
    floatDtype,
    bytesPerElement,
    halves: false,
    synchronous: true,
    submits: 0,
    readbacks: 0,
    finished: () => Promise.resolve(),
    threads: 1,
    mode: floatDtype,
    limitBytes: Infinity,
    allocate: (bytes) => allocateBuffer(bytes, owner),
    free: (buffer) => {
      (buffer as ReferenceBuffer).values.transfer(0);
    },
    write: (buffer, values, offset) => {
      const dtype = dtypeOf(values);
      const stored = isFloat(dtype) ? floatDtype : dtype;
      elementsOf(buffer, stored).set(values, offset);
    },
    read: (buffer, dtype, offset, length) =>
      elementsOf(buffer, dtype).slice(offset, offset + length),
    // Buffers belong to their holders; there is nothing else to give back.
    close: () => {
      owner.closed = true;
    },
    map,
    reduce,
    matmul,
    softmax,
    softmaxBackward,
    crossEntropy,
    crossEntropyBackward,
    layerNorm,
    layerNormBackward,
    attention,
    attentionBackward,
    take,
    takeBackward,
    gather,
    gatherBackward,
    cumsum,
    argmax,
    topk,
    random,
    dropout,
  };
}
