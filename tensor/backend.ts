/**
 * What a backend implements: memory and a closed list of kernels.
 *
 * Kernels take {@linkcode View}s: a buffer with dtype, shape, strides and
 * offset, all counted in elements. They trust their callers: shapes agree, and
 * where "contiguous" is said, views are. The operations in `operations/` see
 * to that, and users call operations, never kernels.
 *
 * @module
 */

import type { Dtype, TypedArray } from "./dtype.ts";
import type { Elementwise } from "./expression.ts";
import type { Shape } from "./shape.ts";

/** Memory on a device; what else it holds is the backend's affair. */
export interface DeviceBuffer {
  /** Size that was asked for, in bytes. */
  readonly bytes: number;
}

/** A strided window on a buffer. */
export interface View {
  /** The memory. */
  readonly buffer: DeviceBuffer;
  /** Element type. */
  readonly dtype: Dtype;
  /** Extents of the axes. */
  readonly shape: Shape;
  /** Distance of neighbours along each axis, in elements; 0 repeats. */
  readonly strides: Shape;
  /** Position of the first element, in elements. */
  readonly offset: number;
}

/**
 * Key of a stream of random numbers (Philox 4x32-10, Salmon et al. 2011).
 *
 * Element i of a tensor is lane `i mod 4` of the block with counter
 * `(⌊i/4⌋, stream[0], stream[1], stream[2])` and key `(seed mod 2³², ⌊seed/2³²⌋)`, as a
 * number in [0, 1): the upper 24 bits of the word, times 2⁻²⁴.
 */
export interface RandomKey {
  /** An integer in 0 … 2⁵³ − 1. */
  readonly seed: number;
  /**
   * One stream of three 32-bit words for each slice of the leading axis, which
   * counts its elements from 0; a single stream serves the whole tensor. So a
   * stack of layers draws what its layers would draw one by one.
   */
  readonly streams: readonly (readonly [number, number, number])[];
}

/** Dropout: zero with probability `probability`, else x / (1 − p). */
export interface Dropout {
  /** In [0, 1). An element is kept where its random number is ≥ p. */
  readonly probability: number;
  /** Where the random numbers come from. */
  readonly key: RandomKey;
}

/** out = residual + alpha · (a · b + bias), or added to out. */
export interface MatmulArguments {
  /** `[…batch, M, K]`, any strides. */
  readonly a: View;
  /** `[…batch, K, N]`, any strides. */
  readonly b: View;
  /** `[…batch, M, N]`; last axis has stride 1. */
  readonly out: View;
  /** Same shape as `out`, any strides (mostly 0 along rows). */
  readonly bias?: View;
  /** Same shape as `out`; may be the very same view as `out`. */
  readonly residual?: View;
  /** Factor of the product and the bias. */
  readonly alpha: number;
}

/** softmax(scale · q kᵀ + bias, where kept) v, with what shapes it. */
export interface AttentionArguments {
  /** `[B, H, T, D]`, last axis of stride 1. */
  readonly query: View;
  /** `[B, H, S, D]`, last axis of stride 1. */
  readonly key: View;
  /** `[B, H, S, D]`, last axis of stride 1. */
  readonly value: View;
  /** bool `[B, H, T, S]`, any strides; false may not be attended. */
  readonly keep?: View;
  /** float `[B, H, T, S]`, any strides; added to the scores. */
  readonly bias?: View;
  /** Query t sees keys 0 … t + (S − T) only. */
  readonly causal: boolean;
  /** Factor of the scores. */
  readonly scale: number;
  /**
   * Dropout of the probabilities; the element counted is
   * `((b · H + h) · T + t) · S + s`, b within its stream's slice.
   */
  readonly dropout?: Dropout;
}

/** Cross entropy of class logits against labels, or smoothed labels. */
export interface CrossEntropyArguments {
  /** `[rows, classes]`, contiguous. */
  readonly logits: View;
  /** i32 `[rows]`, contiguous. */
  readonly labels: View;
  /** Rows with this label have loss and gradient 0. */
  readonly ignoreIndex: number;
  /** e: every class gets e / classes, the label 1 − e more. In [0, 1]. */
  readonly labelSmoothing: number;
}

/** How a reduction combines elements. */
export type ReduceKind = "sum" | "max" | "min";

/**
 * What every backend computes. No kernel allocates tensors; outputs never
 * overlap inputs unless said.
 */
export interface Kernels {
  /**
   * outputs = program(inputs) for every element. All views have one shape, any
   * strides (inputs may repeat with stride 0; outputs don't). An output may be
   * the very same view as an input.
   */
  map(
    program: Elementwise,
    inputs: readonly View[],
    outputs: readonly View[],
    scalars: readonly number[],
  ): void;
  /**
   * out = the program's only output, combined over the axes where `out` has
   * extent 1 and the inputs have not. Inputs have one shape of `out`'s rank,
   * any strides; `out` is contiguous. Results don't depend on thread count.
   */
  reduce(
    kind: ReduceKind,
    program: Elementwise,
    inputs: readonly View[],
    out: View,
    scalars: readonly number[],
  ): void;
  /** Batched matrix product with fused bias and residual. */
  matmul(args: MatmulArguments): void;
  /** Softmax of each row; x, out `[rows, n]` contiguous. */
  softmax(x: View, out: View): void;
  /** dx = y · (dy − Σ y dy); y, dy, dx `[rows, n]` contiguous. */
  softmaxBackward(y: View, dy: View, dx: View): void;
  /**
   * loss `[rows]` per row and logSumExp `[rows]`, both contiguous.
   *
   * @throws {RangeError} If a label is neither a class nor `ignoreIndex`.
   */
  crossEntropy(
    args: CrossEntropyArguments,
    loss: View,
    logSumExp: View,
  ): void;
  /** dlogits `[rows, classes]`, given dloss `[rows]` and the saved logSumExp. */
  crossEntropyBackward(
    args: CrossEntropyArguments,
    logSumExp: View,
    dloss: View,
    dlogits: View,
  ): void;
  /**
   * out = (x − mean) · inverseDeviation · weight + bias over the last axis, by the two-pass variance.
   * x, out `[groups, rows, n]`, weight and bias `[groups, n]` or absent, mean
   * and inverseDeviation (1/√(variance + epsilon)) `[groups, rows]`; all contiguous but weight and bias, which may have a
   * stride between groups.
   */
  layerNorm(
    x: View,
    weight: View | undefined,
    bias: View | undefined,
    epsilon: number,
    out: View,
    mean: View,
    inverseDeviation: View,
  ): void;
  /** dx, and dweight and dbias `[groups, n]` where given; shapes as above. */
  layerNormBackward(
    x: View,
    weight: View | undefined,
    mean: View,
    inverseDeviation: View,
    dy: View,
    dx: View,
    dweight: View | undefined,
    dbias: View | undefined,
  ): void;
  /** out `[B, H, T, D]`, last stride 1, and logSumExp `[B, H, T]` contiguous. */
  attention(args: AttentionArguments, out: View, logSumExp: View): void;
  /** dquery, dkey, dvalue: shaped as query, key, value; last stride 1. */
  attentionBackward(
    args: AttentionArguments,
    out: View,
    logSumExp: View,
    dout: View,
    dquery: View,
    dkey: View,
    dvalue: View,
  ): void;
  /**
   * out[o, j, i] = x[o, index[j], i]; x `[outer, n, inner]`, index i32 `[k]`,
   * out `[outer, k, inner]`, all contiguous; float, i32 or bool.
   *
   * @throws {RangeError} If an index is outside 0 … n − 1.
   */
  take(x: View, index: View, out: View): void;
  /** out[o, index[j], i] += y[o, j, i], in order of j; shapes as in take. */
  takeBackward(y: View, index: View, out: View): void;
  /**
   * torch.gather: out[…j…] = x[…index[…j…]…] along `axis`. Views of one rank,
   * any strides; out and index have one shape.
   *
   * @throws {RangeError} If an index is outside x's axis.
   */
  gather(x: View, axis: number, index: View, out: View): void;
  /** out[…index[…j…]…] += y[…j…] along `axis`; shapes as in gather. */
  gatherBackward(y: View, axis: number, index: View, out: View): void;
  /** Running sums over the middle axis of `[outer, n, inner]`, contiguous. */
  cumsum(x: View, out: View, reverse: boolean): void;
  /** out i32 `[outer, inner]`: first position of the largest of the middle axis. */
  argmax(x: View, out: View): void;
  /**
   * The k largest of each row, descending, the lower index first among equals;
   * x `[rows, n]`, values and i32 indices `[rows, k]`, contiguous.
   */
  topk(x: View, values: View, indices: View): void;
  /** Uniform numbers in [0, 1), multiples of 2⁻²⁴; out contiguous. */
  random(key: RandomKey, out: View): void;
  /** Dropout of x, which is also its own backward; contiguous. */
  dropout(dropout: Dropout, x: View, out: View): void;
}

/** Memory in use on a device. */
export interface DeviceStats {
  /** Bytes of buffers that live tensors hold. */
  readonly liveBytes: number;
  /** Number of those buffers. */
  readonly liveBuffers: number;
  /** Largest `liveBytes` so far, or since `resetPeak`. */
  readonly peakBytes: number;
  /** Bytes that the device may use; `Infinity` where nothing limits them. */
  readonly limitBytes: number;
}

/** A place where tensors live and kernels run. */
export interface Backend extends Kernels {
  /** `reference`, `wasm`, … */
  readonly name: string;
  /** Dtype of real numbers here. */
  readonly floatDtype: "f32" | "f64";
  /** Bytes of one element in a buffer. */
  readonly bytesPerElement: Readonly<Record<Dtype, number>>;
  /**
   * Whether kernels have run when they return and `read` gives values at once.
   * Elsewhere faults show up later: in the next `read` or `finished`.
   */
  readonly synchronous: boolean;
  /** Command buffers submitted so far; 0 on synchronous devices. */
  readonly submits: number;
  /** Waits for values so far; 0 on synchronous devices. */
  readonly readbacks: number;
  /** Whether real numbers may also be stored in 16 bits, as `f16`. */
  readonly halves: boolean;
  /** Threads that share the work of a kernel. */
  readonly threads: number;
  /** How kernels are built, for reports: `f64`, `portable`, `turbo`, … */
  readonly mode: string;
  /** Bytes that the device may use; `Infinity` where nothing limits them. */
  readonly limitBytes: number;
  /**
   * Memory of at least `bytes`, with undefined contents.
   *
   * @param origin The operation that it is for, for messages.
   * @param shape Of the tensor that it is for, for messages.
   * @throws {RangeError} If there is none left.
   * @throws {DeviceError} If the device has no buffers of that size.
   */
  allocate(bytes: number, origin?: string, shape?: Shape): DeviceBuffer;
  /** Gives memory back. */
  free(buffer: DeviceBuffer): void;
  /**
   * Copies host values into a buffer of `dtype`, from element `offset` on. The
   * dtype of the values serves where it is left out.
   */
  write(
    buffer: DeviceBuffer,
    values: TypedArray,
    offset: number,
    dtype?: Dtype,
  ): void;
  /** Copies `length` elements from `offset` on to the host. */
  read(
    buffer: DeviceBuffer,
    dtype: Dtype,
    offset: number,
    length: number,
  ): TypedArray | Promise<TypedArray>;
  /**
   * Resolves when all work launched so far is done.
   *
   * @throws {DeviceError} If some of it failed.
   */
  finished(): Promise<void>;
  /** Ends worker threads and forgets all memory. */
  close(): void;
}
